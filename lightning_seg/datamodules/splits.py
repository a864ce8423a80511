"""Drawing which samples train, validate and test."""

import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from hashlib import sha256
from pathlib import PurePosixPath

import numpy as np

from lightning_seg.batch import Split
from lightning_seg.errors import ConfigError, DataError

Parts = dict[Split, list[int]]
"""Ascending indices of the samples of each split."""


def stratified_split(groups: Sequence[Hashable], fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices of samples kept and held out, both ascending; of every group ``fraction`` is held out, rounded.

    Raises:
        ConfigError: if ``fraction`` is not in (0, 1) or leaves one side empty.
    """
    if not 0.0 < fraction < 1.0:
        raise ConfigError(f"val_fraction {fraction} must lie between 0 and 1, for instance 0.1")
    rng = np.random.default_rng(seed)
    labels = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    numbers = np.array([labels[group] for group in groups])
    held_out: list[int] = []
    for number in labels.values():
        members = rng.permutation(np.flatnonzero(numbers == number))
        held_out += members[: round(fraction * len(members))].tolist()
    if not 0 < len(held_out) < len(groups):
        raise ConfigError(
            f"val_fraction {fraction} of {_counted(groups)} leaves {len(held_out)} to "
            "validate on; choose another fraction"
        )
    return sorted(set(range(len(groups))) - set(held_out)), sorted(held_out)


def draw_splits(
    listed: Sequence[Split | None], groups: Sequence[str], fractions: Mapping[Split, float], seed: int
) -> Parts:
    """The listed splits; ``test`` and ``val``, if not listed, are drawn from the samples listed as ``train``.

    Test is drawn first, so it does not depend on the other fraction.

    Args:
        listed: split of each sample, None for a sample without one.
        groups: group of each sample; whole groups are drawn.
        fractions: of all samples with a split, as nearly as groups allow, but at least one sample; 0 draws none.
        seed: of the draws.

    Raises:
        ConfigError: if nothing is left to train on.
    """
    splits: tuple[Split, ...] = ("test", "val", "train")
    parts = {split: [index for index, given in enumerate(listed) if given == split] for split in splits}
    total = sum(map(len, parts.values()))
    drawn = [split for split in splits[:2] if fractions[split] and not parts[split]]
    for split in drawn:
        train = parts["train"]
        held_out = hold_out([groups[i] for i in train], round(fractions[split] * total), seed)
        parts[split] = [train[i] for i in sorted(held_out)]
        parts["train"] = [index for i, index in enumerate(train) if i not in held_out]
    if not parts["train"]:
        taking_part = [group for group, given in zip(groups, listed, strict=True) if given in splits]
        shares = " and ".join(f"{split}_fraction {fractions[split]}" for split in drawn)
        raise ConfigError(f"{shares or 'the lists'} of {_counted(taking_part)} leave none to train on; choose others")
    return parts


def draw_by_class(
    listed: Sequence[Split | None],
    labels: Sequence[int],
    groups: Sequence[str],
    fractions: Mapping[Split, float],
    seed: int,
    class_names: Sequence[str],
) -> Parts:
    """``draw_splits`` for each class separately, so that splits have the same share of each.

    Fractions are of the samples listed as ``train``. A group with several classes counts for the class of its first
    sample.

    Raises:
        ConfigError: naming a class of which nothing is left to train on.
    """
    # What is listed for one class is not drawn for another.
    wanted = {split: 0.0 if split in listed else fraction for split, fraction in fractions.items()}
    home: dict[str, int] = {}
    for group, label in zip(groups, labels, strict=True):
        home.setdefault(group, label)
    parts: Parts = {"train": []}
    for split in ("val", "test"):
        parts[split] = [i for i, given in enumerate(listed) if given == split]
    for label in sorted(set(home.values())):
        members = [i for i, group in enumerate(groups) if home[group] == label and listed[i] == "train"]
        try:
            drawn = draw_splits(["train"] * len(members), [groups[i] for i in members], wanted, seed)
        except ConfigError as error:
            raise ConfigError(f"class {class_names[label]}: {error}") from error
        for split, chosen in drawn.items():
            parts[split] += [members[i] for i in chosen]
    return {split: sorted(part) for split, part in parts.items()}


def hold_out(groups: Sequence[str], count: int, seed: int) -> set[int]:
    """Indices of whole groups: together as near to ``count`` as possible, but at least one group."""
    sizes = Counter(groups)
    # By hash and not shuffled, so that a picture that is added later moves few of the others to another split.
    order = sorted(sizes, key=lambda group: sha256(f"{seed}/{group}".encode(errors="surrogateescape")).digest())
    held_out = {order[position] for position in _nearest_sum([sizes[group] for group in order], max(1, count))}
    return {index for index, group in enumerate(groups) if group in held_out}


def _nearest_sum(sizes: Sequence[int], wanted: int) -> list[int]:
    """Positions of sizes whose sum is as near to ``wanted`` as possible; of several solutions the first."""
    if not sizes:
        return []
    limit = wanted + max(sizes)  # beyond it, leaving out any size comes nearer
    reached_by = np.full(limit + 1, -1)
    reached = np.zeros(limit + 1, np.bool_)
    reached[0] = True
    for position, size in enumerate(sizes):
        if reached[wanted]:
            break
        fresh = np.flatnonzero(reached[:-size] & ~reached[size:]) + size
        reached[fresh], reached_by[fresh] = True, position
    sums = np.flatnonzero(reached)[1:]
    remaining, positions = int(sums[np.argmin(abs(sums - wanted))]), []
    while remaining:
        positions.append(int(reached_by[remaining]))
        remaining -= sizes[positions[-1]]
    return positions


def compile_group(pattern: str) -> re.Pattern[str]:
    """Compile the regular expression.

    Raises:
        ConfigError: if it is not valid.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"group {pattern!r} is no regular expression ({error}); for instance '^(.+?)_'") from None


def find_groups(names: Sequence[str], pattern: re.Pattern[str]) -> list[str]:
    """The group of each picture: the match of the pattern's first parentheses, or the whole match.

    The pattern is searched in the stem, or, if it has a slash, in the path without suffix.

    Raises:
        DataError: if a name does not match.
    """
    groups = []
    for name in names:
        path = PurePosixPath(name)
        searched = path.with_suffix("").as_posix() if "/" in pattern.pattern else path.stem
        match = pattern.search(searched)
        found = match and match[1 if pattern.groups else 0]
        if found is None:
            raise DataError(f"group {pattern.pattern!r} does not match {searched!r}, of {name}; correct --data.group")
        groups.append(found)
    return groups


def check_groups(parts: Parts, groups: Sequence[str], names: Sequence[str]) -> None:
    """Check that lists do not divide a group.

    Raises:
        DataError: if pictures of one group are in two splits.
    """
    seen: dict[str, tuple[Split, int]] = {}
    for split, indices in parts.items():
        for index in indices:
            other, first = seen.setdefault(groups[index], (split, index))
            if other != split:
                raise DataError(
                    f"group {groups[index]!r} lies in two splits: {names[first]} in {other} and {names[index]} in "
                    f"{split}; correct the lists, or leave --data.group out"
                )


def _counted(groups: Sequence[Hashable]) -> str:
    """The number of pictures; the number of groups only if some have several pictures."""
    number = len(set(groups))
    return f"{len(groups)} pictures" if number == len(groups) else f"{len(groups)} pictures in {number} groups"
