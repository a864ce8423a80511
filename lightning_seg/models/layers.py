"""The layers of an encoder in their order, for rates that depend on the depth."""

from collections.abc import Iterator, Sequence
from typing import Any

from timm.models import group_parameters
from torch import nn

PREFIX = "encoder."


def depths(network: nn.Module) -> dict[str, int]:
    """For every parameter by name, how many layers lie between it and the end of the encoder.

    What is behind the encoder, such as decoder and head, has the depth 0, the last layer of the encoder 1, the first
    one has the most. The encoder says what a layer is: by a method ``layers_in_order`` that returns its modules from
    the picture on, by timm's ``group_matcher``, or else by the order of its parts. A norm belongs to the layer before
    it.

    Args:
        network: with a part called ``encoder``, or without.
    """
    found = {name: 0 for name, _ in network.named_parameters()}
    encoder: Any = getattr(network, "encoder", None)
    if not isinstance(encoder, nn.Module):
        return found
    numbers = _numbers_of(encoder)
    last = max(numbers.values(), default=0)
    return {**found, **{f"{PREFIX}{name}": 1 + last - number for name, number in numbers.items()}}


def _numbers_of(encoder: Any) -> dict[str, int]:
    """The number of the layer of each parameter, from 0 at the picture."""
    if hasattr(encoder, "layers_in_order"):
        return _counted(encoder, encoder.layers_in_order())
    if hasattr(encoder, "group_matcher"):
        grouped = group_parameters(encoder, encoder.group_matcher(coarse=False), reverse=True)
        order = {number: position for position, number in enumerate(sorted(set(grouped.values())))}
        return {name: order[number] for name, number in grouped.items()}
    return _counted(encoder, list(_parts(encoder)))


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    """The parts of a module that have weights, in their order; lists are opened, and what has a single part."""
    parts = [part for part in module.children() if next(part.parameters(), None) is not None]
    for part in parts:
        if isinstance(part, nn.ModuleList) or (len(parts) == 1 and next(part.children(), None) is not None):
            yield from _parts(part)
        else:
            yield part


def _counted(encoder: nn.Module, layers: Sequence[nn.Module]) -> dict[str, int]:
    names = {id(weight): name for name, weight in encoder.named_parameters()}
    # What belongs to none of them is before all.
    numbers, number = dict.fromkeys(names.values(), 0), -1
    for layer in layers:
        weights = list(layer.parameters())
        number += any(weight.ndim > 1 for weight in weights) or number < 0
        numbers.update({names[id(weight)]: number for weight in weights})
    return numbers
