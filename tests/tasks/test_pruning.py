"""Lightning's pruning of weights that lie channels_last."""

from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelPruning
from torch import nn

from lightning_seg.tasks.pruning import prune_in_rows


class Holder(pl.LightningModule):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


def pruning_of(module: Holder, is_global: bool) -> ModelPruning:
    callback = ModelPruning("l1_unstructured", parameter_names=["weight"], use_global_unstructured=is_global)
    trainer: Any = SimpleNamespace(callbacks=[callback])
    prune_in_rows(trainer, module.model)
    # A search for a batch size sets the task up a second time.
    prune_in_rows(trainer, module.model)
    callback.setup(trainer, module, "fit")
    return callback


@pytest.mark.parametrize("is_global", [True, False])
def test_the_same_weights_are_pruned_in_every_layout(is_global: bool) -> None:
    torch.manual_seed(0)
    rows = Holder(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)))
    columns = Holder(deepcopy(rows.model).to(memory_format=torch.channels_last))
    parameters = list(columns.model.parameters())
    pictures = torch.rand(1, 3, 8, 8)
    callbacks = [(module, pruning_of(module, is_global)) for module in (rows, columns)]
    for zeros in (0.5, 0.75):
        for module, callback in callbacks:
            module.model(pictures)
            callback.apply_pruning(0.5)
        masks = [dict(module.named_buffers()) for module in (rows, columns)]
        for name, mask in masks[0].items():
            assert torch.equal(mask, masks[1][name])
        counted = torch.cat([mask.flatten() for mask in masks[0].values()])
        assert float((counted == 0).float().mean()) == pytest.approx(zeros, abs=0.01)
    assert torch.allclose(rows.model(pictures), columns.model(pictures), atol=1e-6)
    # The optimiser knows these very objects, and its state is laid out as they were.
    assert {id(one) for one in columns.model.parameters()} == {id(one) for one in parameters}
    for one in parameters:
        assert one.dim() != 4 or one.is_contiguous(memory_format=torch.channels_last)


def test_the_smallest_half_goes() -> None:
    layer = nn.Conv2d(1, 2, (1, 2), bias=False)
    layer.weight.data = torch.tensor([[[[0.1, -0.9]]], [[[-0.2, 0.5]]]])
    module = Holder(nn.Sequential(layer).to(memory_format=torch.channels_last))
    pruning_of(module, is_global=True).apply_pruning(0.5)
    assert layer.weight.flatten().tolist() == pytest.approx([0.0, -0.9, 0.0, 0.5])
