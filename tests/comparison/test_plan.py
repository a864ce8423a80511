"""What is planned, what is refused, and what a folder remembers."""

import json
from pathlib import Path
from typing import Any

import pytest

from lightning_seg.comparison.plan import Plan, Variant, changes, check_equal, flatten, keep_plan, make_plan
from lightning_seg.errors import ConfigError

NONE = ["none", "flips:flips.yaml"]


def config(augment: Any = False, max_epochs: int = 5, **data: Any) -> dict[str, Any]:
    """What a variant would be trained with."""
    return {
        "seed_everything": 0,
        "early_stopping": None,
        "run_folder": None,
        "trainer": {"max_epochs": max_epochs, "devices": "auto"},
        "model": {"class_path": "lightning_seg.UNetTask", "init_args": {"lr": 0.1}},
        "data": {
            "class_path": "lightning_seg.CarvanaDataModule",
            "init_args": {"root": "cars", "augment": augment, "seed": 0, "num_workers": 2, **data},
        },
    }


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
    with pytest.raises(ConfigError, match="give NAME or NAME:FILE, for instance none:configs/overrides"):
        Variant.parse(text)


def test_runs_differ_in_files_seeds_and_folder_alone() -> None:
    plan = make_plan(["base.yaml"], NONE, [3, 7], "out", ["--trainer.max_epochs", "2"])
    runs = list(plan.runs({"none": config(), "flips": config(True)}))
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
    assert runs[3].folder == Path("out/runs/flips/seed_7")
    assert len({run.log for run in runs}) == 4


def test_a_datamodule_without_a_seed_gets_none() -> None:
    plan = make_plan(["base.yaml"], NONE, 1, "out", [])
    data = {"class_path": "own.Data", "init_args": {"root": "x"}}
    seedless = {"none": {**config(), "data": data}, "flips": {**config(), "data": data}}
    assert not [run for run in plan.runs(seedless) if "--data.seed" in run.flags]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], NONE, 3, []), "there is no config; give one first"),
        ((["a.yaml"], ["none"], 3, []), "1 variants cannot be compared; give --variant NAME:FILE twice"),
        ((["a.yaml"], ["x:a.yaml", "x:b.yaml"], 3, []), "the same name among x, x"),
        ((["a.yaml"], NONE, 0, []), "seeds 0: give how many"),
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


def test_arguments_have_the_names_they_are_typed_by() -> None:
    flat = flatten(config("flip"))
    assert flat["data"] == "CarvanaDataModule"
    assert flat["data.augment"] == "flip"
    assert flat["model.lr"] == 0.1
    assert flat["trainer.max_epochs"] == 5
    assert flat["early_stopping"] is None
    assert changes(config("flip"), config(True, mixing="cutmix")) == {
        "data.augment": ("flip", True),
        "data.mixing": (None, "cutmix"),
    }


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (config(), "variants a and b are the same; give them different files, and leave out flags"),
        (config(num_workers=0, seed=3), "variants a and b are the same"),
        (config(True, 6), r"differ in trainer.max_epochs \(5 and 6\), so their budgets are not equal; give --unequal"),
        (config(True, batch_size=4), r"differ in data.batch_size \(null and 4\), so their budgets are not equal"),
        ({**config(True), "early_stopping": 3}, r"differ in early_stopping \(null and 3\), so their budgets"),
        (config(True, root="dogs"), r"differ in data.root \(cars and dogs\), so they do not see the same pictures"),
        (config(True, val_fraction=0.2), "differ in data.val_fraction .*, so they do not see the same pictures"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_variants_that_are_not_compared(other: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_equal({"a": config(), "b": other})


def test_variants_may_differ_in_augmentation_and_network() -> None:
    network = {**config(), "model": {"class_path": "lightning_seg.SmpTask", "init_args": {"lr": 0.1}}}
    assert check_equal({"a": config(), "b": config(True), "c": network}) == []


def test_unequal_budgets_are_told_where_they_are_accepted() -> None:
    said = check_equal({"a": config(), "b": config(True, 6)}, unequal_budgets=True)
    assert said == ["budgets are not equal: variants a and b differ in trainer.max_epochs (5 and 6)"]
    with pytest.raises(ConfigError, match="same pictures"):
        check_equal({"a": config(), "b": config(root="dogs")}, unequal_budgets=True)


def plan_in(folder: Path) -> Plan:
    return make_plan(["a.yaml"], NONE, 2, str(folder), [])


def test_a_changed_variant_is_refused(tmp_path: Path) -> None:
    plan = plan_in(tmp_path / "out")
    keep_plan(plan, {"none": config(), "flips": config("flip")})
    before = (plan.output / "plan.json").read_text()
    with pytest.raises(
        ConfigError,
        match=r"variant flips was begun with data.augment flip, now it has true; give another --output, or the variant",
    ):
        keep_plan(plan, {"none": config(), "flips": config(True)})
    assert (plan.output / "plan.json").read_text() == before


def test_variants_can_be_added_and_left_out(tmp_path: Path) -> None:
    plan = plan_in(tmp_path / "out")
    # JSON would make a string of the key.
    codes = config("flip", mask_values={0: 1})
    keep_plan(plan, {"none": config(), "flips": codes})
    keep_plan(plan, {"flips": codes, "more": config("flip_affine_colour")})
    keep_plan(plan, {"none": config(num_workers=0), "flips": codes})
    assert list(json.loads((plan.output / "plan.json").read_text())["variants"]) == ["none", "flips", "more"]


def test_a_folder_of_other_runs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with pytest.raises(ConfigError, match=r"it holds runs, but no plan\.json; give another --output"):
        keep_plan(plan_in(tmp_path), {"none": config(), "flips": config(True)})


@pytest.mark.parametrize("name", ["tensorboard", "comparison.md", "runs"])
def test_files_of_the_user_are_not_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    plan = make_plan(["a.yaml"], ["none", "flips:b.yaml"], 1, str(tmp_path), [])
    with pytest.raises(ConfigError, match=f"it holds {name}, but no plan.json; give another --output"):
        keep_plan(plan, {})
    assert not (tmp_path / "plan.json").exists()
