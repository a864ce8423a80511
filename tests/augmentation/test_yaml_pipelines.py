"""Any pipeline of Albumentations: its draws, and from a config through the command line."""

from collections import Counter

import albumentations as A
import numpy as np

from lightning_seg.augmentation.seeding import SeededPipeline


def corner(mask: np.ndarray) -> tuple[int, int]:
    """Where the one marked pixel of a 2x2 mask has gone."""
    row, column = np.argwhere(mask == 1)[0]
    return int(row), int(column)


def test_transforms_are_drawn_independently() -> None:
    """Of two flips with p=0.5, all four outcomes are equally frequent: 100 +- 5 standard deviations of 8.7 in 400."""
    pipeline = SeededPipeline([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)])
    image, mask = np.zeros((2, 2, 3), np.uint8), np.array([[1, 0], [0, 0]], np.uint8)
    counts = Counter(corner(pipeline(image, mask, (epoch, 0))[1]) for epoch in range(400))
    assert len(counts) == 4
    assert all(56 < count < 144 for count in counts.values())
