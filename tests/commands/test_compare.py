"""A comparison through the command line: interrupted, continued, refused, and what it writes."""

import csv
import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from subprocess import Popen
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from lightning_seg import UNetTask
from lightning_seg.__main__ import main
from lightning_seg.cli.building import Built
from lightning_seg.commands import compare
from lightning_seg.commands.compare_flags import read_flags
from lightning_seg.comparison import processes, training

CONFIGS = Path(__file__).parents[2] / "configs"
NONE = f"none:{CONFIGS / 'overrides' / 'no_augmentation.yaml'}"
RUNS = [(variant, seed) for seed in (0, 1) for variant in ("none", "flips")]

PARAMETERS = sum(parameter.numel() for parameter in UNetTask(num_classes=3, width=4, depth=2).parameters())
VALUE = r"0\.\d{4} \+- 0\.\d{4}"

Mistake = Callable[[list[str]], str]


class PetsComparison:
    """Two variants with two seeds, in which every process can be looked at."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.output = folder / "comparison"
        self.config, flips = folder / "small.yaml", folder / "flips.yaml"
        model = {"class_path": "UNetTask", "init_args": {"num_classes": 3, "width": 4, "depth": 2}}
        data = {"class_path": "OxfordPetsDataModule", "init_args": {"root": str(root), "val_fraction": 0.2}}
        self.config.write_text(yaml.safe_dump({"model": model, "data": data}))
        flips.write_text("data:\n  init_args:\n    augment: flip\n")
        self.variants = ["--variant", NONE, "--variant", f"flips:{flips}"]
        self.flags = [
            *("--data.image_size", "32", "--data.batch_size", "4", "--data.num_workers", "0"),
            *("--trainer.max_epochs", "2", "--trainer.accelerator", "cpu", "--trainer.enable_model_summary", "false"),
        ]

    def words(self, *more: str) -> list[str]:
        output = ["--seeds", "2", "--output", str(self.output)]
        return ["compare", str(self.config), *self.variants, *self.flags, *output, *more]

    def folder(self, variant: str, seed: int) -> Path:
        return self.output / "runs" / variant / f"seed_{seed}"

    def record(self, variant: str, seed: int) -> dict[str, Any]:
        values: dict[str, Any] = json.loads((self.folder(variant, seed) / "metrics.json").read_text())
        return values

    def result(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.output / "comparison.json").read_text())
        return content


def kill_after_an_epoch(command: Sequence[str], checkpoint: Path) -> None:
    with Popen(command) as process:
        while process.poll() is None and not checkpoint.is_file():
            time.sleep(0.01)
        process.kill()


@pytest.fixture(scope="module")
def comparison(pets_root: Path, tmp_path_factory: pytest.TempPathFactory) -> PetsComparison:
    """The first run in processes of its own, the second killed, the others here, which takes a fifth of the time."""
    comparison = PetsComparison(pets_root, tmp_path_factory.mktemp("comparison"))
    asked: list[list[str]] = []
    call = processes.call

    def interrupted(words: Sequence[str], output: Any) -> int:
        asked.append(list(words[3:]))
        if len(asked) < 3:
            return call(words, output)
        kill_after_an_epoch(words, comparison.folder("flips", 0) / "checkpoints" / "last.ckpt")
        raise KeyboardInterrupt

    def here(words: Sequence[str], output: object) -> int:
        asked.append(list(words[3:]))
        return main(words[3:])

    with pytest.MonkeyPatch.context() as patch:
        # Processes that share their cores with others are fastest with one thread each.
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setattr(training, "call", interrupted)
        assert main(comparison.words()) == 130
        assert [words[0] for words in asked] == ["fit", "test", "fit"]
        (comparison.folder("none", 0) / "test_pictures.csv").unlink()
        patch.setattr(training, "call", here)
        assert main(comparison.words()) == 0
    workers = ["--data.num_workers", "0"]
    continued = ["fit", "--run", str(comparison.folder("flips", 0)), *workers]
    # A process that was not killed in time has nothing to continue.
    again = asked[4:5] if asked[4][0] == "fit" else []
    assert again in ([continued], [])
    tests = [["test", "--run", str(comparison.folder(variant, seed)), *workers] for variant, seed in RUNS]
    assert [words for words in asked[3:] if words[0] == "test"] == tests
    assert [words[0] for words in asked[3:]] == ["test", *("fit" for _ in again), "test", *("fit", "test") * 2]
    return comparison


def test_seeds_decide_everything_but_the_variant(comparison: PetsComparison) -> None:
    weights = {run: comparison.record(*run)["initial_weights"] for run in RUNS}
    assert weights["none", 0] == weights["flips", 0] != weights["none", 1] == weights["flips", 1]
    for variant, seed in RUNS:
        config = yaml.safe_load((comparison.folder(variant, seed) / "config.yaml").read_text())
        assert (config["seed_everything"], config["data"]["init_args"]["seed"]) == (seed, seed)
        assert config["data"]["init_args"]["augment"] == (False if variant == "none" else "flip")
        assert config["run_folder"] is None


def test_a_continued_run_has_every_epoch_once(comparison: PetsComparison) -> None:
    for variant, seed in RUNS:
        with (comparison.folder(variant, seed) / "metrics.csv").open() as file:
            assert [row["epoch"] for row in csv.DictReader(file) if row["val/miou"]] == ["0", "1"]
        last = torch.load(comparison.folder(variant, seed) / "checkpoints" / "last.ckpt", weights_only=True)
        assert last["epoch"] == 1


def test_the_numbers_are_those_of_the_runs(comparison: PetsComparison) -> None:
    result = comparison.result()
    for variant in ("none", "flips"):
        records = [comparison.record(variant, seed) for seed in (0, 1)]
        told = result["variants"][variant]
        assert told["test/miou"]["mean"] == pytest.approx(mean(record["test/miou"] for record in records))
        assert told["best/val/miou"]["mean"] == pytest.approx(mean(record["best/val/miou"] for record in records))
        assert told["parameters"] == PARAMETERS
        assert told["curve"]["epochs"] == [1, 2]
        assert told["curve"]["means"][1] == pytest.approx(mean(record["val/miou"] for record in records), abs=1e-6)


def test_the_difference_is_that_of_the_same_pictures(comparison: PetsComparison) -> None:
    scores = {}
    for variant, seed in RUNS:
        with (comparison.folder(variant, seed) / "test_pictures.csv").open() as file:
            scores[variant, seed] = {row["path"]: float(row["score"]) for row in csv.DictReader(file)}
    assert len(scores["none", 0]) == 8
    assert all(known.keys() == scores["none", 0].keys() for known in scores.values())
    differences = [mean(scores["flips", seed].values()) - mean(scores["none", seed].values()) for seed in (0, 1)]
    (pair,) = comparison.result()["pairs"]
    assert (pair["first"], pair["second"]) == ("flips", "none")
    assert pair["difference"] == pytest.approx(mean(differences), abs=1e-6)
    assert pair["low"] <= pair["difference"] <= pair["high"]


def test_everything_that_the_page_promises_is_there(comparison: PetsComparison) -> None:
    for name in ("curves.png", "curves_zoomed.png"):
        assert len(np.unique(np.asarray(Image.open(comparison.output / name)))) > 20
    page = (comparison.output / "comparison.md").read_text()
    assert "* flips is none with data.augment flip instead of false\n" in page
    assert re.search(rf"\| flips \| {PARAMETERS:,} \| [\d.]+ \| {VALUE} \| {VALUE} \| [+-]0", page)
    assert len(list((comparison.output / "tensorboard").glob("*/events*"))) == 4
    assert len(list((comparison.output / "logs").iterdir())) == 4


def test_what_is_finished_is_only_read(
    comparison: PetsComparison, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "call", lambda *_: pytest.fail("a run was started"))
    before = comparison.result()
    assert main(comparison.words()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("[")] == [
        f"[{number}/4] {variant}, seed {seed}: is there" for number, (variant, seed) in enumerate(RUNS, 1)
    ]
    assert lines[-4].startswith(f"| none | {PARAMETERS:,} |")
    assert lines[-3].startswith(f"| flips | {PARAMETERS:,} |")
    assert lines[-2] == "2 seeds are few: their spread is hardly known, so the interval is rough."
    assert lines[-1] == str(comparison.output)
    assert comparison.result() == before


def test_one_seed_can_be_looked_at_alone(
    comparison: PetsComparison, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "call", lambda *_: pytest.fail("a run was started"))
    assert main(comparison.words("--seeds", "[1]")) == 0
    assert comparison.result()["seeds"] == [1]
    assert (
        "\nOne seed says nothing about how another one would have ended: give more --seeds.\n"
        in capsys.readouterr().out
    )
    assert main(comparison.words()) == 0


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--model.lr", "0.5"], "variant none was begun with model.lr 0.001, now it has 0.5; give another --output"),
        (["--trainer.max_epochs", "3"], "variant none was begun with trainer.max_epochs 2, now it has 3"),
        (["--data.augment", "flip"], "variants none and flips are the same; give them different files"),
        (["--data.rot", "x"], "variant none: Option 'rot' is not accepted; did you mean --data.root?"),
        (["--data.seed", "3"], "--data.seed is set for every run by itself; leave it out"),
        (["--trainer.logger", "false"], "variant none: with trainer.logger false a run leaves nothing to compare"),
        (["--trainer.fast_dev_run", "true"], "with trainer.fast_dev_run true a run leaves nothing to compare"),
        (["--trainer.limit_test_batches", "0"], "with trainer.limit_test_batches 0 a run leaves nothing to compare"),
        (["--seeds", "0"], "seeds 0: give how many, for instance 3"),
        (["--seeds", "-1"], "seeds -1: give how many, for instance 3"),
        (["--trainer.enable_checkpointing", "false"], "with trainer.enable_checkpointing false a run leaves nothing"),
        (["nowhere.yaml"], "nowhere.yaml: no such config"),
        (["--variant", "x:nowhere.yaml"], "variant x: "),
        (["--variant"], "--variant needs a value, for instance --variant none:overrides"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_does_not_belong_to_the_folder(
    comparison: PetsComparison, mistake: Mistake, flags: list[str], expected: str
) -> None:
    before = (comparison.output / "plan.json").read_bytes()
    assert expected in mistake(comparison.words(*flags))
    assert (comparison.output / "plan.json").read_bytes() == before


def test_a_longer_variant_is_refused(comparison: PetsComparison, mistake: Mistake, tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text("trainer:\n  max_epochs: 3\n")
    # Lightning's own default is null, which stands for 1000.
    words = ["compare", str(comparison.config), "--variant", NONE, "--variant", "long:long.yaml"]
    line = mistake(words)
    assert "differ in trainer.max_epochs (20 and 3), so their budgets are not equal; give --unequal_budgets" in line
    assert not (tmp_path / "comparison").exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"data": {"init_args": {"augment": "flop"}}}, "variant later: augment 'flop' is no pipeline"),
        ({"model": {"init_args": {"schedule": "wavy"}}}, "variant later: schedule 'wavy' does not exist"),
        ({"model": {"init_args": {"monitor": "val/loss"}}}, "chosen by val/miou (none), val/loss (later); give one"),
    ],
    ids=["pipeline", "schedule", "monitor"],
)
def test_mistakes_of_later_variants_show_before_the_first_one_trains(
    comparison: PetsComparison,
    mistake: Mistake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: dict[str, Any],
    expected: str,
) -> None:
    monkeypatch.setattr(training, "call", lambda *_: pytest.fail("a run was started"))
    (tmp_path / "later.yaml").write_text(yaml.safe_dump(content))
    words = ["compare", str(comparison.config), "--variant", NONE, "--variant", "later:later.yaml", *comparison.flags]
    assert expected in mistake(words)


class InventedRuns:
    """In place of processes: fit leaves a folder, test leaves numbers, as they are wanted."""

    def __init__(self, output: Path) -> None:
        self.asked: list[tuple[str, str]] = []
        self.output = output
        self.scores = {"none": 0.25, "flips": 0.5}

    def __call__(self, words: Sequence[str], output: Any) -> int:
        folder = Path(words[words.index("--run_folder" if "--run_folder" in words else "--run") + 1])
        variant = folder.parent.name
        self.asked.append((words[3], f"{variant} {folder.name}"))
        if words[3] == "fit":
            (folder / "checkpoints").mkdir(parents=True)
            (folder / "config.yaml").touch()
            torch.save({"epoch": 1}, folder / "checkpoints" / "last.ckpt")
            return 0
        score = self.scores.get(variant)
        numbers = {"parameters": 1, "seconds_per_epoch": 1.0, "epochs": 2, "initial_weights": folder.name}
        record = {**numbers, "best/val/miou": score, "test/miou": score}
        (folder / "metrics.json").write_text(json.dumps(record))
        (folder / "metrics.csv").write_text(f"epoch,step,val/miou\n0,1,{score or 0}\n1,2,{score or 0}\n")
        rows = [f"{name},{score or 0},IoU,{name}" for name in "abc"]
        (folder / "test_pictures.csv").write_text("\n".join(["path,score,quantity,group", *rows]) + "\n")
        return 0


@pytest.fixture
def invented(comparison: PetsComparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InventedRuns:
    runs = InventedRuns(tmp_path / "invented")
    monkeypatch.setattr(training, "call", runs)
    monkeypatch.setattr(compare, "build", lambda words: Built("val/miou", {}))
    return runs


def test_a_variant_that_diverges_does_not_end_the_others(
    comparison: PetsComparison, invented: InventedRuns, mistake: Mistake
) -> None:
    bad = comparison.config.parent / "bad.yaml"
    bad.write_text("model:\n  init_args:\n    lr: 100.0\n")
    output = ["--output", str(invented.output)]
    line = mistake(comparison.words("--variant", f"bad:{bad}", *output))
    assert "error: 1 variant failed: variant bad, seed 0: best/val/miou is not a number, so this training went" in line
    # The failed one is not trained with further seeds.
    fitted = [name for command, name in invented.asked if command == "fit"]
    assert fitted == ["none seed_0", "flips seed_0", "bad seed_0", "none seed_1", "flips seed_1"]
    result = json.loads((invented.output / "comparison.json").read_text())
    assert list(result["variants"]) == ["none", "flips"]
    assert result["pairs"][0]["difference"] == pytest.approx(0.25)
    assert "best/val/miou is not a number" in result["failed"]["bad"]
    assert (
        "| bad |  |  |  |  |  | failed: variant bad, seed 0: best/val"
        in (invented.output / "comparison.md").read_text()
    )
    # As the message says: another name, and nothing that is finished is lost.
    invented.asked.clear()
    bad.write_text("model:\n  init_args:\n    lr: 0.1\n")
    invented.scores["better"] = 0.3
    assert main(comparison.words("--variant", f"better:{bad}", *output)) == 0
    assert {name for _, name in invented.asked} == {"better seed_0", "better seed_1"}


def test_what_remains_is_estimated(
    comparison: PetsComparison,
    invented: InventedRuns,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # A run takes 30, 50, 40 and 40 s.
    clock = iter([0, 30, 100, 150, 200, 240, 300, 340])
    monkeypatch.setattr(compare, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert main(comparison.words("--output", str(invented.output))) == 0
    left = [line.strip() for line in capsys.readouterr().out.splitlines() if " left, about " in line]
    assert left == ["3 runs left, about 2 min", "2 runs left, about 80 s", "1 run left, about 40 s"]


def test_a_test_by_hand_is_not_taken_for_that_of_the_comparison(
    comparison: PetsComparison, invented: InventedRuns
) -> None:
    words = comparison.words("--output", str(invented.output))
    assert main(words) == 0
    invented.asked.clear()
    record = invented.output / "runs" / "flips" / "seed_1" / "metrics.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "test/miou": 0.9}))
    assert main(words) == 0
    assert invented.asked == [("test", "flips seed_1")]
    assert json.loads(record.read_text())["test/miou"] == 0.5


def test_flags_that_win_over_a_file_are_told(
    comparison: PetsComparison, invented: InventedRuns, capsys: pytest.CaptureFixture[str]
) -> None:
    fast = comparison.config.parent / "fast.yaml"
    fast.write_text("model:\n  init_args:\n    lr: 0.1\n    weight_decay: 0.1\n")
    invented.scores["fast"] = 0.3
    flags = ["--variant", f"fast:{fast}", "--model.lr", "0.01", "--output", str(invented.output)]
    assert main(comparison.words(*flags)) == 0
    line = f"variant fast: --model.lr was typed for all variants and wins over model.lr in {fast}"
    lines = capsys.readouterr().out.splitlines()
    assert [one for one in lines if "typed for all" in one] == lines[:1] == [line]
    assert line in (invented.output / "comparison.md").read_text()


def asked(*typed: str) -> tuple[Any, ...]:
    """What the command takes out of a command line: configs, variants, seeds and the flags of fit."""
    given = read_flags(typed)
    return given["config"], given["variant"], given["seeds"], given["fit"]


def test_flags_of_fit_and_own_ones_are_told_apart() -> None:
    typed = ["a.yaml", "b.yaml", "--variant", "x:c.yaml", "--model.lr", "-1", "--seeds", "2", "--variant=y"]
    typed += ["--trainer.max_epochs=3", "-c", "d.yaml", "--output", "out", "--data.image_size", "[64, 32]"]
    assert read_flags(typed) == {
        "config": ["a.yaml", "b.yaml", "d.yaml"],
        "variant": ["x:c.yaml", "y"],
        "seeds": 2,
        "output": "out",
        "unequal_budgets": False,
        "print_config": False,
        "fit": ["--model.lr", "-1", "--trainer.max_epochs=3", "--data.image_size", "[64, 32]"],
    }


@pytest.mark.parametrize(
    "value", ["null", "[64, 32]", "{kind: cutmix}", "true", "1e-3", "'a b'", "a: b", "größe", "", "-1", "-x y", "--"]
)
def test_every_value_arrives_as_it_was_typed(value: str) -> None:
    fit = ["--model.lr", "0.1", f"--data.mixing={value}", "--trainer.max_epochs", "1"]
    if not value.startswith("--"):
        fit += ["--data.group", value]
    assert asked("a.yaml", "--variant", "null", *fit, "b.yaml") == (["a.yaml", "b.yaml"], ["null"], 3, fit)


@pytest.mark.parametrize(
    ("typed", "configs", "seeds", "fit"),
    [
        (["--config", "a", "--config", "b", "c"], ["c", "a", "b"], 3, []),
        (["--seeds", "0", "1", "2", "a.yaml"], ["a.yaml"], [0, 1, 2], []),
        (["--seeds", "5", "6", "--config", "a"], ["a"], [5, 6], []),
        (["--seeds", "0,5"], [], [0, 5], []),
        (["--seeds=4"], [], 4, []),
        (["--seeds", "-1"], [], -1, []),
        (["--seeds", "[0, 1]"], [], [0, 1], []),
        (["--seeds", "[7]"], [], [7], []),
        (["--output", "o", "a.yaml", "--model.lr", "1", "b.yaml"], ["a.yaml", "b.yaml"], 3, ["--model.lr", "1"]),
        (["--model.lr=1", "a.yaml"], ["a.yaml"], 3, ["--model.lr=1"]),
        (["--model.lr", "--model.momentum", "1"], [], 3, ["--model.lr", "--model.momentum", "1"]),
        # No flag is guessed from its beginning.
        (["--seed", "1"], [], 3, ["--seed", "1"]),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else str(value),
)
def test_what_is_typed_in_another_way(typed: list[str], configs: list[str], seeds: object, fit: list[str]) -> None:
    taken = asked(*typed)
    assert (taken[0], taken[2], taken[3]) == (configs, seeds, fit)


@pytest.mark.parametrize(
    ("typed", "accepts", "configs"),
    [
        (["a.yaml"], False, ["a.yaml"]),
        (["--unequal_budgets", "a.yaml"], True, ["a.yaml"]),
        (["a.yaml", "--unequal_budgets"], True, ["a.yaml"]),
        (["--unequal_budgets", "true", "a.yaml"], True, ["a.yaml"]),
        (["--unequal_budgets=false", "a.yaml"], False, ["a.yaml"]),
    ],
)
def test_a_flag_may_stand_for_true(typed: list[str], accepts: bool, configs: list[str]) -> None:
    given = read_flags(typed)
    assert (given["unequal_budgets"], given["config"]) == (accepts, configs)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--seeds", "a"], "seeds a: give how many, for instance 3, or which, like 0 5 7"),
        (["--seeds", "1.5"], "seeds 1.5: give how many"),
        (["--seeds"], "--seeds needs a value"),
        (["--config"], "--config needs a value, for instance --config "),
        (["--output"], "--output needs a value"),
        (["--print_confg", "x"], "print_confg"),
    ],
)
def test_flags_that_are_wrong(mistake: Mistake, flags: list[str], expected: str) -> None:
    assert expected in mistake(["compare", "pets", "--variant", "a", "--variant", "b:overrides/demo", *flags])


def test_the_help_shows_what_is_typed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["compare", "--help"])
    assert stop.value.code == 0
    flags = set(
        re.findall(r"^  (?:--\w+ CONFIG, )?(?:--config CONFIG, )?(-[\w-]+)", capsys.readouterr().out, re.MULTILINE)
    )
    assert flags == {"-h", "-c", "--variant", "--seeds", "--output", "--unequal_budgets", "--print_config"}
