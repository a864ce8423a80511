"""Class weights of a loss: given as numbers, or counted in the training samples."""

import logging
from collections.abc import Sequence
from math import inf
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from lightning_seg.errors import ConfigError
from lightning_seg.tasks.supervised import SupervisedTask

log = logging.getLogger(__name__)


class WeighsClasses(Protocol):
    """A loss with class weights ``(C,)``."""

    def weigh_classes(self, class_weights: Tensor) -> None: ...


class ClassWeightedTask(SupervisedTask):
    """A task with ``class_weights`` among its arguments.

    ``auto`` is replaced by numbers from a datamodule that can count, or from a checkpoint.
    """

    loss: WeighsClasses
    counted: ClassVar[str]
    """Name of the counted samples: masks or pictures."""
    counted_by: ClassVar[str]
    """The datamodule's method that returns how often each class occurs in the training samples."""

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Weights that were counted before training are not counted again."""
        super().on_load_checkpoint(checkpoint)
        stored = (checkpoint.get("hyper_parameters") or {}).get("class_weights")
        if self.hparams["class_weights"] == "auto" and isinstance(stored, list):
            self._set_class_weights(stored)

    def on_fit_start(self) -> None:
        super().on_fit_start()
        self._count_classes()

    def on_validation_start(self) -> None:
        super().on_validation_start()
        self._count_classes()

    def on_test_start(self) -> None:
        super().on_test_start()
        self._count_classes()

    def _count_classes(self) -> None:
        if self.hparams["class_weights"] != "auto":
            return
        count = getattr(getattr(self.trainer, "datamodule", None), self.counted_by, None)
        if count is None:
            raise ConfigError(f"class_weights auto needs a datamodule that can count its {self.counted}s; give numbers")
        self._set_class_weights(balanced_weights(count(), self.known_class_names(), self.counted))

    def _set_class_weights(self, weights: list[float]) -> None:
        self.hparams["class_weights"] = weights
        self.loss.weigh_classes(torch.tensor(weights, device=self.device))


def checked_weights(given: Sequence[float] | str | None, num_classes: int) -> Sequence[float] | None:
    """The numbers; None if there are none yet.

    Raises:
        ConfigError: if they are no weights for this number of classes.
    """
    if given is None or given == "auto":
        return None
    numbers = list(given) if not isinstance(given, str) else []
    if len(numbers) != num_classes or not all(0 <= number < inf for number in numbers) or not any(numbers):
        raise ConfigError(f"class_weights {given} must be {num_classes} numbers of at least 0, not all 0, or auto")
    return numbers


def balanced_weights(counts: Sequence[int], class_names: Sequence[str], counted: str) -> list[float]:
    """``inverse_shares``, with a warning that names the classes that never occur.

    Args:
        counts: how often each class occurs.
        class_names: by class index.
        counted: name of the samples, for the warning.
    """
    missing = [name for name, count in zip(class_names, counts, strict=True) if not count]
    if missing:
        log.warning("class_weights auto: no training %s shows %s, so its weight is 1", counted, ", ".join(missing))
    return inverse_shares(counts)


def inverse_shares(counts: Sequence[int]) -> list[float]:
    """The inverse of each class's share, 1 on average over the samples; a class that never occurs gets 1.

    Source: King and Zeng, "Logistic Regression in Rare Events Data", 2001.

    Args:
        counts: how often each class occurs.
    """
    total, classes = sum(counts), sum(count > 0 for count in counts)
    return [round(total / (classes * count), 6) if count else 1.0 for count in counts]
