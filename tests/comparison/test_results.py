"""Runs written by hand, compared and reported."""

import json
from pathlib import Path
from typing import Any

import pytest
from scipy import stats
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lightning_seg.comparison.plan import PlannedRun
from lightning_seg.comparison.report import as_duration, caveat, table, to_json, to_markdown, write_tensorboard
from lightning_seg.comparison.results import (
    Comparison,
    FinishedRun,
    RunError,
    check_initial_weights,
    compare_runs,
    read_run,
)
from lightning_seg.errors import ConfigError

Runs = dict[str, list[FinishedRun]]
CONFIGS: dict[str, Any] = {
    "none": {"model": {"class_path": "a.Net", "init_args": {"dropout": 0.0}}, "data": {"augment": False}},
    "flips": {"model": {"class_path": "a.Net", "init_args": {"dropout": 0.0}}, "data": {"augment": "flip"}},
    "dropout": {"model": {"class_path": "a.Net", "init_args": {"dropout": 0.5}}, "data": {"augment": "flip"}},
}
RIGHT = {"none": ["1100", "1000"], "flips": ["1111", "1110"], "dropout": ["1100", "1000"]}
"""By variant and seed, which of four pictures were right."""


def write_run(
    folder: Path, variant: str, seed: int, right: str, pictures: str = "abcd", weights: str = "0f", groups: str = ""
) -> None:
    folder.mkdir(parents=True)
    accuracy = right.count("1") / len(right)
    record = {
        **{"parameters": 1234, "initial_weights": f"{weights}{seed}", "epochs": 6, "seconds_per_epoch": 2.0 + seed},
        **{"best/val/accuracy": 0.5 + 0.1 * seed, "val/accuracy": 0.4, "test/accuracy": accuracy, "test/loss": 1.0},
    }
    (folder / "metrics.json").write_text(json.dumps(record))
    rising = variant != "none"
    curve = [0.1 * epoch if rising else 0.25 for epoch in range(6)]
    lines = [f"{epoch},{10 * epoch},{value}" for epoch, value in enumerate(curve)]
    (folder / "metrics.csv").write_text("\n".join(["epoch,step,val/accuracy", *lines]) + "\n")
    titles = "path,score,quantity"
    rows = [f"{name}.jpg,{mark},accuracy" for name, mark in zip(pictures, right, strict=True)]
    if groups:
        titles, rows = f"{titles},group", [f"{row},{group}" for row, group in zip(rows, groups, strict=True)]
    (folder / "test_pictures.csv").write_text("\n".join([titles, *rows]) + "\n")


def read(folder: Path, variant: str, seed: int) -> FinishedRun:
    return read_run(PlannedRun(variant, seed, folder, folder, [], []))


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    for variant, marks in RIGHT.items():
        for seed, right in enumerate(marks):
            write_run(tmp_path / variant / str(seed), variant, seed, right)
    return {variant: [read(tmp_path / variant / str(seed), variant, seed) for seed in (0, 1)] for variant in RIGHT}


@pytest.fixture
def comparison(runs: Runs) -> Comparison:
    return compare_runs(runs, ["a note"])


def test_the_table_holds_means_deviations_and_verdicts(comparison: Comparison) -> None:
    lines = table(comparison)
    assert lines[0] == (
        "| variant | parameters | s per epoch | best val/accuracy | test/accuracy | "
        "accuracy, difference to none | verdict |"
    )
    # Of 0.5 and 0.6, and of 0.5 and 0.25, the deviation is the distance over the root of 2.
    assert lines[2] == "| none | 1,234 | 2.50 | 0.5500 +- 0.0707 | 0.3750 +- 0.1768 |  |  |"
    assert lines[3].startswith("| flips | 1,234 | 2.50 | 0.5500 +- 0.0707 | 0.8750 +- 0.1768 | +0.5000 [")
    assert lines[4].endswith("| +0.0000 [+0.0000, +0.0000] | no difference shown |")
    assert len(lines) == 5


def test_pairs_are_the_later_against_the_earlier(comparison: Comparison) -> None:
    assert [(pair.first, pair.second) for pair in comparison.pairs] == [
        *(("flips", "none"), ("dropout", "none"), ("dropout", "flips")),
    ]
    flips, dropout, last = (pair.interval for pair in comparison.pairs)
    # Right in two more pictures of four with both seeds, which are others.
    assert list(flips) == pytest.approx([0.5, 0.5 - (flips.high - 0.5), flips.high])
    assert flips.high > 0.6
    assert list(dropout) == [0, 0, 0]
    assert list(last) == pytest.approx([-0.5, -flips.high, -flips.low])


def test_curves_cross_where_the_rising_one_passes(comparison: Comparison) -> None:
    # 0.0, 0.1, 0.2, 0.3 against 0.25: ahead from the fourth epoch.
    assert [[tuple(crossing) for crossing in pair.crossings] for pair in comparison.pairs] == [
        *([(4, "flips")], [(4, "dropout")], []),
    ]


@pytest.mark.parametrize(
    ("metric", "best_is", "ahead"),
    [("accuracy", "min", "none"), ("my_loss", None, "none"), ("my_loss", "max", "flips")],
)
def test_the_lower_curve_is_ahead_where_the_lowest_value_is_the_best(
    runs: Runs, metric: str, best_is: str | None, ahead: str
) -> None:
    for finished in runs.values():
        for run in finished:
            run.record[f"best/val/{metric}"] = run.record.pop("best/val/accuracy")
            run.record.update({"test/my_loss": 0.5}, **({} if best_is is None else {"best_is": best_is}))
            run.curves[f"val/{metric}"] = run.curves["val/accuracy"]
    first = compare_runs(runs).pairs[0]
    assert (first.first, first.second) == ("flips", "none")
    # The rising curve passes the other in the fourth epoch.
    assert [tuple(crossing) for crossing in first.crossings] == [(4, ahead)]


def test_the_page_says_what_differs_and_how_rough_it_is(comparison: Comparison) -> None:
    page = to_markdown(comparison, CONFIGS)
    for part in (
        "2 seeds (0, 1), 6 epochs, 4 test pictures, the same for all variants.",
        "* flips is none with data.augment flip instead of false\n",
        "* dropout is none with model.dropout 0.5 instead of 0.0, data.augment flip instead of false\n",
        "* dropout and flips: -0.5000 [",
        "* flips and none: flips ahead from epoch 4 on\n",
        "2 seeds are few: their spread is hardly known, so the interval is rough.",
        "a note",
    ):
        assert part in page
    assert table(comparison)[3] in page


def test_one_seed_has_no_deviation_and_says_so(runs: Runs) -> None:
    alone = compare_runs({variant: finished[:1] for variant, finished in runs.items()})
    assert "| none | 1,234 | 2.00 | 0.5000 | 0.5000 |  |  |" in table(alone)
    assert str(caveat(alone)).startswith("One seed says nothing about how another one would have ended")
    assert str(caveat(alone)) in to_markdown(alone, CONFIGS)
    assert to_json(alone, CONFIGS)["variants"]["none"]["test/accuracy"] == {"mean": 0.5, "deviation": None}


def test_json_holds_all_numbers(comparison: Comparison) -> None:
    content = json.loads(json.dumps(to_json(comparison, CONFIGS)))
    assert (content["metric"], content["score"], content["seeds"]) == ("accuracy", "accuracy", [0, 1])
    flips = content["variants"]["flips"]
    assert flips["differs"] == {"data.augment": "flip"}
    assert flips["test/accuracy"]["mean"] == pytest.approx(0.875)
    assert flips["curve"]["epochs"] == [1, 2, 3, 4, 5, 6]
    assert flips["curve"]["means"] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert [run["test/accuracy"] for run in flips["runs"]] == [1.0, 0.75]
    assert content["pairs"][0]["verdict"] == table(comparison)[3].split("|")[-2].strip()
    assert content["pairs"][0]["crossings"] == [{"epoch": 4, "ahead": "flips"}]


def test_tensorboard_knows_variant_and_seed(comparison: Comparison, tmp_path: Path) -> None:
    folder = tmp_path / "tensorboard"
    (folder / "of_yesterday").mkdir(parents=True)
    write_tensorboard(comparison, folder)
    names = {f"{variant}_seed_{seed}" for variant in RIGHT for seed in (0, 1)}
    assert {path.name for path in folder.iterdir()} == names
    events = EventAccumulator(str(folder / "flips_seed_1"))
    events.Reload()
    assert events.Scalars("test/accuracy")[0].value == pytest.approx(0.75)
    assert set(events.PluginTagToContent("hparams")) >= {"_hparams_/session_start_info", "_hparams_/experiment"}
    assert b"flips" in events.PluginTagToContent("hparams")["_hparams_/session_start_info"]


def test_other_test_pictures_are_refused(runs: Runs, tmp_path: Path) -> None:
    write_run(tmp_path / "other", "flips", 1, "1110", pictures="abce")
    runs["flips"][1] = read(tmp_path / "other", "flips", 1)
    with pytest.raises(ConfigError, match="were tested on different pictures; give the same data"):
        compare_runs(runs)


def test_seeds_may_have_their_own_test_pictures(tmp_path: Path) -> None:
    for variant in ("none", "flips"):
        for seed, pictures in enumerate(("abcd", "cdef")):
            write_run(tmp_path / variant / str(seed), variant, seed, RIGHT[variant][seed], pictures)
    runs = {name: [read(tmp_path / name / str(seed), name, seed) for seed in (0, 1)] for name in ("none", "flips")}
    comparison = compare_runs(runs)
    assert comparison.pairs[0].interval.difference == pytest.approx(0.5)
    page = to_markdown(comparison, {name: CONFIGS[name] for name in runs})
    assert "4 test pictures, the same for all variants and others with every seed, 6 altogether." in page


def test_a_run_without_validation_is_refused(runs: Runs) -> None:
    del runs["none"][0].record["best/val/accuracy"]
    with pytest.raises(
        ConfigError, match="none, seed 0: no validation would choose its best checkpoint; give it pictures"
    ):
        compare_runs(runs)


def test_other_monitors_are_refused(runs: Runs) -> None:
    runs["flips"][0].record["best/val/loss"] = runs["flips"][0].record.pop("best/val/accuracy")
    with pytest.raises(ConfigError, match=r"val/loss \(flips, seed 0\), .*; give one --model.monitor"):
        compare_runs(runs)


def test_equal_models_must_start_from_equal_weights(runs: Runs, tmp_path: Path) -> None:
    assert check_initial_weights(runs, CONFIGS) == []
    write_run(tmp_path / "other", "dropout", 0, "1100", weights="ff")
    runs["dropout"][0] = read(tmp_path / "other", "dropout", 0)
    assert check_initial_weights(runs, CONFIGS) == [
        "none and dropout start from different weights: they differ in model.dropout",
        "flips and dropout start from different weights: they differ in model.dropout",
    ]
    write_run(tmp_path / "second", "flips", 0, "1111", weights="ff")
    runs["flips"][0] = read(tmp_path / "second", "flips", 0)
    with pytest.raises(ConfigError, match="same model arguments and seed, but started from different weights"):
        check_initial_weights(runs, CONFIGS)


def test_a_run_whose_result_is_no_number_is_named(tmp_path: Path) -> None:
    write_run(tmp_path / "run", "none", 0, "1000")
    path = tmp_path / "run" / "metrics.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "test/loss": None}))
    with pytest.raises(
        RunError, match=r"variant none, seed 0: test/loss is not a number.*give it another name: the others"
    ):
        read(tmp_path / "run", "none", 0)


def test_pictures_of_a_group_are_drawn_together(tmp_path: Path) -> None:
    """Two groups of two pictures; a table without groups takes them from the others."""
    for variant, groups in (("none", ""), ("flips", "xxyy")):
        for seed in (0, 1):
            write_run(
                tmp_path / variant / str(seed), variant, seed, "0000" if variant == "none" else "1100", groups=groups
            )
    runs = {name: [read(tmp_path / name / str(seed), name, seed) for seed in (0, 1)] for name in ("none", "flips")}
    interval = compare_runs(runs).pairs[0].interval
    # Both seeds are equal, so the groups decide alone: their means are 1 and 0, and one degree of freedom is left.
    reach = stats.t(1).ppf(0.975) * 0.5 / 2**0.5
    assert interval == pytest.approx((0.5, 0.5 - reach, 0.5 + reach), rel=0.03)


def test_the_page_counts_groups(tmp_path: Path) -> None:
    for variant in ("none", "flips"):
        write_run(tmp_path / variant, variant, 0, "1100", groups="xxyz")
    page = to_markdown(compare_runs({name: [read(tmp_path / name, name, 0)] for name in ("none", "flips")}), CONFIGS)
    assert "1 seed (0), 6 epochs, 4 test pictures, the same for all variants, in 3 groups.\n" in page
    assert "over the test pictures, of which whole groups are drawn, alone." in page


def test_one_epoch_is_one_epoch(runs: Runs) -> None:
    for finished in runs.values():
        for run in finished:
            run.record["epochs"] = 1
    assert "2 seeds (0, 1), 1 epoch, 4 test pictures" in to_markdown(compare_runs(runs), CONFIGS)
    runs["flips"][1].record["epochs"] = 3
    assert "2 seeds (0, 1), 1 or 3 epochs, 4 test" in to_markdown(compare_runs(runs), CONFIGS)


def test_failed_variants_are_rows_of_their_own(runs: Runs) -> None:
    del runs["flips"]
    comparison = compare_runs(runs, failed={"flips": "test/loss is not a number"})
    assert table(comparison)[-1] == "| flips |  |  |  |  |  | failed: test/loss is not a number |"
    configs = {name: CONFIGS[name] for name in runs}
    assert "| failed: test/loss is not a number |" in to_markdown(comparison, configs)
    assert to_json(comparison, configs)["failed"] == {"flips": "test/loss is not a number"}


@pytest.mark.parametrize(
    ("seconds", "expected"), [(40.4, "40 s"), (100, "2 min"), (3570, "1 h 0 min"), (12_000, "3 h 20 min")]
)
def test_durations_have_the_units_that_matter(seconds: float, expected: str) -> None:
    assert as_duration(seconds) == expected
