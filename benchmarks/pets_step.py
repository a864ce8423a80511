"""Milliseconds per training step of the pets model: a bare loop, the loop with the loader, and Lightning with both.

The three take turns in one process, so that a busy machine slows them alike; the ratios are what counts.

    python benchmarks/pets_step.py --root data/oxford_pets --batch_size 64 --rounds 3
"""

import argparse
import logging
import statistics
import time
import warnings
from collections.abc import Callable, Iterable
from itertools import islice

import pytorch_lightning as pl
import torch

from lightning_seg import MobileNetV2UNetTask, OxfordPetsDataModule
from lightning_seg.batch import SegmentationBatch
from lightning_seg.memory import keep_freed_memory

# Forward and backward of the decoder and the head, forward of the frozen encoder; two operations per multiply-add.
GFLOP_PER_PICTURE = 200 / 64


def make_task(device: torch.device) -> MobileNetV2UNetTask:
    with warnings.catch_warnings():
        logging.getLogger("lightning_seg").setLevel(logging.ERROR)
        task = MobileNetV2UNetTask(encoder_weights=None, freeze_encoder=True, class_names=["a", "b", "c"])
    return task.to(device).train()


def bare_loop(task: MobileNetV2UNetTask, batches: Iterable[SegmentationBatch]) -> float:
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


def lightning_fit(task: MobileNetV2UNetTask, data: OxfordPetsDataModule, steps: int, device: torch.device) -> float:
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
    parser.add_argument("--root", default="data/synthetic_pets")
    parser.add_argument("--source", default="real", choices=["real", "synthetic"])
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--num_workers", type=int, default=None)
    parser.add_argument("--augment", default="flip", help="a pipeline by name; flip is the tutorial's")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no_memory", action="store_true", help="leave the allocator as it is, for comparison")
    given = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = OxfordPetsDataModule(
        given.root,
        given.source,
        batch_size=given.batch_size,
        num_workers=given.num_workers,
        augment=given.augment,
        cache=True,
    )
    data.prepare_data()
    data.setup("fit")
    loader = data.train_dataloader()
    steps = len(loader)
    fixed = list(islice(loader, 1)) * steps
    if not given.no_memory:
        keep_freed_memory()
    runs: dict[str, Callable[[], float]] = {
        "bare loop, batch in memory": lambda: bare_loop(make_task(device), fixed),
        "bare loop with the loader": lambda: bare_loop(make_task(device), loader),
    }
    if not given.no_memory:
        runs["Lightning with the loader"] = lambda: lightning_fit(make_task(device), data, steps, device)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for round_number in range(given.rounds + 1):
        for name, run in runs.items():
            seconds = run() / steps
            if round_number:  # the first round warms up
                times[name].append(seconds)
    base = times["bare loop, batch in memory"]
    print(
        f"{device}, torch {torch.__version__}, {torch.get_num_threads()} threads, batch {given.batch_size}, "
        f"{given.augment}, {steps} steps"
    )
    speed = matrix_speed(device)
    floor = GFLOP_PER_PICTURE * given.batch_size / speed
    print(f"matrix products {speed:.0f} GFLOP/s, so the arithmetic alone takes {1e3 * floor:.0f} ms per step")
    for name, measured in times.items():
        ratios = [a / b for a, b in zip(measured, base, strict=True)]
        speed = GFLOP_PER_PICTURE * given.batch_size / statistics.median(measured)
        print(
            f"{name:28s} {1e3 * statistics.median(measured):8.1f} ms per step (min {1e3 * min(measured):.1f}), "
            f"ratio to bare {statistics.median(ratios):.3f}, {speed:.0f} GFLOP/s"
        )


if __name__ == "__main__":
    main()
