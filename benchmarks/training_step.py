"""Milliseconds per training step: a bare loop, the loop with the loader, Lightning with both, and plain PyTorch.

They take turns in one process, so that a busy machine slows them alike; the ratios are what counts. The operations of a
step are counted, and how long matrix products of that many take on this machine stands beside it.

    python benchmarks/training_step.py --system pets --root data/oxford_pets --batch_size 64 --rounds 3
    python benchmarks/training_step.py --system carvana --root data/carvana --batch_size 3 --rounds 2 --steps 4
"""

import argparse
import logging
import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lightning_seg import CarvanaDataModule, MobileNetV2UNetTask, OxfordPetsDataModule, UNetTask
from lightning_seg.batch import SegmentationBatch
from lightning_seg.datamodules.base import SegmentationDataModule
from lightning_seg.memory import keep_freed_memory
from lightning_seg.tasks.segmentation import SegmentationTask

DATA: dict[str, type[SegmentationDataModule]] = {"pets": OxfordPetsDataModule, "carvana": CarvanaDataModule}


def make_task(system: str, device: torch.device) -> SegmentationTask:
    """The tutorial's network and loss."""
    task: SegmentationTask
    if system == "pets":
        logging.getLogger("lightning_seg").setLevel(logging.ERROR)
        task = MobileNetV2UNetTask(encoder_weights=None, freeze_encoder=True)
    else:
        task = UNetTask(dice_weight=1.0)
    return task.to(device).train()


def count_operations(task: SegmentationTask, batch: SegmentationBatch) -> int:
    """Of one step, forward and backward; two per multiply-add."""
    with FlopCounterMode(display=False) as counter:
        task.loss(task(batch["image"].to(task.device)), batch["mask"].to(task.device).long()).backward()
    return int(counter.get_total_flops())


def plain_pytorch(task: SegmentationTask, batch: SegmentationBatch, steps: int) -> float:
    """The obvious script: float pictures in torch's default layout, one batch that lies in memory."""
    network: nn.Module = task.model.to(memory_format=torch.contiguous_format)
    images = (batch["image"].to(task.device).float() / 255).contiguous()
    mask = batch["mask"].to(task.device).long()
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=1e-3)
    started = time.perf_counter()
    for _ in range(steps):
        loss = task.loss(network(images), mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    _ = loss.item()
    return time.perf_counter() - started


def bare_loop(task: SegmentationTask, batches: Iterable[SegmentationBatch]) -> float:
    """Seconds of the model's, the loss's and the optimiser's work, nothing else."""
    optimizer = torch.optim.Adam([p for p in task.parameters() if p.requires_grad], lr=1e-3)
    started = time.perf_counter()
    for batch in batches:
        logits = task(batch["image"].to(task.device))
        loss = task.loss(logits, batch["mask"].to(task.device).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    _ = loss.item()
    return time.perf_counter() - started


def matrix_speed(device: torch.device, side: int = 2048, repeats: int = 10) -> float:
    """GFLOP/s of float32 matrix products: what the machine could do at best."""
    a = torch.rand(side, side, device=device)
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        (a @ a)[0, 0].item()
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best / 1e9


class Stopwatch(pl.Callback):
    """Seconds from the first step of an epoch to the end of its last."""

    seconds = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seconds = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seconds = time.perf_counter() - self.seconds


def lightning_fit(task: SegmentationTask, data: SegmentationDataModule, steps: int, device: torch.device) -> float:
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
        callbacks=[watch],
    )
    # Two epochs: the first starts the loader's processes and fills the cache; the second one's time is kept.
    trainer.fit(task, data)
    return watch.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", default="pets", choices=list(DATA))
    parser.add_argument("--root", default="data/synthetic_pets")
    parser.add_argument("--source", default="real", choices=["real", "synthetic"])
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--num_workers", type=int, default=None)
    parser.add_argument("--augment", default=None, help="a pipeline by name; the tutorial's without it")
    parser.add_argument("--steps", type=int, default=None, help="of each measurement; all of an epoch without it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no_memory", action="store_true", help="leave the allocator as it is, for comparison")
    given = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    augment = given.augment or {"pets": "flip", "carvana": "flip_shift_hue"}[given.system]
    data = DATA[given.system](
        given.root,
        source=given.source,
        batch_size=given.batch_size,
        num_workers=given.num_workers,
        augment=augment,
        cache=True,
    )
    data.prepare_data()
    data.setup("fit")
    loader = data.train_dataloader()
    steps = min(len(loader), given.steps or len(loader))
    fixed = list(islice(loader, 1)) * steps
    if not given.no_memory:
        keep_freed_memory()
    new_task = partial(make_task, given.system, device)
    runs: dict[str, Callable[[], float]] = {
        "bare loop, batch in memory": lambda: bare_loop(new_task(), fixed),
        "bare loop with the loader": lambda: bare_loop(new_task(), islice(loader, steps)),
        "plain PyTorch": lambda: plain_pytorch(new_task(), fixed[0], steps),
    }
    if not given.no_memory:
        runs["Lightning with the loader"] = lambda: lightning_fit(new_task(), data, steps, device)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for round_number in range(given.rounds + 1):
        for name, run in runs.items():
            seconds = run() / steps
            if round_number:  # the first round warms up
                times[name].append(seconds)
    base = times["bare loop, batch in memory"]
    print(
        f"{device}, torch {torch.__version__}, {torch.get_num_threads()} threads, batch {given.batch_size}, "
        f"{augment}, {steps} steps"
    )
    operations = count_operations(new_task(), fixed[0]) / 1e9
    speed = matrix_speed(device)
    print(
        f"{operations:.1f} GFLOP per step, matrix products {speed:.0f} GFLOP/s, so the arithmetic alone takes "
        f"{1e3 * operations / speed:.0f} ms per step"
    )
    for name, measured in times.items():
        ratios = [a / b for a, b in zip(measured, base, strict=True)]
        speed = operations / statistics.median(measured)
        print(
            f"{name:28s} {1e3 * statistics.median(measured):8.1f} ms per step (min {1e3 * min(measured):.1f}), "
            f"ratio to bare {statistics.median(ratios):.3f}, {speed:.0f} GFLOP/s"
        )


if __name__ == "__main__":
    main()
