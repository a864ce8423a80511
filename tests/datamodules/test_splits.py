import math
from hashlib import sha256
from unicodedata import normalize

import numpy as np
import pytest

from lightning_seg.batch import Split
from lightning_seg.datamodules.splits import (
    by_hash,
    compile_group,
    draw_by_class,
    draw_splits,
    find_groups,
    stratified_split,
)
from lightning_seg.errors import ConfigError

BREEDS = ["beagle"] * 10 + ["pug"] * 20 + ["Birman"] * 5


def test_every_group_gives_its_share() -> None:
    train, val = stratified_split(BREEDS, 0.2, seed=0)

    assert [[BREEDS[index] for index in val].count(breed) for breed in ("beagle", "pug", "Birman")] == [2, 4, 1]
    assert [[BREEDS[index] for index in train].count(breed) for breed in ("beagle", "pug", "Birman")] == [8, 16, 4]


@pytest.mark.parametrize(("fraction", "count"), [(0.12, 1), (0.16, 2), (0.5, 5), (0.94, 9)])
def test_share_is_rounded(fraction: float, count: int) -> None:
    assert len(stratified_split(["pug"] * 10, fraction, seed=0)[1]) == count


def test_both_sides_are_in_order_and_cover_everything_once() -> None:
    train, val = stratified_split(BREEDS, 0.3, seed=0)
    assert train == sorted(train)
    assert val == sorted(val)
    assert sorted(train + val) == list(range(35))


def test_one_seed_gives_one_split_and_two_seeds_give_two() -> None:
    splits = [stratified_split(BREEDS, 0.2, seed)[1] for seed in (0, 0, 1)]
    assert splits[0] == splits[1]
    assert splits[0] != splits[2]


def test_every_sample_can_be_held_out() -> None:
    held_out = {index for seed in range(60) for index in stratified_split(BREEDS, 0.2, seed)[1]}
    assert held_out == set(range(35))


def test_names_of_groups_do_not_matter() -> None:
    renamed = [{"beagle": 2, "pug": 7, "Birman": 1}[breed] for breed in BREEDS]
    assert stratified_split(renamed, 0.2, seed=3) == stratified_split(BREEDS, 0.2, seed=3)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, math.nan])
def test_fraction_must_leave_both_sides_something(fraction: float) -> None:
    with pytest.raises(ConfigError, match=f"^val_fraction {fraction} must lie between 0 and 1, for instance 0.1$"):
        stratified_split(BREEDS, fraction, seed=0)


def test_groups_too_small_for_the_fraction_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"val_fraction 0\.1 of 3 pictures leaves 0 to validate on; choose"):
        stratified_split(["beagle", "pug", "Birman"], 0.1, seed=0)
    with pytest.raises(ConfigError, match="leaves 3 to validate on"):
        stratified_split(["beagle", "pug", "Birman"], 0.9, seed=0)


# What was drawn stays drawn: runs are validated on the pictures that they have not trained on.

KINDS = ["pug"] * 7 + ["beagle"] * 4 + ["Birman"] * 9 + ["pug"] * 3
NAMES = [f"{kind}_{index}" for index, kind in enumerate(KINDS)]


@pytest.mark.parametrize(
    ("seed", "by_mask", "by_label"),
    [
        (0, [4, 6, 7, 12, 13], [2, 7, 13, 14, 22]),
        (1, [4, 8, 12, 14, 21], [10, 11, 13, 20, 21]),
        (2, [0, 2, 9, 11, 14], [5, 6, 10, 12, 15]),
    ],
)
def test_what_pets_validate_on_for_ever(seed: int, by_mask: list[int], by_label: list[int]) -> None:
    """A quarter of 10 pugs, 4 beagles and 9 Birmans: 2 + 1 + 2; with masks it is shuffled, with labels by hash."""
    assert stratified_split(KINDS, 0.25, seed)[1] == by_mask
    labels = [("pug", "beagle", "Birman").index(kind) for kind in KINDS]
    drawn = draw_by_class(["train"] * 23, labels, NAMES, {"test": 0.0, "val": 0.25}, seed, "abc")
    assert drawn["val"] == by_label
    # By hand: the lowest digests, of which sha256sum shows the same.
    lowest = sorted(range(7, 11), key=lambda index: sha256(f"{seed}/{NAMES[index]}".encode()).hexdigest())
    assert [index for index in by_label if KINDS[index] == "beagle"] == lowest[:1]
    # The generator of NumPy goes on from kind to kind.
    generator = np.random.default_rng(seed)
    pugs, beagles = generator.permutation([*range(7), 20, 21, 22]), generator.permutation(range(7, 11))
    assert {*pugs[:2], *beagles[:1]} <= {*by_mask}


def test_masks_draw_none_from_few_and_all_from_one() -> None:
    # 0.1 of 3 is none, 0.6 of 1 is all of it: with labels both would be one and an error.
    assert stratified_split(["a"] * 8 + ["b"] * 3, 0.1, 0)[1] == [2]
    assert stratified_split(["a"] * 4 + ["b"], 0.6, 0) == ([1, 3], [0, 2, 4])
    assert (
        len(draw_by_class(["train"] * 11, [0] * 8 + [1] * 3, NAMES[:11], {"test": 0, "val": 0.1}, 0, "ab")["val"]) == 2
    )
    with pytest.raises(ConfigError, match=r"^class b: val_fraction 0\.6 of 1 pictures leave none to train on"):
        draw_by_class(["train"] * 5, [0] * 4 + [1], NAMES[:5], {"test": 0, "val": 0.6}, 0, "ab")


# By class

LABELS = [0] * 20 + [1] * 40 + [2] * 10
TENTH: dict[Split, float] = {"test": 0.2, "val": 0.1}


def by_class(
    listed: list[Split | None] | None = None,
    groups: list[str] | None = None,
    fractions: dict[Split, float] = TENTH,
    seed: int = 0,
) -> dict[Split, list[int]]:
    names = groups or [str(index) for index in range(len(LABELS))]
    return draw_by_class(listed or ["train"] * len(LABELS), LABELS, names, fractions, seed, "abc")


def count(part: list[int]) -> list[int]:
    labels = [LABELS[index] for index in part]
    return [labels.count(label) for label in range(3)]


def test_every_class_gives_its_share_to_each_split() -> None:
    parts = by_class()
    assert {split: count(part) for split, part in parts.items()} == {
        "train": [14, 28, 7],
        "val": [2, 4, 1],
        "test": [4, 8, 2],
    }
    assert all(part == sorted(part) for part in parts.values())
    assert sorted(index for part in parts.values() for index in part) == list(range(70))


def test_classes_of_few_pictures_give_one_each() -> None:
    parts = draw_by_class(["train"] * 6, [0, 0, 0, 1, 1, 1], list("abcdef"), TENTH, 0, "ab")
    assert {split: sorted(index // 3 for index in part) for split, part in parts.items()} == {
        "train": [0, 1],
        "val": [0, 1],
        "test": [0, 1],
    }


def test_another_seed_draws_others_and_test_does_not_depend_on_val() -> None:
    assert by_class() == by_class()
    assert by_class()["test"] != by_class(seed=1)["test"]
    assert by_class()["test"] == by_class(fractions={"test": 0.2, "val": 0.5})["test"]


def test_a_group_stays_together_even_between_classes() -> None:
    # Pictures 19 and 20, of the classes 0 and 1, are the same photo.
    groups = [str(index) for index in range(70)]
    groups[20] = groups[19]
    seen = set()
    for seed in range(30):
        parts = by_class(groups=groups, seed=seed)
        (split,) = (split for split, part in parts.items() if 19 in part)
        assert 20 in parts[split]
        assert sum(len(part) for part in parts.values()) == 70
        seen.add(split)
    assert seen == {"train", "val", "test"}


def test_what_is_listed_is_not_drawn() -> None:
    listed: list[Split | None] = ["test" if index % 2 else "train" for index in range(70)]
    parts = by_class(listed)
    assert parts["test"] == list(range(1, 70, 2))
    # A tenth of 10, 20 and 5 even ones, at least one.
    assert count(parts["val"]) == [1, 2, 1]
    assert all(index % 2 == 0 for index in parts["val"] + parts["train"])


def test_a_split_that_is_listed_for_one_class_is_drawn_for_none() -> None:
    listed: list[Split | None] = ["val" if index < 3 else "train" for index in range(70)]
    parts = by_class(listed)
    assert parts["val"] == [0, 1, 2]
    # A fifth of 17, 40 and 10.
    assert count(parts["test"]) == [3, 8, 2]


def test_fraction_zero_draws_none() -> None:
    parts = by_class(fractions={"test": 0.0, "val": 0.0})
    assert parts == {"train": list(range(70)), "val": [], "test": []}


def test_a_class_with_nothing_left_to_train_on() -> None:
    with pytest.raises(
        ConfigError, match=r"^class few: test_fraction 0\.2 and val_fraction 0\.1 of 2 pictures leave no"
    ):
        draw_by_class(["train"] * 12, [0] * 10 + [1] * 2, list("abcdefghijkl"), TENTH, 0, ["many", "few"])


@pytest.mark.parametrize(
    ("fractions", "counts"),
    [({"test": 0.1, "val": 0.1}, [2936, 367, 367]), ({"test": 0.0, "val": 0.2}, [2935, 735, 0])],
    ids=["80/10/10", "80/20"],
)
def test_the_flowers_as_published(fractions: dict[Split, float], counts: list[int]) -> None:
    """63 + 90 + 64 + 70 + 80 photos are a tenth of each class, 127 + 180 + 128 + 140 + 160 a fifth."""
    labels = [label for label, count in enumerate((633, 898, 641, 699, 799)) for _ in range(count)]
    numbers = [str(index) for index in range(3670)]
    # The last rose is also the last tulip.
    numbers[633 + 898 + 640] = numbers[-1]
    parts = draw_by_class(["train"] * 3670, labels, numbers, fractions, 0, "abcde")
    assert [len(parts[split]) for split in ("train", "val", "test")] == counts


WORDS = ["Möwe", "Ähre", "naïve", "Çelik", "año", "plain", "Ørsted", "한글", "Ångström", "tree"]


def test_names_are_ordered_by_their_hash_as_ever() -> None:
    names = [f"{number:03}.jpg" for number in range(50)]
    expected = sorted(names, key=lambda name: sha256(f"7/{name}".encode()).digest())
    assert list(by_hash(7)(names)) == expected
    # Names with accents as one character, as most systems write them, as well.
    assert list(by_hash(7)(WORDS)) == sorted(WORDS, key=lambda name: sha256(f"7/{name}".encode()).digest())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_names_that_look_the_same_are_divided_in_the_same_way(seed: int) -> None:
    composed = [f"{word}_{number}" for word in WORDS for number in range(4)]
    decomposed = [normalize("NFD", name) for name in composed]
    assert composed != decomposed
    fractions: dict[Split, float] = {"val": 0.2, "test": 0.2}
    parts = [draw_splits(["train"] * 40, names, fractions, seed) for names in (composed, decomposed)]
    assert parts[0] == parts[1]
    assert len(parts[0]["val"]) == 8


def test_a_group_whose_accents_are_stored_in_two_ways_is_one() -> None:
    names = ["Möwe_1.jpg", normalize("NFD", "Möwe_2.jpg"), "Ähre_1.jpg"]
    for pattern in ("^(.+?)_", "^(Möwe|Ähre)", normalize("NFD", "^(Möwe|Ähre)"), "^(....)_"):
        assert find_groups(names, compile_group(pattern)) == ["Möwe", "Möwe", "Ähre"]


def test_names_that_are_no_utf8_have_an_order() -> None:
    names = [b"\xff_1".decode(errors="surrogateescape"), "a"]
    assert sorted(by_hash(0)(names)) == sorted(names)
