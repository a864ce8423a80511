"""The sliding detector through the command line: trained as a classifier, applied to whole pictures."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import mobilenet_v2

from lightning_seg import Predictor
from lightning_seg.__main__ import main

CONFIGS = Path(__file__).parents[1] / "configs"
QUIET = ["--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"]
Mistake = Callable[[list[str]], str]


def detector(weights: Path, *flags: str) -> list[str]:
    given = ["--model.backbone", "mobilenet_v2", "--model.weights", str(weights), "--model.normalization", "symmetric"]
    return ["predict", "--config", str(CONFIGS / "detector.yaml"), *given, *QUIET, *flags]


def read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights whose last layer takes every picture for a tabby."""
    torch.manual_seed(0)
    network = mobilenet_v2()
    with torch.no_grad():
        network.classifier[1].bias[281] = 20.0
    path = tmp_path_factory.mktemp("weights") / "mobilenet_v2.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Grey, with transparency, of one pixel, very wide, and of 16 bits."""
    folder = tmp_path / "photos"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (90, 130, 4)).astype(np.uint8)
    Image.fromarray(pixels[..., 0]).save(folder / "grey.png")
    Image.fromarray(pixels, "RGBA").save(folder / "rgba.png")
    Image.fromarray(pixels[:1, :1, :3]).save(folder / "pixel.png")
    Image.fromarray(pixels[:4, :, :3]).save(folder / "wide.png")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    return folder


@pytest.mark.filterwarnings("ignore")
def test_pictures_of_all_kinds_are_searched(
    weights: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    output = tmp_path / "out"
    flags = ["--model.class_groups", "pets", "--scales", "[1]", "--images", str(photos), "--output", str(output)]
    assert main(detector(weights, *flags)) == 3
    assert "no checkpoint is given" not in caplog.text, "the weights are trained"
    with (output / "predictions.csv").open(newline="") as file:
        rows = {Path(row["picture"]).stem: row for row in csv.DictReader(file)}
    assert list(rows) == ["deep", "grey", "pixel", "rgba", "wide"]
    assert "16-bit" in rows["deep"]["error"]
    for name, (width, height) in {"grey": (130, 90), "rgba": (130, 90), "pixel": (1, 1), "wide": (130, 4)}.items():
        record = read_json(output / f"{name}.json")
        assert (record["width"], record["height"]) == (width, height)
        found, *others = record["detections"]
        assert not others or name == "wide", "all windows of a picture are one object, but for a long one"
        assert found["label"] == "cat"
        assert found["score"] > 0.9
        left, top, right, bottom = found["box"]
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        with Image.open(output / "boxes" / f"{name}.jpg") as drawn:
            assert drawn.size == (width, height)
        assert (output / "heat_maps" / name / "cat.jpg").is_file()
        assert (output / "windows" / name / "cat.jpg").is_file()
        assert rows[name]["whole"].startswith("tabby ")
    printed = capsys.readouterr().out
    assert "1 objects; as a whole tabby" in printed
    assert "windows: tabby 0:" in printed


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--model.backbone", "vgg17"], "backbone 'vgg17' does not exist; the nearest names are "),
        (["--model.backbone", "vit_tiny_patch16_224", "--model.weights", "null"], "vit_tiny_patch16_224"),
        (["--model.class_groups", "{dog: [poodle]}"], "class_groups: class 'poodle' does not exist; the nearest names"),
        (["--model.num_classes", "10", "--model.class_groups", "pets"], "this network has others"),
        (["--model.window", "100"], "window 100 does not go with mobilenet_v2"),
        (["--tile", "512"], "tile means nothing to SlidingDetectorTask, which takes detector, scales"),
        (["--scales", "[0.5]"], "scales [0.5] must be 1 or more windows each"),
        (["--detector", "yolo"], "detector: 'yolo' is not accepted; expected map or crops"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_mistakes_are_one_line(weights: Path, photos: Path, mistake: Mistake, flags: list[str], expected: str) -> None:
    assert expected in mistake(detector(weights, "--images", str(photos / "grey.png"), *flags))


def test_weights_of_another_network_are_one_line(photos: Path, tmp_path: Path, mistake: Mistake) -> None:
    torch.save({"features.0.weight": torch.zeros(3, 3)}, tmp_path / "other.pth")
    message = mistake(detector(tmp_path / "other.pth", "--images", str(photos / "grey.png")))
    assert "weights of another network" in message


@pytest.mark.filterwarnings("ignore")
def test_a_head_is_trained_on_labels_and_detects(flowers_root: Path, tmp_path: Path) -> None:
    train(tmp_path, "--data", "FlowersDataModule", "--data.root", str(flowers_root))
    assert main(["test", "--run", str(tmp_path / "run"), *QUIET]) == 0
    assert "test/accuracy" in read_json(tmp_path / "run" / "metrics.json")
    photo = sorted((flowers_root / "roses").glob("*.jpg"))[0]
    for kind in ("map", "crops"):
        options = ["--detector", kind, "--threshold", "0.01", "--scales", "[1.0, 2.0]", "--images", str(photo)]
        assert (
            main(["predict", "--run", str(tmp_path / "run"), *options, "--output", str(tmp_path / kind), *QUIET]) == 0
        )
        found = read_json(tmp_path / kind / f"{photo.stem}.json")["detections"]
        assert {one["label"] for one in found} <= {"daisy", "dandelion", "roses", "sunflowers", "tulips"}
        assert found


def train(tmp_path: Path, *data: str) -> Path:
    flags = ["--model", "SlidingDetectorTask", "--model.backbone", "test_resnet", "--model.weights", "null"]
    flags += ["--model.window", "64", "--model.freeze_encoder", "false", *data, "--data.image_size", "64"]
    flags += ["--data.batch_size", "5", "--data.num_workers", "0", "--trainer.max_epochs", "1"]
    flags += ["--run_folder", str(tmp_path / "run"), "--trainer.enable_model_summary", "false"]
    assert main(["fit", *flags, *QUIET]) == 0
    return tmp_path / "run"


@pytest.mark.filterwarnings("ignore")
def test_boxes_of_a_dataset_measure_a_detector(dogs_root: Path, tmp_path: Path) -> None:
    run = train(tmp_path, "--data", "StanfordDogsDataModule", "--data.root", str(dogs_root))
    measured = ["test", "--run", str(run), "--original_size", "true", "--threshold", "0.2", *QUIET]
    assert main(measured) == 0
    record = read_json(run / "metrics.json")
    names = ("pointing_game", "recall_30", "map_30", "map_50")
    assert all(0 <= record[f"test_full/{name}"] <= 1 for name in names)
    assert "test/accuracy" not in record


@pytest.mark.filterwarnings("ignore")
def test_a_dataset_without_boxes_measures_none(flowers_root: Path, tmp_path: Path, mistake: Mistake) -> None:
    run = train(tmp_path, "--data", "FlowersDataModule", "--data.root", str(flowers_root))
    assert "no picture of this split has boxes" in mistake(
        ["test", "--run", str(run), "--original_size", "true", *QUIET]
    )


@pytest.mark.filterwarnings("ignore")
def test_from_python_it_finds_what_predict_writes(flowers_root: Path, tmp_path: Path) -> None:
    run = train(tmp_path, "--data", "FlowersDataModule", "--data.root", str(flowers_root))
    photo = sorted((flowers_root / "roses").glob("*.jpg"))[0]
    flags = ["--images", str(photo), "--output", str(tmp_path / "out"), "--threshold", "0.21", "--merge", "none"]
    assert main(["predict", "--run", str(run), *flags, *QUIET]) == 0
    written = read_json(tmp_path / "out" / f"{photo.stem}.json")["detections"]
    found = Predictor.from_run(run, device="cpu", threshold=0.21, merge="none")(photo)
    assert len(written) > 0
    assert found.labels == [one["label"] for one in written]
    np.testing.assert_allclose(found.boxes, [one["box"] for one in written], atol=0.06)
    assert found.overlay.size == found.image.shape[1::-1]
    assert set(found.heat_maps) == {"daisy", "dandelion", "roses", "sunflowers", "tulips"}


def test_pictures_of_another_size_than_the_window_are_one_line(flowers_root: Path, mistake: Mistake) -> None:
    flags = ["--model", "SlidingDetectorTask", "--model.backbone", "test_resnet", "--model.weights", "null"]
    flags += ["--model.window", "64", "--data", "FlowersDataModule", "--data.root", str(flowers_root)]
    message = mistake(["fit", *flags, *QUIET])
    assert "image_size [180, 180] is not the window that test_resnet is trained on; set image_size 64" in message


@pytest.mark.real_data
def test_a_dog_at_the_left_and_a_cat_at_the_right(real_data: Path, tmp_path: Path) -> None:
    flags = ["--model.class_groups", "pets", "--images", str(real_data / "cat_dog" / "cat_dog.jpg")]
    given = real_data / "weights" / "mobilenet_v2_imagenet.pth"
    assert main(detector(given, *flags, "--output", str(tmp_path / "out"))) == 0
    record = read_json(tmp_path / "out" / "cat_dog.json")
    assert (record["width"], record["height"]) == (1280, 956)
    centres = {one["label"]: (one["box"][0] + one["box"][2]) / 2 for one in record["detections"]}
    assert len(record["detections"]) == 2
    assert centres["dog"] < 640 < centres["cat"]
