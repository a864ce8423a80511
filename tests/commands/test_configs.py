"""``lightning-seg configs`` and ``--version`` answer at once; every command takes a config by its name."""

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

import lightning_seg
from lightning_seg.__main__ import main
from lightning_seg.commands.configs import configs

FOLDER = Path(__file__).parents[2] / "configs"
WITHOUT_TORCH = "import sys; from lightning_seg.__main__ import main; main({!r}); print('torch' in sys.modules)"

Mistake = Callable[[list[str]], str]


@pytest.mark.parametrize("words", [["configs"], ["configs", "pets"], ["--version"], ["--help"]])
def test_what_needs_no_library_imports_none(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH.format(words)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"


def test_the_version_and_those_of_torch_and_lightning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    versions = f"torch {version('torch')}, pytorch-lightning {version('pytorch-lightning')}"
    assert capsys.readouterr().out == f"lightning-seg {lightning_seg.__version__} ({versions})\n"


def test_all_names_and_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    configs()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(list(FOLDER.rglob("*.yaml")))
    (line,) = (line for line in lines if line.startswith("overrides/demo "))
    assert re.fullmatch(r"overrides/demo +Laid over pets\.yaml: synthetic pictures, .*", line)
    # Sentences stand below each other.
    assert len({len(line) - len(re.sub(r"^\S+ +", "", line)) for line in lines}) == 1


def test_a_config_is_printed_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    # As the shell makes it for "lightning-seg configs pets > pets.yaml".
    (tmp_path / "pets.yaml").touch()
    assert main(["configs", "pets"]) == 0
    assert capsys.readouterr().out == (FOLDER / "pets.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["peets"], "peets: no config of this name comes with the package; did you mean pets? lightning-seg configs"),
        (["pets", "dogs"], "unrecognized arguments: dogs"),
        (["--nme"], "unrecognized arguments: --nme; lightning-seg configs --help"),
    ],
)
def test_mistakes_are_one_line(mistake: Mistake, words: list[str], expected: str) -> None:
    assert expected in mistake(["configs", *words])


def printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What ``--print_config`` says."""
    try:
        code: object = main([*words, "--print_config"])
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    assert code == 0, said.err
    content: dict[str, Any] = yaml.safe_load(said.out)
    return content


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict", "preview", "cache"])
def test_a_command_takes_a_name(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    content = printed([command, "--config", "pets", "-c", "overrides/demo", "--data.batch_size", "3"], capsys)
    data = content["data"]["init_args"]
    assert (data["source"], data["batch_size"]) == ("synthetic", 3)


def test_compare_takes_names_for_the_config_and_for_variants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("data:\n  init_args:\n    augment: flips\n")
    variants = ["--variant", "none:variants/flowers_none", "--variant", "both:variants/flowers_none,mine"]
    content = printed(["compare", "--config", "flowers", *variants, "--data.batch_size", "3"], capsys)
    assert {name: one["data"]["init_args"]["augment"] for name, one in content.items()} == {
        "none": False,
        "both": "flips",
    }
    assert {one["model"]["init_args"]["dropout"] for one in content.values()} == {0.0}
    assert {one["data"]["init_args"]["batch_size"] for one in content.values()} == {3}
    assert not (tmp_path / "comparison").exists()


@pytest.mark.parametrize("command", ["fit", "preview", "cache"])
def test_an_unknown_name_is_one_line(
    mistake: Mistake, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = "peets: no such config; did you mean pets? lightning-seg configs lists all names"
    assert mistake([command, "--config", "peets"]).endswith(expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore")
def test_a_run_is_called_by_the_name(pets_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small = [
        "--data.root",
        str(pets_root),
        "--data.image_size",
        "32",
        "--data.batch_size",
        "4",
        "--data.num_workers",
        "0",
    ]
    quiet = ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false", "--trainer.max_steps", "1"]
    assert main(["fit", "--config", "pets", "--config", "overrides/demo", *small, *quiet]) == 0
    assert (tmp_path / "runs" / "pets" / "version_0" / "config.yaml").is_file()
