"""A trained model as a function of a picture."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from lightning_seg.batch import BoxPrediction, LabelPrediction, MaskPrediction
from lightning_seg.errors import ConfigError, DataError, ModelError, one_line
from lightning_seg.images import Array, read_image, read_image_at, resize_image, to_rgb, upright
from lightning_seg.inference.labels import ranked
from lightning_seg.plots.boxes import draw_boxes
from lightning_seg.plots.overlay import draw_overlay
from lightning_seg.plots.palette import class_palette, object_palette
from lightning_seg.runs import find_checkpoint
from lightning_seg.tasks.loading import load_task
from lightning_seg.tasks.supervised import SupervisedTask


class SegmentedPicture(NamedTuple):
    """The prediction of a segmentation model for one picture, at the size of the picture."""

    image: Array  # (H, W, 3) uint8 RGB
    mask: Array  # (H, W) uint8 class indices
    confidence: float  # mean probability of the chosen class
    entropy: float  # mean entropy relative to its maximum, in [0, 1]
    probs: NDArray[np.float16] | None  # (C, H, W), with keep_probs=True
    class_names: tuple[str, ...]

    @classmethod
    def of(cls, image: Array, said: MaskPrediction, names: tuple[str, ...]) -> Self:
        """From what a task has said, and the names of its classes."""
        probs = None if said.probs is None else said.probs.numpy()
        return cls(image, said.mask.numpy(), said.confidence, said.entropy, probs, names)

    @property
    def overlay(self) -> Image.Image:
        """The picture tinted by class."""
        return draw_overlay(self.image, self.mask, class_palette(len(self.class_names)))


class ClassifiedPicture(NamedTuple):
    """The prediction of a classification model for one picture."""

    image: Array  # (H, W, 3) uint8 RGB
    label: str
    confidence: float  # probability of the label
    entropy: float  # relative to its maximum, in [0, 1]
    probs: dict[str, float]  # by class name

    @classmethod
    def of(cls, image: Array, said: LabelPrediction, names: tuple[str, ...]) -> Self:
        """From what a task has said, and the names of its classes."""
        probs = dict(zip(names, said.probs.tolist(), strict=True))
        return cls(image, names[said.label], said.confidence, said.entropy, probs)

    def top(self, number: int = 5) -> list[tuple[str, float]]:
        """The likeliest classes with their probabilities, the likeliest first."""
        return ranked(torch.tensor(list(self.probs.values()), dtype=torch.float64), list(self.probs), number)


class DetectedPicture(NamedTuple):
    """The objects that a detector found in one picture, the likeliest first."""

    image: Array  # (H, W, 3) uint8 RGB
    boxes: NDArray[np.float32]  # (N, 4): x1, y1, x2, y2 in pixels of the picture
    scores: list[float]
    labels: list[str]
    heat_maps: dict[str, NDArray[np.float32]]  # by label, (h, w), coarse, over the whole picture

    @classmethod
    def of(cls, image: Array, said: BoxPrediction, names: tuple[str, ...]) -> Self:
        """From what a task has said, and the names of its labels."""
        maps = dict(zip(names, said.maps.numpy(), strict=True))
        labels = [names[index] for index in said.labels.tolist()]
        return cls(image, said.boxes.numpy(), said.scores.tolist(), labels, maps)

    @property
    def overlay(self) -> Image.Image:
        """The picture with its boxes, one colour per label."""
        names = list(self.heat_maps)
        colours = object_palette(len(names))[[names.index(label) for label in self.labels]]
        captions = [f"{label} {score:.2f}" for label, score in zip(self.labels, self.scores, strict=True)]
        return draw_boxes(self.image, torch.from_numpy(self.boxes), captions, colours)


PICTURES: dict[type, Callable[[Array, Any, tuple[str, ...]], Any]] = {
    MaskPrediction: SegmentedPicture.of,
    LabelPrediction: ClassifiedPicture.of,
    BoxPrediction: DetectedPicture.of,
}
"""What is made of each kind of prediction."""


class Predictor:
    """Applies a trained task to pictures of any size: ``Predictor.from_run("runs/pets")("photo.jpg").mask``.

    The result depends on the kind of task: a ``SegmentedPicture``, a ``ClassifiedPicture`` or a ``DetectedPicture``.

    Args:
        task: the trained task.
        image_size: (height, width) of a picture for the network; None keeps its size.
        device: where to compute; None takes CUDA where there is one.
        options: of segmentation see ``MaskInference``: ``tile``, ``overlap``, ``tta``, ``keep_probs``; of
            classification see ``LabelInference``: ``tta``; of detection see ``BoxInference``.

    Raises:
        ConfigError: if the kind of task has no such option.
    """

    def __init__(
        self,
        task: SupervisedTask,
        image_size: tuple[int, int] | None = None,
        device: str | torch.device | None = None,
        **options: Any,
    ) -> None:
        if not hasattr(task, "make_inference"):
            raise ConfigError(
                f"Predictor applies tasks of this package, and {type(task).__name__} is none; derive it from one, or "
                "call it yourself"
            )
        self.inference = task.make_inference(options)
        self.image_size = task.shown_size(image_size, self.inference)
        self.device, self.task = _on_device(task, device)
        self.class_names = task.known_class_names()

    @classmethod
    def from_run(
        cls, path: str | Path, device: str | torch.device | None = None, trust: Sequence[str] = (), **options: Any
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
        checkpoint = find_checkpoint(path)
        task, image_size = load_task(checkpoint, (trust,) if isinstance(trust, str) else trust)
        if getattr(task, "prediction", None) not in PICTURES:
            raise ConfigError(
                f"{checkpoint}: {type(task).__name__} gives neither masks nor labels; give a segmentation or "
                "classification run"
            )
        return cls(cast(SupervisedTask, task), image_size, device, **options)

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
        images = torch.from_numpy(shown).permute(2, 0, 1).unsqueeze(0).to(self.device)
        with torch.inference_mode():
            (prediction,) = self.task.predict_pictures(images, [pixels.shape[:2]], self.inference)
        _check_answer(prediction)
        return PICTURES[self.task.prediction](pixels, prediction, self.task.reported_names())


def _check_answer(prediction: MaskPrediction | LabelPrediction | BoxPrediction) -> None:
    if not prediction.is_number:
        raise ModelError("the network's answer to the picture is no number (NaN or infinite); give another run")


def _on_device(task: Any, device: str | torch.device | None) -> tuple[torch.device, Any]:
    """The device and the task on it, in eval mode."""
    try:
        chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        return chosen, task.eval().to(chosen)
    # torch answers a device that is not there with an AssertionError, too.
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {device}: cannot be used here ({one_line(error)[:200]}); give cpu") from error


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
