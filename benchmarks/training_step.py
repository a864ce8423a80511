"""What a training step costs, beside matrix products of as many operations: how far it is from what the machine can do.

Five ways take turns in one process, so that other work on the machine slows them alike; the ratios are what counts:

* floor: float32 matrix products of as many operations as the step has;
* bare: network, loss and optimiser, the batch in memory;
* loader: the same with batches of the loader;
* lightning: a fit by the Trainer, with metrics;
* plain: the obvious script, float pictures in torch's default layout and torch's own Adam, the batch in memory.

Beside seconds by the clock stand those that the process computed. With ``--threads 1`` these hardly feel other work.

    python benchmarks/training_step.py --system pets --root data/oxford_pets --rounds 5
    python benchmarks/training_step.py --system dogs --root data/stanford_dogs --threads 1 --steps 2
"""

import argparse
import gc
import logging
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

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
from lightning_seg.memory import keep_freed_memory
from lightning_seg.tasks.optimization import create_optimizer, parameter_groups

SIDE = 2048
"""Of the matrices, whose product is 17.2 GFLOP."""


class System(NamedTuple):
    """A tutorial's network, data and batch."""

    task: Callable[[], Any]
    data: Callable[..., Any]
    batch_size: int
    image_size: int
    augment: str


SYSTEMS = {
    "pets": System(
        partial(MobileNetV2UNetTask, encoder_weights=None, freeze_encoder=True), OxfordPetsDataModule, 64, 128, "flip"
    ),
    "carvana": System(partial(UNetTask, dice_weight=1.0), CarvanaDataModule, 3, 256, "flip_shift_hue"),
    "flowers": System(partial(CNNClassifierTask, dropout=0.2), FlowersDataModule, 32, 180, "flip"),
    "dogs": System(
        partial(TimmClassifierTask, arch="resnet50", weights=None, num_classes=120),
        StanfordDogsDataModule,
        16,
        224,
        "flip",
    ),
    "detector": System(partial(SlidingDetectorTask, weights=None, num_classes=5), FlowersDataModule, 16, 224, "flip"),
}


class Spent(NamedTuple):
    """Seconds per step, by the clock and computed."""

    clock: float
    computed: float


def stopped(work: Callable[[], Any], steps: int) -> Spent:
    started = time.perf_counter(), time.process_time()
    work()
    return Spent((time.perf_counter() - started[0]) / steps, (time.process_time() - started[1]) / steps)


def truth_of(batch: dict[str, Any]) -> Tensor:
    truth: Tensor = batch["label"] if "label" in batch else batch["mask"].long()
    return truth


def count_operations(task: Any, batch: dict[str, Any]) -> int:
    """Of one step, forward and backward; two per multiply-add."""
    with FlopCounterMode(display=False) as counter:
        task.loss(task(batch["image"].to(task.device)), truth_of(batch).to(task.device)).backward()
    return int(counter.get_total_flops())


def multiply(operations: int, device: torch.device) -> None:
    a, products = torch.rand(SIDE, SIDE, device=device), max(1, round(operations / (2 * SIDE**3)))
    for _ in range(products):
        a @ a
    (a @ a[:, :1])[0].item()


def train(network: Callable[[Tensor], Tensor], task: Any, optimizer: Any, batches: Iterable[dict[str, Any]]) -> None:
    """Model, loss and optimiser, nothing else."""
    for batch in batches:
        loss = task.loss(network(batch["image"].to(task.device)), truth_of(batch).to(task.device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    _ = loss.item()


def bare(task: Any, batches: Callable[[], Iterable[dict[str, Any]]], steps: int) -> Spent:
    optimizer = create_optimizer("adam", parameter_groups(task.model, 1e-3, 0.0), 1e-3, {})
    return stopped(lambda: train(task, task, optimizer, batches()), steps)


def plain(task: Any, batch: dict[str, Any], steps: int) -> Spent:
    """Pictures are scaled before; torch's defaults everywhere else."""
    network: nn.Module = task.model.to(memory_format=torch.contiguous_format)
    images = (batch["image"].to(task.device).float() / 255).contiguous()
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=1e-3)
    return stopped(lambda: train(network, task, optimizer, [{**batch, "image": images}] * steps), steps)


class Stopwatch(pl.Callback):
    """What the newest epoch has spent, from the start of its first step to the end of its last."""

    started = clock, computed = 0.0, 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started = time.perf_counter(), time.process_time()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.clock, self.computed = time.perf_counter() - self.started[0], time.process_time() - self.started[1]


def lightning(task: Any, data: Any, steps: int, device: torch.device) -> Spent:
    watch = Stopwatch()
    trainer = pl.Trainer(
        max_epochs=2,
        limit_train_batches=steps,
        limit_val_batches=0,
        accelerator=device.type,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        callbacks=[watch],
    )
    # Two epochs: the first starts the loader's processes and fills the cache; the second one's time is kept.
    trainer.fit(task, data)
    return Spent(watch.clock / steps, watch.computed / steps)


def measure(given: argparse.Namespace, device: torch.device) -> tuple[int, int, dict[str, list[Spent]]]:
    """Steps of each way, operations of a step, and what each way has spent in each round."""
    system = SYSTEMS[given.system]
    data = system.data(
        given.root,
        source=given.source,
        image_size=system.image_size,
        batch_size=given.batch_size or system.batch_size,
        num_workers=given.num_workers,
        augment=given.augment or system.augment,
        cache="ram",
    )
    data.prepare_data()
    data.setup("fit")
    loader = data.train_dataloader()
    steps = min(len(loader), given.steps or len(loader))
    batch = next(iter(loader))

    def new_task() -> Any:
        return system.task().to(device).train()

    operations = count_operations(new_task(), batch)
    ways: dict[str, Callable[[], Spent]] = {
        "floor": lambda: stopped(lambda: multiply(operations * steps, device), steps),
        "bare": lambda: bare(new_task(), lambda: [batch] * steps, steps),
        "loader": lambda: bare(new_task(), lambda: islice(loader, steps), steps),
        "lightning": lambda: lightning(new_task(), data, steps, device),
        "plain": lambda: plain(new_task(), batch, steps),
    }
    if given.no_memory:
        # The Trainer would set it.
        del ways["lightning"]
    spent: dict[str, list[Spent]] = {name: [] for name in ways}
    for number in range(given.rounds + 1):
        for name, way in ways.items():
            result = way()
            # Tasks and trainers hold each other; VGG16 and what its optimiser keeps are 2 GB each time.
            gc.collect()
            if number:  # the first round warms up
                spent[name].append(result)
    return steps, operations, spent


def median_ratio(spent: list[Spent], base: list[Spent], kind: str) -> float:
    """Of rounds, in each of which both took turns."""
    pairs = zip(spent, base, strict=True)
    return float(statistics.median(getattr(one, kind) / getattr(other, kind) for one, other in pairs))


def report(operations: int, spent: dict[str, list[Spent]]) -> str:
    """A row per way, in Markdown."""
    lines = [
        "| way | ms per step | over floor | over bare | computed, ms | over floor | over bare |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, values in spent.items():
        cells = []
        for kind in Spent._fields:
            cells.append(f"{1e3 * statistics.median(getattr(one, kind) for one in values):.0f}")
            cells += [f"{median_ratio(values, spent[base], kind):.2f}" for base in ("floor", "bare")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    rate = operations / statistics.median(one.clock for one in spent["floor"]) / 1e9
    return "\n".join([f"{operations / 1e9:.1f} GFLOP per step, matrix products at {rate:.0f} GFLOP/s", "", *lines])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", default="pets", choices=list(SYSTEMS))
    parser.add_argument("--root", required=True, help="folder of its dataset; the detector learns flowers")
    parser.add_argument("--source", default="real", choices=["real", "synthetic"])
    parser.add_argument("--batch_size", type=int, default=None, help="the tutorial's without it, 16 for the detector")
    parser.add_argument("--num_workers", type=int, default=None)
    parser.add_argument("--augment", default=None, help="a pipeline by name")
    parser.add_argument("--steps", type=int, default=None, help="of each way in a round; all of an epoch without it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=None, help="all cores without it")
    parser.add_argument("--no_memory", action="store_true", help="leave the allocator as it is, for comparison")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    for name in ("lightning_seg", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not given.no_memory:
        keep_freed_memory()
    steps, operations, spent = measure(given, device)
    print(
        f"{given.system}: {device}, Python {platform.python_version()}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads, {given.rounds} rounds of {steps} steps"
    )
    print(report(operations, spent))


if __name__ == "__main__":
    main()
