"""Signs of a training that goes wrong: losses and weights that are no numbers, answers that are always the same."""

from collections.abc import Iterable, Mapping
from math import inf

import torch
from torch import Tensor, nn

LAST = 2**53
"""More steps than any training has."""
RUNNING = ("running_mean", "running_var")
"""Buffers that a network learns; its other buffers are constants, which may be infinite."""
PATIENCE = 3
"""Validations in a row with a single predicted class before a warning."""


class LossWatch:
    """Remembers the first step whose loss was no number, on the device, so that no step waits for it."""

    def __init__(self) -> None:
        self.earliest = torch.zeros((), dtype=torch.int64)
        """``LAST`` minus that step, 0 if there is none: the maximum over processes is the earliest."""

    def add(self, loss: Tensor, step: int) -> None:
        """The loss of a step, of any shape."""
        is_none = ~loss.detach().isfinite().all()
        if self.earliest.device != loss.device:
            self.earliest = torch.zeros_like(is_none, dtype=torch.int64)
        self.earliest = torch.maximum(self.earliest, is_none * (LAST - step))


def learned(network: nn.Module) -> dict[str, Tensor]:
    """Everything that training changes, by name: parameters, and the statistics of normalising layers."""
    statistics = {name: tensor for name, tensor in network.named_buffers() if name.endswith(RUNNING)}
    return {**dict(network.named_parameters()), **statistics}


@torch.no_grad()
def hold_no_numbers(tensors: Iterable[Tensor]) -> Tensor:
    """Whether any of the tensors has an element that is NaN or infinite: a bool on their device, without waiting for
    it.
    """
    # The sharded ones of some strategies have no norm of their own.
    plain = [one for one in tensors if type(one) in (Tensor, nn.Parameter) and one.is_floating_point() and one.numel()]
    return ~torch.nn.utils.get_total_norm(plain, inf).isfinite()


def without_numbers(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of those with an element that is NaN or infinite."""
    return [name for name, tensor in tensors.items() if not tensor.isfinite().all()]


def describe_weights(network: nn.Module) -> str | None:
    """How many of the learned tensors hold no numbers, and the first one; None if all are numbers."""
    tensors = learned(network)
    if not hold_no_numbers(tensors.values()):
        return None
    names = without_numbers(tensors)
    return f"{len(names)} of {len(tensors)} tensors hold no numbers (NaN or infinite), the first is {names[0]}"


def only_answer(matrix: Tensor) -> int | None:
    """The class that everything was predicted as although several are true, from counts ``[true, predicted]``."""
    predicted, true = matrix.sum(dim=0).nonzero().flatten(), matrix.sum(dim=1).count_nonzero()
    return int(predicted[0]) if len(predicted) == 1 and true > 1 else None


class Monotony:
    """Counts validations in a row in which everything was predicted as one class. A training may begin like that."""

    def __init__(self) -> None:
        self.answer: int | None = None
        self.times = 0

    def add(self, matrix: Tensor) -> None:
        """The counts ``[true, predicted]`` of a validation."""
        self.answer = only_answer(matrix)
        self.times = 0 if self.answer is None else self.times + 1
