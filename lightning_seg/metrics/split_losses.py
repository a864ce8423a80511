"""The losses of a split, counted beside its metrics."""

from collections.abc import Mapping

from torch import Tensor, nn

from lightning_seg.metrics.mean_loss import MeanLoss


class SplitLosses(nn.ModuleDict):
    """The mean of a loss over a split, and of its parts, if there are several.

    Args:
        parts: the weight of each part.
    """

    def __init__(self, parts: Mapping[str, float]) -> None:
        super().__init__({name: MeanLoss() for name in parts})
        self.weights = dict(parts)

    @property
    def names(self) -> list[str]:
        """Everything that ``take`` can give."""
        return ["loss", *(self.weights if len(self.weights) > 1 else ())]

    def add(self, sums: Mapping[str, tuple[Tensor, Tensor]], num_pictures: int, num_counted: Tensor | int) -> None:
        """What a batch has cost, by part: sum and weight, whose ratio is the loss."""
        for name, loss in self.items():
            assert isinstance(loss, MeanLoss)
            total, weight = sums[name]
            loss.update(total.detach(), weight.detach(), num_pictures, num_counted)

    def take(self) -> dict[str, float]:
        """The means; counting begins anew. Empty where no process has counted anything."""
        # All processes ask for all of them, whatever they have seen.
        counted: dict[str, float] = {}
        for name, loss in self.items():
            assert isinstance(loss, MeanLoss)
            value = loss.compute()
            loss.reset()
            counted |= {} if value is None else {name: value}
        if not counted:
            return {}
        total = sum(self.weights[name] * value for name, value in counted.items())
        return {"loss": total, **(counted if len(counted) > 1 else {})}
