"""The contract between the data side and the model side: keys, shapes and dtypes of samples and batches."""

from typing import Literal, NamedTuple, TypedDict

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


class PictureSample(TypedDict):
    """A picture to predict, without labels."""

    image: Tensor  # (3, H, W) uint8 RGB
    path: str
    name: str  # unique among the pictures of one call, without suffix; may contain folders
    original_size: tuple[int, int]  # (height, width)


class Unreadable(NamedTuple):
    """A file that could not be read."""

    path: str
    reason: str


class PictureBatch(TypedDict):
    """Pictures to predict; files that could not be read travel beside them."""

    image: Tensor  # (B, 3, H, W) uint8 RGB, channels_last; B may be 0
    path: list[str]
    name: list[str]
    original_size: list[tuple[int, int]]  # (height, width)
    unreadable: list[Unreadable]


class MaskPrediction(NamedTuple):
    """What a segmentation model says to one picture, at the size of its file."""

    mask: Tensor  # (H, W) uint8 class indices
    confidence: float  # mean over the pixels of the probability of the chosen class, in (0, 1]
    entropy: float  # mean over the pixels of the entropy relative to its maximum log(C), in [0, 1]
    probs: Tensor | None  # (C, H, W) float16, if they were asked for


class PredictedBatch(TypedDict):
    """What ``predict_step`` returns."""

    predictions: list[MaskPrediction]
    path: list[str]
    name: list[str]
    unreadable: list[Unreadable]
