"""One colour per class."""

import numpy as np
import pytest

from lightning_seg.plots.palette import class_palette, class_patches


@pytest.mark.parametrize("num_classes", [2, 10, 37, 255])
def test_masks_have_a_colour_per_class_and_white_where_nobody_knows(num_classes: int) -> None:
    palette = class_palette(num_classes)
    assert palette.shape == (256, 3)
    assert len(np.unique(palette[:num_classes], axis=0)) == num_classes
    assert palette[255].tolist() == [255, 255, 255]


def test_there_may_be_more_classes_than_a_mask_can_hold() -> None:
    assert class_palette(1000).shape == (1000, 3)
    assert len(class_patches([str(index) for index in range(1000)])) == 1000
