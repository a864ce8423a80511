"""The digest of initial weights: equal for equal numbers, whatever they are called."""

import torch
from torch import nn

from lightning_seg.callbacks.run_record import weights_digest


def test_names_and_layout_do_not_count() -> None:
    convolution = nn.Conv2d(3, 4, 3)
    before = weights_digest(nn.Sequential(convolution, nn.BatchNorm2d(4)))
    # Dropout in between has no numbers, and moves the names.
    assert weights_digest(nn.Sequential(convolution, nn.Dropout(0.5), nn.BatchNorm2d(4))) == before
    assert weights_digest(nn.Sequential(convolution.to(memory_format=torch.channels_last), nn.BatchNorm2d(4))) == before


def test_one_other_number_or_shape_counts() -> None:
    layer = nn.Linear(3, 2)
    digests = {weights_digest(layer)}
    with torch.no_grad():
        layer.weight[0, 0] += 1e-6
    digests.add(weights_digest(layer))
    turned = nn.Linear(2, 3)
    turned.weight, turned.bias = nn.Parameter(layer.weight.detach().reshape(3, 2)), layer.bias
    digests.add(weights_digest(turned))
    digests.add(weights_digest(layer.to(torch.bfloat16)))
    assert len(digests) == 4


def test_of_a_task_the_network_counts() -> None:
    task = nn.Module()
    task.model, task.loss = nn.Linear(3, 2), nn.Linear(1, 1)
    assert weights_digest(task) == weights_digest(task.model)
