"""The user's division of pictures: by fractions, lists, a column of the pairs, and groups that stay together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning_seg.batch import Split
from lightning_seg.datamodules.splits import check_fractions, check_groups, compile_group, draw_splits, find_groups
from lightning_seg.datasets.lists import read_splits
from lightning_seg.datasets.pairs import Pair, check_pairs
from lightning_seg.errors import ConfigError

DEFAULT_FRACTION = 0.1
PURPOSES: dict[Split, str] = {"train": "train", "val": "validate", "test": "test"}
"""The purpose of the pictures of a split, for messages."""


@dataclass(frozen=True)
class SplitPlan:
    """The arguments about splits, see ``ImageMaskFolderDataModule``.

    Raises:
        ConfigError: if something is impossible or given twice.
    """

    val_fraction: float
    test_fraction: float
    lists: Mapping[Split, str]
    group: str | None
    seed: int

    def __post_init__(self) -> None:
        check_fractions(self.val_fraction, self.test_fraction)
        if self.group is not None:
            compile_group(self.group)
        self._refuse_fractions({split: f"{split}_list" for split in self.lists})

    def _refuse_fractions(self, listed: Mapping[Split, str]) -> None:
        """Listed splits are not drawn; test pictures are drawn only if nothing is listed."""
        if listed and self.test_fraction not in (0, DEFAULT_FRACTION):
            _contradict(f"test_fraction {self.test_fraction}", next(iter(listed.values())))
        if "val" in listed and self.val_fraction not in (0, DEFAULT_FRACTION):
            _contradict(f"val_fraction {self.val_fraction}", listed["val"])

    def divide(
        self, root: Path, pairs: Sequence[Pair], have_files: bool = True, told_by: str = "the column split of pairs"
    ) -> dict[Split, list[Pair]]:
        """The pairs of each split, in their order.

        Args:
            root: folder of the dataset.
            pairs: all of them.
            have_files: whether each picture has a mask file of its own.
            told_by: what gives the pairs their splits, for messages.

        Raises:
            ConfigError: if the pairs give their splits and this plan does too, or none are left to train on.
            DataError: if a list or a group is wrong, or a picture of a split has no mask of its own.
        """
        names = [pair.name for pair in pairs]
        listed = self._listed(root, pairs, names, told_by)
        groups = self.groups_of(names)
        fractions: dict[Split, float] = {
            "test": 0.0 if self.is_listed(pairs) else self.test_fraction,
            "val": self.val_fraction,
        }
        parts = draw_splits(listed, groups, fractions, self.seed)
        check_groups(parts, groups, names)
        if have_files:
            check_pairs(root, [pairs[index] for index in sorted(index for part in parts.values() for index in part)])
        return {split: [pairs[index] for index in part] for split, part in parts.items()}

    def is_listed(self, pairs: Sequence[Pair]) -> bool:
        """Whether the test pictures are listed, so that none are drawn."""
        return bool(self.lists) or pairs[0].split is not None

    def groups_of(self, names: Sequence[str]) -> list[str]:
        """The group of each picture; without ``group`` its own name."""
        return list(names) if self.group is None else find_groups(names, compile_group(self.group))

    def _listed(self, root: Path, pairs: Sequence[Pair], names: Sequence[str], told_by: str) -> list[Split | None]:
        column = [pair.split for pair in pairs]
        if column[0] is None:
            return read_splits(root, self.lists, names)
        for split in self.lists:
            _contradict(f"{split}_list", told_by)
        self._refuse_fractions({split: told_by for split in column if split is not None})
        return column


def _contradict(first: str, second: str) -> None:
    raise ConfigError(f"{first} and {second} contradict each other; leave one of them out")
