"""A trainer and a task whose labels are known: what is written and printed then."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from PIL import ExifTags, Image

from lightning_seg.batch import LabelPrediction, PictureBatch, PredictedBatch
from lightning_seg.callbacks import LabelWriter
from lightning_seg.datamodules.pictures import PicturesDataModule
from lightning_seg.images import Array
from lightning_seg.inference.labels import LabelInference
from lightning_seg.plots.contact_sheet import draw_contact_sheet

NAMES = ("daisy", "roses", "sunflowers", "tulips")
PROBS = {
    "a": [0.03125, 0.015625, 0.9375, 0.015625],
    "b": [0.25, 0.25, 0.375, 0.125],
    "c": [0.0, 1.0, 0.0, 0.0],
}
ENTROPIES = {"a": 0.2, "b": 0.953125, "c": 0.0}


class Known(pl.LightningModule):
    """Predicts ``PROBS`` of a picture by its name, cut to as many classes as there are names."""

    def __init__(self, class_names: tuple[str, ...] = NAMES) -> None:
        super().__init__()
        self.class_names = class_names

    def predict_step(self, batch: PictureBatch, batch_idx: int) -> PredictedBatch[LabelPrediction]:
        return {
            "predictions": [self.predict_one(name.rpartition("/")[2]) for name in batch["name"]],
            "path": batch["path"],
            "name": batch["name"],
            "unreadable": batch["unreadable"],
        }

    def predict_one(self, name: str) -> LabelPrediction:
        probs = torch.tensor(PROBS[name][: len(self.class_names)])
        return LabelPrediction(probs, int(probs.argmax()), probs.max().item(), ENTROPIES[name])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three grey pictures and a file that is none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, size in zip(PROBS, [(6, 4), (60, 40), (8, 600)], strict=True):
        Image.new("RGB", size, (100, 100, 100)).save(folder / f"{name}.png")
    (folder / "bb.png").write_text("not a picture")
    return folder


def predict(images: Path, output: Path, task: pl.LightningModule | None = None, num_uncertain: int = 12) -> LabelWriter:
    writer = LabelWriter(output, num_uncertain)
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        callbacks=[writer],
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    data = PicturesDataModule(images, (8, 8), batch_size=2, num_workers=0)
    trainer.predict(task or Known(), datamodule=data, return_predictions=False)
    return writer


def read_table(output: Path) -> dict[str, dict[str, str]]:
    with (output / "predictions.csv").open(newline="") as file:
        return {Path(row["picture"]).stem: row for row in csv.DictReader(file)}


def test_the_table_has_the_class_the_runners_up_and_all_probabilities(pictures: Path, tmp_path: Path) -> None:
    writer = predict(pictures, tmp_path)
    table = read_table(tmp_path)
    assert list(table["a"]) == [
        *("picture", "label", "confidence", "entropy", "second", "second_prob", "third", "third_prob"),
        *("prob/daisy", "prob/roses", "prob/sunflowers", "prob/tulips", "error"),
    ]
    assert list(table["a"].values()) == [
        *(str(pictures / "a.png"), "sunflowers", "0.9375", "0.2", "daisy", "0.03125", "roses", "0.01562"),
        *("0.03125", "0.01562", "0.9375", "0.01562", ""),
    ]
    assert table["c"]["label"] == "roses"
    assert table["b"]["entropy"] == "0.95312"
    assert (writer.num_pictures, writer.num_unreadable) == (4, 1)


class WithMaps(Known):
    """Maps where its ``inference`` asks for them."""

    def __init__(self, class_names: tuple[str, ...] = NAMES, cam: bool = True) -> None:
        super().__init__(class_names)
        self.inference = LabelInference(cam=cam)

    def predict_one(self, name: str) -> LabelPrediction:
        cam = torch.tensor([[0.0, 2.0], [0.0, 0.0]]) if self.inference.cam else None
        return super().predict_one(name)._replace(cam=cam)


def maps_in(output: Path) -> set[str]:
    return {str(path.relative_to(output / "cams")) for path in output.rglob("cams/**/*") if path.is_file()}


def test_maps_are_drawn_under_the_name_of_the_picture_and_its_class(pictures: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    predict(pictures, output, WithMaps())
    assert maps_in(output) == {"a/sunflowers.jpg", "b/sunflowers.jpg", "c/roses.jpg"}
    table = read_table(output)
    assert list(table["a"])[-2:] == ["cam", "error"]
    assert (table["b"]["cam"], table["bb"]["cam"]) == ("cams/b/sunflowers.jpg", "")
    drawn = np.asarray(Image.open(output / "cams/b/sunflowers.jpg"))
    assert drawn.shape == (40, 60, 3)
    # The upper right quarter speaks for it, and the lower left one is the grey picture.
    assert drawn[:12, 42:, 0].min() > 160
    np.testing.assert_allclose(drawn[28:, :18].astype(int), 100, atol=6)


def test_another_class_leaves_no_map_of_the_former_one(
    pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = tmp_path / "out"
    predict(pictures, output, WithMaps())
    predict(pictures / "a.png", output, WithMaps(NAMES[:2]))
    assert maps_in(output) == {"a/daisy.jpg", "b/sunflowers.jpg", "c/roses.jpg"}
    assert f"{output} still holds files of 2 other pictures of an earlier prediction" in caplog.text
    caplog.clear()
    predict(pictures, output, WithMaps(cam=False))
    assert maps_in(output) == set()
    # There is nothing left of it.
    predict(pictures / "a.png", output, WithMaps(cam=False))
    assert "still holds" not in caplog.text


def test_a_class_may_be_called_like_a_place(pictures: Path, tmp_path: Path) -> None:
    predict(pictures / "a.png", tmp_path / "out", WithMaps(("../x", "y")))
    assert maps_in(tmp_path / "out") == {"a/.._x.jpg"}


def test_a_line_per_picture_is_printed(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predict(pictures, tmp_path)
    lines = [line for line in capsys.readouterr().out.splitlines() if " %" in line]
    assert lines == [
        f"{pictures / 'a.png'}: sunflowers 93.8 %, daisy 3.1 %, roses 1.6 %",
        f"{pictures / 'b.png'}: sunflowers 37.5 %, daisy 25.0 %, roses 25.0 %",
        f"{pictures / 'c.png'}: roses 100.0 %, daisy 0.0 %, sunflowers 0.0 %",
    ]


def test_a_file_that_cannot_be_read_is_reported(
    pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    predict(pictures, tmp_path)
    filled = {name: value for name, value in read_table(tmp_path)["bb"].items() if value}
    assert filled.keys() == {"picture", "error"}
    assert f"skipped {filled['error']}" in caplog.messages


def test_of_two_classes_there_is_one_runner_up(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predict(pictures / "a.png", tmp_path, Known(NAMES[:2]))
    row = read_table(tmp_path)["a"]
    assert "third" not in row
    assert (row["label"], row["second"], row["second_prob"]) == ("daisy", "roses", "0.01562")
    assert "a.png: daisy 3.1 %, roses 1.6 %\n" in capsys.readouterr().out


class Sheet:
    """Draws a contact sheet and remembers what it was given."""

    def __init__(self) -> None:
        self.pictures: list[Array] = []
        self.captions: list[str] = []

    def __call__(
        self, pictures: Sequence[Array], captions: Sequence[str], class_names: Sequence[str], tint_background: bool
    ) -> Figure:
        self.pictures, self.captions = list(pictures), list(captions)
        # Colours mean nothing here.
        assert not class_names
        assert not tint_background
        return draw_contact_sheet(pictures, captions, class_names)


@pytest.fixture
def sheet(monkeypatch: pytest.MonkeyPatch) -> Sheet:
    sheet = Sheet()
    monkeypatch.setattr("lightning_seg.plots.contact_sheet.draw_contact_sheet", sheet)
    return sheet


def test_the_most_uncertain_come_first_on_the_sheet(pictures: Path, tmp_path: Path, sheet: Sheet) -> None:
    predict(pictures, tmp_path, num_uncertain=2)

    assert sheet.captions == ["b.png\nsunflowers 37.5 %", "a.png\nsunflowers 93.8 %"]
    assert [picture.shape for picture in sheet.pictures] == [(40, 60, 3), (4, 6, 3)]
    assert (sheet.pictures[0] == 100).all()
    assert Image.open(tmp_path / "most_uncertain.png").width > 2 * 200


def test_no_sheet_is_drawn_if_none_is_wanted(pictures: Path, tmp_path: Path) -> None:
    predict(pictures, tmp_path, num_uncertain=0)
    assert not (tmp_path / "most_uncertain.png").exists()


def test_pictures_on_the_sheet_are_upright(tmp_path: Path, sheet: Sheet) -> None:
    """A phone stores a tall picture on its side: here the sky is stored on the left."""
    stored = Image.new("RGB", (640, 400))
    stored.paste((250, 250, 250), (0, 0, 320, 400))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stored.save(tmp_path / "a.jpg", exif=exif)

    predict(tmp_path / "a.jpg", tmp_path / "out")

    (shown,) = sheet.pictures
    assert shown.shape == (320, 200, 3)
    np.testing.assert_allclose(shown[:150].mean(), 250, atol=3)
    np.testing.assert_allclose(shown[170:].mean(), 0, atol=3)
