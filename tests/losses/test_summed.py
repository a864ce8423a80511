"""Losses of processes that train together."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.losses.classification import ClassificationLoss
from lightning_seg.losses.segmentation import SegmentationLoss
from lightning_seg.losses.summed import Summed, means
from lightning_seg.metrics.split_losses import SplitLosses

InTwo = Callable[..., list[Any]]
ALL = {"focal": 1.0, "jaccard": 1.0, "lovasz": 0.5, "tversky": 0.7}


def small_step(rank: int | None) -> tuple[float, float]:
    """One parameter that is 1; the loss of one process is 2 x over a weight of 1, of the other 3 x over one of 4."""
    total, weight = {None: (5.0, 5.0), 0: (2.0, 1.0), 1: (3.0, 4.0)}[rank]
    x = torch.ones((), requires_grad=True)
    loss = means({"loss": Summed(total * x, torch.tensor(weight))}, over_processes=True)["loss"]
    torch.autograd.backward(loss)
    assert x.grad is not None
    return loss.item(), x.grad.item()


def test_the_mean_over_two_processes_by_hand(in_two_processes: InTwo) -> None:
    # Of both (2 + 3) x / (1 + 4) = x. The mean of 2 / 1 and 3 / 4 would be 1.375.
    assert small_step(None) == (1, 1)
    first, second = in_two_processes(small_step)
    # The mean of the weights is 2.5.
    assert first == pytest.approx((2 / 2.5, 2 / 2.5))
    assert second == pytest.approx((3 / 2.5, 3 / 2.5))


def train(loss: Any, inputs: Tensor, labels: tuple[Tensor, ...], rank: int | None) -> dict[str, Any]:
    """Gradients of a step, and what is logged of it, on all pictures or on every second one."""
    torch.manual_seed(0)
    network: nn.Module = nn.Conv2d(3, 3, 1) if inputs.ndim == 4 else nn.Linear(3, 3)
    model = network if rank is None else DistributedDataParallel(network)
    chosen = slice(None) if rank is None else slice(rank, None, 2)
    losses = SplitLosses(getattr(loss, "weights", {"cross_entropy": 1.0}))
    sums = loss.sums(model(inputs[chosen]), *(label[chosen] for label in labels))
    loss.total(sums).backward()
    losses.add(sums, len(inputs[chosen]), len(inputs[chosen]))
    gradients = [value for one in network.parameters() if one.grad is not None for value in one.grad.flatten().tolist()]
    return {"gradients": gradients, **losses.take()}


def train_segmentation(rank: int | None, mixed: bool) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(5, 3, 4, 4, generator=generator)
    masks = torch.randint(0, 3, (2, 5, 4, 4), generator=generator)
    masks[:, 0] = IGNORE_INDEX
    masks[0, 2, :3] = IGNORE_INDEX
    loss = SegmentationLoss(1.0, 0.5, 0.1, class_weights=[0.2, 1.0, 3.0], extra_losses=ALL)
    labels = (masks[0], masks[1], torch.rand(5, generator=generator)) if mixed else (masks[0],)
    return train(loss, images, labels, rank)


def train_classification(rank: int | None, mixed: bool) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(5, 3, generator=generator)
    shares = torch.rand(5, 3, generator=generator).softmax(dim=1)
    return train(
        ClassificationLoss(0.1, [0.2, 1.0, 3.0]), features, (shares if mixed else torch.tensor([0, 2, 1, 0, 2]),), rank
    )


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("step", [train_segmentation, train_classification])
def test_two_processes_learn_and_log_what_one_does(
    in_two_processes: InTwo, step: Callable[..., dict[str, Any]], mixed: bool
) -> None:
    """Three and two pictures, with class weights, ignored pixels and a picture without any counted one."""
    one = step(None, mixed)
    for two in in_two_processes(step, mixed):
        assert two == {name: pytest.approx(value, abs=1e-6) for name, value in one.items()}
    assert max(map(abs, one["gradients"])) > 1e-2


def evaluate(rank: int) -> float:
    """Another number of batches in each process."""
    loss = ClassificationLoss(class_weights=[1.0, 2.0]).eval()
    logits, label = torch.zeros(1, 2), torch.tensor([1])
    return sum(float(loss(logits, label)) for _ in range(1 + rank))


def test_evaluation_waits_for_nobody(in_two_processes: InTwo) -> None:
    assert in_two_processes(evaluate) == pytest.approx([0.693147, 2 * 0.693147], abs=1e-5)
