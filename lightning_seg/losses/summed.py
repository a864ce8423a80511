"""Means of losses over several processes."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor


class Summed(NamedTuple):
    """A loss is ``total / weight``; both are counted in pictures, so that pictures of any size can be added."""

    total: Tensor
    weight: Tensor


def means(sums: Mapping[str, Summed], over_processes: bool = False) -> dict[str, Tensor]:
    """Each loss by name.

    torch averages the gradients of processes that train together. So their sums are divided by the mean of their
    weights: the result is the gradient that one process would have on all pictures, also if one process has more
    ignored pixels or other class weights. It costs one small message per step, for which the host does not wait. It is
    always sent, since no process can know alone that nothing is ignored anywhere.

    Args:
        sums: of the pictures of this process.
        over_processes: whether all processes take part.

    Examples:
        >>> means({"dice": Summed(torch.tensor(6.0), torch.tensor(3.0))})["dice"].item()
        2.0
    """
    weights = torch.stack([summed.weight for summed in sums.values()]).detach()
    if over_processes and dist.is_available() and dist.is_initialized():
        dist.all_reduce(weights)
        weights = weights / dist.get_world_size()
    # Where every pixel is ignored, the sum is 0, too.
    weights = torch.where(weights > 0, weights, 1)
    return {name: summed.total / weight for (name, summed), weight in zip(sums.items(), weights, strict=True)}
