"""``lightning-seg card``: what stands in it, and what does not."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from lightning_seg.__main__ import main
from lightning_seg.hub.private_paths import is_private, published_config, without_paths
from tests.serving.onnx_files import write_masks

OLD = Path(__file__).parents[1] / "fixtures" / "old_runs"
HOME = "/home/alice/secret-project"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Masks of four classes, with places of a machine all over its config."""
    folder = Path(shutil.copytree(OLD / "classes", tmp_path / "hidden-name"))
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["data"]["init_args"] |= {"root": HOME, "cache_dir": f"{HOME}/cache", "val_list": f"{HOME}/lists/val.txt"}
    config["trainer"] |= {"default_root_dir": f"{HOME}/runs", "precision": "32-true"}
    config["trainer"]["callbacks"] = [{"class_path": "ModelCheckpoint", "init_args": {"dirpath": f"{HOME}/kept"}}]
    config |= {"run_folder": f"{HOME}/run", "ema": 0.99, "plots": "png"}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def write(run: Path, *flags: str) -> str:
    assert main(["card", "--run", str(run), *flags]) == 0
    return (run / "README.md").read_text()


def test_the_hub_reads_what_it_looks_for(run: Path) -> None:
    write(run, "--license", "cc-by-4.0")
    data: Any = ModelCard.load(run / "README.md").data
    assert (data.license, data.library_name, data.pipeline_tag) == ("cc-by-4.0", "lightning-seg", "image-segmentation")
    assert {"pytorch-lightning", "lightning-seg"} <= set(data.tags or [])
    # Pictures of one's own have no name on the hub.
    assert data.datasets is None
    values = {result.metric_name: result.metric_value for result in data.eval_results or []}
    assert values["test/miou"] == 0.303287
    assert values["test/mdice"] == 0.368223
    assert not [name for name in values if str(name).count("/") > 1]


def test_a_reader_finds_classes_numbers_arguments_versions_and_how_to_load(run: Path) -> None:
    text = write(run, "--repo", "alice/shapes")
    for line in (
        "Classes: `background`, `disc`, `box`, `star`.",
        "pictures 16 pixels wide and 16 high",
        "| miou | 0.3033 |",
        "| disc | 0.2308 | 0.5829 | 0.4113 | 0.2000 | 0.4077 | 0.3446 |",
        "| model.lr | 0.1 |",
        "| trainer.precision | 32-true |",
        "| ema | 0.99 |",
        "1 epoch, 516 parameters, seed 0. Versions: lightning_seg 0.1.0, python 3.11.7",
        'Predictor.from_run("hf://alice/shapes")("photo.jpg")',
        'load_file(hf_hub_download("alice/shapes", "model.safetensors"))',
    ):
        assert line in text
    # The defaults of the classes stay away.
    assert "model.weight_decay" not in text
    assert "exported" not in text


def test_a_branch_is_loaded_from_itself(run: Path) -> None:
    text = write(run, "--repo", "alice/shapes@v2")
    assert 'Predictor.from_run("hf://alice/shapes@v2")("photo.jpg")' in text
    assert "predict --run hf://alice/shapes@v2 --images" in text
    assert 'load_file(hf_hub_download("alice/shapes", "model.safetensors", revision="v2"))' in text


def test_no_place_of_the_machine_is_told_and_what_is_left_out_is(run: Path) -> None:
    text = write(run)
    for private in ("alice", "secret", "hidden-name", str(run.parent), "lists/"):
        assert private not in text
    left = text.partition("## What is left out")[2]
    for name in ("data.root", "data.cache_dir", "data.val_list", "trainer.default_root_dir", "trainer.callbacks"):
        assert f"`{name}`" in left
    assert "| data.val_list | val.txt |" in text
    # Which files of plots there are is nothing of the network's.
    assert "plots" not in left


def test_averaged_weights_and_exported_files_are_told(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps({**metrics, "ema": 0.99}))
    (run / "model.onnx").touch()
    text = write(run)
    assert "exponential moving average (decay 0.99)" in text
    assert 'Predictor.from_file("model.onnx")("photo.jpg")' in text


def test_a_mean_of_the_last_epochs_is_told(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps({**metrics, "ema": None, "swa": 0.75}))
    text = write(run)
    assert "The weights are the mean of those after each of the last epochs (SWA, from 0.75 of the epochs on)." in text
    assert "exponential" not in text


@pytest.mark.parametrize(
    ("name", "pipeline", "dataset"),
    [
        ("classification", "image-classification", "tf_flowers"),
        ("detector", "object-detection", "tf_flowers"),
        ("one_logit", "image-segmentation", "kaggle"),
    ],
)
def test_every_kind_has_its_words(name: str, pipeline: str, dataset: str, tmp_path: Path) -> None:
    run = Path(shutil.copytree(OLD / name, tmp_path / name))
    text = write(run)
    data: Any = ModelCard(text).data
    assert data.pipeline_tag == pipeline
    assert "answer = " in text
    assert (dataset in text) == (data.datasets is not None)


def untested(run: Path, rows: str = "0,1,0.2,\n1,2,0.7,0.6\n2,3,nan,0.1\n3,4,0.4,0.3\n", **numbers: Any) -> None:
    """Files of a run of four epochs without a test, of which the second is the best; the last one is in the record."""
    record = {"epochs": 4, "best/val/miou": 0.7, "best_is": "max", "val/miou": 0.4, "val/iou/disc": 0.3, **numbers}
    (run / "metrics.json").write_text(json.dumps(record))
    (run / "metrics.csv").write_text(f"epoch,step,val/miou,val/iou/disc\n{rows}")


def results_of(text: str) -> dict[Any, Any]:
    data: Any = ModelCard(text).data
    return {result.metric_name: result.metric_value for result in data.eval_results or []}


def test_a_run_that_was_not_tested_tells_the_validation_of_its_best_epoch(run: Path) -> None:
    untested(run)
    text = write(run)
    assert (
        "On the validation split, which chose the checkpoint: epoch 2, the best by `val/miou` "
        "(`val/...` of epoch 1 in `metrics.csv`)." in text
    )
    assert results_of(text) == {"val/miou": 0.7}
    assert "| miou | 0.7000 |" in text
    assert "| disc | 0.6000 |" in text
    assert "0.4" not in text.partition("## Results")[2].partition("## Training")[0]


def test_the_lowest_may_be_the_best_epoch(run: Path) -> None:
    lowest: dict[str, Any] = {"best_is": "min", "best/val/miou": 0.2}
    untested(run, **lowest)
    text = write(run)
    assert "epoch 1, the best by `val/miou`" in text
    assert results_of(text) == {"val/miou": 0.2}


def test_without_the_row_of_the_best_epoch_the_best_value_alone_is_told(run: Path) -> None:
    untested(run, "2,3,nan,0.1\n3,4,0.4,0.3\n")
    text = write(run)
    assert "its best value alone is known (`best/val/miou` of `metrics.json`)" in text
    assert results_of(text) == {"best/val/miou": 0.7}
    assert "| miou | 0.7000 |" in text
    assert "| class |" not in text
    (run / "metrics.csv").unlink()
    assert results_of(write(run)) == {"best/val/miou": 0.7}
    (run / "metrics.json").unlink()
    assert "Nothing was measured yet" in write(run)


def test_another_checkpoint_than_the_best_carries_no_results(run: Path) -> None:
    shutil.copy(run / "checkpoints" / "best.ckpt", run / "checkpoints" / "last.ckpt")
    assert main(["card", "--run", str(run / "checkpoints" / "last.ckpt")]) == 0
    text = (run / "README.md").read_text()
    assert "those of the run belong to its best checkpoint, and these weights are of another one" in text
    assert "0.3033" not in text
    assert results_of(text) == {}
    assert main(["card", "--run", str(run / "checkpoints" / "best.ckpt")]) == 0
    assert results_of((run / "README.md").read_text())["test/miou"] == 0.303287


def record_of_test(run: Path, file: str | None, sha256: str | None) -> None:
    record = json.loads((run / "metrics.json").read_text())
    told = {"file": file, "epoch": None if file is None else 2, "sha256": sha256}
    record |= {f"checkpoint/test/{name}": value for name, value in told.items()}
    (run / "metrics.json").write_text(json.dumps(record))


def test_the_checkpoint_that_was_tested_is_told(run: Path) -> None:
    record_of_test(run, "best.ckpt", hashlib.sha256((run / "checkpoints" / "best.ckpt").read_bytes()).hexdigest())
    text = write(run)
    assert "On the test split (`test/...` of `metrics.json`, by best.ckpt of epoch 3)." in text
    assert results_of(text)["test/miou"] == 0.303287


@pytest.mark.parametrize(
    ("file", "told"), [("last.ckpt", "last.ckpt of epoch 3"), (None, "weights of no checkpoint")], ids=str
)
def test_numbers_of_another_checkpoint_are_not_those_of_the_card(file: str | None, told: str, run: Path) -> None:
    record_of_test(run, file, None if file is None else "0" * 64)
    text = write(run)
    assert f"`test/...` of `metrics.json` was measured with {told}, and not with these weights" in text
    assert "`lightning-seg test --run RUN` measures them." in text
    # Validation, which chose these weights, is told instead.
    assert "On the validation split, which chose the checkpoint" in text
    assert not [name for name in results_of(text) if name.startswith("test/")]


def test_an_exported_file_of_another_checkpoint_is_told(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    digest = hashlib.sha256((run / "checkpoints" / "best.ckpt").read_bytes()).hexdigest()
    write_masks(run / "same.onnx", checkpoint_sha256=digest, epoch=0)
    write_masks(run / "untold.onnx")
    assert "exported from another checkpoint" not in write(run)
    assert caplog.messages == []
    write_masks(run / "other.onnx", checkpoint_sha256="0" * 64, epoch=4)
    text = write(run)
    remark = "**It was exported from another checkpoint, of epoch 5, so the numbers of this card are not its own.**"
    assert f"{remark}\n`other.onnx` is the exported network" in text
    assert text.count("**It was") == 1
    assert caplog.messages == ["other.onnx is of another checkpoint than best.ckpt, of epoch 5; export the run anew"]


def test_numbers_that_are_none_are_named_and_not_published(run: Path) -> None:
    record = json.loads((run / "metrics.json").read_text())
    record |= {"test/miou": float("nan"), "test/loss": None, "test/mdice": float("inf"), "test/ece": True}
    (run / "metrics.json").write_text(json.dumps(record))
    text = write(run)
    assert "No number: " in text
    (line,) = [line for line in text.splitlines() if line.startswith("No number: ")]
    assert set(line.removeprefix("No number: ").rstrip(".").split(", ")) == {"`miou`", "`loss`", "`mdice`", "`ece`"}
    assert "test/accuracy" in results_of(text)
    assert not {"test/miou", "test/loss", "test/mdice", "test/ece"} & results_of(text).keys()


def compared(run: Path, **pair: Any) -> Path:
    """The run as one of a comparison."""
    folder = run.parent / "compared"
    moved = folder / "runs" / "small" / "seed_0"
    moved.parent.mkdir(parents=True)
    shutil.move(run, moved)
    spread: dict[str, Any] = {"best/val/miou": {"mean": 0.5, "deviation": 0.01}}
    spread["test/miou"] = {"mean": 0.4, "deviation": None}
    result = {
        "metric": "miou",
        "score": "iou",
        "seeds": [0, 1],
        "interval": {"level": 0.95},
        "variants": {
            "large": {"runs": [{"folder": "elsewhere/runs/large/seed_0"}]},
            "small": {**spread, "runs": [{"folder": "elsewhere/runs/small/seed_0"}]},
        },
        "pairs": [
            {
                "first": "large",
                "second": "small",
                "difference": 0.02,
                "low": -0.01,
                "high": 0.05,
                "verdict": "no difference",
                **pair,
            }
        ],
    }
    (folder / "comparison.json").write_text(json.dumps(result))
    return moved


def test_intervals_of_a_comparison_are_told(run: Path) -> None:
    text = write(compared(run))
    assert "* best/val/miou over 2 seeds: 0.5000 +- 0.0100 (standard deviation)" in text
    assert "* large minus small, iou per test picture: +0.0200 [-0.0100, +0.0500] (95% interval), no difference" in text
    assert "elsewhere" not in text


def test_differences_without_bounds_are_told(run: Path) -> None:
    text = write(compared(run, low=None, high=None))
    assert "per test picture: +0.0200 [no bound, no bound] (95% interval), no difference" in text
    assert "* test/miou over 2 seeds: 0.4000" in text


def test_a_comparison_that_cannot_be_read_is_one_line(run: Path, mistake: Callable[[list[str]], str]) -> None:
    moved = compared(run, low="wide")
    line = mistake(["card", "--run", str(moved)])
    assert "comparison.json: not as compare writes it" in line
    assert "the same compare command writes it anew" in line


def test_mistakes_are_one_line(run: Path, tmp_path: Path, mistake: Callable[[list[str]], str]) -> None:
    assert "no run there" in mistake(["card", "--run", str(tmp_path / "nothing")])
    before = (run / "metrics.csv").read_bytes()
    (run / "metrics.csv").write_text("epoch,step,val/miou\n0,1,much\n")
    assert "metrics.csv: no table of numbers" in mistake(["card", "--run", str(run)])
    (run / "metrics.csv").write_bytes(before)
    assert "give --run RUN" in mistake(["card"])
    assert "give OWNER/NAME" in mistake(["card", "--run", str(run), "--repo", "a/b/c"])
    assert "a folder; give a file" in mistake(["card", "--run", str(run), "--output", str(tmp_path)])


def test_another_file_can_be_written(run: Path, tmp_path: Path) -> None:
    assert main(["card", "--run", str(run), "--output", str(tmp_path / "new" / "card.md")]) == 0
    assert (tmp_path / "new" / "card.md").is_file()
    assert not (run / "README.md").exists()


# Places


@pytest.mark.parametrize(
    ("text", "published"),
    [
        ("/home/alice/weights.pth", "weights.pth"),
        ("~/photos", "data"),
        ("C:\\Users\\alice\\masks.png", "masks.png"),
        ("../../alice", "data"),
        ("file:///home/alice/a.csv", "a.csv"),
        ("/home/alice.smith", "data"),
        ("/home/alice/photos.csv/", "data"),
        ("C:\\Users\\bob.jones", "data"),
        ("FILE:///home/bob/x", "data"),
        ("$HOME/bob", "data"),
        ("${HOME}/bob/a.csv", "a.csv"),
        ("%USERPROFILE%\\bob", "data"),
        (" /home/bob/x", "data"),
        ("glob:/home/bob/*.jpg", "data"),
        ("masks=/home/bob/x", "data"),
        ("-I/home/bob/x", "data"),
        ("images=../bob", "data"),
        ("https://bob:secret@host/w.pt", "w.pt"),
        ("https://host/w.pt?token=secret", "data"),
        ("https://secret@w.pt", "data"),
        ("see https://host/w.pt,/home/bob/x", "data"),
        ("hf_abcdefghijklmnopqrstuvwx", "data"),
        ("https://host/a/w.pt", "https://host/a/w.pt"),
        ("hf://alice/shapes@v2", "hf://alice/shapes@v2"),
        ("masks/{stem}/(\\d+)/[^/]+.png", "masks/{stem}/(\\d+)/[^/]+.png"),
        ("images/*.jpg", "images/*.jpg"),
        ("scene\\d+", "scene\\d+"),
        ("imagenet", "imagenet"),
        ("a/b..c", "a/b..c"),
    ],
)
def test_places_of_the_machine_are_known(text: str, published: str) -> None:
    assert without_paths({"a": [text]}) == {"a": [published]}
    assert is_private(text) == (text != published)


def test_keys_are_no_places_either(run: Path) -> None:
    assert without_paths({"/home/bob/x": {"/home/bob/a.csv": 1}, 3: 4}) == {"data": {"a.csv": 1}, 3: 4}
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["model"]["init_args"]["optimizer_options"] = {"/home/bob/x": 7}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    text = write(run)
    assert "bob" not in text
    assert "`model.optimizer_options.data`" in text


def test_the_published_config_starts_nothing_and_reads_nothing() -> None:
    config = {
        "model": {"class_path": "UNetTask", "init_args": {"encoder_weights": "/home/alice/w.pth"}},
        "data": {"class_path": "FlowersDataModule", "init_args": {"root": "flowers", "cache_dir": "c", "seed": 3}},
        "trainer": {"devices": 8, "strategy": "ddp", "max_epochs": 2, "logger": True, "plugins": ["x"]},
        "ckpt_path": "/home/alice/last.ckpt",
        "seed_everything": 1,
    }
    assert published_config(config) == {
        "model": {"class_path": "UNetTask", "init_args": {"encoder_weights": "w.pth"}},
        "data": {"class_path": "FlowersDataModule", "init_args": {"root": "data", "seed": 3}},
        "trainer": {"max_epochs": 2},
        "seed_everything": 1,
    }
    assert config["data"]["init_args"]["root"] == "flowers"  # type: ignore[index]
