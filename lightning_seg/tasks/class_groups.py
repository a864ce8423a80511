"""Coarse labels as groups of fine classes: all breeds of dogs as dog."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_seg.errors import ConfigError, unknown_name
from lightning_seg.models.imagenet import IMAGENET_CLASSES
from lightning_seg.spelling import same

ClassGroups = str | dict[str, list[str | int]]
"""A name of ``SHIPPED``, or the classes of each group: names, numbers, or ranges of numbers ``"151-268"``."""
SHIPPED: dict[str, dict[str, list[str | int]]] = {
    "pets": {"dog": ["151-268"], "cat": ["281-285"]},
    "stanford_dogs": {"dog": ["151-268", "273-275"]},
}
"""``pets``: ImageNet's 118 breeds of domestic dogs and 5 kinds of domestic cats. ``stanford_dogs``: the same dogs with
dingo, dhole and African hunting dog, so all classes of Stanford Dogs.
"""
MAX_NAMED = 8


class Labels(NamedTuple):
    """The labels that a detector reports."""

    names: tuple[str, ...]
    shares: Tensor | None  # (L, C) float32: which classes belong to a label, 1 or 0; None where labels are the classes
    class_names: tuple[str, ...]
    background: str | None

    def of(self, probs: Tensor) -> Tensor:
        """Probabilities of classes ``(C, ...)`` to those of labels ``(L, ...)``: sums over the classes of a label."""
        if self.shares is None:
            return probs
        summed: Tensor = torch.tensordot(self.shares.to(probs), probs, dims=1)
        return summed

    def indices(self, names: Sequence[str]) -> list[int]:
        """The label of each class of a dataset: the label of its name, or the one that sums the class of its name.

        Blanks and ``_`` are the same. The background is -1, no label.

        Raises:
            ConfigError: if a class has neither.
        """
        found = {} if self.background is None else {_plain(self.background): -1}
        if self.shares is not None:
            for label, index in self.shares.nonzero().tolist():
                found.setdefault(_plain(self.class_names[index]), label)
        found |= {_plain(name): label for label, name in enumerate(self.names)}
        for name in names:
            if _plain(name) not in found:
                shown = ", ".join(self.names[:MAX_NAMED]) + (", ..." if len(self.names) > MAX_NAMED else "")
                raise ConfigError(
                    f"{name!r} is a class of the data and none of the detector's labels, which are {shown}; name it in "
                    "class_groups, or give data with other classes"
                )
        return [found[_plain(name)] for name in names]


def make_labels(groups: ClassGroups | None, class_names: Sequence[str], background: str | None = None) -> Labels:
    """The groups as labels, without groups the classes themselves.

    Classes of no group, and the background, are never reported.

    Raises:
        ConfigError: if there is no such group or class, a class stands in two groups, or a group is empty.
    """
    names = tuple(class_names)
    if background is not None and background not in names:
        raise unknown_name("background: class", background, list(names))
    if groups is None and background is None:
        return Labels(names, None, names, None)
    chosen = _chosen(groups, names, background)
    shares = torch.zeros(len(chosen), len(names))
    for row, (group, members) in enumerate(chosen.items()):
        indices = _indices(group, members, names)
        if background in [names[index] for index in indices]:
            raise ConfigError(f"class_groups: {group!r} holds the background, {background!r}; take it out")
        twice = [index for place, index in enumerate(indices) if shares[:, index].any() or index in indices[:place]]
        if twice:
            name = names[twice[0]]
            raise ConfigError(f"class_groups: {name!r} stands twice, the second time in {group!r}; take one out")
        shares[row, indices] = 1
    return Labels(tuple(chosen), shares, names, background)


def _chosen(
    groups: ClassGroups | None, names: tuple[str, ...], background: str | None
) -> Mapping[str, Sequence[str | int]]:
    if groups is None:
        return {name: [index] for index, name in enumerate(names) if name != background}
    if not isinstance(groups, str):
        if not groups:
            raise ConfigError("class_groups: there is no group; give some, for instance pets, or leave it out")
        return groups
    if groups not in SHIPPED:
        raise unknown_name("class_groups", groups, list(SHIPPED))
    if names != IMAGENET_CLASSES:
        raise ConfigError(f"class_groups {groups} sums ImageNet's 1,000 classes, this network has others; leave it out")
    return SHIPPED[groups]


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
    if named := [index for index, name in enumerate(class_names) if same(name) == same(member)]:
        return named
    first, dash, last = member.partition("-")
    if dash and first.isdigit() and last.isdigit():
        if int(first) > int(last):
            raise ConfigError(f"class_groups: {member} holds no class; give the lower number first, {last}-{first}")
        return list(range(int(first), int(last) + 1))
    raise unknown_name("class_groups: class", member, list(class_names))


def _plain(name: str) -> str:
    return same(name).replace("_", " ")


def as_mapping(groups: Mapping[str, Sequence[str | int]] | str | None) -> ClassGroups | None:
    """Plain values, for checkpoints."""
    if groups is None or isinstance(groups, str):
        return groups
    return {str(group): list(members) for group, members in groups.items()}
