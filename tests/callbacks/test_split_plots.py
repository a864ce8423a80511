"""Figures of a split: when they are drawn, and of what."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from PIL import Image
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_seg.callbacks import ConfusionMatrixPlots, ThresholdPlots
from lightning_seg.plots.confusion_matrix import draw_confusion_matrix
from lightning_seg.plots.thresholds import draw_thresholds
from lightning_seg.tasks.classification import ClassificationTask
from lightning_seg.tasks.segmentation import SegmentationTask

CALLBACKS = (ConfusionMatrixPlots, ThresholdPlots)


class Red(nn.Module):
    """How red a picture is: a logit per pixel, or two of the whole picture."""

    def __init__(self, of_pixels: bool) -> None:
        super().__init__()
        self.factor, self.of_pixels = nn.Parameter(torch.ones(())), of_pixels

    def forward(self, images: Tensor) -> Tensor:
        red = self.factor * (images[:, :1] - 0.5)
        mean = red.mean(dim=(2, 3))
        return red if self.of_pixels else torch.cat([-mean, mean], dim=1)


def task_of(kind: str) -> pl.LightningModule:
    names = ["other", "red"]
    if kind == "labels":
        return ClassificationTask(Red(False), 2, class_names=names, normalization="unit")
    return SegmentationTask(Red(True), 1 if kind == "one logit" else 2, class_names=names, normalization="unit")


def loader() -> DataLoader[Any]:
    """Two red pictures and a black one, one of each labelled red, so that one of the red ones is not."""
    images = torch.zeros(3, 3, 8, 8, dtype=torch.uint8)
    images[:2, 0] = 255
    label = torch.tensor([0, 1, 1])
    mask = label.view(3, 1, 1).expand(3, 8, 8).to(torch.uint8)
    return DataLoader([{"image": images, "label": label, "mask": mask}], batch_size=None)  # type: ignore[arg-type]


def run_trainer(folder: Path, callbacks: Any) -> pl.Trainer:
    return pl.Trainer(
        accelerator="cpu",
        logger=TensorBoardLogger(folder, name="", version=""),
        callbacks=[callback() for callback in callbacks],
        default_root_dir=folder,
        max_epochs=2,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )


@pytest.mark.parametrize(("kind", "name"), [("labels", "confusion_matrix"), ("one logit", "precision_recall")])
def test_figures_are_drawn_after_validation_and_test(kind: str, name: str, tmp_path: Path) -> None:
    task, trainer = task_of(kind), run_trainer(tmp_path, CALLBACKS)

    trainer.fit(task, loader(), loader())
    assert {path.name for path in tmp_path.glob("*.png")} == {f"{name}_val.png"}
    trainer.test(task, loader(), verbose=False)

    assert {path.name for path in tmp_path.glob("*.png")} == {f"{name}_val.png", f"{name}_test.png"}
    for path in tmp_path.glob("*.png"):
        assert len(np.unique(np.asarray(Image.open(path)).reshape(-1, 3), axis=0)) > 20
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    # One for each epoch, none of the sanity check.
    assert [image.step for image in events.Images(f"{name}/val")] == [0, 1]
    assert len(events.Images(f"{name}/test")) == 1


def test_figures_show_the_whole_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []

    def notice(draw: Callable[..., Figure], *given: Any) -> Figure:
        drawn.append(given)
        return draw(*given)

    for module, draw in (("confusion_matrix_plots", draw_confusion_matrix), ("threshold_plots", draw_thresholds)):
        monkeypatch.setattr(f"lightning_seg.callbacks.{module}.{draw.__name__}", partial(notice, draw))
    for kind in ("labels", "one logit"):
        run_trainer(tmp_path, CALLBACKS).validate(task_of(kind), loader(), verbose=False)

    matrix, curves = drawn
    assert matrix[0].tolist() == [[0, 1], [1, 1]]
    assert matrix[1:] == (("other", "red"), "val split")
    # Of the red pixels half are labelled red: up to a probability of sigmoid(0.5) both pictures are called red.
    assert curves[2][500] == pytest.approx(1 / 2)
    assert curves[5].startswith("red, val split, average precision ")


def test_what_has_nothing_to_draw_is_left_alone(tmp_path: Path) -> None:
    """Masks of two channels have neither a threshold nor labels."""
    run_trainer(tmp_path, CALLBACKS).validate(task_of("two logits"), loader(), verbose=False)
    assert not list(tmp_path.rglob("*.png"))
