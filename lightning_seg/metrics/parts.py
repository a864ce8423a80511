"""A part of the metrics of a split: counts, and the values that they give by name."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor
from torchmetrics import Metric

from lightning_seg.metrics.picture_scores import Told

Values = Mapping[str, float | None]
"""By name, all that there can be; None where the split has no such value, as for a class that never occurs."""


class Part(Protocol):
    """What gives some of the values of a split."""

    @property
    def higher_is_better(self) -> bool | None: ...

    def names(self, class_names: Sequence[str]) -> list[str]:
        """Everything that ``take`` can give."""

    def take(self, class_names: Sequence[str]) -> dict[str, float]:
        """The values by name, over all processes; counting begins anew."""


class MetricPart(Metric):
    """A metric of torchmetrics that names its values itself; a subclass counts in ``update`` and names in ``values``.

    Its counts are added up over batches and processes, so partial batches need no correction.
    """

    higher_is_better: bool = True
    """Which way is better, where one of its values chooses the best checkpoint."""
    picture_quantity: str | None = None
    """Name of the score of single pictures; None if it has none."""
    pairs: Tensor | None = None
    """Counts ``[true, predicted]`` of the last epoch, on the CPU; None if it has none."""

    @abstractmethod
    def values(self, class_names: Sequence[str]) -> Values:
        """The values of what is counted here, also where nothing is; what they are called stands nowhere else."""

    def compute(self, class_names: Sequence[str] = ()) -> Values:
        """The values over all processes: torchmetrics has added up the counts by now."""
        return self.values(class_names)

    def names(self, class_names: Sequence[str]) -> list[str]:
        """Everything that ``take`` can give; it asks no other process."""
        return list(self.values(class_names))

    def take(self, class_names: Sequence[str]) -> dict[str, float]:
        """The values by name, over all processes; counting begins anew."""
        values = self.compute(class_names)
        self.reset()
        return present(values)

    def score_pictures(self, *counted: Any) -> Tensor:
        """A score ``(B,)`` of each picture, higher is better, from what ``update`` gets; of ``picture_quantity``."""
        raise NotImplementedError(f"{type(self).__name__} has no score of single pictures")

    def tell_pictures(self, *counted: Any, log_probs: Tensor | None = None) -> Told:
        """All that is known of each picture.

        Args:
            counted: what ``update`` gets.
            log_probs: logarithms of the probabilities of all classes, ``(B, C, ...)``, where the task tells them.
        """
        return Told(self.score_pictures(*counted))


def present(values: Values) -> dict[str, float]:
    """Those that there are."""
    return {name: value for name, value in values.items() if value is not None}
