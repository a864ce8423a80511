"""How batches come from a loader process to the one that trains.

PyTorch puts each tensor of a batch into memory of its own that both processes share, and opening that costs half a
millisecond, be it of a batch of pictures or of their sixteen labels. So small tensors travel as bytes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import get_worker_info

SMALL = 2**13
"""Bytes of a tensor up to which it is faster to write it into a pipe."""


class Parcel:
    """A batch that arrives in another process as what was put in: unpickled, it is the batch itself."""

    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def __reduce__(self) -> tuple[Callable[[Any], Any], tuple[Any]]:
        return _unpack, (_pack(self.batch),)


class Parcels:
    """Collates, and in loader processes sends what it has made as a ``Parcel``.

    Args:
        collate: samples to a batch.
    """

    def __init__(self, collate: Callable[[Sequence[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, samples: Sequence[Any]) -> Any:
        batch = self.collate(samples)
        return batch if get_worker_info() is None else Parcel(batch)


class _Bytes:
    """Stands for a small tensor."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = values


def _pack(value: Any) -> Any:
    if type(value) is dict:
        return {key: _pack(one) for key, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_pack, value))
    return _Bytes(value.numpy()) if _is_small(value) else value


def _is_small(value: Any) -> bool:
    # Of a kind that numpy holds in the same way.
    return type(value) is Tensor and value.nbytes <= SMALL and value.device.type == "cpu" and _is_plain(value)


def _is_plain(value: Tensor) -> bool:
    return value.layout is torch.strided and not value.requires_grad and value.dtype is not torch.bfloat16


def _unpack(value: Any) -> Any:
    if type(value) is dict:
        return {key: _unpack(one) for key, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_unpack, value))
    # An array that was unpickled may be read-only.
    return torch.from_numpy(np.array(value.values)) if isinstance(value, _Bytes) else value
