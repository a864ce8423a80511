"""What the README shows works: its Python, its command lines, its files."""

import re
import shlex
import shutil
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from lightning_seg.__main__ import main
from lightning_seg.commands import names_file
from lightning_seg.commands.app import file_parser
from lightning_seg.commands.predict import flag_parser
from lightning_seg.configs import describe_shipped

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LIMITS = {"max_epochs": 1, "limit_train_batches": 2, "limit_val_batches": 2, "limit_test_batches": 2}


def code_blocks(text: str, language: str | None = None) -> list[str]:
    """What stands between fences, in the order of the page; None takes the blocks of every language."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [code for given, code in blocks if language in (None, given)]


def command_lines(text: str) -> list[str]:
    """The ``lightning-seg`` lines of all code blocks, each in one piece and without prompt, folder and remark."""
    lines = [line for block in code_blocks(text) for line in block.replace("\\\n", " ").splitlines()]
    commands = [re.match(r"(?:\$ )?(?:\S*/)?(lightning-seg .*)", line.strip()) for line in lines]
    return [shlex.join(shlex.split(command[1], comments=True)) for command in commands if command]


def linked_files(text: str) -> list[str]:
    """Relative targets of links and pictures, without the part behind ``#``."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", prose)
    files = [(link or attribute).partition("#")[0] for link, attribute in targets]
    return [file for file in files if file and not re.match(r"[a-z]+:", file)]


ONLY_RUNS = ("app", "card", "push")
"""Commands that take a run and no flags of fit."""
OWN_CODE = ROOT / "docs" / "your_own_code.md"
"""Its commands need its classes; tests/test_your_own_code.py runs them."""
COMMAND_LINES = list(
    dict.fromkeys(line for page in PAGES if page != OWN_CODE for line in command_lines(page.read_text()))
)


@pytest.mark.filterwarnings("ignore")
def test_the_python_example_runs(pets_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # Where the example lets its pictures be written; they are taken as they are when they are there.
    shutil.copytree(pets_root, tmp_path / "data" / "synthetic_pets")
    trainers: list[pl.Trainer] = []
    construct = pl.Trainer.__init__

    def construct_small(trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        construct(trainer, *args, **{**kwargs, **LIMITS, "accelerator": "cpu", "devices": 1})
        trainers.append(trainer)

    monkeypatch.setattr(pl.Trainer, "__init__", construct_small)
    examples = [code for code in code_blocks(README.read_text(), "python") if "lightning_seg" in code]
    assert examples, "README.md shows no Python that imports lightning_seg"
    exec(compile(examples[0], str(README), "exec"), {"__name__": "__main__"})
    assert [trainer for trainer in trainers if "test/miou" in trainer.callback_metrics]


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_command_lines_parse(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pages of the repository may name configs by their paths in it.
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / "mine.yaml").write_text((ROOT / "configs" / "pets.yaml").read_text())
    (tmp_path / "flips.yaml").write_text("data:\n  init_args:\n    augment: flip\n")
    monkeypatch.chdir(tmp_path)
    # The runs that are named do not exist here; with a config in their place the parser still sees the other flags.
    named = line if line.split()[1] in ONLY_RUNS else re.sub(r"--run[ =]\S+", "--config pets", line)
    typed = shlex.split(named)[1:]
    words = list(takewhile(lambda word: word != ">", typed))
    if words[0] == "completion" and find_spec("shtab") is None:
        pytest.skip("shtab is not installed")
    if words[0] == "report":
        # It shows what a run has, so nothing stands in its place; unknown flags are refused before it is looked for.
        assert main(shlex.split(line)[1:]) == 2
        assert "no run there" in capsys.readouterr().err
        return
    # Parses everything, prints the result and leaves.
    if names_file(words):
        assert flag_parser().parse_args(words[1:]).images
        return
    if names_file(words, "app"):
        assert file_parser().parse_args(words[1:]).model
        return
    asked = [] if words[0] in ("completion", "configs", "--version") else ["--print_config"]
    try:
        code: object = main([*words, *asked])
    except SystemExit as stop:
        code = stop.code
    assert code == 0, capsys.readouterr().err


def test_configs_that_the_readme_names_exist() -> None:
    text = README.read_text()
    names = re.findall(r"(?:--config|-c)[ =]([\w/.]+)", text)
    names += re.findall(r"--variant \w+:([\w/]+)", text)
    assert {"pets", "overrides/demo", "variants/flowers_none"} <= set(names)
    known = dict(describe_shipped())
    assert [name for name in names if name not in known and name != "mine.yaml"] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_linked_files_exist(page: Path) -> None:
    assert [file for file in linked_files(page.read_text()) if not (page.parent / file).exists()] == []


def test_command_lines_are_found_as_people_type_them() -> None:
    text = (
        "```bash\n$ lightning-seg fit \\\n  -c a.yaml  # small\n.venv/bin/lightning-seg test\nls\n```\nlightning-seg x"
    )
    assert command_lines(text) == ["lightning-seg fit -c a.yaml", "lightning-seg test"]


def test_links_are_found_as_people_write_them() -> None:
    text = '[a](docs/a.md#part) ![b](b.png) [c](https://c.org) [d](#d) <img src="e.png">\n```\n[f](f.md)\n```\n'
    assert linked_files(text) == ["docs/a.md", "b.png", "e.png"]
