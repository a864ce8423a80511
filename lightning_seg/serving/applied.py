"""An exported model as a function of a picture, with what can be asked of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from lightning_seg.answers import Answer, BoxAnswer, LabelAnswer, MaskAnswer
from lightning_seg.errors import ConfigError
from lightning_seg.images import Array
from lightning_seg.inference.knobs import (
    BoxKnobs,
    LabelKnobs,
    MaskKnobs,
    given_of,
    knobs_of,
    knobs_of_masks,
    names_of,
)
from lightning_seg.mask_encoding import MaskEncoding
from lightning_seg.model_file import IMAGE_SIZE, IMAGES, OUTPUTS, THRESHOLD
from lightning_seg.prediction_files.masks import check_format
from lightning_seg.serving.answering import label_of, mask_of
from lightning_seg.serving.bands import resized_bands
from lightning_seg.serving.model_file import ExportedModel
from lightning_seg.serving.tiles import tiled_bands
from lightning_seg.serving.views import Probs, average_views

CAM = "cam"


class AppliedFile(ABC):
    """Base of the kinds of exported models.

    Args:
        model: the file.
        given: knobs, see ``inference.knobs``.

    Raises:
        ConfigError: if it has no such knob, or a value is impossible.
    """

    settings: ClassVar[type]
    """Its kind of settings, see ``inference.knobs``."""

    def __init__(self, model: ExportedModel, given: Mapping[str, Any]) -> None:
        self.model, self.about, self.device = model, model.about, model.device
        self.class_names, self.label_names = model.about.class_names, model.about.label_names
        self.mask_encoding: MaskEncoding | None = None
        self.inference = self.make_inference(given)
        self.image_size = self.shown_size()

    @abstractmethod
    def make_inference(self, given: Mapping[str, Any]) -> Any:
        """The settings."""

    def knobs(self) -> tuple[str, ...]:
        """The names of the settings that mean something to it."""
        return names_of(self.settings)

    @abstractmethod
    def answer(self, shown: Array, size: tuple[int, int]) -> Answer:
        """What it says of a picture.

        Args:
            shown: ``(H, W, 3)`` uint8 RGB, at ``image_size``, or at its own size where that is None.
            size: (height, width) of its file.
        """

    def own_threshold(self) -> dict[str, float]:
        """The threshold with which the file was exported, if it tells one."""
        return {} if self.about.threshold is None else {THRESHOLD: self.about.threshold}

    def shown_size(self) -> tuple[int, int] | None:
        """(height, width) at which it sees pictures; None sees them as they are."""
        return self.about.image_size

    def probabilities(self, images: Array) -> Probs:
        """``(B, H, W, 3)`` uint8 RGB as the network sees them, to probabilities."""
        # As the pictures are, so that nothing is resized again.
        size = {IMAGE_SIZE: np.array(images.shape[1:3], np.int64)} if IMAGE_SIZE in self.model.inputs else {}
        (probs,) = self.model.run(["probs"], {IMAGES: images, **size})
        self.check_number(probs.shape[1], self.class_names, "classes")
        return probs

    def check_number(self, number: int, names: Sequence[str], what: str) -> None:
        if number != len(names):
            raise ConfigError(
                f"{self.model.path}: it answers with {number} {what} and names {len(names)}; export the run anew"
            )


class MaskFile(AppliedFile):
    """A segmentation model."""

    settings = MaskKnobs

    def __init__(self, model: ExportedModel, given: Mapping[str, Any]) -> None:
        super().__init__(model, given)
        try:
            self.mask_encoding = MaskEncoding.of(model.about.mask_encoding)
        except ConfigError as error:
            raise ConfigError(f"{model.path}: its metadata are damaged ({error}); export the run anew") from error
        check_format(self.inference.mask_format, self.mask_encoding, len(self.class_names), model.path)

    def make_inference(self, given: Mapping[str, Any]) -> MaskKnobs:
        return knobs_of(MaskKnobs, self.own_threshold() | given_of(given), _who(self.model), self.knobs())

    def knobs(self) -> tuple[str, ...]:
        return knobs_of_masks(super().knobs(), len(self.class_names))

    def shown_size(self) -> tuple[int, int] | None:
        # Tiles are cut from pictures as they are.
        return None if self.inference.tile is not None else self.about.image_size

    def answer(self, shown: Array, size: tuple[int, int]) -> MaskAnswer:
        how: MaskKnobs = self.inference
        viewed = average_views(self.probabilities, how.tta)
        if how.tile is not None:
            bands = tiled_bands(viewed, shown, how.tile, how.overlap, how.tile_batch)
        else:
            bands = resized_bands(viewed(shown[None])[0], size)
        return mask_of(bands, size, how.keep_probs, how.threshold)


class LabelFile(AppliedFile):
    """A classification model."""

    settings = LabelKnobs

    def make_inference(self, given: Mapping[str, Any]) -> LabelKnobs:
        if given.get(CAM):
            raise ConfigError(
                f"{CAM}: {self.model.path} gives probabilities and no gradients, which a class activation map is made "
                "of; predict with --run"
            )
        return knobs_of(LabelKnobs, given_of(given), _who(self.model), self.knobs())

    def knobs(self) -> tuple[str, ...]:
        return tuple(name for name in super().knobs() if name != CAM)

    def answer(self, shown: Array, size: tuple[int, int]) -> LabelAnswer:
        return label_of(average_views(self.probabilities, self.inference.tta)(shown[None])[0])


class BoxFile(AppliedFile):
    """A detector, which finds objects as it was exported; the lowest probability of an object alone can be chosen."""

    settings = BoxKnobs

    def make_inference(self, given: Mapping[str, Any]) -> BoxKnobs:
        plain = {name: _plain(value) for name, value in given.items() if value is not None}
        own = {name: _plain(value) for name, value in self.about.knobs.items()}
        asked = knobs_of(BoxKnobs, plain, _who(self.model), self.knobs())
        for name in plain.keys() - {THRESHOLD}:
            value, exported = getattr(asked, name), own.get(name, getattr(BoxKnobs(), name))
            if value != exported:
                remedy = f"export the run with --{name} {_text(value)}, or " if name in own else ""
                raise ConfigError(
                    f"{name} {_text(value)}: {self.model.path} finds objects {_with(name, exported)}, as it was "
                    f"exported; {remedy}predict with --run"
                )
        known = {name: value for name, value in own.items() if hasattr(asked, name)}
        return knobs_of(BoxKnobs, known | self.own_threshold() | plain, _who(self.model), self.knobs())

    def knobs(self) -> tuple[str, ...]:
        return (THRESHOLD,)

    def shown_size(self) -> None:
        return None

    def answer(self, shown: Array, size: tuple[int, int]) -> BoxAnswer:
        threshold = self.inference.threshold
        inputs: dict[str, Any] = {IMAGES: shown[None]}
        if threshold is not None:
            inputs[THRESHOLD] = np.array(threshold, np.float32)
        names = OUTPUTS["boxes"][1:]
        boxes, scores, labels, maps, whole, window_probs, window_boxes = self.model.run(names, inputs)
        self.check_number(whole.shape[1], self.class_names, "classes")
        self.check_number(maps.shape[1], self.label_names, "labels")
        return BoxAnswer(boxes, scores, labels, maps[0], whole[0], window_probs[0], window_boxes)


KINDS: dict[str, type[AppliedFile]] = {"masks": MaskFile, "labels": LabelFile, "boxes": BoxFile}


def apply_file(model: ExportedModel, given: Mapping[str, Any]) -> AppliedFile:
    """The model with these knobs; see ``AppliedFile``."""
    return KINDS[model.about.kind](model, given)


def _who(model: ExportedModel) -> str:
    return f"{model.path}, a model of {model.about.kind}"


def _plain(value: Any) -> Any:
    return tuple(map(float, value)) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _with(name: str, exported: Any) -> str:
    return f"without {name}" if exported is None else f"with {_text(exported)}"


def _text(value: Any) -> str:
    return str(list(value)).replace(" ", "") if isinstance(value, tuple) else str(value)
