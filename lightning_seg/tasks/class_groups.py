"""Many fine classes as few coarse ones: all breeds of dogs as dog."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_seg.errors import ConfigError, unknown_name
from lightning_seg.models.imagenet import IMAGENET_CLASSES

ClassGroups = str | dict[str, list[str | int]]
"""A name of ``SHIPPED``, or the classes of each group: names, numbers, or ranges of numbers ``"151-268"``."""
SHIPPED: dict[str, dict[str, list[str | int]]] = {"pets": {"dog": ["151-268"], "cat": ["281-285"]}}
"""``pets``: ImageNet's 118 breeds of domestic dogs and its 5 kinds of domestic cats."""


class Labels(NamedTuple):
    """What a detector reports."""

    names: tuple[str, ...]
    shares: Tensor  # (L, C) float32: which classes belong to a label, 1 or 0

    def of(self, probs: Tensor) -> Tensor:
        """Probabilities of classes ``(C, ...)`` to those of labels ``(L, ...)``: sums over the classes of a label."""
        summed: Tensor = torch.tensordot(self.shares.to(probs), probs, dims=1)
        return summed


def make_labels(groups: ClassGroups | None, class_names: Sequence[str]) -> Labels:
    """The groups as labels, without groups the classes themselves. Classes of no group are never reported.

    Raises:
        ConfigError: if there is no such group or class, a class stands in two groups, or a group is empty.
    """
    if groups is None:
        return Labels(tuple(class_names), torch.eye(len(class_names)))
    if isinstance(groups, str):
        if groups not in SHIPPED:
            raise unknown_name("class_groups", groups, list(SHIPPED))
        if tuple(class_names) != IMAGENET_CLASSES:
            raise ConfigError(
                f"class_groups {groups} sums ImageNet's 1,000 classes, this network has others; leave it out"
            )
        groups = SHIPPED[groups]
    shares = torch.zeros(len(groups), len(class_names))
    for row, (group, members) in enumerate(groups.items()):
        indices = _indices(group, members, class_names)
        taken = [index for place, index in enumerate(indices) if shares[:, index].any() or index in indices[:place]]
        if taken:
            name = class_names[taken[0]]
            raise ConfigError(f"class_groups: {name!r} stands twice, the second time in {group!r}; take one out")
        shares[row, indices] = 1
    return Labels(tuple(groups), shares)


def _indices(group: str, members: Sequence[str | int], class_names: Sequence[str]) -> list[int]:
    if isinstance(members, str) or not isinstance(members, Sequence) or not members:
        raise ConfigError(f"class_groups: {group!r} needs a list of classes, for instance [{class_names[0]}]")
    indices = [index for member in members for index in _of_member(member, class_names)]
    for index in indices:
        if not 0 <= index < len(class_names):
            raise ConfigError(f"class_groups: {group!r} names class {index}, there are 0 to {len(class_names) - 1}")
    return indices


def _of_member(member: str | int, class_names: Sequence[str]) -> list[int]:
    if isinstance(member, int):
        return [member]
    if member in class_names:
        return [index for index, name in enumerate(class_names) if name == member]
    first, dash, last = member.partition("-")
    if dash and first.isdigit() and last.isdigit():
        return list(range(int(first), int(last) + 1))
    raise unknown_name("class_groups: class", member, list(class_names))


def as_mapping(groups: Mapping[str, Sequence[str | int]] | str | None) -> ClassGroups | None:
    """As plain values, for checkpoints."""
    if groups is None or isinstance(groups, str):
        return groups
    return {str(group): list(members) for group, members in groups.items()}
