import shlex
from pathlib import Path

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
