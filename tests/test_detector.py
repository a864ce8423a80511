"""The sliding detector through the command line: trained as a classifier, applied to whole pictures."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torchvision.models import mobilenet_v2

from lightning_seg import Predictor
from lightning_seg.__main__ import main
from lightning_seg.tasks.sliding_detector import has_known_objects

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
    assert "windows: tabby 1.00 at " in printed


@pytest.mark.filterwarnings("ignore")
def test_without_groups_all_classes_are_reported(weights: Path, photos: Path, tmp_path: Path) -> None:
    flags = ["--scales", "[1]", "--images", str(photos / "grey.png"), "--output", str(tmp_path / "out")]
    assert main(detector(weights, *flags)) == 0
    assert {one["label"] for one in read_json(tmp_path / "out" / "grey.json")["detections"]} == {"tabby"}
    assert [path.name for path in (tmp_path / "out" / "heat_maps" / "grey").iterdir()] == ["tabby.jpg"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--model.backbone", "vgg17"], "backbone 'vgg17' does not exist; the nearest names are "),
        (["--model.backbone", "vit_tiny_patch16_224", "--model.weights", "null"], "vit_tiny_patch16_224"),
        (["--model.class_groups", "{dog: [poodle]}"], "class_groups: class 'poodle' does not exist; the nearest names"),
        (["--model.num_classes", "10", "--model.class_groups", "pets"], "this network has others"),
        (["--model.window", "100"], "window 100 does not go with mobilenet_v2"),
        (["--tile", "512"], "tile means nothing to SlidingDetectorTask, which takes detector, scales"),
        (["--model.class_groups", "{}"], "class_groups: there is no group; give some, for instance pets"),
        (["--scales", "[0.5]"], "scales [0.5] must be 1 or more windows each"),
        (["--scales", "[2, .nan]"], "scales [2.0, nan] must be 1 or more windows each"),
        (["--scales", "[.inf]"], "scales [inf] must be 1 or more windows each"),
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


def train(tmp_path: Path, *data: str) -> Path:
    flags = ["--model", "SlidingDetectorTask", "--model.backbone", "test_resnet", "--model.weights", "null"]
    flags += ["--model.window", "64", "--model.freeze_encoder", "false", *data, "--data.image_size", "64"]
    flags += ["--data.batch_size", "5", "--data.num_workers", "0", "--trainer.max_epochs", "1"]
    flags += ["--run_folder", str(tmp_path / "run"), "--trainer.enable_model_summary", "false"]
    assert main(["fit", *flags, *QUIET]) == 0
    return tmp_path / "run"


@pytest.fixture(scope="module")
def flowers_run(flowers_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flowers_run")
    return train(folder, "--data", "FlowersDataModule", "--data.root", str(flowers_root))


@pytest.mark.filterwarnings("ignore")
def test_a_head_is_trained_on_labels_and_detects(flowers_run: Path, flowers_root: Path, tmp_path: Path) -> None:
    assert main(["test", "--run", str(flowers_run), *QUIET]) == 0
    assert "test/accuracy" in read_json(flowers_run / "metrics.json")
    photo = sorted((flowers_root / "roses").glob("*.jpg"))[0]
    for kind in ("map", "crops"):
        options = ["--detector", kind, "--threshold", "0.01", "--scales", "[1.0, 2.0]", "--images", str(photo)]
        assert main(["predict", "--run", str(flowers_run), *options, "--output", str(tmp_path / kind), *QUIET]) == 0
        found = read_json(tmp_path / kind / f"{photo.stem}.json")["detections"]
        assert {one["label"] for one in found} <= {"daisy", "dandelion", "roses", "sunflowers", "tulips"}
        assert found


@pytest.mark.filterwarnings("ignore")
def test_boxes_of_a_dataset_measure_a_detector(dogs_root: Path, tmp_path: Path) -> None:
    run = train(tmp_path, "--data", "StanfordDogsDataModule", "--data.root", str(dogs_root))
    for stage, split in (("validate", "val"), ("test", "test")):
        assert main([stage, "--run", str(run), "--original_size", "true", "--threshold", "0.2", *QUIET]) == 0
        record = read_json(run / "metrics.json")
        names = ("pointing_game", "recall_30", "map_30", "map_50")
        assert all(0 <= record[f"{split}_full/{name}"] <= 1 for name in names)
        assert f"{split}_full/map_30/marsh_hound" in record
        # Dogs fill their pictures.
        assert record[f"{split}_full/centre/pointing_game"] > 0.6
    assert "test/accuracy" not in record


def test_of_which_pictures_the_objects_are_known() -> None:
    assert has_known_objects(0, None), "a scene without objects"
    assert has_known_objects(1, 3), "a dog and its box"
    assert not has_known_objects(0, 3), "a dog somewhere"
    assert has_known_objects(0, -1), "grass"


@pytest.fixture(scope="module")
def scenes_run(scenes_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector of flowers that has seen pictures of one flower, and of none."""
    single = ["--data", "ImageFolderDataModule", "--data.root", str(scenes_root / "single")]
    single += ["--data.test_fraction", "0", "--data.val_fraction", "0.25", "--model.background", "background"]
    return train(tmp_path_factory.mktemp("scenes_run"), *single)


def of_scenes(run: Path, root: Path, *flags: str) -> list[str]:
    data = ["--data", "CocoObjectsDataModule", "--data.root", str(root)]
    return ["test", "--run", str(run), *data, "--threshold", "0.05", *QUIET, *flags]


@pytest.mark.filterwarnings("ignore")
def test_a_network_without_weights_is_measured_by_the_classes_of_the_data(
    scenes_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    network = ["--model", "SlidingDetectorTask", "--model.backbone", "resnet18", "--model.weights", "null"]
    data = ["--data", "CocoObjectsDataModule", "--data.root", str(scenes_root)]
    assert main(["validate", *network, *data, "--original_size", "true", *QUIET]) == 0


@pytest.mark.filterwarnings("ignore")
def test_scenes_with_several_classes_measure_a_detector(scenes_run: Path, scenes_root: Path) -> None:
    assert main(of_scenes(scenes_run, scenes_root, "--original_size", "true")) == 0
    record = read_json(scenes_run / "metrics.json")
    drawn = read_json(scenes_root / "annotations.json")
    present = {drawn["categories"][one["category_id"] - 1]["name"] for one in drawn["annotations"]}
    measured = {name.removeprefix("test_full/map_30/") for name in record if name.startswith("test_full/map_30/")}
    assert measured == present, "each class of the scenes, and not the background that the network has learned"
    mean = sum(record[f"test_full/map_30/{name}"] for name in present) / len(present)
    assert record["test_full/map_30"] == pytest.approx(mean, abs=1e-6)
    # Of the blossoms, the middle of the picture is in few.
    assert record["test_full/centre/pointing_game"] < 0.5
    assert "test_full/centre/map_30/roses" not in record


@pytest.mark.filterwarnings("ignore")
def test_scenes_are_searched_by_a_detector_of_other_classes(
    scenes_run: Path, scenes_root: Path, tmp_path: Path
) -> None:
    data = ["--data", "CocoObjectsDataModule", "--data.root", str(scenes_root), "--output", str(tmp_path / "out")]
    assert main(["predict", "--run", str(scenes_run), *data, *QUIET]) == 0
    pictures = {path.stem for path in (scenes_root / "images").iterdir()}
    assert {path.stem for path in (tmp_path / "out").glob("*.json")} == pictures


@pytest.mark.filterwarnings("ignore")
def test_mistakes_with_scenes_are_one_line(
    scenes_run: Path, scenes_root: Path, dogs_root: Path, mistake: Mistake
) -> None:
    plain = [
        "test",
        "--run",
        str(scenes_run),
        "--data",
        "CocoObjectsDataModule",
        "--data.root",
        str(scenes_root),
        *QUIET,
    ]
    assert "holds whole pictures with boxes; give --original_size true" in mistake(plain)
    assert "are measured with --original_size true" in mistake(of_scenes(scenes_run, scenes_root))
    fit = ["fit", "--model", "SlidingDetectorTask", "--model.backbone", "test_resnet", "--model.weights", "null"]
    message = mistake([*fit, "--data", "CocoObjectsDataModule", "--data.root", str(scenes_root), *QUIET])
    assert "CocoObjectsDataModule holds whole pictures" in message
    dogs = ["--data", "StanfordDogsDataModule", "--data.root", str(dogs_root), "--original_size", "true"]
    message = mistake(["test", "--run", str(scenes_run), *dogs, *QUIET])
    assert "'marsh_hound' is a class of the data and none of the detector's labels, which are daisy, " in message


@pytest.mark.filterwarnings("ignore")
def test_a_network_that_nobody_trained_is_measured_by_the_names_of_its_groups(
    weights: Path, pets_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, mistake: Mistake
) -> None:
    data = ["--data", "OxfordPetLabelsDataModule", "--data.root", str(pets_root), "--original_size", "true"]
    flags = ["--model.class_groups", "pets", *data, "--scales", "[1]", "--run_folder", str(tmp_path / "run")]
    assert main(["validate", *detector(weights, *flags)[1:]]) == 0
    assert "no checkpoint is given" not in caplog.text
    record = read_json(tmp_path / "run" / "metrics.json")
    # These weights take everything for a tabby.
    assert record["val_full/map_30/dog"] == 0
    assert record["val_full/recall_30"] <= 0.5
    assert {name for name in record if name.startswith("val_full/map_50/")} == {
        "val_full/map_50/cat",
        "val_full/map_50/dog",
    }
    message = mistake(["validate", *detector(weights, *flags, "--data.labels", "breed")[1:]])
    assert (
        "is a class of the data and none of the detector's labels, which are dog, cat; name it in class_groups"
        in message
    )


@pytest.mark.filterwarnings("ignore")
def test_frozen_convolutions_stay_and_staged_ones_train_from_their_epoch_on(flowers_root: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = timm.create_model("test_resnet", num_classes=1000)
    torch.save(network.state_dict(), tmp_path / "weights.pth")

    def differing(checkpoint: str) -> set[str]:
        state = torch.load(tmp_path / "run" / "checkpoints" / checkpoint, weights_only=True)["state_dict"]
        prefix = "model.encoder.network."
        encoder = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        assert len(encoder) > 20
        return {name for name, value in encoder.items() if not torch.equal(value, network.state_dict()[name])}

    flags = ["--model.weights", str(tmp_path / "weights.pth"), "--model.normalization", "imagenet"]
    flags += ["--model.freeze_encoder", "true", "--model.unfreeze_epoch", "1", "--model.lr", "0.01"]
    run = train(tmp_path, "--data", "FlowersDataModule", "--data.root", str(flowers_root), *flags)
    # Statistics of norms included.
    assert differing("last.ckpt") == set()
    assert main(["fit", "--run", str(run), "--trainer.max_epochs", "2", *QUIET]) == 0
    changed = differing("last.ckpt")
    assert any(name.endswith("running_mean") for name in changed)
    assert {name for name in network.state_dict() if name.endswith("conv1.weight")} <= changed


@pytest.mark.filterwarnings("ignore")
def test_a_dataset_without_boxes_measures_none(flowers_run: Path, mistake: Mistake) -> None:
    message = mistake(["test", "--run", str(flowers_run), "--original_size", "true", *QUIET])
    assert message.endswith(": no picture of test has a box to compare with; leave --original_size out")


@pytest.mark.filterwarnings("ignore")
def test_from_python_it_finds_what_predict_writes(flowers_run: Path, flowers_root: Path, tmp_path: Path) -> None:
    photo = sorted((flowers_root / "roses").glob("*.jpg"))[0]
    flags = ["--images", str(photo), "--output", str(tmp_path / "out"), "--threshold", "0.21", "--merge", "none"]
    assert main(["predict", "--run", str(flowers_run), *flags, *QUIET]) == 0
    written = read_json(tmp_path / "out" / f"{photo.stem}.json")["detections"]
    found = Predictor.from_run(flowers_run, device="cpu", threshold=0.21, merge="none")(photo)
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
