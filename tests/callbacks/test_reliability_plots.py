"""Calibration through a trainer, and its figure."""

from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from PIL import Image

from lightning_seg import CNNClassifierTask, MobileNetV2UNetTask
from lightning_seg.plots.reliability import draw_reliability
from tests.callbacks.by_colour import PIXELS, Samples, classifier, mask_task, measured


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_calibration_of_a_classifier_is_that_on_paper(num_workers: int, tmp_path: Path) -> None:
    # Two pictures 0.5 sure, one of them right; one 0.8 sure and right: 2/3 * 0 + 1/3 * 0.2.
    values = measured(classifier(), Samples("label", [[0], [0], [1]], [0, 1, 2]), tmp_path, num_workers)
    assert values["test/ece"] == pytest.approx(0.2 / 3)
    with Image.open(tmp_path / "reliability_test.png") as figure:
        assert figure.size == (540, 600)
    assert not (tmp_path / "reliability_val.png").exists()


@pytest.mark.parametrize("how", ["as trained", "views", "original size", "tiles"])
def test_the_calibration_of_masks_is_that_on_paper(how: str, tmp_path: Path) -> None:
    task, _ = mask_task("one")
    knobs: dict[str, dict[str, Any]] = {"views": {"tta": "hflip"}, "tiles": {"tile": 2, "overlap": 1}}
    task.inference = task.make_inference(knobs.get(how, {}))
    task.at_original_size = how == "original size"
    values = measured(task, Samples("mask", *PIXELS), tmp_path)
    split = "test_full" if how == "original size" else "test"
    # Six pixels count: five white ones 0.8 sure, of which four are right, and a black one 0.75 sure, which is wrong.
    assert (tmp_path / f"reliability_{split}.png").is_file()
    assert values[f"{split}/ece"] == pytest.approx(1 / 6 * 0.75, abs=1e-6)


def test_without_a_pixel_that_counts_there_is_no_calibration(tmp_path: Path) -> None:
    task, _ = mask_task("one")
    task.on_nan = "warn"
    values = measured(task, Samples("mask", [[0, 1]], [[255, 255]]), tmp_path)
    assert "test/ece" not in values
    assert not (tmp_path / "reliability_test.png").exists()


def test_less_is_better_of_it() -> None:
    masks = MobileNetV2UNetTask(encoder_weights=None, freeze_encoder=False, monitor="val/ece")
    assert masks.monitor == ("val/ece", "min")
    assert CNNClassifierTask(num_classes=3, monitor="val/ece").monitor == ("val/ece", "min")
    assert "train/ece" not in masks.metric_names()


def bars(axis: Axes) -> list[Rectangle]:
    return [patch for patch in axis.patches if isinstance(patch, Rectangle)]


def test_the_figure_shows_counts_and_says_what_it_shows() -> None:
    answers, right = torch.tensor([0, 4, 1234, 0]), torch.tensor([0, 1, 617, 0])
    figure = draw_reliability(answers, right, torch.tensor([0.0, 1.6, 863.8, 0.0]), "test split: ece 0.2", "pictures")
    upper, lower = figure.axes
    assert upper.get_title() == "test split: ece 0.2"
    assert [bar.get_height() for bar in bars(upper)] == pytest.approx([1 / 4, 1 / 2])
    assert [bar.get_x() + bar.get_width() / 2 for bar in bars(upper)] == pytest.approx([0.375, 0.625])
    assert [bar.get_height() for bar in bars(lower)] == [4, 1234]
    assert upper.lines[1].get_xdata().tolist() == pytest.approx([0.4, 0.7])  # type: ignore[union-attr]
    assert lower.get_xlabel() == "confidence: probability of the predicted class (0 to 1)"
    assert (upper.get_ylabel(), lower.get_ylabel()) == ("share of right answers (0 to 1)", "number of pictures")
    assert [text.get_text() for text in lower.texts] == ["4", "1.23k"]
