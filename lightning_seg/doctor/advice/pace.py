"""Pictures per second of a training, and what is expected of each remedy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lightning_seg.datamodules.workers import LoadingRemedy, Place
from lightning_seg.doctor.advice.stages import Stages

WORTH = 1.05
"""Times as many pictures from which advice is given."""


@dataclass(frozen=True)
class LoadingAdvice:
    """Something that makes loading faster.

    Args:
        text: what to give.
        loading: expected pictures per second out of the loader.
        gain: how many times as many pictures are trained per second, or come out of the loader where no network is
            known.
    """

    text: str
    loading: float
    gain: float


class Pace(NamedTuple):
    """What pictures per second of a training depend on."""

    seconds: float  # of one core for loading one picture
    loading: float  # pictures per second out of the loader
    num_workers: int
    training: float | None
    place: Place

    @property
    def together(self) -> float:
        """Pictures per second of a training.

        Without loader processes a step begins when its pictures are there. With some, both work at once; where the
        cores compute the network, too, they share them.
        """
        if self.training is None:
            return self.loading
        if self.num_workers == 0:
            return 1 / (1 / self.loading + 1 / self.training)
        if self.place.computes:
            return min(self.loading, 1 / (self.seconds / self.place.cores + 1 / self.training))
        return min(self.loading, self.training)

    def with_remedy(self, remedy: LoadingRemedy, stages: Stages) -> "Pace":
        """What is expected with a remedy: the loader's rate follows the time of a picture, and the processes."""
        seconds = _seconds_with(remedy, self.seconds, stages)
        processes = max(1, remedy.num_workers) / max(1, self.num_workers)
        loading = self.loading * self.seconds / seconds * processes
        return self._replace(seconds=seconds, loading=loading, num_workers=remedy.num_workers)


def _seconds_with(remedy: LoadingRemedy, seconds: float, stages: Stages) -> float:
    if remedy.kind == "cache" and stages.from_cache is not None:
        return stages.from_cache
    if remedy.kind == "transforms":
        return seconds - stages.augment
    if remedy.kind == "files":
        # Of half the width and height.
        return seconds - 3 / 4 * (stages.open + stages.decode + stages.mask)
    return seconds


def advice(pace: Pace, stages: Stages, remedies: Sequence[LoadingRemedy]) -> tuple[LoadingAdvice, ...]:
    """The remedies that are worth it, the most helpful first."""
    expected = [(remedy, pace.with_remedy(remedy, stages)) for remedy in remedies]
    told = [
        LoadingAdvice(remedy.text, round(new.loading, 1), round(new.together / pace.together, 2))
        for remedy, new in expected
    ]
    return tuple(sorted((one for one in told if one.gain >= WORTH), key=lambda one: -one.gain))
