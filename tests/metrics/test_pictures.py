import math

import pytest
import torch

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.metrics.pictures import PictureMetrics


def square(top: int, left: int, side: int = 5) -> torch.Tensor:
    mask = torch.zeros(1, 12, 12, dtype=torch.long)
    mask[:, top : top + side, left : left + side] = 1
    return mask


def test_by_hand() -> None:
    metrics = PictureMetrics(2)
    # Moved by one column: 20 of 30 pixels are in both; of the bands of 16 pixels, 8 are.
    metrics.update(square(3, 4), square(3, 3))
    # Right.
    metrics.update(square(3, 3), square(3, 3))

    values = metrics.take(("background", "car"))

    assert values["picture_iou/car"] == pytest.approx((20 / 30 + 1) / 2)
    assert values["picture_dice/car"] == pytest.approx((40 / 50 + 1) / 2)
    shared = shared_band()
    assert values["boundary_iou/car"] == pytest.approx((shared + 16) / (32 - shared + 16))
    assert values["picture_boundary_iou/car"] == pytest.approx((shared / (32 - shared) + 1) / 2)
    assert values["mean_picture_iou"] == pytest.approx(
        (values["picture_iou/background"] + values["picture_iou/car"]) / 2
    )
    quantities = ("boundary_iou", "picture_iou", "picture_dice", "picture_boundary_iou")
    by_class = {f"{quantity}/{name}" for quantity in quantities for name in ("background", "car")}
    assert values.keys() == by_class | {f"mean_{quantity}" for quantity in quantities}


def shared_band() -> int:
    """Pixels of the band of a 5 x 5 square that the band of its copy, one column further, has too.

    Rows 0 and 4 share columns 1 to 4; in rows 1 to 3 one band has columns 0 and 4, the other 1 and 5.
    """
    return 2 * 4


def test_batches_and_order_do_not_matter() -> None:
    generator = torch.Generator().manual_seed(0)
    prediction, mask = torch.randint(0, 3, (2, 5, 20, 16), generator=generator)
    whole, parts = PictureMetrics(3), PictureMetrics(3)
    whole.update(prediction, mask)
    for index in (4, 0, 2, 1, 3):
        parts.update(prediction[index : index + 1], mask[index : index + 1])
    torch.testing.assert_close(whole.by_class(), parts.by_class())


def test_class_that_a_picture_neither_shows_nor_is_said_to_show_is_left_out() -> None:
    metrics = PictureMetrics(3)
    metrics.update(square(0, 0), square(0, 0))
    metrics.update(torch.zeros(1, 12, 12, dtype=torch.long), torch.zeros(1, 12, 12, dtype=torch.long))
    values = metrics.take(("background", "car", "boat"))
    # The second picture has no car; no picture has a boat.
    assert values["picture_iou/car"] == 1
    assert "picture_iou/boat" not in values
    assert values["mean_picture_iou"] == 1
    assert not [name for name, value in values.items() if math.isnan(value)]


def test_false_alarm_in_an_empty_picture_counts_as_nothing_found() -> None:
    metrics = PictureMetrics(2)
    metrics.update(square(0, 0), torch.zeros(1, 12, 12, dtype=torch.long))
    assert metrics.take(("background", "car"))["picture_dice/car"] == 0


def test_ignored_pixels_belong_to_no_class() -> None:
    mask = square(3, 3)
    mask[:, :, 6:] = IGNORE_INDEX
    metrics = PictureMetrics(2)
    # Wrong in ignored pixels alone.
    prediction = square(3, 3)
    prediction[:, :, 6:] = 1
    metrics.update(prediction, mask)
    values = metrics.take(("background", "car"))
    assert [values[f"{name}/car"] for name in ("picture_iou", "boundary_iou")] == [1, 1]
