import math

import pytest

from lightning_seg.datamodules.splits import stratified_split
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
    with pytest.raises(
        ConfigError, match=r"val_fraction 0\.1 of 3 pictures in 3 groups leaves 0 to validate on; choose"
    ):
        stratified_split(["beagle", "pug", "Birman"], 0.1, seed=0)
    with pytest.raises(ConfigError, match="leaves 3 to validate on"):
        stratified_split(["beagle", "pug", "Birman"], 0.9, seed=0)
