"""``lightning-seg app`` as a command: what it says, and how it ends."""

import json
import re
import signal
import socket
import time
from collections.abc import Callable
from importlib.util import find_spec
from inspect import signature
from pathlib import Path

import pytest

from lightning_seg.__main__ import main
from lightning_seg.commands import app as command
from lightning_seg.commands.shown_run import prepare_flags
from tests.app.opened import address_in, fetch, opened
from tests.serving.alone import FORBIDDEN, MAIN, command_alone

Mistake = Callable[[list[str]], str]
NEEDS_GRADIO = pytest.mark.skipif(find_spec("gradio") is None, reason="gradio is not installed: pip install '.[app]'")


@NEEDS_GRADIO
@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_one_line_and_leaves_nothing(
    number: int, code: int, pets_run: Path, tmp_path: Path
) -> None:
    with opened("--run", str(pets_run), folder=tmp_path / "temporary") as (process, said):
        assert "(Ctrl-C ends it)" in said
        assert "<html" in fetch(address_in(said))
        assert list((tmp_path / "temporary").iterdir())
        start = time.monotonic()
        process.send_signal(number)
        _, told = process.communicate(timeout=20)
    assert process.returncode == code
    (line,) = [one for one in told.splitlines() if "stopped" in one]
    assert line.startswith(
        f"lightning-seg: stopped by {signal.Signals(number).name}: the page is closed, and what was "
    )
    assert "Traceback" not in told
    assert time.monotonic() - start < 10
    assert list((tmp_path / "temporary").iterdir()) == []


@NEEDS_GRADIO
@pytest.mark.slow
def test_a_run_without_its_dataset_shows_try_alone_and_says_why(pets_run: Path, tmp_path: Path) -> None:
    words = ["--run", str(pets_run), "--data.root", str(tmp_path / "gone")]
    with opened(*words, folder=tmp_path / "temporary") as (_, said):
        config = json.loads(fetch(address_in(said) + "config"))
    why = said.splitlines()[0]
    assert why.startswith("The dataset of the run cannot be used, so there is nothing to look at: ")
    assert str(tmp_path / "gone") in why
    tabs = [one["props"]["label"] for one in config["components"] if one["type"] == "tabitem"]
    assert tabs == ["Try"]
    (head,) = [one for one in config["components"] if one["props"].get("elem_id") == "head"]
    assert "The dataset of the run cannot be used" in head["props"]["value"]
    assert not (tmp_path / "gone").exists()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> str:
    onnx_files = pytest.importorskip("tests.serving.onnx_files")
    return str(onnx_files.write_masks(tmp_path_factory.mktemp("exported") / "masks.onnx"))


@NEEDS_GRADIO
@pytest.mark.slow
def test_the_page_of_an_exported_file_needs_no_torch(exported: str, tmp_path: Path) -> None:
    # Gradio reads YAML and templates.
    forbidden = [name for name in FORBIDDEN if name not in ("yaml", "jinja2")]
    command = command_alone(MAIN, forbidden=forbidden)
    with opened("--model", exported, folder=tmp_path / "temporary", command=command) as (process, said):
        assert said.splitlines()[0].startswith("An exported model has no test pictures with it")
        assert "<html" in fetch(address_in(said))
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert told.splitlines()[-1] == "imported: []"


@NEEDS_GRADIO
@pytest.mark.slow
def test_what_a_killed_page_has_left_goes_with_the_next_and_a_living_page_goes_on(
    exported: str, tmp_path: Path
) -> None:
    words, temporary = ["--model", exported], tmp_path / "temporary"
    with opened(*words, folder=temporary) as (killed, _):
        (left,) = folders(temporary)
        with opened(*words, folder=temporary) as (_, said):
            (used,) = folders(temporary) - {left}
            (used / "files" / "upload.png").write_bytes(b"photo")
            killed.kill()
            killed.wait()
            assert left.is_dir()
            with opened(*words, folder=temporary):
                assert not left.exists()
                assert len(folders(temporary)) == 2
                assert (used / "files" / "upload.png").is_file()
                assert "<html" in fetch(address_in(said))


def folders(temporary: Path) -> set[Path]:
    return {path for path in temporary.iterdir() if path.is_dir()}


def test_without_the_extra_it_names_it(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert "pip install 'lightning_seg[app]'" in mistake(["app", "--run", "runs/pets"])


@pytest.fixture
def with_gradio(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes before anything of it is needed."""
    monkeypatch.setattr(command, "find_spec", lambda name: name)


@pytest.mark.usefixtures("with_gradio")
def test_one_model_is_shown(mistake: Mistake) -> None:
    for words in ([], ["--run", "a", "--model", "b.onnx"]):
        assert "app shows one model; give --run RUN or --model model.onnx" in mistake(["app", *words])
    assert "no run there" in mistake(["app", "--run", "nowhere", "--port", "0"])
    assert "no such file" in mistake(["app", "--model", "nowhere.onnx", "--port", "0"])


@pytest.mark.usefixtures("with_gradio")
def test_a_port_that_is_taken_is_one_line(mistake: Mistake) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        line = mistake(["app", "--run", "nowhere", "--port", str(other.getsockname()[1])])
    assert "give another --port, or --port 0 for a free one" in line


@pytest.mark.usefixtures("with_gradio")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--data.root", "x"], "--data.root means nothing to an exported file; leave it out, or app with --run"),
        (["--config", "pets"], "--config is of a run, and --model names an exported file; give one of them"),
        (["--port", "many"], "--port: 'many' is not a whole number; app --model FILE.onnx --help lists the flags"),
        (["--open_browser", "perhaps"], "--open_browser: 'perhaps' is not true or false"),
        (["--run", "runs/pets"], "app shows one model; give --run RUN or --model model.onnx"),
    ],
)
def test_mistakes_beside_an_exported_file_are_one_line(words: list[str], expected: str, mistake: Mistake) -> None:
    assert expected in mistake(["app", "--model", "x.onnx", *words])


def test_help_of_exported_files_has_the_flags_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["app", "--model", "x.onnx", "--help"])
    said = capsys.readouterr().out
    wanted = [name for name in signature(command.app).parameters if name != "data"]
    assert re.findall(r"^  --(\w+)", said, re.MULTILINE) == wanted
    assert "--data" not in said


def test_flags_of_the_data_are_its_own() -> None:
    words = ["--run", "runs/pets", "--data.root", "elsewhere", "--open_browser", "--port", "1"]
    assert prepare_flags(words) == [
        *("--run", "runs/pets", "--open_browser=true", "--port", "1", '--data=["--data.root", "elsewhere"]')
    ]
    assert prepare_flags(["--run=a", "--open_browser", "false"]) == ["--run=a", "--open_browser", "false"]
