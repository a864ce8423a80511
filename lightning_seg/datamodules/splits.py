"""Drawing which samples train, validate and test."""

import re
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from hashlib import sha256
from pathlib import PurePosixPath

import numpy as np

from lightning_seg.batch import Split
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.spelling import same

SPLITS: tuple[Split, ...] = ("test", "val", "train")
"""In the order in which they are drawn."""
Parts = dict[Split, list[int]]
"""Ascending indices of the samples of each split."""
Order = Callable[[Sequence[str]], Sequence[str]]
"""Gives the groups of a class in the order in which they are held out."""


def check_fractions(val_fraction: float, test_fraction: float) -> None:
    """Raises ConfigError if one is impossible, or both leave none to train on."""
    for name, fraction in (("val_fraction", val_fraction), ("test_fraction", test_fraction)):
        if not 0 <= fraction < 1:
            raise ConfigError(f"{name} {fraction} must be at least 0 and less than 1, for instance 0.1")
    if val_fraction + test_fraction >= 1:
        raise ConfigError(
            f"val_fraction {val_fraction} and test_fraction {test_fraction} leave none to train on; choose smaller ones"
        )


def stratified_split(groups: Sequence[Hashable], fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices of samples kept and held out, both ascending; of every group ``fraction`` is held out, rounded.

    ``OxfordPetsDataModule`` has always drawn in this way: by shuffling, and from a group of few perhaps none. Others
    use ``draw_by_class``, where a sample that is added moves few of the others.

    Raises:
        ConfigError: if ``fraction`` is not in (0, 1) or leaves one side empty.

    Examples:
        >>> kept, held_out = stratified_split(["cat"] * 4 + ["dog"] * 4, fraction=0.25, seed=0)
        >>> len(kept), [index // 4 for index in held_out]  # one of each
        (6, [0, 1])
    """
    if not 0.0 < fraction < 1.0:
        raise ConfigError(f"val_fraction {fraction} must lie between 0 and 1, for instance 0.1")
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    labels, samples = [numbers[group] for group in groups], [str(index) for index in range(len(groups))]
    fractions: dict[Split, float] = {"test": 0.0, "val": fraction}
    parts = _divide(["train"] * len(groups), labels, samples, fractions, Counter(labels), by_shuffling(seed), least=0)
    if not (parts["train"] and parts["val"]):
        raise ConfigError(
            f"val_fraction {fraction} of {_counted(groups)} leaves {len(parts['val'])} to validate on; choose another "
            "fraction"
        )
    return parts["train"], parts["val"]


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
    taking_part = [group for group, given in zip(groups, listed, strict=True) if given is not None]
    parts = _divide(listed, [0] * len(groups), groups, fractions, {0: len(taking_part)}, by_hash(seed))
    if not parts["train"]:
        raise _none_to_train(listed, taking_part, fractions)
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
    home: dict[str, int] = {}
    for group, label in zip(groups, labels, strict=True):
        home.setdefault(group, label)
    homes = [home[group] for group in groups]
    totals = Counter(label for label, given in zip(homes, listed, strict=True) if given == "train")
    parts = _divide(listed, homes, groups, fractions, totals, by_hash(seed))
    for label in sorted(set(homes) - {homes[index] for index in parts["train"]}):
        members = [group for group, given in zip(groups, listed, strict=True) if given == "train"]
        error = _none_to_train(listed, [group for group in members if home[group] == label], fractions)
        raise ConfigError(f"class {class_names[label]}: {error}")
    return {split: parts[split] for split in reversed(SPLITS)}


def _divide(
    listed: Sequence[Split | None],
    labels: Sequence[int],
    groups: Sequence[str],
    fractions: Mapping[Split, float],
    totals: Mapping[int, int],
    order: Order,
    least: int = 1,
) -> Parts:
    """The listed splits, and those that are drawn class by class from the samples listed as ``train``.

    Args:
        listed: split of each sample, None for a sample without one.
        labels: class of each sample; all samples of a group have the same.
        groups: group of each sample.
        fractions: of ``totals``, rounded; 0 draws none.
        totals: by class, the number of samples that a fraction is of.
        order: of the groups of a class.
        least: samples that each class gives at least to a split that is drawn.
    """
    parts: Parts = {split: [i for i, given in enumerate(listed) if given == split] for split in SPLITS}
    for split in _drawn(listed, fractions):
        held_out: set[int] = set()
        for label in dict.fromkeys(labels[index] for index in parts["train"]):
            members = [index for index in parts["train"] if labels[index] == label]
            count = max(least, round(fractions[split] * totals[label]))
            held_out |= {members[i] for i in hold_out([groups[index] for index in members], count, order)}
        parts[split] = sorted(held_out)
        parts["train"] = [index for index in parts["train"] if index not in held_out]
    return parts


def _drawn(listed: Sequence[Split | None], fractions: Mapping[Split, float]) -> list[Split]:
    """What is listed, for one class even, is not drawn."""
    return [split for split in SPLITS[:2] if fractions[split] and split not in listed]


def _none_to_train(
    listed: Sequence[Split | None], groups: Sequence[str], fractions: Mapping[Split, float]
) -> ConfigError:
    shares = " and ".join(f"{split}_fraction {fractions[split]}" for split in _drawn(listed, fractions))
    return ConfigError(f"{shares or 'the lists'} of {_counted(groups)} leave none to train on; choose others")


def by_hash(seed: int) -> Order:
    """An order in which a group keeps its place among the others, whichever of these there are, and however the accents
    of its name are stored.
    """

    def digest(group: str) -> bytes:
        return sha256(f"{seed}/{same(group)}".encode(errors="surrogateescape")).digest()

    return lambda groups: sorted(groups, key=digest)


def by_shuffling(seed: int) -> Order:
    """A random order, which depends on the number of groups and on what was ordered before."""
    generator = np.random.default_rng(seed)
    return lambda groups: generator.permutation(np.array(groups)).tolist()


def hold_out(groups: Sequence[str], count: int, order: Order) -> set[int]:
    """Indices of whole groups: the first in order that together are as near to ``count`` samples as possible."""
    sizes = Counter(groups)
    ordered = order(list(sizes))
    held_out = {ordered[position] for position in _nearest_sum([sizes[group] for group in ordered], count)}
    return {index for index, group in enumerate(groups) if group in held_out}


def _nearest_sum(sizes: Sequence[int], wanted: int) -> list[int]:
    """Positions of sizes whose sum is as near to ``wanted`` as possible; of several solutions the first."""
    if not (sizes and wanted):
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
        return re.compile(same(pattern))
    except re.error as error:
        raise ConfigError(f"group {pattern!r} is no regular expression ({error}); for instance '^(.+?)_'") from None


def find_groups(names: Sequence[str], pattern: re.Pattern[str]) -> list[str]:
    """The group of each picture: the match of the pattern's first parentheses, or the whole match.

    The pattern is searched in the stem, or, if it has a slash, in the path without suffix; accents are one character in
    both, however they are stored.

    Raises:
        DataError: if a name does not match.

    Examples:
        >>> find_groups(["cat_1.jpg", "cat_2.jpg", "dog_1.jpg"], compile_group("^(.+)_"))
        ['cat', 'cat', 'dog']
    """
    groups = []
    for name in names:
        path = PurePosixPath(name)
        searched = same(path.with_suffix("").as_posix() if "/" in pattern.pattern else path.stem)
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
