"""Pictures per second of loader and network together, by hand."""

import pytest

from lightning_seg.datamodules.workers import LoadingRemedy, Place
from lightning_seg.doctor.advice.pace import Pace, advice
from lightning_seg.doctor.advice.stages import Stages

CARD, TWO_CORES = Place(8, computes=False), Place(2, computes=True)
# 10 ms from the files, 2 ms from a cache.
STAGES = Stages(100, open=0.001, decode=0.005, resize=0.001, mask=0.0015, augment=0.001, collate=0.0005, cached=0.0005)


def test_stages_add_up() -> None:
    assert STAGES.from_files == pytest.approx(0.010)
    assert STAGES.from_cache == pytest.approx(0.002)


def test_without_loader_processes_the_times_add_up() -> None:
    # 10 ms and 20 ms are 30.
    assert Pace(0.01, 100, 0, 50, CARD).together == pytest.approx(1 / 0.030)


def test_beside_a_card_the_slower_one_counts() -> None:
    assert Pace(0.01, 100, 1, 500, CARD).together == 100
    assert Pace(0.01, 100, 1, 50, CARD).together == 50


def test_cores_that_compute_are_shared() -> None:
    # On two cores 10 ms of one take 5 of both, beside 20.
    assert Pace(0.01, 100, 1, 50, TWO_CORES).together == pytest.approx(1 / 0.025)


def test_without_a_network_the_loader_counts() -> None:
    assert Pace(0.01, 100, 1, None, CARD).together == 100


def test_gains_are_told_the_largest_first() -> None:
    # The card waits: 100 of 1,000 pictures/s. Cached, a picture takes a fifth: 500. Seven processes: 700.
    remedies = [LoadingRemedy("cache", "a cache", 1), LoadingRemedy("workers", "processes", 7)]
    told = advice(Pace(0.01, 100, 1, 1000, CARD), STAGES, remedies)
    assert [(one.text, one.loading, one.gain) for one in told] == [("processes", 700, 7), ("a cache", 500, 5)]


def test_smaller_files_and_fewer_transforms() -> None:
    # Half the sides: three quarters of 7.5 ms less, 4.375 are left. Without transforms 9 of 10 ms.
    remedies = [LoadingRemedy("files", "files", 1), LoadingRemedy("transforms", "transforms", 1)]
    files, transforms = advice(Pace(0.01, 100, 1, None, CARD), STAGES, remedies)
    assert files.loading == pytest.approx(100 * 10 / 4.375, abs=0.1)
    assert transforms.gain == pytest.approx(10 / 9, abs=0.01)


def test_nothing_is_told_where_the_network_is_the_slower_one() -> None:
    assert advice(Pace(0.01, 100, 1, 50, CARD), STAGES, [LoadingRemedy("cache", "a cache", 1)]) == ()


def test_the_first_loader_process_works_beside_the_network() -> None:
    # 10 + 2 ms one after the other, then 10 at the same time.
    (told,) = advice(Pace(0.01, 100, 0, 500, CARD), STAGES, [LoadingRemedy("workers", "a process", 1)])
    assert told.gain == pytest.approx(1.2)


def test_twice_as_many_processes_load_twice_as_many() -> None:
    (told,) = advice(Pace(0.01, 200, 2, None, CARD), STAGES, [LoadingRemedy("workers", "processes", 4)])
    assert (told.loading, told.gain) == (400, 2)
