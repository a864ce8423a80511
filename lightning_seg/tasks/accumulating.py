"""A module whose optimiser steps by the mean of the batches that it has accumulated, also by that of fewer."""

from torch import Tensor
from torch.optim import Optimizer

from lightning_seg.tasks.watched import WatchedModule


class AccumulatingModule(WatchedModule):
    """Lightning divides every loss by ``accumulate_grad_batches``, also where the epoch ends before there are as many
    batches: the step of the last two of four would be half as large. Here it is by the mean of the two.
    """

    def __init__(self) -> None:
        super().__init__()
        self._batches_in_step = 0

    def on_train_start(self) -> None:
        super().on_train_start()
        # Of a training that was interrupted: its gradients are gone.
        self._batches_in_step = 0

    def on_before_backward(self, loss: Tensor) -> None:
        super().on_before_backward(loss)
        self._batches_in_step += 1

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        batches, self._batches_in_step = self._batches_in_step, 0
        expected: int = self.trainer.accumulate_grad_batches
        if 0 < batches < expected:
            for weight in (weight for group in optimizer.param_groups for weight in group["params"]):
                if weight.grad is not None:
                    weight.grad.mul_(expected / batches)
