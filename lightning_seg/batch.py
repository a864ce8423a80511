"""The contract between the data side and the model side: keys, shapes and dtypes of samples and batches."""

from math import isfinite
from typing import TYPE_CHECKING, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar

from lightning_seg.answers import BoxAnswer, LabelAnswer, MaskAnswer

if TYPE_CHECKING:
    # Only its name: what reads this contract without tensors needs no torch.
    from torch import Tensor

IGNORE_INDEX = 255
"""Value of mask pixels that neither loss nor metrics count."""

Split = Literal["train", "val", "test"]


class LabelledSample(TypedDict):
    """One picture as a dataset returns it; a kind of dataset adds its labels."""

    image: "Tensor"  # (3, H, W) uint8 RGB, a permuted view of an (H, W, 3) array
    index: int  # position in its split
    epoch: int  # the epoch whose random draws were used
    path: str
    original_size: tuple[int, int]  # (height, width) of the file in pixels


class LabelledBatch(TypedDict):
    """Samples stacked by ``lightning_seg.augmentation.collate``."""

    image: "Tensor"  # (B, 3, H, W) uint8 RGB, memory format channels_last
    index: "Tensor"  # (B,) int64
    epoch: "Tensor"  # (B,) int64
    path: list[str]
    original_size: "Tensor"  # (B, 2) int64, (height, width)


class SegmentationSample(LabelledSample):
    """A picture with the class of each pixel."""

    mask: "Tensor"  # (H, W) uint8 class indices, 255 = ignore


class SegmentationBatch(LabelledBatch):
    """Pictures with the class of each pixel."""

    mask: "Tensor"  # (B, H, W) uint8


class MixedSegmentationBatch(SegmentationBatch):
    """A training batch after ``lightning_seg.augmentation.mixing``."""

    mask_b: "Tensor"  # (B, H, W) uint8, of Mixup the mask of the second picture, otherwise ``mask`` again
    lam: "Tensor"  # (B,) float32, share of ``mask``; 1 where there is no second picture


class ClassificationSample(LabelledSample):
    """A picture of one class."""

    label: int  # class index
    boxes: NotRequired["Tensor"]  # as those of ``ObjectSample``, where the picture is as its file
    box_labels: NotRequired["Tensor"]


class ClassificationBatch(LabelledBatch):
    """Pictures of one class each, or of several after mixing."""

    label: "Tensor"  # (B,) int64 class indices; after mixing (B, C) float32 shares, whose rows sum to one
    boxes: NotRequired[list["Tensor"]]  # as those of ``ObjectBatch``, where pictures are as their files
    box_labels: NotRequired[list["Tensor"]]


class ObjectSample(LabelledSample):
    """A whole picture with objects of any classes, or with none."""

    boxes: "Tensor"  # (N, 4) float32: x1, y1, x2, y2 in pixels of the file
    box_labels: "Tensor"  # (N,) int64 class indices


class ObjectBatch(LabelledBatch):
    """Whole pictures with their objects."""

    boxes: list["Tensor"]  # (N, 4) float32 of each picture
    box_labels: list["Tensor"]  # (N,) int64 of each picture


class PictureSample(TypedDict):
    """A picture to predict, without labels."""

    image: "Tensor"  # (3, H, W) uint8 RGB
    path: str
    name: str  # unique among the pictures of one call, without suffix; may contain folders
    original_size: tuple[int, int]  # (height, width)


class Unreadable(NamedTuple):
    """A file that could not be read."""

    path: str
    reason: str


class PictureBatch(TypedDict):
    """Pictures to predict, together with files that could not be read."""

    image: "Tensor"  # (B, 3, H, W) uint8 RGB, channels_last; B may be 0
    path: list[str]
    name: list[str]
    original_size: list[tuple[int, int]]  # (height, width)
    unreadable: list[Unreadable]
    files: list[str]  # all of them, in their order


class MaskPrediction(NamedTuple):
    """The prediction of a segmentation model for one picture, at the size of its file."""

    mask: "Tensor"  # (H, W) uint8 class indices
    confidence: float  # mean over the pixels of the probability of the chosen class, in (0, 1]
    entropy: float  # mean over the pixels of the entropy relative to its maximum log(C), in [0, 1]
    probs: "Tensor | None"  # (C, H, W) float16, if they were asked for

    @property
    def is_number(self) -> bool:
        """Whether the answer is not NaN."""
        return isfinite(self.confidence)

    def as_arrays(self) -> MaskAnswer:
        probs = None if self.probs is None else self.probs.numpy()
        return MaskAnswer(self.mask.numpy(), self.confidence, self.entropy, probs)


class LabelPrediction(NamedTuple):
    """The prediction of a classification model for one picture."""

    probs: "Tensor"  # (C,) float32 on the CPU
    label: int  # the likeliest class
    confidence: float  # its probability, in (0, 1]
    entropy: float  # relative to its maximum log(C), in [0, 1]
    cam: "Tensor | None" = None  # (h, w) float32, 0 or more: which places speak for the label, if it was asked for

    @property
    def is_number(self) -> bool:
        """Whether the answer is not NaN."""
        return bool(self.probs.isfinite().all())

    def as_arrays(self) -> LabelAnswer:
        cam = None if self.cam is None else self.cam.numpy()
        return LabelAnswer(self.probs.numpy(), self.label, self.confidence, self.entropy, cam)


class BoxPrediction(NamedTuple):
    """The prediction of a detector for one picture; boxes are x1, y1, x2, y2 in pixels of its file, all on the CPU."""

    boxes: "Tensor"  # (N, 4) float32
    scores: "Tensor"  # (N,) float32, the highest first
    labels: "Tensor"  # (N,) int64
    maps: "Tensor"  # (L, h, w) float32 in [0, 1]: how likely each label is where, coarse, over the whole picture
    whole: "Tensor"  # (C,) float32: probabilities of the picture as one window
    window_probs: "Tensor"  # (W, C) float32: of the windows at the coarsest size, row by row
    window_boxes: "Tensor"  # (W, 4) float32

    @property
    def is_number(self) -> bool:
        """Whether the answer is not NaN."""
        return all(bool(probs.isfinite().all()) for probs in (self.maps, self.whole, self.window_probs))

    def as_arrays(self) -> BoxAnswer:
        return BoxAnswer(*(value.numpy() for value in self))


Prediction = TypeVar("Prediction", MaskPrediction, LabelPrediction, BoxPrediction)


class PredictedBatch(TypedDict, Generic[Prediction]):
    """The return value of ``predict_step``."""

    predictions: list[Prediction]
    path: list[str]
    name: list[str]
    unreadable: list[Unreadable]
