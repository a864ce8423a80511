"""What is found in the answers of trained networks, through the command line: errors are planted by the tests."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from lightning_seg.__main__ import main
from lightning_seg.doctor.run import look, predictions
from lightning_seg.tables import write_rows

COLOURS = {"blue": (60, 80, 190), "green": (70, 160, 80), "red": (190, 70, 60)}
OF_ANSWERS = {kind.name for kind in (*predictions.KINDS, *look.KINDS)}
Findings = dict[str, dict[str, Any]]


def speckled(colour: tuple[int, int, int], random: np.random.Generator) -> np.ndarray:
    """A picture of 32 px in about this colour."""
    return np.clip(random.normal(colour, 40, (32, 32, 3)) + random.normal(0, 15, 3), 0, 255).astype(np.uint8)


def write_colours(root: Path) -> None:
    """Pictures in folders by colour, to train, validate and test on."""
    random = np.random.default_rng(0)
    for split, number in (("train", 16), ("val", 8), ("test", 8)):
        for name, colour in COLOURS.items():
            folder = root / split / name
            folder.mkdir(parents=True)
            for index in range(number):
                Image.fromarray(speckled(colour, random)).save(folder / f"{name}{index}.png")


def write_discs(root: Path) -> None:
    """A light disc on a dark ground, and its mask; a list says the splits."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32]
    listed = []
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for index in range(44):
        split = "train" if index < 24 else "val" if index < 34 else "test"
        y, x, radius = random.uniform((9, 9, 5), (23, 23, 9))
        mask = ((rows - y) ** 2 + (columns - x) ** 2 < radius**2).astype(np.uint8)
        pixels = np.where(mask[..., None], speckled((200, 190, 170), random), speckled((60, 70, 80), random))
        Image.fromarray(pixels).save(root / "images" / f"{index}.png")
        Image.fromarray(mask).save(root / "masks" / f"{index}.png")
        listed.append({"image": f"images/{index}.png", "mask": f"masks/{index}.png", "split": split})
    write_rows(root / "pairs.csv", ["image", "mask", "split"], listed)


def train(folder: Path, model: str, data: str, options: dict[str, Any], given: dict[str, Any], epochs: int) -> Path:
    trainer = {"accelerator": "cpu", "max_epochs": epochs, "enable_progress_bar": False, "enable_model_summary": False}
    init = {"root": str(folder / "data"), "batch_size": 8, "num_workers": 0, "image_size": 32, **given}
    config = {
        "model": {"class_path": model, "init_args": {"lr": 0.01, **options}},
        "data": {"class_path": data, "init_args": init},
        # One validation and no curves: drawing takes longer than training.
        "trainer": {**trainer, "logger": False, "check_val_every_n_epoch": epochs, "num_sanity_val_steps": 0},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", str(folder / "config.yaml"), "--run_folder", str(folder / "run")]) == 0
    return folder


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of colours, with its data; not to be changed."""
    folder = tmp_path_factory.mktemp("colours")
    write_colours(folder / "data")
    return train(folder, "CNNClassifierTask", "ImageFolderDataModule", {}, {}, 4)


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A segmentation of discs, with its data; not to be changed."""
    folder = tmp_path_factory.mktemp("discs")
    write_discs(folder / "data")
    given = {"classes": ["ground", "disc"], "pairs": "pairs.csv"}
    return train(folder, "UNetTask", "ImageMaskFolderDataModule", {"width": 8, "depth": 2}, given, 5)


@pytest.fixture(scope="module")
def cars(tmp_path_factory: pytest.TempPathFactory, carvana_root: Path) -> Path:
    """A segmentation by one logit, with its data; not to be changed."""
    folder = tmp_path_factory.mktemp("cars")
    shutil.copytree(carvana_root, folder / "data")
    return train(folder, "UNetTask", "CarvanaDataModule", {"width": 8, "depth": 2}, {}, 3)


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    """A run with its data, which a test may change."""

    def copy(folder: Path) -> Path:
        shutil.copytree(folder, tmp_path / "copy")
        return tmp_path / "copy"

    return copy


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer than all verdicts."""
    monkeypatch.setattr("lightning_seg.commands.doctor.write_report", lambda *_: 0)


def examine(folder: Path, *more: str, code: int = 0) -> Findings:
    words = [
        "--run",
        str(folder / "run"),
        "--data.root",
        str(folder / "data"),
        "--output",
        str(folder / "out"),
        "--speed",
        "false",
    ]
    assert main(["doctor", *words, *more]) == code
    found = json.loads((folder / "out" / "findings.json").read_text())
    return {one["name"]: one for one in found if one["name"] in OF_ANSWERS}


def swap(first: Path, second: Path) -> None:
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)


def change_head(folder: Path, change: Callable[[torch.Tensor, torch.Tensor], object]) -> None:
    """Change weights and biases of the last layer in the best checkpoint."""
    path = folder / "run" / "checkpoints" / "best.ckpt"
    content = torch.load(path, weights_only=True)
    weight, bias = list(content["state_dict"])[-2:]
    change(content["state_dict"][weight], content["state_dict"][bias])
    torch.save(content, path)


def test_of_a_good_network_and_right_labels_nothing_is_said(colours: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert examine(colours) == {}
    told = capsys.readouterr().out
    assert "val: the network was shown 24 of 24 pictures\ntest: the network was shown 24 of 24 pictures\n" in told
    assert "100.0% of the pictures are right" in told


def test_swapped_labels_come_first(colours: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(colours)
    # One is to validate on, one to test on.
    swap(folder / "data/val/red/red3.png", folder / "data/val/blue/blue5.png")
    found = examine(folder)["labels-worth-a-look"]
    expected = {str(folder / "data/val/red/red3.png"), str(folder / "data/val/blue/blue5.png")}
    assert set(found["files"][:2]) == expected
    assert set(found["figures"]["pictures"][:2]) == {"red, looks like blue", "blue, looks like red"}
    assert found["severity"] == "note"


@pytest.mark.parametrize("workers", ["0", "2"])
def test_swapped_masks_come_first(discs: Path, copied: Callable[[Path], Path], workers: str) -> None:
    folder = copied(discs)
    swap(folder / "data/masks/26.png", folder / "data/masks/40.png")
    found = examine(folder, "--data.num_workers", workers)["masks-worth-a-look"]
    assert set(found["files"][:2]) == {str(folder / f"data/images/{index}.png") for index in (26, 40)}
    assert found["figures"]["scores"][1] > 2 * found["figures"]["usual"]


def test_a_network_of_one_answer_has_collapsed(colours: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(colours)
    change_head(folder, lambda weight, bias: (weight.zero_(), bias.copy_(torch.tensor([0.0, 5.0, 0.0]))))
    found = examine(folder, code=1)
    assert list(found) == ["collapsed"]
    assert found["collapsed"]["detail"] == "every answer is green"
    assert found["collapsed"]["severity"] == "error"


def test_one_logit_is_looked_at_as_two_classes(cars: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "collapsed" not in examine(cars)
    assert "% of the pixels are right" in capsys.readouterr().out


@pytest.mark.parametrize(("run", "answer"), [("discs", "ground"), ("cars", "background")])
def test_a_segmentation_of_one_answer_has_collapsed(
    request: pytest.FixtureRequest, copied: Callable[[Path], Path], run: str, answer: str
) -> None:
    folder = copied(request.getfixturevalue(run))

    def flatten(weight: torch.Tensor, bias: torch.Tensor) -> None:
        weight.zero_()
        bias.fill_(-3.0)
        bias[0] += 0.1

    change_head(folder, flatten)
    assert examine(folder, code=1)["collapsed"]["detail"] == f"every answer is {answer}"


def test_a_network_that_was_shuffled_guesses(colours: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(colours)
    # Blue, green and red become green, red and blue: never right, of three classes.
    change_head(folder, lambda weight, bias: (weight.copy_(weight.roll(1, 0)), bias.copy_(bias.roll(1, 0))))
    found = examine(folder, code=1)
    assert list(found) == ["no-better-than-guessing"]
    assert found["no-better-than-guessing"]["detail"] == "on average 0.0% of a class are found; guessing finds 33.3%"


def test_a_class_that_is_never_predicted_is_named(colours: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(colours)
    change_head(folder, lambda weight, bias: bias[2].sub_(1000))
    assert examine(folder)["never-predicted"]["detail"] == "red (in 16 pictures)"


def test_a_network_that_is_not_sure_enough_is_miscalibrated(colours: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(colours)
    change_head(folder, lambda weight, bias: (weight.mul_(0.1), bias.mul_(0.1)))
    found = examine(folder)["miscalibrated"]
    assert found["remedy"].startswith("more epochs")
    assert sum(row["answers"] for row in found["figures"]["bins"]) == 48
    by_hand = sum(row["answers"] / 48 * abs(row["accuracy"] - row["confidence"]) for row in found["figures"]["bins"])
    assert found["figures"]["error"] == pytest.approx(by_hand)


def test_weights_that_are_no_numbers_are_an_error(colours: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(colours)
    change_head(folder, lambda weight, bias: bias.fill_(float("nan")))
    found = examine(folder, code=1)
    assert "hold no numbers" in found["weights-no-numbers"]["detail"]


def test_few_pictures_are_drawn_by_the_seed_and_it_is_said(colours: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examine(colours, "--pictures", "5")
    told = capsys.readouterr().out
    assert "val: the network was shown 5 of 24 pictures, drawn by seed 0\n" in told
    examine(colours, "--pictures", "5")
    assert capsys.readouterr().out == told


def test_a_picture_that_cannot_be_read_is_left_out(
    colours: Path, copied: Callable[[Path], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(colours)
    path = folder / "data/val/red/red3.png"
    path.write_bytes(path.read_bytes()[:-900])
    examine(folder, code=1)
    assert "val: the network was shown 23 of 23 pictures\n" in capsys.readouterr().out


def test_another_division_is_not_measured(colours: Path) -> None:
    found = examine(colours, "--data.seed", "3")
    assert "data.seed 3 instead of 0" in found["network-not-looked-at"]["detail"]


def test_without_a_checkpoint_the_numbers_are_all(colours: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(colours)
    shutil.rmtree(folder / "run" / "checkpoints")
    assert "no checkpoints/best.ckpt" in examine(folder)["network-not-looked-at"]["detail"]
