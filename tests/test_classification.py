"""A classifier through the command line and through ``Predictor``, on pictures that anybody can tell apart."""

import csv
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_seg import CNNClassifierTask, Predictor
from lightning_seg.__main__ import main
from lightning_seg.errors import ConfigError
from lightning_seg.predictor import ClassifiedPicture
from lightning_seg.tables import read_rows

NAMES = ("red", "green", "blue")
# A user's own datamodule, which is all that the command line needs.
DATAMODULE = '''
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset


class Noise(Dataset):
    """Noisy pictures, in each of which one channel is brighter."""

    def __init__(self, number, size, seed):
        generator = torch.Generator().manual_seed(seed)
        self.label = torch.arange(number) % 3
        self.images = torch.randint(0, 160, (number, 3, *size), generator=generator)
        self.images[torch.arange(number), self.label] += 60

    def __len__(self):
        return len(self.label)

    def __getitem__(self, index):
        image = self.images[index].to(torch.uint8)
        return {"image": image, "label": self.label[index], "index": index, "path": f"{index}.jpg"}


class ColoursDataModule(pl.LightningDataModule):
    class_names = ("red", "green", "blue")
    num_classes = 3

    def __init__(self, image_size: int = 24, source: str = "real"):
        super().__init__()
        self.image_size, self.batch_size, self.num_workers, self.source = (image_size, 32), 6, 0, source

    def loader(self, number, seed):
        return DataLoader(Noise(number, self.image_size, seed), self.batch_size)

    def train_dataloader(self):
        return self.loader(24, 1)

    def val_dataloader(self):
        return self.loader(12, 2)

    def test_dataloader(self):
        return self.loader(9, 3)
'''
DATA = ["--data", "colours.ColoursDataModule"]
QUIET = ["--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false"]
Mistake = Callable[[list[str]], str]


@pytest.fixture(scope="module", autouse=True)
def colours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("module")
    (folder / "colours.py").write_text(DATAMODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield
    sys.modules.pop("colours", None)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has learned to tell the colours apart."""
    folder = tmp_path_factory.mktemp("classification")
    flags = ["--model", "CNNClassifierTask", "--model.lr", "0.003", *DATA, *QUIET, "--trainer.accelerator", "cpu"]
    assert main(["fit", *flags, "--trainer.default_root_dir", str(folder), "--trainer.max_epochs", "4"]) == 0
    return folder / "CNNClassifierTask" / "version_0"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A picture of each colour, of sizes that the network does not take."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for channel, name in enumerate(NAMES):
        pixels = np.random.default_rng(channel).integers(0, 160, (40 + channel, 50, 3), np.uint8)
        pixels[..., channel] += 60
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


def record(run: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return values


def test_the_run_folder_is_complete(run: Path) -> None:
    names = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert {"curves.png", "confusion_matrix_val.png", "checkpoints/best.ckpt", "checkpoints/last.ckpt"} <= names
    assert {f"samples/epoch_{epoch:03d}.png" for epoch in range(5)} <= names
    assert not [name for name in names if "precision_recall" in name]
    values = record(run)
    quantities = ("loss", "accuracy", "macro_f1")
    assert {f"{split}/{name}" for split in ("train", "val") for name in quantities} <= values.keys()
    assert values["best/val/accuracy"] >= 0.9


def test_picture_size_and_classes_come_from_the_datamodule(run: Path) -> None:
    task = CNNClassifierTask.load_from_checkpoint(run / "checkpoints" / "best.ckpt", map_location="cpu")
    assert (task.image_size, task.class_names) == ((24, 32), NAMES)
    # 64 channels of 3 x 4 after three halvings.
    assert record(run)["parameters"] == 23_584 + (64 * 12 + 1) * 128 + 129 * 3


def test_a_run_is_tested(run: Path) -> None:
    assert main(["test", "--run", str(run), "--trust_config", *QUIET]) == 0
    plain = record(run)
    assert plain["test/accuracy"] >= 0.9
    assert plain["test/loss"] > 0
    assert (run / "confusion_matrix_test.png").is_file()
    assert main(["test", "--run", str(run), "--trust_config", "--tta", "flips", *QUIET]) == 0
    assert record(run)["test/accuracy"] >= 0.9
    assert "test/loss" not in record(run)


@pytest.mark.parametrize("flags", [[], ["--tta", "flips"]])
def test_predict_prints_and_writes_labels(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    output = tmp_path / "out"
    assert (
        main(
            [
                "predict",
                "--run",
                str(run),
                "--trust_config",
                "--images",
                str(photos),
                "--output",
                str(output),
                *flags,
                *QUIET,
            ]
        )
        == 0
    )

    lines = capsys.readouterr().out.strip().splitlines()
    with (output / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == sorted(NAMES)
    assert lines[-1] == str(output)
    assert (output / "most_uncertain.png").is_file()
    predictor = Predictor.from_run(run, device="cpu", **({"tta": "flips"} if flags else {}))
    for row, line in zip(rows, lines[-4:-1], strict=True):
        picture = predictor(row["picture"])
        assert isinstance(picture, ClassifiedPicture)
        (first, share), (second, _), (third, _) = picture.top(3)
        assert (row["label"], row["second"], row["third"]) == (first, second, third)
        assert float(row["confidence"]) == pytest.approx(share, abs=1e-4)
        assert line.startswith(f"{row['picture']}: {first} {100 * float(row['confidence']):.1f} %, {second} ")
        assert {name: float(row[f"prob/{name}"]) for name in NAMES} == pytest.approx(picture.probs, abs=1e-4)


def test_predict_writes_what_speaks_for_each_label(run: Path, photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    words = ["predict", "--run", str(run), "--trust_config", "--images", str(photos), "--output", str(output), *QUIET]
    assert main([*words, "--cam", "true"]) == 0
    rows = read_rows(output / "predictions.csv")
    predictor = Predictor.from_run(run, device="cpu", cam=True)
    for name, row in zip(sorted(NAMES), rows, strict=True):
        assert row["cam"] == f"cams/{name}/{name}.jpg"
        picture = predictor(row["picture"])
        # Pictures of 24 x 32 for the network, halved three times.
        assert picture.cam.shape == (3, 4)
        assert picture.cam.min() >= 0 < picture.cam.max()
        picture.overlay.save(tmp_path / "drawn.jpg", quality=90)
        drawn, written = (
            np.asarray(Image.open(path)).astype(int) for path in (tmp_path / "drawn.jpg", output / row["cam"])
        )
        assert written.shape == picture.image.shape
        assert np.abs(drawn - written).mean() < 2
        assert np.abs(np.asarray(picture.overlay).astype(int) - picture.image).max() > 30
    (tmp_path / "drawn.jpg").unlink()
    # They are no pictures to predict, and go where nobody asks for them.
    assert main([*words[:5], str(tmp_path / "**" / "*"), *words[6:]]) == 0
    assert [row["picture"] for row in read_rows(output / "predictions.csv")] == [row["picture"] for row in rows]
    assert not [path for path in (output / "cams").rglob("*") if path.is_file()]
    assert "cam" not in read_rows(output / "predictions.csv")[0]


def test_without_being_asked_for_there_is_no_overlay(run: Path, photos: Path) -> None:
    picture = Predictor.from_run(run, device="cpu")(photos / "green.png")
    assert picture.cam is None
    with pytest.raises(ConfigError, match="make the Predictor with cam=True"):
        _ = picture.overlay


def test_predictor_gives_names_and_numbers(run: Path, photos: Path) -> None:
    picture = Predictor.from_run(run, device="cpu")(photos / "green.png")
    assert (picture.label, picture.image.shape) == ("green", (41, 50, 3))
    assert picture.confidence == picture.probs["green"] == max(picture.probs.values())
    assert sum(picture.probs.values()) == pytest.approx(1)
    assert picture.top(1) == [("green", picture.confidence)]
    assert len(picture.top()) == 3
    probs = np.array(list(picture.probs.values()))
    assert picture.entropy == pytest.approx(-(probs * np.log(probs)).sum() / np.log(3), abs=1e-5)


def test_predictor_refuses_knobs_of_masks(run: Path) -> None:
    with pytest.raises(ConfigError, match="tile means nothing to CNNClassifierTask, which takes tta"):
        Predictor.from_run(run, tile=64)


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (["predict", "--tile", "64"], "tile"),
        (["predict", "--threshold", "0.4"], "threshold"),
        (["predict", "--keep_probs", "true"], "keep_probs"),
        (["test", "--tile", "64"], "tile"),
        (["validate", "--original_size", "true"], "original_size"),
    ],
)
def test_flags_of_masks_are_one_line(run: Path, mistake: Mistake, flags: list[str], name: str) -> None:
    line = mistake([flags[0], "--run", str(run), "--trust_config", *flags[1:], *QUIET])
    assert f"{name} " in line
    assert "CNNClassifierTask" in line


def test_a_flag_without_a_value_says_which(run: Path, mistake: Mistake) -> None:
    line = mistake(["predict", "--run", str(run), "--trust_config", "--cam", *QUIET])
    assert line.endswith("--cam needs a value, for instance --cam true")


def test_knobs_reach_no_config_and_no_checkpoint(run: Path) -> None:
    stored = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["hyper_parameters"]
    assert not {"tta", "tile", "inference"} & stored.keys()
    assert "tta" not in (run / "config.yaml").read_text()


def test_pictures_that_are_too_small_are_one_line(mistake: Mistake) -> None:
    line = mistake(["fit", "--model", "CNNClassifierTask", *DATA, "--data.image_size", "7"])
    assert line.endswith("image_size 7 x 32 is too small; both sides must be 8 or more")


def test_a_segmentation_task_on_labels_is_one_line(mistake: Mistake) -> None:
    flags = ["--model", "MobileNetV2UNetTask", "--model.encoder_weights", "null", "--model.freeze_encoder", "false"]
    line = mistake(["fit", *flags, *DATA, "--data.image_size", "32", "--trainer.accelerator", "cpu", *QUIET])
    assert "the task learns from a mask per picture, the batches hold image, label, " in line


def test_synthetic_pictures_need_no_download(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    flags = ["--model", "TimmClassifierTask", "--model.arch", "mobilenetv3_small_050", "--model.freeze_encoder", "true"]
    flags += [*DATA, "--data.source", "synthetic", *QUIET, "--trainer.default_root_dir", str(tmp_path)]
    assert main(["fit", *flags, "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"]) == 0
    assert "weights null, freeze_encoder false; --model.weights imagenet downloads the weights" in caplog.text
    assert record(tmp_path / "TimmClassifierTask" / "version_0")["val/loss"] > 0
