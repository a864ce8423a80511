"""What tells that a training goes wrong, by hand."""

from collections.abc import Callable
from math import inf, nan

import pytest
import torch
from torch import nn

from lightning_seg.tasks.health import (
    LAST,
    LossWatch,
    Monotony,
    describe_weights,
    hold_no_numbers,
    learned,
    only_answer,
)

CountReads = Callable[[Callable[[], object]], int]


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))


def test_the_first_bad_step_is_remembered_and_no_step_reads(count_reads: CountReads) -> None:
    def add() -> None:
        for step, loss in enumerate((1.0, 2.0, inf, 3.0, nan)):
            watch.add(torch.tensor(loss, requires_grad=True), step)

    watch = LossWatch()

    assert count_reads(add) == 0
    assert LAST - watch.earliest.item() == 2


def test_finite_losses_leave_nothing() -> None:
    watch = LossWatch()
    watch.add(torch.tensor(3e38), 0)

    assert watch.earliest.item() == 0


@pytest.mark.parametrize("value", [nan, inf, -inf])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_one_bad_element_is_enough(value: float, dtype: torch.dtype) -> None:
    tensors = [torch.ones(3), torch.full((2, 2), 6e4, dtype=dtype), torch.empty(0), torch.arange(3)]
    assert not hold_no_numbers(tensors)

    tensors[1][1, 0] = value

    assert hold_no_numbers(tensors)


def test_large_numbers_are_numbers() -> None:
    # Their sum of squares is infinite in their own type.
    assert not hold_no_numbers([torch.full((100,), 6e4, dtype=torch.float16), torch.full((100,), 1e38)])


def test_weights_are_described_by_their_number_and_the_first() -> None:
    net = network()
    assert describe_weights(net) is None

    net.get_buffer("1.running_var")[0] = inf
    net.get_parameter("0.bias").data[1] = nan

    assert describe_weights(net) == "2 of 6 tensors hold no numbers (NaN or infinite), the first is 0.bias"


def test_constants_of_a_network_may_be_infinite() -> None:
    net = network()
    net.register_buffer("mask", torch.tensor([0.0, -inf]))

    assert "mask" not in learned(net)
    assert describe_weights(net) is None


@pytest.mark.parametrize(
    ("matrix", "answer"),
    [
        ([[0, 4], [0, 2]], 1),
        ([[4, 0], [2, 0]], 0),
        # Both are predicted.
        ([[3, 1], [2, 0]], None),
        # One class is all there is.
        ([[4, 0], [0, 0]], None),
        ([[0, 4], [0, 0]], None),
        ([[0, 0], [0, 0]], None),
    ],
)
def test_the_only_answer_by_hand(matrix: list[list[int]], answer: int | None) -> None:
    assert only_answer(torch.tensor(matrix)) == answer


def test_times_in_a_row_begin_anew_after_another_answer() -> None:
    same, other = torch.tensor([[4, 0], [2, 0]]), torch.tensor([[3, 1], [2, 0]])
    monotony, times = Monotony(), []
    for matrix in (same, same, other, same):
        monotony.add(matrix)
        times.append(monotony.times)

    assert times == [1, 2, 0, 1]


def test_the_norm_stays_on_its_device(count_reads: CountReads) -> None:
    net = network()

    assert count_reads(lambda: hold_no_numbers(learned(net).values())) == 0
    assert count_reads(lambda: bool(hold_no_numbers(learned(net).values()))) == 1
