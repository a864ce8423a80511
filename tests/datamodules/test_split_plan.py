"""Splits by fraction, by list, by column and by group."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightning_seg.batch import Split
from lightning_seg.datamodules.split_plan import SplitPlan
from lightning_seg.datamodules.splits import by_hash, compile_group, draw_splits, find_groups, hold_out
from lightning_seg.datasets.pairs import Pair
from lightning_seg.errors import ConfigError, DataError

NAMES = [f"{number:03}" for number in range(100)]


def draw(val: float = 0.1, test: float = 0.1, seed: int = 0, names: Sequence[str] = NAMES) -> dict[Split, set[str]]:
    parts = draw_splits(["train"] * len(names), names, {"val": val, "test": test}, seed)
    assert all(part == sorted(part) for part in parts.values())
    assert sorted(chain(*parts.values())) == list(range(len(names)))
    return {split: {names[index] for index in part} for split, part in parts.items()}


# By fraction


@pytest.mark.parametrize(
    ("val", "test", "counts"), [(0.1, 0.1, (80, 10, 10)), (0.25, 0.0, (75, 25, 0)), (0.0, 0.333, (67, 0, 33))]
)
def test_fractions_are_of_all_pictures(val: float, test: float, counts: tuple[int, int, int]) -> None:
    parts = draw(val, test)
    assert (len(parts["train"]), len(parts["val"]), len(parts["test"])) == counts


def test_a_fraction_of_few_pictures_is_one_picture() -> None:
    parts = draw(0.01, 0.01, names=["a", "b", "c"])
    assert {split: len(part) for split, part in parts.items()} == {"train": 1, "val": 1, "test": 1}


def test_one_seed_gives_one_split_and_two_seeds_give_two() -> None:
    assert draw(seed=3) == draw(seed=3)
    assert all(draw(seed=3)[split] != draw(seed=4)[split] for split in ("val", "test"))


def test_the_order_of_the_pictures_does_not_matter() -> None:
    assert draw(names=NAMES[::-1]) == draw()


def test_what_tests_does_not_depend_on_what_validates() -> None:
    assert draw(val=0.4)["test"] == draw(val=0.0)["test"] == draw()["test"]


def test_every_picture_can_be_held_out() -> None:
    for split in ("val", "test"):
        counts = Counter(name for seed in range(300) for name in draw(seed=seed)[split])
        # 300 draws of a tenth; six standard deviations around 30.
        assert len(counts) == 100
        assert all(0 < count < 62 for count in counts.values())


def test_more_pictures_move_few_of_the_others() -> None:
    before, after = draw(), draw(names=[*NAMES, *(f"more{number}" for number in range(10))])
    moved = [name for split in before for name in before[split] if name not in after[split]]
    assert len(moved) < 6


def test_nothing_left_to_train_on() -> None:
    with pytest.raises(
        ConfigError, match=r"test_fraction 0\.1 and val_fraction 0\.1 of 2 pictures leave none to train on"
    ):
        draw(names=["a", "b"])
    with pytest.raises(ConfigError, match="the lists of 2 pictures leave none to train on"):
        draw_splits(["val", "test"], ["a", "b"], {"val": 0.1, "test": 0.0}, 0)


def test_only_what_trains_is_drawn_from() -> None:
    listed: list[Split | None] = [*["test"] * 10, *[None] * 10, *["train"] * 20]  # type: ignore[list-item]
    groups = [str(index) for index in range(40)]
    parts = draw_splits(listed, groups, {"val": 0.2, "test": 0.0}, 0)
    assert parts["test"] == list(range(10))
    # A fifth of the 30 that take part.
    assert len(parts["val"]) == 6
    assert sorted(parts["train"] + parts["val"]) == list(range(20, 40))


def test_what_is_listed_is_not_drawn() -> None:
    parts = draw_splits(["train", "val", "train", "test"], list("abcd"), {"val": 0.5, "test": 0.5}, 0)
    assert parts == {"train": [0, 2], "val": [1], "test": [3]}


# By group


def held_out_sizes(sizes: Sequence[int], count: int, seed: int = 0) -> list[int]:
    groups = [f"g{number}" for number, size in enumerate(sizes) for _ in range(size)]
    held_out = Counter(groups[index] for index in hold_out(groups, count, by_hash(seed)))
    assert all(sizes[int(group[1:])] == members for group, members in held_out.items()), "groups stay whole"
    return sorted(held_out.values())


@pytest.mark.parametrize(
    ("sizes", "count", "expected"),
    [
        ([6, 3, 1], 4, [1, 3]),
        ([5, 5, 5], 6, [5]),
        ([9, 1], 9, [9]),
        ([40, 60], 10, [40]),
        ([2, 2, 2, 3], 5, [2, 3]),
        ([7], 1, [7]),
    ],
)
def test_groups_come_as_near_as_they_can(sizes: list[int], count: int, expected: list[int]) -> None:
    for seed in range(10):
        assert held_out_sizes(sizes, count, seed) == expected


def test_no_other_groups_would_come_nearer() -> None:
    rng = np.random.default_rng(0)
    for seed in range(60):
        sizes = rng.integers(1, 12, rng.integers(1, 8)).tolist()
        count = int(rng.integers(1, sum(sizes) + 1))
        subsets = (chosen for number in range(1, len(sizes) + 1) for chosen in combinations(sizes, number))
        nearest = min(abs(sum(chosen) - count) for chosen in subsets)
        assert abs(sum(held_out_sizes(sizes, count, seed)) - count) == nearest


def test_many_groups_are_quick() -> None:
    groups = [str(number // 3) for number in range(60_000)]
    assert len(hold_out(groups, 6_001, by_hash(0))) in (6_000, 6_003)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"^(.+?)_\d+$", ["cat", "cat", "dog_house"]),
        (r"^(?:cat|dog)", ["cat", "cat", "dog"]),
        (r"images/(p\d)/", ["p1", "p2", "p1"]),
        (r"/\w+_\d+$", ["/cat_1", "/cat_22", "/dog_house_3"]),
    ],
)
def test_the_name_of_a_group(pattern: str, expected: list[str]) -> None:
    names = ["images/p1/cat_1.jpg", "images/p2/cat_22.jpg", "images/p1/dog_house_3.jpg"]
    assert find_groups(names, compile_group(pattern)) == expected


@pytest.mark.parametrize(("pattern", "searched"), [(r"^(.+)_\d+$", "cat"), ("(x)?cat", "cat"), ("a/(b)", "images/cat")])
def test_a_name_without_group(pattern: str, searched: str) -> None:
    with pytest.raises(
        DataError,
        match=re.escape(f"group {pattern!r} does not match {searched!r}, of images/cat.jpg; correct --data.g"),
    ):
        find_groups(["images/cat.jpg"], compile_group(pattern))


# Plans

PAIRS = [Pair(f"images/{name}.jpg", Path(), Path()) for name in ("cat_1", "cat_2", "dog_1", "dog_2", "dog_3", "owl_1")]


def plan(**arguments: Any) -> SplitPlan:
    given = {"val_fraction": 0.1, "test_fraction": 0.1, "lists": {}, "group": None, "seed": 0, **arguments}
    return SplitPlan(**given)


def divide(root: Path, splits: Sequence[Split] | None = None, **arguments: Any) -> dict[str, list[str]]:
    """Stems by split, of pairs whose masks exist."""
    pairs = []
    for index, pair in enumerate(PAIRS):
        mask = root / f"{index}.png"
        mask.touch()
        pairs.append(pair._replace(mask=mask, split=splits[index] if splits else None))
    parts = plan(**arguments).divide(root, pairs)
    return {split: [Path(pair.name).stem for pair in part] for split, part in parts.items()}


def write(root: Path, name: str, *lines: str) -> str:
    (root / name).write_text("\n".join(lines))
    return name


def test_groups_are_not_divided(tmp_path: Path) -> None:
    seen = set()
    for seed in range(20):
        parts = divide(tmp_path, group="^([a-z]+)_", seed=seed)
        kinds = {split: {stem.partition("_")[0] for stem in part} for split, part in parts.items()}
        assert sorted(chain(*kinds.values())) == ["cat", "dog", "owl"]
        seen.add(tuple(sorted(kinds["val"])))
    # Nearest to a tenth of six pictures is the single owl, which tests; then a cat pair is nearer than three dogs.
    assert seen == {("cat",)}


def test_lists_for_val_and_test(tmp_path: Path) -> None:
    lists = {"val": write(tmp_path, "val.txt", "cat_2"), "test": write(tmp_path, "test.txt", "dog_1", "owl_1")}
    assert divide(tmp_path, lists=lists) == {
        "train": ["cat_1", "dog_2", "dog_3"],
        "val": ["cat_2"],
        "test": ["dog_1", "owl_1"],
    }


def test_with_a_list_for_val_alone_nothing_tests(tmp_path: Path) -> None:
    parts = divide(tmp_path, lists={"val": write(tmp_path, "val.txt", "cat_2")})
    assert (parts["val"], parts["test"], len(parts["train"])) == (["cat_2"], [], 5)


def test_with_a_list_for_test_alone_the_rest_is_drawn_from(tmp_path: Path) -> None:
    parts = divide(tmp_path, lists={"test": write(tmp_path, "test.txt", "cat_2")}, val_fraction=1 / 3)
    assert (parts["test"], len(parts["val"]), len(parts["train"])) == (["cat_2"], 2, 3)


def test_with_all_lists_the_others_need_no_masks(tmp_path: Path) -> None:
    lists = {split: write(tmp_path, f"{split}.txt", name) for split, name in (("train", "cat_1"), ("val", "cat_2"))}
    pairs = [pair._replace(mask=tmp_path / f"{index}.png") for index, pair in enumerate(PAIRS)]
    for pair in pairs[:2]:
        pair.mask.touch()
    assert plan(lists=lists).divide(tmp_path, pairs) == {"train": pairs[:1], "val": pairs[1:2], "test": []}
    with pytest.raises(DataError, match="4 of 6 pictures have no mask"):
        plan().divide(tmp_path, pairs)


def test_a_column_says_it_all(tmp_path: Path) -> None:
    column: list[Split] = ["val", "train", "test", "test", "train", "train"]
    assert divide(tmp_path, column) == {
        "train": ["cat_2", "dog_3", "owl_1"],
        "val": ["cat_1"],
        "test": ["dog_1", "dog_2"],
    }


def test_without_val_in_the_column_it_is_drawn(tmp_path: Path) -> None:
    column: list[Split] = ["train", "train", "train", "train", "train", "test"]
    parts = divide(tmp_path, column, val_fraction=0.3)
    assert (parts["test"], len(parts["val"]), len(parts["train"])) == (["owl_1"], 2, 3)


def test_lists_must_not_divide_a_group(tmp_path: Path) -> None:
    lists = {"val": write(tmp_path, "val.txt", "cat_2")}
    with pytest.raises(
        DataError,
        match=r"group 'cat' lies in two splits: images/cat_2\.jpg in val and images/cat_1\.jpg in train; correct the",
    ):
        divide(tmp_path, lists=lists, group="^([a-z]+)_")
    whole = {"val": write(tmp_path, "val.txt", "cat_2", "cat_1")}
    assert divide(tmp_path, lists=whole, group="^([a-z]+)_")["val"] == ["cat_1", "cat_2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"val_fraction": 1.0}, "val_fraction 1.0 must be at least 0 and less than 1, for instance 0.1"),
        ({"test_fraction": -0.1}, "test_fraction -0.1 must be at least 0 and less than 1"),
        ({"val_fraction": float("nan")}, "val_fraction nan must be"),
        ({"val_fraction": 0.5, "test_fraction": 0.5}, "val_fraction 0.5 and test_fraction 0.5 leave none to train on"),
        ({"group": "("}, "group '(' is no regular expression (missing ), unterminated subpattern at position 0)"),
        (
            {"lists": {"val": "v"}, "val_fraction": 0.2},
            "val_fraction 0.2 and val_list contradict each other; leave one",
        ),
        ({"lists": {"val": "v"}, "test_fraction": 0.2}, "test_fraction 0.2 and val_list contradict each other"),
        ({"lists": {"test": "v"}, "test_fraction": 0.2}, "test_fraction 0.2 and test_list contradict each other"),
        ({"lists": {"train": "v"}, "test_fraction": 0.2}, "test_fraction 0.2 and train_list contradict each other"),
    ],
)
def test_impossible_plans(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        plan(**arguments)


def test_fractions_that_do_not_matter_are_accepted() -> None:
    assert plan(lists={"val": "v"}, val_fraction=0.0, test_fraction=0.0).lists == {"val": "v"}
    assert plan(lists={"test": "v"}, val_fraction=0.2).val_fraction == 0.2


@pytest.mark.parametrize(
    ("column", "arguments", "message"),
    [
        (
            ["val"] + ["train"] * 5,
            {"lists": {"test": "t.txt"}},
            "test_list and the column split of pairs contradict each",
        ),
        (["val"] + ["train"] * 5, {"val_fraction": 0.2}, "val_fraction 0.2 and the column split of pairs contradict"),
        (
            ["train"] * 6,
            {"test_fraction": 0.2},
            "test_fraction 0.2 and the column split of pairs contradict each other",
        ),
    ],
)
def test_a_column_contradicts_other_arguments(
    tmp_path: Path, column: list[Split], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        divide(tmp_path, column, **arguments)
