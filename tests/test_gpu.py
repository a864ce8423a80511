"""On a CUDA device: no step waits, the five systems through the command line, the CPU's numbers, checkpoints.

It is meant to take less than 90 seconds on a card. ``LIGHTNING_SEG_GPU_TESTS=cpu`` runs the same on a CPU, except for
what torch tells of a card alone.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_seg import (
    CarvanaDataModule,
    CNNClassifierTask,
    MobileNetV2UNetTask,
    SlidingDetectorTask,
    TimmClassifierTask,
    UNetTask,
)
from lightning_seg.__main__ import main
from lightning_seg.callbacks import PictureScoreWriter
from lightning_seg.tasks.supervised import SupervisedTask

CONFIGS = Path(__file__).parents[1] / "configs"
HAS_CARD = torch.cuda.is_available()
ACCELERATOR = "gpu" if HAS_CARD else "cpu"
DEVICE = torch.device("cuda" if HAS_CARD else "cpu")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not HAS_CARD and os.environ.get("LIGHTNING_SEG_GPU_TESTS") != "cpu",
        reason="no CUDA device; LIGHTNING_SEG_GPU_TESTS=cpu runs this on the CPU",
    ),
]
needs_card = pytest.mark.skipif(not HAS_CARD, reason="no CUDA device")
Make = Callable[[], SupervisedTask]
SYSTEMS: dict[str, tuple[Make, int]] = {
    "pets": (lambda: MobileNetV2UNetTask(encoder_weights=None, freeze_encoder=False, dice_weight=1.0), 64),
    "carvana": (lambda: UNetTask(dice_weight=1.0), 64),
    "flowers": (lambda: CNNClassifierTask(image_size=64, dropout=0.2), 64),
    "dogs": (lambda: TimmClassifierTask("resnet50", None, label_smoothing=0.1), 64),
    "detector": (lambda: SlidingDetectorTask("mobilenet_v2", None, 12, freeze_encoder=False), 224),
}
"""The five networks as they are used, with the side of their pictures."""


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)


def make_batch(task: SupervisedTask, side: int, count: int = 4) -> dict[str, Any]:
    """Pictures of noise, and labels or masks."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, side, side, 3), dtype=torch.uint8, generator=generator).permute(0, 3, 1, 2)
    classes = len(task.known_class_names())
    if task.default_monitor == "val/accuracy":
        return {"image": images, "label": torch.randint(0, classes, (count,), generator=generator)}
    mask = torch.randint(0, classes, (count, side, side), dtype=torch.uint8, generator=generator)
    mask[:, :2] = 255
    return {"image": images, "mask": mask}


# No step waits


class NoWaiting(pl.Callback):
    """Lets torch raise an error wherever the host would wait for the device, from batch to batch."""

    def __init__(self) -> None:
        self.num_steps = 0

    @staticmethod
    def watch(mode: str) -> None:
        if HAS_CARD:
            torch.cuda.set_sync_debug_mode(mode)

    def _begin(self, batch_idx: int) -> None:
        self.num_steps += 1
        # The first batch of a stage is looked at.
        self.watch("error" if batch_idx else "default")

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self._begin(batch_idx)

    def on_train_batch_end(self, *args: Any) -> None:
        self.watch("default")

    def on_validation_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._begin(batch_idx)

    def on_validation_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self.watch("default")

    def on_test_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._begin(batch_idx)

    def on_test_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self.watch("default")

    def on_exception(self, *args: Any) -> None:
        self.watch("default")


def loader(batch: dict[str, Any], batches: int) -> DataLoader[Any]:
    given: Any = [batch] * batches
    return DataLoader(given, batch_size=None, pin_memory=HAS_CARD)


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
@pytest.mark.parametrize("name", SYSTEMS)
def test_no_step_waits_for_the_card(name: str, precision: Any, tmp_path: Path) -> None:
    make, side = SYSTEMS[name]
    task, watch = make(), NoWaiting()
    batch = make_batch(task, side)
    trainer = pl.Trainer(
        accelerator=ACCELERATOR,
        devices=1,
        precision=precision,
        max_epochs=1,
        num_sanity_val_steps=0,
        default_root_dir=tmp_path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        # What is told of test pictures is kept before the watch ends.
        callbacks=[PictureScoreWriter(), watch],
    )
    trainer.fit(task, loader(batch, 3), loader(batch, 3))
    trainer.test(task, loader(batch, 3), verbose=False)
    assert watch.num_steps == 9


@needs_card
@pytest.mark.parametrize(
    "ask", [lambda values: values.sum().item(), lambda values: values.bincount(), lambda values: torch.ones(9).cuda()]
)
def test_the_check_sees_who_waits(ask: Callable[[Tensor], Any]) -> None:
    values = torch.zeros(9, dtype=torch.int64, device=DEVICE)
    NoWaiting.watch("error")
    try:
        with pytest.raises(RuntimeError, match="synchronizing"):
            ask(values)
    finally:
        NoWaiting.watch("default")


@needs_card
def test_batches_travel_from_pinned_memory_in_channels_last(carvana_root: Path) -> None:
    data = CarvanaDataModule(carvana_root, image_size=32, val_fraction=0.34, num_workers=2, batch_size=4)
    data.setup("fit")
    for batch in data.train_dataloader():
        assert batch["image"].is_pinned()
        assert batch["mask"].is_pinned()
        assert batch["image"].to(DEVICE, non_blocking=True).is_contiguous(memory_format=torch.channels_last)


@needs_card
def test_the_optimiser_steps_in_one_kernel(tmp_path: Path) -> None:
    make, side = SYSTEMS["flowers"]
    task = make()
    trainer = pl.Trainer(accelerator="gpu", max_steps=1, logger=False, default_root_dir=tmp_path)
    trainer.fit(task, loader(make_batch(task, side), 1))
    assert all(group["fused"] for group in trainer.optimizers[0].param_groups)


# The same numbers


@pytest.fixture
def exact() -> Iterator[None]:
    """Float32 that is not rounded to TF32."""
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    yield
    torch.backends.cudnn.allow_tf32 = before[0]
    torch.set_float32_matmul_precision(before[1])


FEW = {**SYSTEMS, "detector": (lambda: SlidingDetectorTask("vgg16", None, 12, freeze_encoder=False), 224)}
LOGITS, GRADIENTS = 1e-4, 1e-2
"""Largest difference, relative to the largest number. Sums in another order change the last digits of each layer, and
the way back through all of them adds up what they have changed."""


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("name", FEW)
def test_float32_on_the_card_is_float32_on_the_cpu(name: str) -> None:
    make, side = FEW[name]
    torch.manual_seed(0)
    task = make().eval()
    batch = make_batch(task, side, count=2)
    answers = []
    for device in (torch.device("cpu"), DEVICE):
        task.to(device).zero_grad()
        moved = {key: value.to(device) for key, value in batch.items()}
        logits = task(moved["image"])
        task.shared_step(moved, "train").backward()  # type: ignore[no-untyped-call]
        gradient = torch.cat([one.grad.flatten().cpu() for one in task.model.parameters() if one.grad is not None])
        answers.append((logits.detach().cpu(), gradient))
    (logits, gradient), (other, other_gradient) = answers
    assert logits.abs().max() > 0
    assert (logits - other).abs().max() <= LOGITS * logits.abs().max()
    assert (gradient - other_gradient).abs().max() <= GRADIENTS * gradient.abs().max()


# The five systems through the command line


@pytest.fixture(scope="module")
def words(pets_root: Path, carvana_root: Path, flowers_root: Path, dogs_root: Path) -> Callable[[str, Path], list[str]]:
    """How a system is trained on synthetic pictures."""
    size = ["--data.image_size", "64"]
    own: dict[str, list[str]] = {
        "pets": ["--config", str(CONFIGS / "overrides" / "demo.yaml"), "--data.source", "real"],
        "carvana": ["--model.width", "8", "--data.val_fraction", "0.34"],
        "flowers": ["--data.test_fraction", "0.2", "--data.val_fraction", "0.2"],
        "dogs": ["--model.weights", "null", "--model.encoder_lr_factor", "1.0", "--data.val_fraction", "0.34"],
        "detector": [
            *("--model.backbone", "mobilenet_v2", "--model.weights", "null", "--model.window", "64"),
            *("--model.freeze_encoder", "false", "--data", "FlowersDataModule", "--data.test_fraction", "0.2"),
        ],
    }
    roots = {"pets": pets_root, "carvana": carvana_root, "flowers": flowers_root, "dogs": dogs_root}

    def words_of(system: str, folder: Path) -> list[str]:
        root = roots.get(system, flowers_root)
        download = [] if system == "carvana" else ["--data.download", "false"]
        configs = ["--config", str(CONFIGS / f"{system}.yaml"), "--config", str(CONFIGS / "overrides" / "gpu.yaml")]
        return [
            *("fit", *configs, *own[system], "--data.root", str(root), *size, *download, "--data.num_workers", "0"),
            *("--data.batch_size", "4", "--trainer.accelerator", ACCELERATOR, "--trainer.max_epochs", "1"),
            *("--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1"),
            *("--trainer.default_root_dir", str(folder), "--trainer.enable_progress_bar", "false"),
            *("--trainer.enable_model_summary", "false"),
        ]

    return words_of


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_fits_goes_on_tests_and_predicts(
    system: str, words: Callable[[str, Path], list[str]], flowers_root: Path, tmp_path: Path
) -> None:
    assert main(words(system, tmp_path)) == 0
    run = tmp_path / system / "version_0"
    assert main(["fit", "--run", str(run), "--trainer.max_epochs", "2"]) == 0
    record = json.loads((run / "metrics.json").read_text())
    assert record["epochs"] == 2
    assert main(["test", "--run", str(run), "--trainer.limit_test_batches", "1"]) == 0
    assert any(name.startswith("test/") for name in json.loads((run / "metrics.json").read_text()))
    picture = next(flowers_root.rglob("*.jpg"))
    assert main(["predict", "--run", str(run), "--images", str(picture), "--output", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "predictions.csv").is_file() or (tmp_path / "out" / "boxes.csv").is_file()
    names = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert not [name for name in names if "_orig_mod" in name]


# Checkpoints


@pytest.mark.parametrize(("first", "then"), [(ACCELERATOR, "cpu"), ("cpu", ACCELERATOR)], ids=["to_cpu", "from_cpu"])
def test_a_checkpoint_goes_on_on_the_other_device(
    first: str, then: str, words: Callable[[str, Path], list[str]], tmp_path: Path
) -> None:
    exactly = ["--trainer.precision", "32-true"]
    assert main([*words("flowers", tmp_path), "--trainer.accelerator", first, *exactly]) == 0
    run = tmp_path / "flowers" / "version_0"
    before = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    task = CNNClassifierTask.load_from_checkpoint(run / "checkpoints" / "last.ckpt", map_location="cpu")
    assert {parameter.device.type for parameter in task.parameters()} == {"cpu"}
    assert all(torch.equal(before[name].cpu(), value) for name, value in task.state_dict().items())
    assert main(["fit", "--run", str(run), "--trainer.accelerator", then, "--trainer.max_epochs", "2"]) == 0
    assert json.loads((run / "metrics.json").read_text())["epochs"] == 2
    assert main(["test", "--run", str(run), "--trainer.accelerator", then]) == 0
