import shlex
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from lightning_seg.commands.synthesize import RECIPES, Recipe, synthesize
from lightning_seg.errors import ConfigError, UserError
from lightning_seg.synthetic.marker import read_marker


def test_writes_and_says_how_to_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "my pets"

    synthesize("oxford_pets", str(root), num_trainval=2, num_test=1, num_breeds=1, seed=5)

    marker = read_marker(root)
    assert marker is not None
    assert {key: marker[key] for key in ("num_trainval", "num_test", "num_breeds", "seed")} == {
        "num_trainval": 2,
        "num_test": 1,
        "num_breeds": 1,
        "seed": 5,
    }
    assert len(list((root / "images").iterdir())) == 3
    (line,) = capsys.readouterr().out.splitlines()
    assert "num_trainval 2, num_test 1" in line
    command = shlex.split(line.partition("train on it: ")[2])
    assert command[:4] == ["lightning-seg", "fit", "--config", "configs/pets.yaml"]
    assert command[-2:] == ["--data.root", str(root)]
    configs = Path(__file__).parents[2]
    assert all((configs / config).is_file() for config in command[3:-2:2])


def test_cars_are_written_and_trained_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "cars"

    synthesize("carvana", str(root), num_cars=2, num_views=3, seed=5)

    assert len(list((root / "train").iterdir())) == 6
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{root} holds synthetic carvana (seed 5, num_cars 2, num_views 3); train on it: ")
    command = shlex.split(line.partition("train on it: ")[2])
    assert command[:4] == ["lightning-seg", "fit", "--config", "configs/carvana.yaml"]
    assert command[-2:] == ["--data.root", str(root)]
    assert (Path(__file__).parents[2] / "configs" / "carvana.yaml").is_file()


@pytest.mark.parametrize(
    ("dataset", "arguments", "folder", "count", "config"),
    [
        ("flowers", {"num_per_class": 2}, "tulips", 2, "configs/flowers.yaml"),
        ("stanford_dogs", {"num_train": 5, "num_test": 2, "num_breeds": 2}, "Images", 2, "configs/dogs.yaml"),
    ],
)
def test_labelled_pictures_are_written_and_trained_on(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    dataset: Any,
    arguments: dict[str, Any],
    folder: str,
    count: int,
    config: str,
) -> None:
    root = tmp_path / dataset
    synthesize(dataset, str(root), **arguments)
    assert len(list((root / folder).iterdir())) == count
    (line,) = capsys.readouterr().out.splitlines()
    command = shlex.split(line.partition("train on it: ")[2])
    assert command[:4] == ["lightning-seg", "fit", "--config", config]
    assert command[-4:] == ["--data.source", "synthetic", "--data.root", str(root)]
    assert (Path(__file__).parents[2] / config).is_file()


def test_scenes_are_trained_on_by_their_single_flowers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "scenes"
    synthesize("scenes", str(root), num_scenes=1, num_per_class=1)
    assert sorted(path.name for path in root.iterdir()) == ["annotations.json", "images", "single", "synthetic.json"]
    (line,) = capsys.readouterr().out.splitlines()
    command = shlex.split(line.partition("train on it: ")[2])
    assert command[:4] == ["lightning-seg", "fit", "--model", "SlidingDetectorTask"]
    assert command[-2:] == ["--data.root", str(root / "single")]


def test_defaults_are_those_of_the_writers() -> None:
    defaults = signature(synthesize).parameters
    for recipe in RECIPES.values():
        for name, parameter in signature(recipe.write).parameters.items():
            if name in defaults and name != "root":
                assert parameter.default == defaults[name].default, name


@pytest.mark.parametrize(
    ("dataset", "arguments", "message"),
    [
        ("carvana", {"num_breeds": 3}, "num_breeds 3 does not go with dataset carvana; leave it out"),
        ("oxford_pets", {"num_cars": 3}, "num_cars 3 does not go with dataset oxford_pets; leave it out"),
        ("image_mask_folder", {"num_views": 3}, "num_views 3 does not go with dataset image_mask_folder; leave it out"),
        ("flowers", {"num_cars": 3}, "num_cars 3 does not go with dataset flowers; leave it out"),
        ("flowers", {"num_per_class": 0}, "num_per_class 0 leaves no picture; use 1 or more"),
        ("stanford_dogs", {"num_breeds": 11}, "num_breeds 11 is not possible; use 2 to 10"),
        ("carvana", {"num_views": 20}, "num_views 20 is not possible; use 1 to 16"),
    ],
)
def test_arguments_of_other_datasets_are_refused(
    tmp_path: Path, dataset: Any, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        synthesize(dataset, str(tmp_path / "root"), **arguments)
    assert not (tmp_path / "root").exists()


def test_mistakes_print_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError):
        synthesize("oxford_pets", str(tmp_path / "root"), num_test=0)
    assert capsys.readouterr().out == ""


def test_unknown_dataset(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'pets' cannot be synthesized; use oxford_pets"):
        synthesize("pets", str(tmp_path))  # type: ignore[arg-type]


def test_datasets_take_their_own_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int]] = []

    def write(root: str, seed: int) -> None:
        calls.append((root, seed))

    monkeypatch.setitem(RECIPES, "oxford_pets", Recipe(write, "configs/pets.yaml"))

    synthesize("oxford_pets", "root", seed=2)
    with pytest.raises(ConfigError, match="num_breeds 3 does not go with dataset oxford_pets"):
        synthesize("oxford_pets", "root", num_breeds=3)
    assert calls == [("root", 2)]
