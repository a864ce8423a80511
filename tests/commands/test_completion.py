"""What a shell completes: every command with its flags; the script itself is made by shtab."""

import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from lightning_seg.__main__ import main
from lightning_seg.commands import COMMANDS, LIGHTNING, completion

NEEDS_SHTAB = pytest.mark.skipif(
    find_spec("shtab") is None, reason="shtab is not installed: pip install '.[completion]'"
)
ASK = """
source {script}
COMP_WORDS=({words}) COMP_CWORD={place}
COMPREPLY=()
$(complete -p lightning-seg | sed -E 's/.*-F ([^ ]+).*/\\1/') lightning-seg '{last}' ''
printf '%s\\n' "${{COMPREPLY[@]}}"
"""

Mistake = Callable[[list[str]], str]


def words_of(parser: ArgumentParser) -> dict[str, ArgumentParser]:
    """The parsers below it, by what is typed for them."""
    return next(dict(action.choices) for action in parser._actions if isinstance(action.choices, dict))


def flags_of(parser: ArgumentParser) -> dict[str, Any]:
    """Every flag, and what it chooses from."""
    return {flag: action.choices for action in parser._actions for flag in action.option_strings}


def test_every_command_is_completed_with_its_flags() -> None:
    commands = words_of(completion.make_parser())
    assert commands.keys() == {*LIGHTNING, *COMMANDS}
    for name in LIGHTNING:
        expected = {
            "--config",
            "-c",
            "--run",
            "--trainer.max_epochs",
            "--model.lr",
            "--data.batch_size",
            "--model.width",
        }
        assert expected <= flags_of(commands[name]).keys()
    assert {"--images", "--threshold"} <= flags_of(commands["predict"]).keys()
    assert {"--output", "--masks", "--data.batch_size"} <= flags_of(commands["preview"]).keys()
    assert {"--output", "--run", "--data.batch_size"} <= flags_of(commands["doctor"]).keys()
    assert "--fit" not in flags_of(commands["doctor"])
    for name in ("lr-find", "batch-size-find"):
        assert {"--config", "--model.lr", "--data.batch_size", "--trainer.precision"} <= flags_of(commands[name]).keys()
        assert "--fit" not in flags_of(commands[name])
    assert {"--min_lr", "--output"} <= flags_of(commands["lr-find"]).keys()
    assert {"--variant", "--seeds", "--config", "--trainer.max_epochs"} <= flags_of(commands["compare"]).keys()
    assert {"--num_cars", "--num_views"} <= flags_of(words_of(commands["synthesize"])["carvana"]).keys()
    assert "--num_cars" not in flags_of(words_of(commands["synthesize"])["flowers"])
    # Not one of the data for a command that knows none.
    assert not [flag for flag in flags_of(commands["benchmark"]) if flag.startswith("--data")]


def test_names_are_completed() -> None:
    commands = words_of(completion.make_parser())
    (names,) = (action.choices for action in commands["configs"]._actions if action.dest == "name")
    assert {"pets", "overrides/demo"} <= set(names or ())
    fit = flags_of(commands["fit"])
    assert "overrides/demo" in fit["--config"]
    assert "overrides/demo" in flags_of(commands["preview"])["-c"]
    assert "UNetTask" in fit["--model"]
    assert "CarvanaDataModule" in fit["--data"]
    assert set(fit["--model"]) & set(fit["--data"]) == set()


@pytest.mark.skipif(find_spec("shtab") is not None, reason="shtab is installed")
def test_without_shtab_a_line_says_what_is_needed(mistake: Mistake) -> None:
    assert mistake(["completion", "bash"]).endswith(
        "completion needs the package shtab; install it with pip install shtab"
    )


def test_other_shells_are_refused(mistake: Mistake) -> None:
    assert "'fish' is not accepted; expected bash or zsh or tcsh" in mistake(["completion", "fish"])


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "completion.sh"
    words = [sys.executable, "-m", "lightning_seg", "completion", "bash"]
    path.write_text(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    return path


@NEEDS_SHTAB
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["lightning-seg", "com"], {"compare", "completion"}),
        (["lightning-seg", "configs", "overrides/d"], {"overrides/ddp", "overrides/demo"}),
        (["lightning-seg", "synthesize", "f"], {"flowers"}),
        (["lightning-seg", "fit", "--trainer.max_e"], {"--trainer.max_epochs"}),
        (["lightning-seg", "fit", "--data.num_w"], {"--data.num_workers"}),
        (["lightning-seg", "fit", "--config", "mi"], {"mine.yaml"}),
        (["lightning-seg", "fit", "--config", "pe"], {"pets", "pens.yaml"}),
        (["lightning-seg", "fit", "--model", "UN"], {"UNetTask"}),
        (["lightning-seg", "synthesize", "flowers", "data", "--num"], {"--num_per_class"}),
    ],
)
def test_bash_completes(script: Path, tmp_path: Path, words: list[str], expected: set[str]) -> None:
    for name in ("mine.yaml", "pens.yaml"):
        (tmp_path / name).touch()
    asked = ASK.format(script=script, words=" ".join(words), place=len(words) - 1, last=words[-1])
    shown = subprocess.run(["bash", "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert set(shown.stdout.split()) == expected


@NEEDS_SHTAB
@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_get_a_script(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert main(["completion", shell]) == 0
    assert "lightning-seg" in capsys.readouterr().out
