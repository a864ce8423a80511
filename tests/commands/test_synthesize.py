"""Synthetic datasets from the command line: each with its own arguments, and with a command that trains on it."""

import re
import shlex
from collections.abc import Callable
from inspect import signature
from pathlib import Path

import pytest

from lightning_seg.__main__ import main
from lightning_seg.cli.resolving import resolve_config
from lightning_seg.commands.synthesize import FOR_TESTS, RECIPES, synthesize
from lightning_seg.errors import ConfigError
from lightning_seg.synthetic.marker import read_marker

Mistake = Callable[[list[str]], str]


@pytest.fixture
def written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[str, list[str]]]:
    """Runs the command in an empty folder: what it says, and the command that it names."""
    monkeypatch.chdir(tmp_path)

    def write(*words: str) -> tuple[str, list[str]]:
        assert main(["synthesize", *words]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        said, _, command = line.partition("; train on it: ")
        return said, shlex.split(command)

    return write


def test_writes_and_says_how_to_train(written: Callable[..., tuple[str, list[str]]]) -> None:
    said, command = written(
        "oxford_pets", "my pets", "--num_trainval", "2", "--num_test", "1", "--num_breeds", "1", "--seed", "5"
    )
    assert said == "my pets holds synthetic oxford_pets (num_trainval 2, num_test 1, num_breeds 1, seed 5)"
    marker = read_marker("my pets") or {}
    assert {name: marker[name] for name in ("num_trainval", "num_test", "num_breeds", "seed")} == {
        "num_trainval": 2,
        "num_test": 1,
        "num_breeds": 1,
        "seed": 5,
    }
    assert len(list(Path("my pets/images").iterdir())) == 3
    names = ["--config", "pets", "--config", "overrides/demo"]
    assert command == ["lightning-seg", "fit", *names, "--data.root", "my pets"]


@pytest.mark.parametrize(
    ("words", "folder", "count", "start"),
    [
        ("carvana --num_cars 2 --num_views 3 --seed 5", "train", 6, "--config carvana"),
        ("flowers --num_per_class 2", "tulips", 2, "--config flowers"),
        ("stanford_dogs --num_train 5 --num_test 2 --num_breeds 2", "Images", 2, "--config dogs"),
        ("scenes --num_scenes 1 --num_per_class 1", "single", 6, "--model SlidingDetectorTask"),
        ("image_mask_folder --num_pictures 4 --layout beside", ".", 9, "--config own_data"),
        ("annotated_masks --num_pictures 4 --tool labelme", "labelme", 4, "--config own_data"),
    ],
)
def test_every_dataset_is_written_and_its_command_is_understood_anywhere(
    written: Callable[..., tuple[str, list[str]]], words: str, folder: str, count: int, start: str
) -> None:
    dataset, *flags = words.split()
    said, command = written(dataset, "root", *flags)
    assert said.startswith(f"root holds synthetic {dataset} (")
    assert len(list(Path("root", folder).iterdir())) == count
    assert command[2:4] == start.split()
    assert command[-2:] == ["--data.root", "root/single" if dataset == "scenes" else "root"]
    assert resolve_config(command[2:])["data"]["init_args"]["root"] == command[-1]


@pytest.mark.parametrize("dataset", RECIPES)
def test_the_help_of_a_dataset_shows_its_own_arguments_alone(dataset: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["synthesize", dataset, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    own = {name for name in signature(RECIPES[dataset].write).parameters if name not in {"root", *FOR_TESTS}}
    assert set(re.findall(r"^  --(\w+)", text, re.MULTILINE)) == {"config", "print_config", *own}
    assert re.search(r"^  root +folder for the dataset\. \(required", text, re.MULTILINE)
    # Every argument says what it is, and what it is without being given.
    options = re.split(r"\n  --", text.partition("\noptions:")[2])
    described = re.compile(r"\w+ \S+\s+[a-z0-9][^(]+\(type:\s.*default:", re.DOTALL)
    said = {option.split()[0] for option in options if described.match(option)}
    assert said == own


def test_the_help_lists_all_datasets(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["synthesize", "--help"])
    text = capsys.readouterr().out
    assert [
        dataset for dataset, recipe in RECIPES.items() if f"{dataset} " not in text or recipe.what[:30] not in text
    ] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["carvana", "root", "--num_breeds", "3"], "--num_breeds"),
        (["flowers", "root", "--num_view", "3"], "--num_view"),
        (["carvana", "root", "--num_view", "3"], "did you mean --num_views?"),
        (["flowers", "root", "--num_per_class", "0"], "num_per_class 0 leaves no picture; use 1 or more"),
        (
            ["flowers", "root", "--num_per_class", "few"],
            "num_per_class: 'few' is not accepted; expected a whole number",
        ),
        (["stanford_dogs", "root", "--num_breeds", "11"], "num_breeds 11 is not possible; use 2 to 10"),
        (["carvana", "root", "--num_views", "20"], "num_views 20 is not possible; use 1 to 16"),
        (
            ["image_mask_folder", "root", "--encoding", "rgb"],
            "encoding: 'rgb' is not accepted; expected index or binary",
        ),
        (["oxford_pets", "root", "--num_test"], "--num_test needs a value"),
        (["oxford_pets"], "missing: root"),
        (["pets", "root"], "'pets' cannot be synthesized; use oxford_pets, "),
        ([], "the dataset comes first, as in synthesize flowers FOLDER; there are oxford_pets, "),
        (["--seed", "1", "flowers", "root"], "the dataset comes first"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes_are_one_line_and_write_nothing(
    mistake: Mistake, tmp_path: Path, words: list[str], expected: str
) -> None:
    assert expected in mistake(["synthesize", *words])
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_dataset_from_python(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dataset 'pets' cannot be synthesized; use oxford_pets, "):
        synthesize("pets", tmp_path)
