"""Predicted masks go round: written in the encoding of a dataset, they are masks to train on."""

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lightning_seg import ImageMaskFolderDataModule, Predictor
from lightning_seg.__main__ import main
from lightning_seg.export import Source
from lightning_seg.synthetic.image_mask_folder import MASK_COLOURS, write_image_mask_folder
from lightning_seg.tables import read_rows
from tests.test_predict import shake

CONFIG = str(Path(__file__).parents[1] / "configs" / "own_data.yaml")
SMALL = shlex.split(
    "--model.encoder_weights null --model.freeze_encoder_norm false --data.image_size 32 --data.batch_size 4 "
    "--data.num_workers 0 --data.cache false --trainer.accelerator cpu --trainer.max_epochs 1 "
    "--trainer.enable_progress_bar false --trainer.enable_model_summary false --trainer.limit_train_batches 1 "
    "--trainer.limit_val_batches 1"
)
CLASSES: list[str | int] = ["background", "disc", "box", "star"]
VALUES: list[int | str | list[int]] = list(MASK_COLOURS)
UNPAINTED = ["scene000_0", "scene001_2"]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures, JPEG and PNG, ten of which have a mask in colours; not to be changed."""
    root = tmp_path_factory.mktemp("round") / "own"
    write_image_mask_folder(root, 12, "colour")
    for path in sorted((root / "images").iterdir())[::3]:
        Image.open(path).save(path.with_suffix(".png"))
        path.unlink()
    for name in UNPAINTED:
        (root / "masks" / f"{name}.png").unlink()
    return root


@pytest.fixture(scope="module")
def run(own: Path) -> Path:
    """A run of one step whose network draws all classes."""
    flags = ["--data.root", str(own), "--data.mask_values", json.dumps(VALUES), "--data.unlabelled", "skip"]
    folder = own.parent / "run"
    assert main(["fit", "--config", CONFIG, *SMALL, *flags, "--run_folder", str(folder)]) == 0
    shake(folder / "checkpoints" / "best.ckpt")
    return folder


def predict(run: Path, output: Path, *flags: str) -> dict[str, NDArray[Any]]:
    assert main(["predict", "--run", str(run), "--output", str(output), *flags]) == 0
    masks = {path.stem: np.asarray(Image.open(path)) for path in sorted((output / "masks").iterdir())}
    assert masks.keys() == {Path(row["picture"]).stem for row in read_rows(output / "predictions.csv")}
    return masks


@pytest.fixture(scope="module")
def predicted(own: Path, run: Path) -> dict[str, NDArray[Any]]:
    """Class indices."""
    return predict(run, own.parent / "index", "--images", str(own / "images"), "--mask_format", "index")


def test_class_indices_are_greys_at_the_size_of_the_picture(
    own: Path, run: Path, predicted: dict[str, NDArray[Any]]
) -> None:
    assert len(predicted) == 12
    assert len({mask.shape for mask in predicted.values()}) > 3
    assert {int(value) for mask in predicted.values() for value in np.unique(mask)} == {0, 1, 2, 3}
    for path in (own / "images").iterdir():
        assert predicted[path.stem].shape == Image.open(path).size[::-1]
    assert Image.open(own.parent / "index" / "masks" / "scene000_0.png").mode == "L"


@pytest.mark.parametrize("num_workers", [0, 2])
def test_own_masks_are_read_back_as_what_was_predicted(
    own: Path, run: Path, predicted: dict[str, NDArray[Any]], tmp_path: Path, num_workers: int
) -> None:
    predict(run, tmp_path / "out", "--images", str(own / "images"), "--mask_format", "own")
    again = tmp_path / "again"
    shutil.copytree(own / "images", again / "images")
    shutil.copytree(tmp_path / "out" / "masks", again / "masks")
    data = ImageMaskFolderDataModule(
        again,
        classes=CLASSES,
        mask_values=VALUES,
        image_size=None,
        batch_size=1,
        num_workers=num_workers,
        augment=False,
        test_fraction=0.0,
    )
    data.setup("fit")
    found = {
        Path(batch["path"][0]).stem: batch["mask"][0].numpy()
        for loader in (data.train_dataloader(), data.val_dataloader())
        for batch in loader
    }
    assert found.keys() == predicted.keys()
    for name, mask in found.items():
        np.testing.assert_array_equal(mask, predicted[name], err_msg=name)


def test_the_default_is_a_palette(own: Path, run: Path, predicted: dict[str, NDArray[Any]], tmp_path: Path) -> None:
    masks = predict(run, tmp_path / "out", "--images", str(own / "images" / "scene000_1.jpg"))
    stored = Image.open(tmp_path / "out" / "masks" / "scene000_1.png")
    assert stored.mode == "P"
    np.testing.assert_array_equal(masks["scene000_1"], predicted["scene000_1"])


def test_unlabelled_are_the_pictures_without_a_mask(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    masks = predict(run, tmp_path / "out", "--images", "unlabelled", "--mask_format", "own")
    assert sorted(masks) == UNPAINTED
    assert masks[UNPAINTED[0]].shape[2] == 3


def test_a_folder_called_unlabelled_is_that_folder(
    own: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "unlabelled").mkdir()
    shutil.copy(own / "images" / "scene000_1.jpg", tmp_path / "unlabelled" / "other.jpg")
    assert list(predict(run, tmp_path / "out", "--images", "unlabelled")) == ["other"]


def test_predictors_give_the_same_file(own: Path, run: Path, predicted: dict[str, NDArray[Any]]) -> None:
    picture = own / "images" / "scene000_1.jpg"
    said = Predictor.from_run(run, device="cpu", mask_format="own")(picture)
    colours = np.array([list(bytes.fromhex(colour[1:])) for colour in MASK_COLOURS], np.uint8)
    np.testing.assert_array_equal(np.asarray(said.mask_file), colours[predicted["scene000_1"]])
    plain = Predictor.from_run(run, device="cpu")(picture).mask_file
    assert plain.mode == "P"


def test_the_checkpoint_and_the_exported_file_tell_it(run: Path) -> None:
    checkpoint = run / "checkpoints" / "best.ckpt"
    expected = {"values": list(MASK_COLOURS), "colours": []}
    assert torch.load(checkpoint, weights_only=True)["lightning_seg"]["mask_encoding"] == expected
    assert Source(checkpoint, {}).about("float32").mask_encoding == expected


@pytest.fixture
def older(run: Path, tmp_path: Path) -> Path:
    """The run as an older version has left it."""
    copy = Path(shutil.copytree(run, tmp_path / "older"))
    path = copy / "checkpoints" / "best.ckpt"
    content = torch.load(path, weights_only=True)
    del content["lightning_seg"]["mask_encoding"]
    torch.save(content, path)
    return copy


def test_an_older_run_does_not_tell_it_and_its_data_do(
    own: Path, older: Path, tmp_path: Path, mistake: Callable[[list[str]], str]
) -> None:
    words = ["predict", "--run", str(older), "--output", str(tmp_path / "out"), "--mask_format", "own"]
    line = mistake([*words, "--images", str(own / "images")])
    assert "does not tell what the masks hold that it was trained on" in line
    assert not (tmp_path / "out").exists()
    assert predict(older, tmp_path / "test", "--mask_format", "own").popitem()[1].shape[2] == 3


def test_a_damaged_encoding_in_a_checkpoint_is_one_line(
    older: Path, own: Path, mistake: Callable[[list[str]], str]
) -> None:
    path = older / "checkpoints" / "best.ckpt"
    content = torch.load(path, weights_only=True)
    content["lightning_seg"]["mask_encoding"] = {"values": [0, "#ff0000"]}
    torch.save(content, path)
    line = mistake(["predict", "--run", str(older), "--images", str(own / "images")])
    assert "holds no number or colour for each class" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "--mask_format", "gif"], "mask_format"),
        (["predict", "--images", "unlabelled", "a.jpg"], "unlabelled stands alone"),
        (["test", "--mask_format", "own"], "mask_format"),
    ],
)
def test_mistakes_are_one_line(run: Path, words: list[str], message: str, mistake: Callable[[list[str]], str]) -> None:
    assert message in mistake([words[0], "--run", str(run), *words[1:]])


def test_pets_and_carvana_are_written_as_published(pets_root: Path, carvana_root: Path) -> None:
    """Trimaps hold 1 to 3; masks of cars 0 and 1 in black and white."""
    from lightning_seg import CarvanaDataModule, OxfordPetsDataModule

    classes = np.array([[0, 1], [1, 0]], np.uint8)
    trimap = OxfordPetsDataModule.mask_encoding
    car = CarvanaDataModule.mask_encoding
    assert trimap is not None
    assert car is not None
    assert np.asarray(trimap.picture(classes + 1)).tolist() == [[2, 3], [3, 2]]
    published = Image.open(next((carvana_root / "train_masks").glob("*.gif")))
    written = car.picture(classes)
    assert written.mode == published.mode == "P"
    assert list(written.getpalette() or [])[:6] == list(published.getpalette() or [])[:6]
