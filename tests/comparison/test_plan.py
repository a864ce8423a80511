"""What is planned, and what cannot be."""

from pathlib import Path
from typing import Any

import pytest

from lightning_seg.comparison.plan import Variant, make_plan
from lightning_seg.errors import ConfigError

NONE = ["none", "flips:flips.yaml"]
SEEDED = {"data": {"class_path": "own.Data", "init_args": {"root": "x", "seed": 0, "num_workers": 2}}}
SEEDLESS = {"data": {"class_path": "own.Data", "init_args": {"root": "x"}}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", Variant("none", ())),
        ("flips:a.yaml", Variant("flips", ("a.yaml",))),
        ("flips_2.5-x:a/b.yaml,c.yaml", Variant("flips_2.5-x", ("a/b.yaml", "c.yaml"))),
    ],
)
def test_a_variant_is_a_name_and_files(text: str, expected: Variant) -> None:
    assert Variant.parse(text) == expected


@pytest.mark.parametrize("text", ["", ":a.yaml", "a/b:c.yaml", "..", "a b"])
def test_the_name_must_be_good_for_a_folder(text: str) -> None:
    with pytest.raises(ConfigError, match="give NAME or NAME:CONFIG, for instance none:overrides/no_augmentation"):
        Variant.parse(text)


def test_runs_differ_in_files_seeds_and_folder_alone() -> None:
    plan = make_plan(["base.yaml"], NONE, [3, 7], "out", ["--trainer.max_epochs", "2"])
    runs = list(plan.runs({"none": SEEDED, "flips": SEEDED}))
    assert [(run.variant, run.seed) for run in runs] == [("none", 3), ("flips", 3), ("none", 7), ("flips", 7)]
    common = ["--trainer.enable_progress_bar", "false", "--config", "base.yaml", "--trainer.max_epochs", "2"]
    assert runs[0].flags == [
        *common,
        *("--seed_everything", "3", "--run_folder", "out/runs/none/seed_3", "--data.seed", "3"),
    ]
    assert runs[3].flags == [
        *(*common, "--config", "flips.yaml"),
        *("--seed_everything", "7", "--run_folder", "out/runs/flips/seed_7", "--data.seed", "7"),
    ]
    assert runs[3].again == ["--data.num_workers", "2"]
    assert runs[3].folder == Path("out/runs/flips/seed_7")
    assert len({run.log for run in runs}) == 4


def test_a_datamodule_without_a_seed_gets_none() -> None:
    plan = make_plan(["base.yaml"], NONE, 1, "out", [])
    assert not [run for run in plan.runs({"none": SEEDLESS, "flips": SEEDLESS}) if "--data.seed" in run.flags]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], NONE, 3, []), "there is no config; give one, for instance lightning-seg compare --config pets"),
        ((["a.yaml"], ["none"], 3, []), "variants: 1 cannot be compared; give --variant NAME:CONFIG twice"),
        ((["a.yaml"], ["x:a.yaml", "x:b.yaml"], 3, []), "the same name among x, x"),
        ((["a.yaml"], NONE, 0, []), "seeds 0: give how many"),
        ((["a.yaml"], NONE, -1, []), "seeds -1: give how many"),
        ((["a.yaml"], NONE, [1, 1], []), r"seeds \[1, 1\]: give how many"),
        ((["a.yaml"], NONE, [-1], []), r"seeds \[-1\]: give how many"),
        ((["a.yaml"], NONE, 3, ["--data.seed", "4"]), "--data.seed is set for every run by itself"),
        ((["a.yaml"], NONE, 3, ["--seed_everything=4"]), "--seed_everything is set for every run by itself"),
        ((["a.yaml"], NONE, 3, ["--run", "x"]), "--run is set for every run by itself"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_planned(arguments: tuple[Any, ...], message: str) -> None:
    configs, variants, seeds, flags = arguments
    with pytest.raises(ConfigError, match=message):
        make_plan(configs, variants, seeds, "out", flags)


def test_seeds_are_a_number_or_a_list() -> None:
    assert make_plan(["a.yaml"], NONE, 3, "out", []).seeds == (0, 1, 2)
    assert make_plan(["a.yaml"], NONE, [5, 2], "out", []).seeds == (5, 2)
