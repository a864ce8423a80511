"""Findings about the network of a config; and what the doctor asks of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytorch_lightning as pl

from lightning_seg.doctor.findings import Kind
from lightning_seg.errors import ConfigError
from lightning_seg.models.normalization import mean_std

NO_NETWORK = Kind(
    "network-refused",
    "error",
    "fit ends with this line",
    "nothing can be trained; what suits the network, and its speed, were not looked at",
    "as the line says",
)
KINDS = (NO_NETWORK,)
USUAL_MULTIPLE = 32
"""What sides of pictures are multiples of where nobody says it: most encoders halve five times."""


@dataclass(frozen=True)
class Colours:
    """Mean and standard deviation of red, green and blue, 0 to 1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


class Network(NamedTuple):
    """A task, built with the links of the command line, and not trained.

    ``make_trainer`` makes a trainer for one epoch with the given callbacks, on the device and in the precision of the
    config.
    """

    task: Any
    make_trainer: Callable[[Sequence[pl.Callback]], pl.Trainer]

    @property
    def name(self) -> str:
        return type(self.task).__name__

    @property
    def normalization(self) -> Colours | None:
        """What it takes mean and deviation of pictures to be; None if it does not say."""
        given = self._given("normalization")
        if given is None:
            return None
        mean, std = mean_std(given)
        return Colours(tuple(mean), tuple(std))

    @property
    def normalization_name(self) -> str:
        given = self._given("normalization")
        return given if isinstance(given, str) else "the config"

    @property
    def is_pretrained(self) -> bool:
        """Whether its normalization is that of published weights, or of a file."""
        return any(self._given(name) is not None for name in ("encoder_weights", "weights"))

    @property
    def multiple(self) -> int:
        """What sides of pictures are multiples of."""
        known = getattr(self.task, "reduction", None)
        return known if isinstance(known, int) and known > 1 else USUAL_MULTIPLE

    def takes(self, size: Sequence[int]) -> bool:
        """Whether pictures of this (height, width) fit."""
        check = getattr(self.task, "check_picture_size", None)
        try:
            if check is not None:
                check(size)
        except ConfigError:
            return False
        return True

    def _given(self, name: str) -> Any:
        return getattr(self.task, "hparams", {}).get(name)
