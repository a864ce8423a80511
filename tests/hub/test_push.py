"""A run goes to the hub and comes back, by the commands."""

import copy
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard, constants
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save

from lightning_seg import Predictor
from lightning_seg.__main__ import main
from lightning_seg.app.sources import source_of
from lightning_seg.commands.app import contents_of
from lightning_seg.files import digest_of
from tests.hub.conftest import LocalHub

OLD = Path(__file__).parents[1] / "fixtures" / "old_runs"
NAME = "alice/shapes"
Mistake = Callable[[list[str]], str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Masks of four classes; its data lay in a folder that nobody else has."""
    monkeypatch.chdir(tmp_path)
    folder = Path(shutil.copytree(OLD / "classes", tmp_path / "mine"))
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["data"]["init_args"]["root"] = "/home/alice/secret"
    config["trainer"]["callbacks"] = {"class_path": "OnExceptionCheckpoint", "init_args": {"dirpath": "/home/alice/x"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)).save(path)
    return path


def push(run: Path, *flags: str) -> None:
    assert main(["push", "--run", str(run), "--repo", NAME, *flags]) == 0


def test_a_run_that_was_pushed_answers_as_at_home(
    run: Path, photo: Path, hub: LocalHub, capfd: pytest.CaptureFixture[str]
) -> None:
    push(run, "--private", "true", "--license", "mit")
    assert capfd.readouterr().out.splitlines()[-1] == f"{hub.url}/{NAME}"
    assert hub.private[NAME]
    files = hub.files(NAME, "main") or {}
    told = {"README.md", "model.safetensors", "config.yaml", "metrics.json", "metrics.csv"}
    assert files.keys() == {*told, "lightning_seg.json"}
    assert json.loads(files["lightning_seg.json"]) == {"files": sorted(told)}
    assert b"alice/secret" not in b"".join(files.values())
    assert b"/home" not in b"".join(files.values())
    # All at once: the empty repository, and one commit.
    assert len(hub.commits[NAME]) == 2
    assert hub.cards == [files["README.md"].decode()]
    assert "license: mit" in ModelCard(hub.cards[0]).data.to_yaml()
    assert main(["predict", "--run", f"hf://{NAME}", "--images", str(photo), "--output", "there"]) == 0
    assert main(["predict", "--run", f"hf://{NAME}", "--images", str(photo)]) == 0
    assert (Path("predictions") / "predictions.csv").is_file()
    assert main(["predict", "--run", str(run), "--images", str(photo), "--output", "here"]) == 0
    for path in sorted(Path("here").rglob("*.png")):
        assert path.read_bytes() == (Path("there") / path.relative_to("here")).read_bytes()
    assert any(Path("here").rglob("*.png"))
    home, fetched = (Predictor.from_run(place)(photo) for place in (run, f"hf://{NAME}@main"))
    assert np.array_equal(home.mask, fetched.mask)
    assert home.confidence == fetched.confidence


def test_the_page_shows_a_run_of_the_hub_by_its_address(run: Path, photo: Path, hub: LocalHub) -> None:
    push(run)
    address = f"hf://{NAME}"
    source = source_of(address, "cpu")
    assert source.name == address
    assert source.about == "UNetTask at 16 x 16 pixels, best.ckpt of 1 epochs"
    assert np.array_equal(source.ask(photo, {}).mask, Predictor.from_run(run, "cpu")(photo).mask)
    contents = contents_of(source, address, [])
    assert contents.look is None
    (note,) = contents.notes
    assert note.startswith("The dataset of the run cannot be used, so there is nothing to look at: ")
    assert "--data.root DIR" in note
    assert str(Path.home()) not in note


def test_other_programs_read_the_weights(run: Path, hub: LocalHub, tmp_path: Path) -> None:
    push(run)
    assert not hub.private[NAME]
    path = tmp_path / "weights.safetensors"
    path.write_bytes((hub.files(NAME, "main") or {})["model.safetensors"])
    stored = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    weights = load_file(path)
    assert weights.keys() == stored["state_dict"].keys()
    assert all(torch.equal(value, stored["state_dict"][name]) for name, value in weights.items())
    with safe_open(path, "np") as file:
        header = json.loads(file.metadata()["lightning_seg_run"])
        assert file.metadata()["format"] == "pt"
    assert header["format"] == 1
    assert header["hyper_parameters"]["class_names"] == ["background", "disc", "box", "star"]


@pytest.mark.parametrize("name", ["classification", "detector", "one_logit"])
def test_every_kind_comes_back(name: str, photo: Path, hub: LocalHub, tmp_path: Path) -> None:
    run = Path(shutil.copytree(OLD / name, tmp_path / name))
    push(run)
    assert hub.commits
    home, fetched = (Predictor.from_run(place).task.state_dict() for place in (run, f"hf://{NAME}"))
    assert home.keys() == fetched.keys()
    assert all(torch.equal(value, fetched[key]) for key, value in home.items())


def test_an_exported_file_goes_with_it(run: Path, hub: LocalHub, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"exported")
    push(run, "--file", str(tmp_path / "model.onnx"))
    files = hub.files(NAME, "main") or {}
    assert files["model.onnx"] == b"exported"
    assert 'Predictor.from_file("model.onnx")' in files["README.md"].decode()


def pushed(monkeypatch: pytest.MonkeyPatch, *words: str) -> dict[str, str]:
    """The texts that a push would publish."""
    texts: dict[str, str] = {}

    def publish(folder: Path, *_: Any) -> str:
        texts.update({path.name: path.read_text() for path in folder.iterdir() if path.suffix != ".safetensors"})
        return "page"

    monkeypatch.setattr("lightning_seg.commands.push.publish", publish)
    assert main(["push", *words]) == 0
    return texts


def test_the_card_of_a_branch_loads_that_branch(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = pushed(monkeypatch, "--run", str(run), "--repo", f"{NAME}@v2")["README.md"]
    assert f'Predictor.from_run("hf://{NAME}@v2")' in card
    assert f'hf_hub_download("{NAME}", "model.safetensors", revision="v2")' in card


def test_another_checkpoint_than_the_best_goes_without_results(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    last = shutil.copy(run / "checkpoints" / "best.ckpt", run / "checkpoints" / "last.ckpt")
    texts = pushed(monkeypatch, "--run", str(last), "--repo", NAME)
    assert texts.keys() == {"README.md", "config.yaml", "metrics.json"}
    numbers = json.loads(texts["metrics.json"])
    assert (numbers["parameters"], numbers["version/python"]) == (516, "3.11.7")
    assert not [name for name in numbers if name.startswith(("test", "val", "best/", "train/"))]
    assert "0.3033" not in texts["README.md"]


def test_a_revision_is_one_commit_and_the_name_alone_the_newest(run: Path, photo: Path, hub: LocalHub) -> None:
    push(run)
    first = hub.newest(NAME)
    before = Predictor.from_run(f"hf://{NAME}")(photo)
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    for name, value in content["state_dict"].items():
        content["state_dict"][name] = value * 3 if value.is_floating_point() else value
    torch.save(content, run / "checkpoints" / "best.ckpt")
    push(run)
    assert hub.newest(NAME) != first
    assert Predictor.from_run(f"hf://{NAME}")(photo).confidence != before.confidence
    assert Predictor.from_run(f"hf://{NAME}@{first}")(photo).confidence == before.confidence


def test_without_a_network_what_was_fetched_is_taken(
    run: Path, photo: Path, hub: LocalHub, closed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(run)
    before = Predictor.from_run(f"hf://{NAME}")(photo)
    monkeypatch.setattr(constants, "ENDPOINT", closed_url.rstrip("/"))
    assert Predictor.from_run(f"hf://{NAME}")(photo).confidence == before.confidence


def test_a_download_that_broke_off_goes_on(run: Path, photo: Path, hub: LocalHub) -> None:
    push(run)
    hub.breaks_off = {"model.safetensors"}
    Predictor.from_run(f"hf://{NAME}")(photo)
    assert not hub.breaks_off
    assert not list(Path("kept").rglob("*.partial"))


def test_what_was_tested_is_told_there_too(run: Path, hub: LocalHub) -> None:
    record = json.loads((run / "metrics.json").read_text())
    told = {"file": "best.ckpt", "epoch": 0, "sha256": digest_of(run / "checkpoints" / "best.ckpt")}
    record |= {f"checkpoint/test/{name}": value for name, value in told.items()}
    (run / "metrics.json").write_text(json.dumps(record))
    push(run)
    # The checkpoint there is made anew of the same weights.
    assert main(["card", "--run", f"hf://{NAME}", "--output", "card.md"]) == 0
    assert "by best.ckpt of epoch 1)." in Path("card.md").read_text()
    assert "not with these weights" not in Path("card.md").read_text()
    (fetched,) = Path("kept").rglob("metrics.json")
    stored = json.loads(fetched.read_text())["checkpoint/test/sha256"]
    assert stored == digest_of(fetched.parent / "checkpoints" / "best.ckpt")


def test_files_of_an_earlier_push_do_not_stay_beside_other_weights(
    run: Path, hub: LocalHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("model[1].onnx", "second.onnx"):
        (tmp_path / name).write_bytes(b"exported")
    push(run, "--file", str(tmp_path / "model[1].onnx"))
    hub.add(NAME, {"photo.jpg": b"mine", "model1.onnx": b"mine"})
    (run / "metrics.csv").unlink()
    capfd.readouterr()
    push(run, "--file", str(tmp_path / "second.onnx"))
    said = capfd.readouterr().out
    assert f"hf://{NAME}: removed metrics.csv, model[1].onnx of an earlier push\n" in said
    files = hub.files(NAME, "main") or {}
    ours = {"README.md", "config.yaml", "lightning_seg.json", "metrics.json", "model.safetensors", "second.onnx"}
    assert files.keys() == {*ours, "photo.jpg", "model1.onnx"}
    # In one commit each, beside the empty repository and the one of the owner's pictures.
    assert len(hub.commits[NAME]) == 4
    push(run, "--file", str(tmp_path / "second.onnx"))
    assert "removed" not in capfd.readouterr().out
    assert Predictor.from_run(f"hf://{NAME}").class_names == ("background", "disc", "box", "star")


@pytest.mark.parametrize("listed", [None, b"[", b'{"files": [1, "../x", "photo.jpg2"]}', b"[]"])
def test_a_push_of_an_earlier_version_listed_no_files(listed: bytes | None, run: Path, hub: LocalHub) -> None:
    push(run)
    files = {} if listed is None else {"lightning_seg.json": listed}
    hub.add(NAME, {**files, "photo.jpg": b"mine"}, gone=frozenset({"lightning_seg.json"} - files.keys()))
    (run / "metrics.csv").unlink()
    push(run)
    assert (hub.files(NAME, "main") or {}).keys() >= {"photo.jpg", "README.md"}
    assert "metrics.csv" not in (hub.files(NAME, "main") or {})
    # Of something else than a run nothing is taken away.
    hub.add("alice/table", {"metrics.csv": b"mine"})
    assert main(["push", "--run", str(run), "--repo", "alice/table"]) == 0
    assert (hub.files("alice/table", "main") or {})["metrics.csv"] == b"mine"


def test_a_branch_is_made_and_the_main_one_stays(
    run: Path, photo: Path, hub: LocalHub, capfd: pytest.CaptureFixture[str]
) -> None:
    push(run)
    main_files = hub.files(NAME, "main")
    (run / "metrics.csv").unlink()
    assert main(["push", "--run", str(run), "--repo", f"{NAME}@v2"]) == 0
    assert f"hf://{NAME}@v2: made the branch v2\n" in capfd.readouterr().out
    assert hub.files(NAME, "main") == main_files
    files = hub.files(NAME, "v2") or {}
    assert "metrics.csv" not in files
    assert f"hf://{NAME}@v2" in files["README.md"].decode()
    assert Predictor.from_run(f"hf://{NAME}@v2")(photo).confidence == Predictor.from_run(run)(photo).confidence
    assert main(["push", "--run", str(run), "--repo", f"{NAME}@v2"]) == 0
    assert "made the branch" not in capfd.readouterr().out


# What goes wrong


def test_a_push_that_is_broken_off_changes_nothing_and_can_be_repeated(
    run: Path, hub: LocalHub, mistake: Mistake, capfd: pytest.CaptureFixture[str]
) -> None:
    push(run)
    before = hub.files(NAME, "main")
    (run / "metrics.csv").unlink()
    words = ["push", "--run", str(run), "--repo", NAME]
    hub.before_commit = lambda: 500
    assert f"hf://{NAME}: {hub.url} answers" in mistake(words)
    # Somebody else is faster.
    hub.before_commit = lambda: int(not hub.add(NAME, {"photo.jpg": b"theirs"}))
    assert "somebody else has changed it in the meantime, and nothing of yours is there" in mistake(words)
    assert hub.files(NAME, "main") == {**(before or {}), "photo.jpg": b"theirs"}

    def interrupt() -> int:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        return 500

    hub.before_commit = interrupt
    capfd.readouterr()
    assert main(words) == 130
    assert f"stopped by SIGINT: hf://{NAME} has all of the files now or none; the same" in capfd.readouterr().err
    assert hub.files(NAME, "main") == {**(before or {}), "photo.jpg": b"theirs"}
    hub.before_commit = lambda: 0
    push(run)
    assert "metrics.csv" not in (hub.files(NAME, "main") or {})


def test_mistakes_of_who_pushes_are_one_line(
    run: Path, hub: LocalHub, mistake: Mistake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = ["push", "--run", str(run), "--repo", NAME]
    assert "no name of a repository; give OWNER/NAME" in mistake([*words[:-1], "a/b/c"])
    assert "give --run RUN --repo OWNER/NAME" in mistake(["push", "--run", str(run)])
    assert "no such file" in mistake([*words, "--file", "nothing.onnx"])
    (tmp_path / "README.md").touch()
    assert "give it another name" in mistake([*words, "--file", str(tmp_path / "README.md")])
    hub.refuses_cards = True
    assert "the license does not exist" in mistake([*words, "--license", "nonsense"])
    hub.refuses_cards = False
    monkeypatch.setenv("HF_TOKEN", "hf_bad")
    assert "(401); log in with hf auth login, or set HF_TOKEN" in mistake(words)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no_token"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(tmp_path / "no_tokens"))
    assert "nobody is logged in at the hub; log in with hf auth login" in mistake(words)
    assert all(len(files) == 0 for files in hub.commits.get(NAME, {}).values())


def test_what_cannot_be_fetched_is_one_line(run: Path, hub: LocalHub, mistake: Mistake) -> None:
    words = ["predict", "--images", "photo.png", "--run"]
    assert "no such repository" in mistake([*words, "hf://alice/nothing"])
    push(run)
    assert "has no revision v2; give a branch, a tag or a commit" in mistake([*words, f"hf://{NAME}@v2"])
    hub.add("alice/pictures", {"photo.jpg": b"a"})
    assert "no model.safetensors there" in mistake([*words, "hf://alice/pictures"])
    assert "nothing that a training goes on from" in mistake(["fit", "--run", f"hf://{NAME}"])
    assert "it is on the hub already" in mistake(["push", "--run", f"hf://{NAME}", "--repo", NAME])
    assert "no name of a repository" in mistake([*words, "hf://a/b/c"])


def test_a_hub_that_is_away_is_one_line(
    hub: LocalHub, closed_url: str, mistake: Mistake, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hub.url
    monkeypatch.setattr(constants, "ENDPOINT", closed_url.rstrip("/"))
    line = mistake(["predict", "--images", "photo.png", "--run", f"hf://{NAME}"])
    assert "cannot be reached" in line
    assert "look at the network" in line


# Files of strangers


def published(hub: LocalHub, run: Path, **header: Any) -> None:
    """The run with other values in the header of its weights."""
    push(run)
    files = dict(hub.files(NAME, "main") or {})
    Path("weights.safetensors").write_bytes(files["model.safetensors"])
    with safe_open("weights.safetensors", "pt") as file:
        stored = json.loads(file.metadata()["lightning_seg_run"])
    text = json.dumps({**stored, **header})
    files["model.safetensors"] = save(load_file("weights.safetensors"), {"lightning_seg_run": text})
    hub.add(NAME, files)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"hyper_parameters": {"_instantiator": "os.system"}}, "an object to build"),
        ({"hyper_parameters": {"lr": {"class_path": "os.system", "init_args": {}}}}, "an object to build"),
        ({"lightning_seg": {"task": "os.system", "image_size": None}}, "os.system cannot be imported"),
        ({"format": 2}, "none of format 1"),
        ({"hyper_parameters": {"num_classes": 10**9}}, "no layer gives more"),
    ],
    ids=str,
)
def test_a_header_of_a_stranger_builds_nothing(
    header: dict[str, Any], expected: str, run: Path, photo: Path, hub: LocalHub, mistake: Mistake
) -> None:
    published(hub, run, **header)
    with pytest.raises(Exception, match=expected):
        Predictor.from_run(f"hf://{NAME}")(photo)
    # What is refused for itself is not kept.
    kept = list(Path("kept").rglob("best.ckpt"))
    assert bool(kept) == ("lightning_seg" in header)
    # The task's class is that of the config on the command line.
    if "lightning_seg" not in header:
        assert expected in mistake(["predict", "--run", f"hf://{NAME}", "--images", str(photo), "--output", "out"])


def test_a_config_of_a_stranger_is_no_more_than_push_publishes(
    run: Path,
    photo: Path,
    hub: LocalHub,
    mistake: Mistake,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    push(run)
    words = ["predict", "--run", f"hf://{NAME}", "--images", str(photo), "--output", "out"]
    assert main(words) == 0
    assert "does not publish" not in caplog.text
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("strange.py").write_text("open('owned', 'w')\nfrom pytorch_lightning import Callback as Strange\n")
    honest = yaml.safe_load((hub.files(NAME, "main") or {})["config.yaml"])
    config = copy.deepcopy(honest)
    profiler = {"class_path": "SimpleProfiler", "init_args": {"dirpath": str(tmp_path / "victim"), "filename": "x"}}
    config["trainer"] |= {"callbacks": [{"class_path": "strange.Strange"}], "profiler": profiler}
    config["data"]["init_args"] |= {"cache_dir": str(tmp_path / "victim"), "cache": "disk", "root": "/home/bob"}
    hub.add(NAME, {"config.yaml": yaml.safe_dump(config).encode()})
    assert main(words) == 0
    (line,) = [line for line in caplog.messages if "does not publish" in line]
    assert line.startswith(f"hf://{NAME}/config.yaml: left out ")
    for name in ("trainer.callbacks", "trainer.profiler", "data.init_args.cache_dir", "data.init_args.root"):
        assert name in line
    assert not Path("owned").exists()
    assert not (tmp_path / "victim").exists()
    # What is built is checked.
    hub.add(NAME, {"config.yaml": yaml.safe_dump({**honest, "model": {"class_path": "strange.Model"}}).encode()})
    line = mistake(words)
    assert "model is strange.Model" in line
    assert "give --trust_config if you know what it does" in line
    for content, said in ((b"- a", "config.yaml: no config of a run"), (b"{", "config.yaml: ")):
        hub.add(NAME, {"config.yaml": content})
        assert f"hf://{NAME}/{said}" in mistake(words)
    assert not Path("owned").exists()


def test_weights_that_are_cut_off_are_one_line(run: Path, hub: LocalHub, mistake: Mistake) -> None:
    push(run)
    whole = (hub.files(NAME, "main") or {})["model.safetensors"]
    hub.add(NAME, {"model.safetensors": whole[:-10]})
    words = ["predict", "--run", f"hf://{NAME}", "--images", "photo.png"]
    assert f"hf://{NAME}/model.safetensors: no weights of lightning_seg" in mistake(words)
    # Weights of something else are whole, and say nothing of a run.
    hub.add(NAME, {"model.safetensors": save({"a": torch.zeros(1)}, {"lightning_seg": '{"format": 1}'})})
    assert "no weights of lightning_seg" in mistake(words)
