"""A trained model as a function of a picture."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lightning_seg.answers import Answer, BoxAnswer, LabelAnswer, MaskAnswer, ranked
from lightning_seg.errors import ConfigError, DataError, ModelError
from lightning_seg.images import Array, read_image, read_image_at, resize_image, to_rgb, upright
from lightning_seg.inference.knobs import MaskFormat
from lightning_seg.mask_encoding import MaskEncoding
from lightning_seg.plots.activation import draw_activation
from lightning_seg.plots.boxes import draw_boxes
from lightning_seg.plots.overlay import draw_classes
from lightning_seg.plots.palette import object_palette
from lightning_seg.prediction_files.masks import check_format, mask_picture

if TYPE_CHECKING:
    # Exported models are applied where torch is not installed.
    import torch

    from lightning_seg.tasks.supervised import SupervisedTask


class SegmentedPicture(NamedTuple):
    """The prediction of a segmentation model for one picture, at the size of the picture."""

    image: Array  # (H, W, 3) uint8 RGB
    mask: Array  # (H, W) uint8 class indices
    confidence: float  # mean probability of the chosen class
    entropy: float  # mean entropy relative to its maximum, in [0, 1]
    probs: NDArray[np.float16] | None  # (C, H, W), with keep_probs=True
    class_names: tuple[str, ...]
    mask_format: MaskFormat = "palette"
    encoding: MaskEncoding | None = None  # what the masks hold that the model was trained on

    @classmethod
    def of(cls, image: Array, said: MaskAnswer, names: tuple[str, ...]) -> Self:
        """From what a model has said, and the names of its classes."""
        return cls(image, said.mask, said.confidence, said.entropy, said.probs, names)

    @property
    def mask_file(self) -> Image.Image:
        """The mask as ``predict`` writes it, by ``mask_format``: ``result.mask_file.save("mask.png")``."""
        return mask_picture(self.mask, self.class_names, self.mask_format, self.encoding)

    @property
    def overlay(self) -> Image.Image:
        """The picture tinted by class, but for the background."""
        return self.draw()

    def draw(self, opacity: float = 0.5, tint_background: bool = False) -> Image.Image:
        """The picture tinted by class.

        Args:
            opacity: share of the colours, from 0 to 1.
            tint_background: darken the background, too.
        """
        return draw_classes(self.image, self.mask, self.class_names, opacity, tint_background)


class ClassifiedPicture(NamedTuple):
    """The prediction of a classification model for one picture."""

    image: Array  # (H, W, 3) uint8 RGB
    label: str
    confidence: float  # probability of the label
    entropy: float  # relative to its maximum, in [0, 1]
    probs: dict[str, float]  # by class name
    cam: NDArray[np.float32] | None = None  # (h, w), 0 or more: which places speak for the label, with cam=True

    @classmethod
    def of(cls, image: Array, said: LabelAnswer, names: tuple[str, ...]) -> Self:
        """From what a model has said, and the names of its classes."""
        probs = dict(zip(names, said.probs.tolist(), strict=True))
        return cls(image, names[said.label], said.confidence, said.entropy, probs, said.cam)

    @property
    def overlay(self) -> Image.Image:
        """The picture with the places coloured that speak for its label.

        Raises:
            ConfigError: if the map was not asked for.
        """
        if self.cam is None:
            raise ConfigError("an overlay shows a class activation map; make the Predictor with cam=True")
        return draw_activation(self.image, self.cam)

    def top(self, number: int = 5) -> list[tuple[str, float]]:
        """The likeliest classes with their probabilities, the likeliest first."""
        return ranked(list(self.probs.values()), list(self.probs), number)


class DetectedPicture(NamedTuple):
    """The objects that a detector found in one picture, the likeliest first."""

    image: Array  # (H, W, 3) uint8 RGB
    boxes: NDArray[np.float32]  # (N, 4): x1, y1, x2, y2 in pixels of the picture
    scores: list[float]
    labels: list[str]
    heat_maps: dict[str, NDArray[np.float32]]  # by label, (h, w), coarse, over the whole picture

    @classmethod
    def of(cls, image: Array, said: BoxAnswer, names: tuple[str, ...]) -> Self:
        """From what a model has said, and the names of its labels."""
        maps = dict(zip(names, said.maps, strict=True))
        labels = [names[index] for index in said.labels.tolist()]
        return cls(image, said.boxes, said.scores.tolist(), labels, maps)

    @property
    def overlay(self) -> Image.Image:
        """The picture with its boxes, one colour per label."""
        names = list(self.heat_maps)
        colours = object_palette(len(names))[[names.index(label) for label in self.labels]]
        captions = [f"{label} {score:.2f}" for label, score in zip(self.labels, self.scores, strict=True)]
        return draw_boxes(self.image, self.boxes, captions, colours)


PICTURES: dict[type, Callable[[Array, Any, tuple[str, ...]], Any]] = {
    MaskAnswer: SegmentedPicture.of,
    LabelAnswer: ClassifiedPicture.of,
    BoxAnswer: DetectedPicture.of,
}
"""What is made of each kind of answer."""


class Applied(Protocol):
    """A task or a file with its settings."""

    inference: Any
    image_size: tuple[int, int] | None
    device: Any
    class_names: tuple[str, ...]
    label_names: tuple[str, ...]
    mask_encoding: MaskEncoding | None

    def answer(self, shown: Array, size: tuple[int, int]) -> Answer:
        """What it says of a picture ``(H, W, 3)`` uint8 as it sees it, whose file has another size, perhaps."""


class Predictor:
    """Applies a trained model to pictures of any size: ``Predictor.from_run("runs/pets")("photo.jpg").mask``.

    ``Predictor.from_file("model.onnx")`` does the same with an exported file, without torch. The result depends on the
    kind of model: a ``SegmentedPicture``, a ``ClassifiedPicture`` or a ``DetectedPicture``.

    Args:
        task: the trained task.
        image_size: (height, width) of a picture for the network; None keeps its size.
        device: where to compute; None takes CUDA where there is one.
        options: of segmentation see ``MaskKnobs``: ``tile``, ``overlap``, ``tta``, ``keep_probs``, ``mask_format``; of
            classification see ``LabelKnobs``: ``tta``, ``cam``; of detection see ``BoxKnobs``.

    Raises:
        ConfigError: if the kind of task has no such option.

    Examples:
        A network whose weights nobody has trained yet:

        >>> from lightning_seg import UNetTask
        >>> segment = Predictor(UNetTask(width=2, depth=1), image_size=(16, 16), device="cpu")
        >>> result = segment(np.zeros((10, 20, 3), np.uint8))
        >>> result.mask.shape, result.overlay.size, 0.5 <= result.confidence <= 1
        ((10, 20), (20, 10), True)
    """

    def __init__(
        self,
        task: "SupervisedTask",
        image_size: tuple[int, int] | None = None,
        device: "str | torch.device | None" = None,
        **options: Any,
    ) -> None:
        from lightning_seg.tasks.applied import AppliedTask

        self._apply(AppliedTask(task, image_size, device, options))

    @classmethod
    def from_run(
        cls, path: str | Path, device: "str | torch.device | None" = None, trust: Sequence[str] = (), **options: Any
    ) -> Self:
        """From a run folder, ``runs/pets`` for its newest run (the best checkpoint), or a checkpoint file.

        No code in the files is run: the config is not read, and the checkpoint may only hold plain values.

        Args:
            path: the folder or file.
            device: where to compute; None takes CUDA where there is one.
            trust: modules of your own, ``["my_code"]``, that may be imported for a class that the checkpoint names. A
                class that is already imported needs none.
            options: see the class.

        Raises:
            ConfigError: if there is no run, it is of another kind, its class is not known, or it holds more than plain
                values.
        """
        from lightning_seg.runs import find_checkpoint
        from lightning_seg.tasks.applied import load_answering

        task, image_size = load_answering(find_checkpoint(path), (trust,) if isinstance(trust, str) else trust)
        return cls(task, image_size, device, **options)

    @classmethod
    def from_file(cls, path: str | Path, device: str | None = None, **options: Any) -> Self:
        """From a file that ``lightning-seg export`` has written; needs onnxruntime, and neither torch nor a run.

        Args:
            path: ``model.onnx``.
            device: ``cpu`` or ``cuda``; None takes CUDA where onnxruntime has it.
            options: see the class; a detector takes ``threshold`` alone.

        Raises:
            ConfigError: if it is no such file, or it has no such option.
        """
        from lightning_seg.serving.applied import apply_file
        from lightning_seg.serving.model_file import ExportedModel

        predictor = cls.__new__(cls)
        predictor._apply(apply_file(ExportedModel(path, device), options))
        return predictor

    def _apply(self, applied: Applied) -> None:
        self._applied = applied
        self.inference, self.image_size, self.device = applied.inference, applied.image_size, applied.device
        self.class_names = applied.class_names
        self.task: Any = getattr(applied, "task", None)
        """The trained task; None of a file."""
        asked: Any = getattr(self.inference, "mask_format", "palette")
        check_format(asked, applied.mask_encoding, len(self.class_names), "the model")

    def __call__(self, image: str | Path | Image.Image | Array) -> Any:
        """The prediction for one picture: a file, a Pillow image, or ``(H, W, 3)`` uint8 RGB or ``(H, W)`` grey.

        Files and Pillow images are turned upright by their EXIF orientation. Give a JPEG as a file, so that it is read
        as in training, see ``read_image_at``.

        Returns:
            A ``SegmentedPicture``, a ``ClassifiedPicture`` or a ``DetectedPicture``.

        Raises:
            DataError: if it cannot be read or is no such array.
            ModelError: if the prediction is NaN.
        """
        pixels = _pixels(image)
        shown = pixels if self.image_size is None else _resized(image, pixels, self.image_size)
        answer = self._applied.answer(shown, (pixels.shape[0], pixels.shape[1]))
        if not answer.is_number:
            raise ModelError("the network's answer to the picture is no number (NaN or infinite); give another run")
        said = PICTURES[type(answer)](pixels, answer, self._applied.label_names)
        if isinstance(said, SegmentedPicture):
            return said._replace(mask_format=self.inference.mask_format, encoding=self._applied.mask_encoding)
        return said


def _resized(image: str | Path | Image.Image | Array, pixels: Array, size: tuple[int, int]) -> Array:
    """``image`` as the network sees it; its pixels are ``pixels``."""
    return read_image_at(image, size).pixels if isinstance(image, str | Path) else resize_image(pixels, size)


def _pixels(image: str | Path | Image.Image | Array) -> Array:
    if isinstance(image, str | Path):
        return read_image(image)
    if isinstance(image, Image.Image):
        return to_rgb(upright(image), "the Pillow image")
    array = np.asarray(image)
    if (
        array.dtype != np.uint8
        or array.ndim not in (2, 3)
        or (array.ndim == 3 and array.shape[2] != 3)
        or not array.size
    ):
        raise DataError(
            f"an array of shape {array.shape} and type {array.dtype} is no picture; give (H, W, 3) uint8 RGB or (H, W)"
        )
    colours = np.repeat(array[..., None], 3, axis=2) if array.ndim == 2 else array
    return np.ascontiguousarray(colours) if colours.flags.writeable else colours.copy()
