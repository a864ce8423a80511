"""The losses of a split, counted beside its metrics."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from lightning_seg.metrics.mean_loss import MeanLoss
from lightning_seg.metrics.parts import Values, present

LOSSES = ("loss", "cross_entropy")


def is_loss(metric: str) -> bool:
    """Whether it is a loss by its name; for those of one's own, that no part gives."""
    return metric.endswith(LOSSES)


class SplitLosses(nn.ModuleDict):
    """The mean ``loss`` over a split, and those of its parts, if there are several.

    Args:
        parts: the weight of each part.
    """

    higher_is_better = False

    def __init__(self, parts: Mapping[str, float]) -> None:
        super().__init__({name: MeanLoss() for name in parts})
        self.weights = dict(parts)

    def add(self, sums: Mapping[str, tuple[Tensor, Tensor]], num_pictures: int, num_counted: Tensor | int) -> None:
        """What a batch has cost, by part: sum and weight, whose ratio is the loss."""
        for name, loss in self.items():
            assert isinstance(loss, MeanLoss)
            total, weight = sums[name]
            loss.update(total.detach(), weight.detach(), num_pictures, num_counted)

    def names(self, class_names: Sequence[str] = ()) -> list[str]:
        """Everything that ``take`` can give."""
        return list(self._named(dict.fromkeys(self.weights)))

    def take(self, class_names: Sequence[str] = ()) -> dict[str, float]:
        """The means; counting begins anew. Empty where no process has counted anything."""
        # All processes ask for all of them, whatever they have seen.
        means: dict[str, float | None] = {}
        for name, loss in self.items():
            assert isinstance(loss, MeanLoss)
            means[name] = loss.compute()
            loss.reset()
        return present(self._named(means))

    def _named(self, means: Values) -> Values:
        """The sum of the parts and, if there are several, the parts; a batch counts for all of them."""
        counted = present(means)
        total = sum(self.weights[name] * value for name, value in counted.items()) if counted else None
        return {"loss": total, **(means if len(means) > 1 else {})}
