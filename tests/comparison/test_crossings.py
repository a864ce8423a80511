"""Mean curves and their crossings by hand."""

import pytest

from lightning_seg.comparison.crossings import Crossing, MeanCurve, find_crossings, mean_curve


def curve(means: list[float]) -> MeanCurve:
    return MeanCurve(list(range(1, len(means) + 1)), means, [0.0] * len(means))


def crossings(differences: list[float], lower_is_better: bool = False) -> list[Crossing]:
    """Of two curves ``a`` and ``b`` that differ by these."""
    first, second = curve([1.0 + difference for difference in differences]), curve([1.0] * len(differences))
    return find_crossings(first, second, ("a", "b"), lower_is_better)


def test_the_mean_and_deviation_of_two_seeds() -> None:
    mean = mean_curve([{0: 0.1, 1: 0.4, 2: 0.9}, {0: 0.3, 1: 0.4}])
    # Lightning counts epochs from zero; the third one only one seed has.
    assert mean.epochs == [1, 2]
    assert mean.means == pytest.approx([0.2, 0.4])
    assert mean.deviations == pytest.approx([0.02**0.5, 0.0])
    assert mean_curve([{0: 0.1}]) == ([1], [0.1], [0.0])


def test_a_lead_that_changes_once() -> None:
    assert crossings([-1, -1, -1, 2, 1, 1]) == [(4, "a")]
    assert crossings([-1, -1, -1, 2, 1, 1], lower_is_better=True) == [(4, "b")]


def test_a_lead_that_comes_back() -> None:
    assert crossings([1, 1, 1, -1, -1, -1, 1, 1, 1]) == [(4, "b"), (7, "a")]


@pytest.mark.parametrize(
    "differences",
    [
        [1, 1, 1, 1],
        # Two epochs in front are no lead.
        [1, 1, 1, -1, -1, 1, 1, 1],
        [1, 1, 1, -1, -1],
        [-1, -1, 1, 1, 1],
        # Nobody leads.
        [1, -1, 1, -1, 1, -1],
        [],
        [0, 0, 0, 0],
    ],
    ids=str,
)
def test_what_does_not_last_is_no_crossing(differences: list[float]) -> None:
    assert crossings(differences) == []


def test_equal_values_continue_the_lead() -> None:
    assert crossings([-1, -1, 0, 1, 0, 0]) == [(4, "a")]
    assert crossings([0, -1, -1, -1, 1, 1, 1]) == [(5, "a")]


def test_a_change_after_a_stretch_of_nobody_is_dated_by_the_lead() -> None:
    assert crossings([1, 1, 1, -1, 1, -1, -1, -1]) == [(6, "b")]


def test_only_epochs_of_both_count() -> None:
    first = MeanCurve([2, 4, 6, 8, 10, 12], [0, 0, 0, 2, 2, 2], [0] * 6)
    second = MeanCurve([2, 3, 4, 6, 8, 10, 12], [1] * 7, [0] * 7)
    assert find_crossings(first, second, ("a", "b")) == [Crossing(8, "a")]
