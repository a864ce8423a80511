"""Tasks that answer pictures: what can be asked of their answers, and how these are measured."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from torch import Tensor

from lightning_seg.batch import BoxPrediction, LabelPrediction, MaskPrediction, PredictedBatch, Split
from lightning_seg.errors import ConfigError
from lightning_seg.inference.knobs import knobs_of, names_of
from lightning_seg.measuring import Measuring
from lightning_seg.tasks.base import Task
from lightning_seg.tasks.looking import picture_size
from lightning_seg.tasks.pictures import picture_batch


class PredictingTask(Task, ABC):
    """A subclass says the kind of its predictions, and how it makes them."""

    prediction: ClassVar[type[MaskPrediction] | type[LabelPrediction] | type[BoxPrediction]]
    """The kind of its answers, which decides about what is written and drawn of them."""
    inference: Any
    """How predictions are made, a frozen dataclass; validation and test measure what it makes."""
    measuring = Measuring()
    """What validation and test compare; see ``measure_as``."""

    @abstractmethod
    def known_class_names(self) -> tuple[str, ...]:
        """The names of its classes."""

    def reported_names(self) -> tuple[str, ...]:
        """What its predictions call what they have found."""
        return self.known_class_names()

    @classmethod
    def keeps_its_classes(cls, given: Mapping[str, Any], is_trained: bool, predicts: bool) -> bool:
        """Whether it is applied to data of other classes than it has: to predict, or measured at the original size.

        Args:
            given: its arguments.
            is_trained: whether there is a checkpoint.
            predicts: it predicts, and is not measured.
        """
        return False

    @classmethod
    def is_ready(cls, given: Mapping[str, Any]) -> bool:
        """Whether with these arguments it answers without any training here."""
        return False

    # How it is measured

    @property
    def at_original_size(self) -> bool:
        """Whether validation and test compare at the size of the files."""
        return self.measuring.original_size

    @at_original_size.setter
    def at_original_size(self, value: bool) -> None:
        self.measuring = replace(self.measuring, original_size=value)

    def measure_as(
        self, data: Any, original_size: bool = False, trained_at: tuple[int, int] | None = None, **knobs: Any
    ) -> None:
        """Let validation and test measure what ``predict`` with these knobs makes; called before both.

        Args:
            data: the datamodule that they will have.
            original_size: compare at the size of the files; tiles do so anyway.
            trained_at: (height, width) of the pictures of its training; None takes ``image_size`` of the data.
            knobs: see ``make_inference``.

        Raises:
            ConfigError: if the task has no such knob, or nothing that could be compared so, or the data cannot give it.
        """
        if hasattr(data, "measure_as"):
            # As it was before another call.
            data.measure_as(Measuring())
        self.inference = self.make_inference(knobs)
        self.measuring = self.how_to_measure(original_size, trained_at or picture_size(data))
        if hasattr(data, "measure_as"):
            data.measure_as(self.measuring)
        elif self.measuring.original_size:
            raise ConfigError(
                f"{type(data).__name__} has no measure_as(measuring), by which --original_size and --tile ask for "
                "pictures and masks as their files are; leave both out, or add it"
            )

    def how_to_measure(self, original_size: bool, trained_at: tuple[int, int] | None) -> Measuring:
        """With the ``inference`` that it has; arguments as for ``measure_as``.

        Raises:
            ConfigError: if it gives nothing that has the size of a file.
        """
        if original_size:
            raise ConfigError(f"original_size is for masks, and {type(self).__name__} gives labels; leave it out")
        return Measuring()

    def shown_size(self, trained_at: tuple[int, int] | None, inference: Any | None = None) -> tuple[int, int] | None:
        """(height, width) at which it sees pictures that it predicts; None sees them as they are.

        Args:
            trained_at: what it was trained at.
            inference: how it predicts; None is its own.
        """
        return trained_at

    # Predictions

    def knobs(self) -> tuple[str, ...]:
        """The names of the settings ``inference`` that mean something to it."""
        return names_of(type(self.inference))

    def make_inference(self, given: Mapping[str, Any]) -> Any:
        """The settings ``inference`` of this kind of task with these values.

        Raises:
            ConfigError: if it has no such setting, or a value is impossible.
        """
        return knobs_of(type(self.inference), given, type(self).__name__)

    @abstractmethod
    def predict_pictures(
        self, images: Tensor, sizes: Sequence[tuple[int, int]], inference: Any | None = None
    ) -> list[Any]:
        """What ``predict`` says: a ``prediction`` for each picture.

        Args:
            images: ``(B, 3, H, W)`` uint8 RGB.
            sizes: (height, width) of each original picture.
            inference: how; None is its own.
        """

    def predict_step(self, batch: Any, batch_idx: int) -> PredictedBatch[Any]:
        """What ``predict`` says to a ``PictureBatch``, or to any dict with ``image``, see ``picture_batch``."""
        pictures = picture_batch(batch, batch_idx, self.global_rank)
        images = pictures["image"]
        return {
            "predictions": self.predict_pictures(images, pictures["original_size"]) if len(images) else [],
            "path": pictures["path"],
            "name": pictures["name"],
            "unreadable": pictures["unreadable"],
        }

    def log_name(self, split: Split) -> str:
        """First part of the names of a split's metrics."""
        return self.measuring.log_name(split)
