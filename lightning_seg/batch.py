"""The contract between the data side and the model side: keys, shapes and dtypes of samples and batches."""

from typing import Literal, TypedDict

from torch import Tensor

IGNORE_INDEX = 255
"""Value of mask pixels that neither loss nor metrics count."""

Split = Literal["train", "val", "test"]


class SegmentationSample(TypedDict):
    """One picture as a dataset returns it."""

    image: Tensor  # (3, H, W) uint8 RGB, a permuted view of an (H, W, 3) array
    mask: Tensor  # (H, W) uint8 class indices, 255 = ignore
    index: int  # position in its split
    epoch: int  # the epoch whose random draws were used
    path: str
    original_size: tuple[int, int]  # (height, width) of the file in pixels


class SegmentationBatch(TypedDict):
    """Samples stacked by ``lightning_seg.augmentation.collate``."""

    image: Tensor  # (B, 3, H, W) uint8 RGB, memory format channels_last
    mask: Tensor  # (B, H, W) uint8
    index: Tensor  # (B,) int64
    epoch: Tensor  # (B,) int64
    path: list[str]
    original_size: Tensor  # (B, 2) int64, (height, width)


class SegmentationPrediction(TypedDict):
    """What ``predict_step`` of a segmentation task returns."""

    probs: Tensor  # (B, C, H, W) float, at the size the model saw
    path: list[str]
    original_size: Tensor  # (B, 2) int64
