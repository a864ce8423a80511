"""``lightning-seg app`` as a command: what it says, and how it ends."""

import json
import signal
import socket
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from lightning_seg.commands import app as command
from lightning_seg.commands.app import prepare_flags
from tests.app.opened import address_in, fetch, opened

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


def test_flags_of_the_data_are_its_own() -> None:
    words = ["--run", "runs/pets", "--data.root", "elsewhere", "--open_browser", "--port", "1"]
    assert prepare_flags(words) == [
        *("--run", "runs/pets", "--open_browser=true", "--port", "1", '--data=["--data.root", "elsewhere"]')
    ]
    assert prepare_flags(["--run=a", "--open_browser", "false"]) == ["--run=a", "--open_browser", "false"]
