"""What fewer bits cost, in the run's own metric."""

from typing import Any

import numpy as np
import pytest
import torch

from lightning_seg import CNNClassifierTask, FlowersDataModule
from lightning_seg.errors import ConfigError, ExportError
from lightning_seg.export.pictures import Seen, validation_pictures
from lightning_seg.export.quality import Loss, check_loss, loss_of
from lightning_seg.images import Array

PROBS = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)


def seen(labels: list[int]) -> list[Seen]:
    """The first pixel of each picture is its number."""
    return [Seen("", np.full((8, 8, 3), n, np.uint8), torch.tensor(label)) for n, label in enumerate(labels)]


def always(answers: list[int]) -> Any:
    """Says these classes to the pictures, with 0.9 and 0.8."""

    def answer(images: Array) -> dict[str, Any]:
        return {"probs": PROBS[[answers[int(images[0, 0, 0, 0])]]]}

    return answer


def task(monitor: str = "val/accuracy") -> Any:
    return CNNClassifierTask(num_classes=2, image_size=8, monitor=monitor)


def test_the_loss_is_what_the_file_gets_wrong() -> None:
    loss = loss_of(task(), "labels", seen([0, 1, 1, 0]), always([0, 1, 1, 1]), always([0, 0, 0, 0]))
    assert (loss.metric, loss.task, loss.file, loss.amount) == ("accuracy", 0.75, 0.5, 0.25)
    check_loss(loss, 0.25)
    with pytest.raises(ExportError, match=r"max_loss 0.2 allows: accuracy of the run 0.7500, of the file 0.5000"):
        check_loss(loss, 0.2)


def test_of_a_calibration_error_the_higher_one_is_worse() -> None:
    """Of the run: both answers are right, 0.1 and 0.2 too low. Of the file: both are wrong, 0.9 and 0.8 too high."""
    loss = loss_of(task("val/ece"), "labels", seen([0, 1]), always([0, 1]), always([1, 0]))
    assert loss.metric == "ece"
    assert (loss.task, loss.file) == pytest.approx((0.15, 0.85), abs=1e-4)
    assert loss.amount == pytest.approx(0.7, abs=1e-4)


def test_where_the_run_is_always_wrong_nothing_can_be_judged() -> None:
    with pytest.raises(ConfigError, match=r"accuracy of the run is 0.0000 on 2 pictures, so nothing can be lost"):
        loss_of(task(), "labels", seen([0, 1]), always([1, 0]), always([0, 0]))


def test_a_loss_that_is_no_number_is_refused() -> None:
    with pytest.raises(ExportError):
        check_loss(Loss("accuracy", 0.5, float("nan")), 1.0)


def test_pictures_are_spread_over_a_split_that_is_ordered_by_class(flowers_copy: Any) -> None:
    data = FlowersDataModule(flowers_copy, image_size=8, val_fraction=0.5, num_workers=0)
    classes = {int(one.truth) for one in validation_pictures(data, "label", 5)}
    assert len(classes) >= 4
