"""What a card does, what feeds it, and which of the two limits a training: one table, in under six minutes.

For each row, in pictures per second: the card with one batch in its memory, the same compiled, the loader alone (the
first epoch, which decodes, and later ones), the Trainer with everything on, and the obvious plain PyTorch script.
Beside them the share of time that the card is busy, the seconds from the command to the first step, the peak memory,
and what limits the row.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --data DIR --photos data/oxford_pets --compile --budget 900
    python benchmarks/gpu.py --device cpu --quick

DIR may hold real pictures in oxford_pets, carvana, flowers and stanford_dogs; what is not there is synthetic. Nothing
is downloaded, and all weights are random. What fails is said in its row, and what there is no time for is left out.
"""

import argparse
import gc
import logging
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from importlib.metadata import version
from math import inf
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lightning_seg import (
    CarvanaDataModule,
    CNNClassifierTask,
    FlowersDataModule,
    MobileNetV2UNetTask,
    OxfordPetsDataModule,
    SlidingDetectorTask,
    StanfordDogsDataModule,
    TimmClassifierTask,
    UNetTask,
)
from lightning_seg.callbacks import MatmulPrecision
from lightning_seg.inference.boxes import crop_probabilities
from lightning_seg.synthetic.carvana import write_carvana
from lightning_seg.synthetic.flowers import write_flowers
from lightning_seg.synthetic.oxford_pets import write_oxford_pets
from lightning_seg.synthetic.stanford_dogs import write_stanford_dogs
from lightning_seg.tasks.optimization import create_optimizer, parameter_groups
from lightning_seg.tasks.supervised import SupervisedTask

REPOSITORY = Path(__file__).parents[1]
FIRST_STEP = "LIGHTNING_SEG_FIRST_STEP"
"""Names the file that tells when the first step was done."""
BUSY, WHOLE_SHARE, OVER_PLAIN, WHOLE_RUN = 0.9, 0.95, 2.0, 40.0
"""The aims."""
WARM_UP = 3
PHOTOS = 550
"""Of the whole run."""
Batch = dict[str, Any]


class System(NamedTuple):
    """How one of the tasks is trained here."""

    config: str
    folder: str
    data: Any
    side: int
    make: Callable[[int, int], SupervisedTask]  # of a side, and of so many classes
    write: Callable[[Path, int], None]  # so many synthetic pictures
    flags: tuple[str, ...]  # random weights


def write_pets(root: Path, count: int) -> None:
    # Some of each breed validate, one in ten.
    breeds = 8 if count >= 160 else 2
    write_oxford_pets(root, num_trainval=count, num_test=max(breeds, count // 10), num_breeds=breeds)


SYSTEMS = {
    "pets": System(
        "pets.yaml",
        "oxford_pets",
        OxfordPetsDataModule,
        128,
        lambda side, classes: MobileNetV2UNetTask(encoder_weights=None, freeze_encoder=False, dice_weight=1.0),
        lambda root, count: write_pets(root, count),
        ("--model.encoder_weights", "null", "--model.encoder_lr_factor", "1", "--model.freeze_encoder_norm", "false"),
    ),
    "carvana": System(
        "carvana.yaml",
        "carvana",
        CarvanaDataModule,
        256,
        lambda side, classes: UNetTask(dice_weight=1.0),
        lambda root, count: write_carvana(root, num_cars=max(3, count // 64)),
        (),
    ),
    "flowers": System(
        "flowers.yaml",
        "flowers",
        FlowersDataModule,
        180,
        lambda side, classes: CNNClassifierTask(image_size=side, dropout=0.2),
        lambda root, count: write_flowers(root, num_per_class=max(4, count // 5)),
        (),
    ),
    "dogs": System(
        "dogs.yaml",
        "stanford_dogs",
        StanfordDogsDataModule,
        224,
        lambda side, classes: TimmClassifierTask("resnet50", None, classes, label_smoothing=0.1),
        lambda root, count: write_stanford_dogs(root, num_train=max(40, count), num_test=40),
        ("--model.weights", "null", "--model.encoder_lr_factor", "1"),
    ),
}


@dataclass
class Row:
    """A line of the table; a cell is a number, or says why there is none."""

    name: str
    system: str
    batch_size: int
    side: int
    compiles: bool = False
    cells: dict[str, float | str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def number(self, cell: str) -> float | None:
        value = self.cells.get(cell)
        return value if isinstance(value, float) else None

    def ratio(self, cell: str, to: str) -> float | None:
        one, other = self.number(cell), self.number(to)
        return None if one is None or not other else one / other


class Setting(NamedTuple):
    """Of all rows."""

    device: torch.device
    quick: bool
    seconds: float  # of each measurement
    roots: dict[str, Path]
    end: float
    pictures: dict[str, Any]  # datamodules by system, whose caches are filled once

    @property
    def is_card(self) -> bool:
        return self.device.type == "cuda"

    def left(self) -> float:
        return self.end - time.monotonic()


# What is measured


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def as_gpu_yaml(setting: Setting) -> Iterator[None]:
    """TF32, the search for the fastest convolutions, and bf16, as the config has it; on a CPU nothing of it."""
    if not setting.is_card:
        yield
        return
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    with torch.autocast("cuda", torch.bfloat16, cache_enabled=False):
        yield


def rate_of(step: Callable[[], Any], pictures: int, setting: Setting) -> float:
    """Pictures per second of a step that is repeated."""
    for _ in range(1 if setting.quick else WARM_UP):
        step()
    wait(setting.device)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < setting.seconds:
        for _ in range(1 if setting.quick or not setting.is_card else 10):
            step()
            count += 1
        # Else the queue would grow far ahead of the clock.
        wait(setting.device)
    return count * pictures / (time.perf_counter() - start)


def make_step(task: SupervisedTask, batch: Batch, setting: Setting) -> Callable[[], None]:
    """Forward, loss, backward and optimiser; no metrics."""
    given: Any = task.hparams
    groups = parameter_groups(task.model, given["lr"], given["weight_decay"], given["encoder_lr_factor"])
    optimizer = create_optimizer(given["optimizer"], groups, given["lr"], {}, fused=setting.is_card)
    loss_of: Any = task.loss

    def step() -> None:
        with as_gpu_yaml(setting):
            truth = batch["mask"].long() if "mask" in batch else batch["label"]
            loss = loss_of(task(batch["image"]), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def fixed_batch(row: Row, task: SupervisedTask, setting: Setting) -> Batch:
    generator = torch.Generator().manual_seed(0)
    shape, classes = (row.batch_size, row.side, row.side, 3), len(task.known_class_names())
    batch = {"image": torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator).permute(0, 3, 1, 2)}
    if row.system in ("pets", "carvana"):
        batch["mask"] = torch.randint(0, classes, shape[:3], dtype=torch.uint8, generator=generator)
    else:
        batch["label"] = torch.randint(0, classes, shape[:1], generator=generator)
    return {name: tensor.to(setting.device) for name, tensor in batch.items()}


def new_task(row: Row, setting: Setting) -> SupervisedTask:
    return SYSTEMS[row.system].make(row.side, 120).to(setting.device).train()


def card(row: Row, setting: Setting) -> float:
    task = new_task(row, setting)
    return rate_of(make_step(task, fixed_batch(row, task, setting), setting), row.batch_size, setting)


def compiled(row: Row, setting: Setting) -> float:
    """Also how long it takes to compile, and from how many steps on that has paid.

    Compiled and as written take turns, so that what else the machine does slows both.
    """
    tasks = [new_task(row, setting) for _ in range(2)]
    batch = fixed_batch(row, tasks[0], setting)
    tasks[0].model.compile(dynamic=False)
    steps = [make_step(task, batch, setting) for task in tasks]
    start = time.perf_counter()
    steps[0]()
    wait(setting.device)
    seconds = time.perf_counter() - start
    turns = [[rate_of(step, row.batch_size, setting) for step in steps] for _ in range(3)]
    rate, eager = (statistics.median(rates) for rates in zip(*turns, strict=True))
    saved = row.batch_size / eager - row.batch_size / rate
    row.cells |= {
        "compile s": seconds,
        "gain": rate / eager,
        "pays from": seconds / saved if saved > 0 else "never",
    }
    return float(rate)


class Repeated(Dataset[Any]):
    """A dataset several times over, so that an epoch is long enough to be measured."""

    def __init__(self, base: Any, times: int) -> None:
        self.base, self.times = base, times

    def __len__(self) -> int:
        return len(self.base) * self.times

    def __getitem__(self, key: Any) -> Any:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        return self.base[epoch, index % len(self.base)]


def data_for(row: Row, setting: Setting) -> tuple[Any, Any]:
    """As the config has it, and its training pictures as they are; one datamodule for all rows of a system."""
    system = SYSTEMS[row.system]
    if row.system not in setting.pictures:
        data = system.data(
            setting.roots[row.system], image_size=row.side, cache="ram" if row.system != "dogs" else False
        )
        data.setup("fit")
        setting.pictures[row.system] = data, data.datasets["train"]
    data, base = setting.pictures[row.system]
    data.batch_size = row.batch_size
    return data, base


def lengthen(data: Any, base: Any, pictures: int) -> None:
    data.datasets["train"] = Repeated(base, -(-pictures // len(base)))


def rate_of_loader(batches: Iterator[Any], seconds: float) -> float:
    """Pictures per second after the first batch, for which workers start."""
    next(batches)
    start, count = time.perf_counter(), 0
    for batch in batches:
        count += len(batch["image"] if isinstance(batch, dict) else batch[0])
        if time.perf_counter() - start > seconds:
            break
    return count / (time.perf_counter() - start)


def loader(row: Row, setting: Setting) -> float:
    """Later epochs; the first one, of the first row of a system, is another cell."""
    is_new = row.system not in setting.pictures
    data, base = data_for(row, setting)
    if is_new:
        lengthen(data, base, max(len(base), 3 * row.batch_size))
        row.cells["first epoch"] = rate_of_loader(iter(data.train_dataloader()), inf)
    lengthen(data, base, 100 * row.batch_size + 20_000)
    return rate_of_loader(iter(data.train_dataloader()), setting.seconds)


class Clock(pl.Callback):
    """Starts with the first step after the warm-up and stops with the last one."""

    def __init__(self, setting: Setting, busy: "Busy") -> None:
        self.setting, self.busy = setting, busy
        self.steps, self.start, self.seconds = 0, 0.0, 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        self.steps += 1
        if self.steps == WARM_UP:
            wait(self.setting.device)
            self.busy.begin()
            self.start = time.perf_counter()
        elif self.steps == trainer.max_steps:
            wait(self.setting.device)
            self.seconds = time.perf_counter() - self.start
            self.busy.end()


def whole(row: Row, setting: Setting) -> float:
    """The Trainer with loader, metrics, logger, pictures decoded before."""
    data, base = data_for(row, setting)
    expected = row.number("card") or 100.0
    steps = WARM_UP + max(3, min(3000, int(2 * setting.seconds * expected / row.batch_size)))
    lengthen(data, base, (steps + 1) * row.batch_size)
    busy = Busy(setting)
    clock = Clock(setting, busy)
    if setting.is_card:
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            accelerator="gpu" if setting.is_card else "cpu",
            devices=1,
            precision="bf16-mixed" if setting.is_card else "32-true",
            benchmark=setting.is_card,
            max_steps=steps,
            limit_val_batches=0,
            num_sanity_val_steps=0,
            default_root_dir=folder,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[clock, MatmulPrecision()],
        )
        trainer.fit(SYSTEMS[row.system].make(row.side, data.num_classes), data)
    row.cells["busy"] = busy.share if busy.share is not None else busy.reason
    row.cells["peak GiB"] = torch.cuda.max_memory_allocated() / 2**30 if setting.is_card else "no card"
    return (steps - WARM_UP) * row.batch_size / clock.seconds


class PlainPictures(Dataset[Any]):
    """As most scripts read them: Pillow, float pictures in torch's layout, a flip."""

    def __init__(self, base: Any, side: int) -> None:
        self.base, self.side = base, side

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        record = self.base.records[index % len(self.base.records)]
        image = Image.open(self.base.image_path(record)).convert("RGB").resize((self.side, self.side))
        tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        flips = bool(torch.rand(()) < 0.5)
        tensor = (tensor.flip(-1) if flips else tensor).contiguous()
        if not self.base.has_masks:
            return tensor, self.base.label(record)
        mask = Image.fromarray(self.base.read_mask(record)).resize((self.side, self.side), Image.Resampling.NEAREST)
        truth = torch.from_numpy(np.array(mask)).long()
        return tensor, truth.flip(-1) if flips else truth


def plain(row: Row, setting: Setting) -> float:
    """The obvious script: float32, torch's layout, Adam, as many workers, the loss shown after each step."""
    data, base = data_for(row, setting)
    pictures = PlainPictures(base, row.side)
    batches = iter(DataLoader(pictures, batch_size=row.batch_size, num_workers=data.num_workers))
    row.cells["plain loader"] = rate_of_loader(batches, setting.seconds / 2)
    task = new_task(row, setting)
    network, loss_of = task.model.to(memory_format=torch.contiguous_format), cast(Any, task.loss)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step() -> None:
        images, truth = (tensor.to(setting.device) for tensor in next(batches))
        loss = loss_of(network(images), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return rate_of(step, row.batch_size, setting)


class Busy:
    """Share of time in which a kernel was at work on the card, as NVML samples it."""

    def __init__(self, setting: Setting) -> None:
        self.share: float | None = None
        self.reason = "no card"
        self._samples: list[float] = []
        self._over = threading.Event()
        self._read = self._reader() if setting.is_card else None

    def _reader(self) -> Callable[[], float] | None:
        self.reason = "no NVML"
        with suppress(Exception):
            torch.cuda.utilization()
            return lambda: torch.cuda.utilization() / 100
        program = shutil.which("nvidia-smi")
        if program is None:
            return None
        words = [program, "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0"]
        return lambda: float(subprocess.run(words, capture_output=True, text=True, check=True).stdout) / 100

    def begin(self) -> None:
        if self._read is not None:
            self._thread = threading.Thread(target=self._sample, daemon=True)
            self._thread.start()

    def _sample(self) -> None:
        # What it tells is of the past sixth of a second, or more.
        while not self._over.wait(0.2):
            with suppress(Exception):
                assert self._read is not None
                self._samples.append(self._read())

    def end(self) -> None:
        self._over.set()
        if self._read is None:
            return
        self._thread.join()
        self.reason = "too short"
        if len(self._samples) > 2:
            self.share = statistics.mean(self._samples[1:])


class FirstStep(pl.Callback):
    """In the process of a command: says when its first step was done, and ends it."""

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        wait(pl_module.device)
        Path(os.environ[FIRST_STEP]).write_text(str(time.time()))
        os._exit(0)


def command(system: System, root: Path, setting: Setting, *words: str) -> list[str]:
    """``fit`` as a user types it."""
    configs = REPOSITORY / "configs"
    device = ["--config", str(configs / "overrides" / "gpu.yaml")] if setting.is_card else []
    download = ["--data.download", "false"] if system.folder != "carvana" else []
    start = [sys.executable, "-m", "lightning_seg", "fit", "--config", str(configs / system.config), *device]
    return [*start, "--data.root", str(root), *download, *system.flags, *words]


def environment(**own: str) -> dict[str, str]:
    places = [str(REPOSITORY), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places)), **own}


def run(words: list[str], folder: str, limit: float, **own: str) -> str:
    done = subprocess.run(
        words, cwd=folder, env=environment(**own), capture_output=True, text=True, timeout=limit, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"exit code {done.returncode}")
    return done.stdout


def first_step(row: Row, setting: Setting) -> float:
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder) / "mark"
        words = ["--data.image_size", str(row.side), "--data.batch_size", str(row.batch_size)]
        words += ["--trainer.callbacks+=gpu.FirstStep", "--trainer.enable_progress_bar", "false"]
        start = time.time()
        typed = command(SYSTEMS[row.system], setting.roots[row.system], setting, *words)
        run(typed, folder, max(30.0, setting.left()), **{FIRST_STEP: str(mark)})
        return float(mark.read_text()) - start


# The map of a detector


def sliding(row: Row, setting: Setting) -> None:
    """One picture at a time; the plain script cuts every window out."""
    backbone = "mobilenet_v2" if setting.quick else "vgg16"
    task = SlidingDetectorTask(backbone, None, freeze_encoder=False).to(setting.device).eval()
    shape = (1, 3, row.side, row.side)
    picture = torch.randint(0, 256, shape, dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    picture = picture.to(setting.device)
    if setting.is_card:
        torch.cuda.reset_peak_memory_stats()

    def by(way: Callable[[], Any]) -> Callable[[], float]:
        def measure() -> float:
            with torch.inference_mode(), as_gpu_yaml(setting):
                return rate_of(way, 1, setting)

        return measure

    attempt(row, "card", by(lambda: task.window_probabilities(picture)), setting)
    attempt(row, "plain", by(lambda: crop_probabilities(task, picture)), setting)
    row.cells["peak GiB"] = torch.cuda.max_memory_allocated() / 2**30 if setting.is_card else "no card"


# Rows


def attempt(row: Row, cell: str, measure: Callable[[], float], setting: Setting) -> None:
    """A failure is what the cell says, and the next one is tried."""
    if setting.left() <= 0:
        row.cells[cell] = "no time"
        return
    start = time.monotonic()
    try:
        row.cells[cell] = measure()
    # Of any kind: a card that is full, a compiler that is not there.
    except Exception as error:
        row.cells[cell] = "failed"
        row.failures.append(f"{row.name}: {cell}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
    gc.collect()
    if setting.is_card:
        torch.cuda.empty_cache()
    reason = f": {row.failures[-1]}" if row.cells[cell] == "failed" else ""
    say(f"  {row.name}: {cell} {show(row.cells[cell])} ({time.monotonic() - start:.0f} s){reason}")


def measure_row(row: Row, setting: Setting, with_first_step: bool) -> None:
    if row.system == "detector":
        sliding(row, setting)
        return
    attempt(row, "card", lambda: card(row, setting), setting)
    attempt(row, "loader", lambda: loader(row, setting), setting)
    attempt(row, "Trainer", lambda: whole(row, setting), setting)
    attempt(row, "plain", lambda: plain(row, setting), setting)
    if with_first_step:
        attempt(row, "first step s", lambda: first_step(row, setting), setting)


def limit_of(row: Row) -> str:
    """What would have to be faster."""
    if row.system == "detector":
        return "the card" if row.number("card") else "unknown"
    share, fed = row.ratio("Trainer", "card"), row.ratio("loader", "card")
    if share is None or fed is None:
        return "unknown"
    if share >= WHOLE_SHARE:
        return "the card"
    return "the loader" if fed < 1 / WHOLE_SHARE else "the host, between steps"


def rows_for(quick: bool, compile_all: bool) -> list[Row]:
    rows = [
        Row("pets", "pets", 64, 128, compiles=True),
        Row("pets", "pets", 256, 128),
        Row("carvana", "carvana", 32, 256),
        Row("flowers", "flowers", 32, 180),
        Row("flowers", "flowers", 256, 180),
        Row("ResNet50", "dogs", 64, 224, compiles=True),
        Row("ResNet50", "dogs", 256, 224),
        Row("VGG16's map", "detector", 1, 448),
        Row("VGG16's map", "detector", 1, 896),
    ]
    for row in rows:
        row.compiles = (row.compiles or compile_all) and row.system != "detector"
        if quick:
            row.batch_size, row.side = max(1, row.batch_size // 32), 64
            # Compiling takes longer than all the rest of it.
            row.compiles = row.compiles and compile_all
        if quick and row.system == "detector":
            row.name, row.side = "MobileNetV2's map", 224 if row is rows[-2] else 288
        row.name = f"{row.name} {row.batch_size}@{row.side}" if row.system != "detector" else f"{row.name} @{row.side}"
    return rows


# Aims


class Aim(NamedTuple):
    """What is hoped for, and whether it is so; None where it cannot be told."""

    text: str
    holds: bool | None


def aims_of(rows: list[Row], seconds: float | str, count: int = PHOTOS) -> list[Aim]:
    trained = [row for row in rows if row.system != "detector"]
    aims = []
    for row in trained:
        busy, share, gain = row.number("busy"), row.ratio("Trainer", "card"), row.ratio("Trainer", "plain")
        aims += [
            Aim(f"{row.name}: busy {show_share(busy)}, aim > 90 %", None if busy is None else busy > BUSY),
            Aim(
                f"{row.name}: Trainer {show_share(share)} of the card's rate, aim >= 95 %",
                None if share is None else share >= WHOLE_SHARE,
            ),
        ]
        fed = row.ratio("plain", "plain loader")
        if gain is not None and fed is not None and fed > BUSY:
            aims.append(
                Aim(
                    f"{row.name}: {gain:.1f} times the plain script, which its loader limits, aim >= 2",
                    gain >= OVER_PLAIN,
                )
            )
    is_number = isinstance(seconds, float)
    shown = f"{seconds:.0f} s" if is_number else seconds
    aims.append(
        Aim(
            f"pets.yaml on {count} pictures from the command to the tested model: {shown}, aim < {WHOLE_RUN:.0f} s",
            float(seconds) < WHOLE_RUN if is_number else None,
        )
    )
    return aims


def num_photos(setting: Setting) -> int:
    return 40 if setting.quick else PHOTOS


def whole_run(setting: Setting, photos: Path | None) -> float | str:
    """``fit`` and ``test`` of pets.yaml on that many pictures: ten epochs."""
    if setting.left() <= 0:
        return "no time"
    count = num_photos(setting)
    with tempfile.TemporaryDirectory() as folder:
        root = photos or Path(folder) / "photos"
        if photos is None:
            write_pets(root, count)
        quick = ["--data.image_size", "64", "--trainer.max_epochs", "1"] if setting.quick else []
        start = time.monotonic()
        try:
            limit = max(WHOLE_RUN, setting.left())
            run(
                [*command(SYSTEMS["pets"], root, setting, *quick), "--trainer.enable_progress_bar=false"], folder, limit
            )
            run([sys.executable, "-m", "lightning_seg", "test", "--run", "runs/pets"], folder, limit)
        # Of any kind, as in a row.
        except Exception as error:
            return f"failed: {type(error).__name__}: {' '.join(str(error).split())[:80]}"
        return time.monotonic() - start


def advice(rows: list[Row]) -> str:
    """Whether random transforms should move to the device: where loaders cannot keep up, and no sooner."""
    behind = [row.name for row in rows if (row.ratio("loader", "card") or 1) < 1]
    if not any(row.number("loader") for row in rows):
        return "No loader was measured, so nothing can be said about moving random transforms to the device."
    if not behind:
        return "Every loader is faster than the card, so random transforms stay in the workers."
    return (
        f"The loader is slower than the card for {', '.join(behind)}: these cores cannot feed it, and random "
        "transforms on the device would help there."
    )


# The table

COLUMNS = (
    "card",
    "compiled",
    "gain",
    "compile s",
    "pays from",
    "first epoch",
    "loader",
    "Trainer",
    "plain",
    "plain loader",
    "busy",
    "first step s",
    "peak GiB",
)


def show(value: float | str | None, cell: str = "") -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if cell == "busy":
        return show_share(value)
    if cell == "gain":
        return f"{value:.2f}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def show_share(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.0f} %"


def table(rows: list[Row]) -> str:
    titles = ["row", *COLUMNS, "Trainer / card", "Trainer / plain", "limited by"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for row in rows:
        gain = row.ratio("Trainer", "plain") if row.system != "detector" else row.ratio("card", "plain")
        ratios = [show_share(row.ratio("Trainer", "card")), "-" if gain is None else f"{gain:.1f}", limit_of(row)]
        cells = [show(row.cells.get(cell), cell) for cell in COLUMNS]
        lines.append(f"| {' | '.join([row.name, *cells, *ratios])} |")
    return "\n".join(lines)


def heading(setting: Setting, sources: dict[str, str]) -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = torch.cuda.get_device_name(setting.device) if setting.is_card else f"no card, {platform.machine()}"
    way = "bf16-mixed, TF32, cudnn benchmark" if setting.is_card else "float32"
    pictures = ", ".join(f"{name} {source}" for name, source in sources.items())
    return (
        f"{name}; {cores} cores; {way}; Python {platform.python_version()}, torch {torch.__version__}, Lightning "
        f"{version('pytorch-lightning')}; {datetime.now():%Y-%m-%d}. Pictures: {pictures}."
        f"{' Quick: small pictures and batches, so the numbers say nothing but that it runs.' if setting.quick else ''}"
    )


NOTES = (
    "Pictures per second. `gain` is that of compiling, measured in turns; `compile s` are the seconds of the first "
    "step, `pays from` the steps after which compiling has saved them. `loader` is that of a later epoch, from the "
    "cache where the config has one. A detector's map is one picture without any training; its plain script classifies "
    "every window by itself, and its last ratio is card / plain."
)


def say(text: str) -> None:
    print(text, flush=True)


def find_pictures(given: Path | None, folder: Path, quick: bool) -> tuple[dict[str, Path], dict[str, str]]:
    roots, sources = {}, {}
    for name, system in SYSTEMS.items():
        real = None if given is None else given / system.folder
        if real is not None and real.is_dir():
            roots[name], sources[name] = real, "real"
            continue
        roots[name], sources[name] = folder / system.folder, "synthetic"
    missing = [name for name, source in sources.items() if source == "synthetic"]
    with ProcessPoolExecutor(mp_context=get_context("fork")) as processes:
        for name in processes.map(write_synthetic, missing, [roots[name] for name in missing], [quick] * len(missing)):
            say(f"  synthetic pictures: {SYSTEMS[name].folder}")
    return roots, sources


def write_synthetic(name: str, root: Path, quick: bool) -> str:
    SYSTEMS[name].write(root, 40 if quick else 320)
    return name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="small pictures, batches and networks: does it run?")
    parser.add_argument("--compile", action="store_true", help="every row, not two alone")
    parser.add_argument("--seconds", type=float, default=None, help="of each measurement")
    parser.add_argument("--budget", type=float, default=330.0, help="seconds after which nothing new is begun")
    parser.add_argument("--rows", default="", help="only those whose name holds this")
    parser.add_argument("--data", type=Path, default=None, help="folder with real pictures")
    parser.add_argument("--photos", type=Path, default=None, help="Oxford-IIIT Pet for the whole run, 550 photos")
    parser.add_argument("--output", type=Path, default=None, help="file for the table, in Markdown")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        sys.exit("gpu.py: error: there is no CUDA device; give --device cpu --quick to see whether it runs")
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    start = time.monotonic()
    rows = [row for row in rows_for(given.quick, given.compile) if given.rows in row.name]
    with tempfile.TemporaryDirectory() as folder:
        roots, sources = find_pictures(given.data, Path(folder), given.quick)
        seconds = given.seconds or (0.3 if given.quick else 2.0)
        setting = Setting(torch.device(given.device), given.quick, seconds, roots, start + given.budget, {})
        # One for each system.
        firsts = {row.system: row.name for row in reversed(rows)}
        for row in rows:
            measure_row(row, setting, firsts[row.system] == row.name)
        total = whole_run(setting, given.photos)
        say(f"  pets.yaml from the command to the tested model: {show(total)} s")
        for row in rows:
            if row.compiles:
                attempt(row, "compiled", partial(compiled, row, setting), setting)
    head = heading(setting, sources)
    checked = "\n".join(
        f"* {'unknown' if aim.holds is None else 'yes' if aim.holds else 'NO'}: {aim.text}"
        for aim in aims_of(rows, total, num_photos(setting))
    )
    took = f"`{' '.join(['python', *sys.argv])}`, {time.monotonic() - start:.0f} s."
    failures = "\n".join(f"* failed: {failure}" for row in rows for failure in row.failures)
    report = "\n\n".join(
        [
            "# What a card does, and what feeds it",
            took,
            head,
            checked,
            failures or "Nothing failed.",
            advice(rows),
            NOTES,
            table(rows),
        ]
    )
    if given.output is not None:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(report + "\n")
    say(report)


if __name__ == "__main__":
    main()
