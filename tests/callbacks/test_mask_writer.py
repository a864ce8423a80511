"""A trainer and a task whose predictions are known: what lies in the folder then."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from PIL import Image

from lightning_seg.batch import MaskPrediction, PictureBatch, PredictedBatch
from lightning_seg.callbacks import MaskWriter
from lightning_seg.callbacks.prediction_writer import tint_backgrounds
from lightning_seg.datamodules.pictures import PicturesDataModule
from lightning_seg.images import Array
from lightning_seg.plots.contact_sheet import draw_contact_sheet
from lightning_seg.plots.palette import palette_of

NAMES = ("pet", "background", "border")
ENTROPIES = {"a": 0.25, "b": 0.75, "c": 0.123456789, "d": 0.5}
SIZES = {"a": (4, 6), "b": (40, 60), "c": (600, 8), "d": (5, 5)}


def true_mask(name: str) -> Array:
    """The upper half is class 0, the lower left class 1, the lower right class 2."""
    height, width = SIZES[name]
    mask = np.zeros((height, width), np.uint8)
    mask[height // 2 :] = 1
    mask[height // 2 :, width // 2 :] = 2
    return mask


class Known(pl.LightningModule):
    """Predicts ``true_mask`` of a picture by its name."""

    def __init__(self, class_names: Sequence[str] = NAMES, keep_probs: bool = False, fails_at: int = -1) -> None:
        super().__init__()
        self.class_names, self.keep_probs, self.fails_at = tuple(class_names), keep_probs, fails_at

    def predict_step(self, batch: PictureBatch, batch_idx: int) -> PredictedBatch[MaskPrediction]:
        if batch_idx == self.fails_at:
            raise RuntimeError("interrupted")
        return {
            "predictions": [self.predict_one(name.rpartition("/")[2]) for name in batch["name"]],
            "path": batch["path"],
            "name": batch["name"],
            "unreadable": batch["unreadable"],
        }

    def predict_one(self, name: str) -> MaskPrediction:
        mask = torch.from_numpy(true_mask(name))
        probs = torch.nn.functional.one_hot(mask.long(), 3).permute(2, 0, 1).half() if self.keep_probs else None
        return MaskPrediction(mask, 0.8765432, ENTROPIES[name], probs)


def write_picture(path: Path, grey: int = 100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZES[path.stem][::-1], (grey, grey, grey)).save(path)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Four grey pictures and a file that is none."""
    folder = tmp_path / "pictures"
    for name in SIZES:
        write_picture(folder / f"{name}.png")
    (folder / "bb.png").write_text("not a picture")
    return folder


def predict(
    images: Any,
    output: Path,
    task: pl.LightningModule | None = None,
    image_size: tuple[int, int] | None = (8, 8),
    tint_background: bool = False,
    **options: Any,
) -> MaskWriter:
    writer = MaskWriter(output, **options)
    tint_backgrounds([writer], tint_background)
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        callbacks=[writer],
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    data = PicturesDataModule(images, image_size, batch_size=2, num_workers=0)
    trainer.predict(task or Known(), datamodule=data, return_predictions=False)
    return writer


def read_table(output: Path) -> list[dict[str, str]]:
    with (output / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def files_of(output: Path) -> set[str]:
    return {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}


def test_the_folder_holds_a_mask_and_an_overlay_per_picture(pictures: Path, tmp_path: Path) -> None:
    writer = predict(pictures, tmp_path / "out")
    expected = {f"masks/{name}.png" for name in SIZES} | {f"overlays/{name}.jpg" for name in SIZES}
    assert files_of(tmp_path / "out") == expected | {"predictions.csv", "most_uncertain.png"}
    assert writer.output == tmp_path / "out"


def test_masks_hold_class_indices_and_the_colours_of_classes(pictures: Path, tmp_path: Path) -> None:
    predict(pictures, tmp_path)
    for name in SIZES:
        mask = Image.open(tmp_path / "masks" / f"{name}.png")
        assert mask.mode == "P"
        np.testing.assert_array_equal(np.asarray(mask), true_mask(name))
        colours = np.asarray(mask.convert("RGB"))
        np.testing.assert_array_equal(colours, palette_of(NAMES)[true_mask(name)])


@pytest.mark.parametrize("image_size", [None, (8, 8)])
def test_overlays_are_the_pictures_tinted_by_class(
    pictures: Path, tmp_path: Path, image_size: tuple[int, int] | None
) -> None:
    predict(pictures, tmp_path, image_size=image_size)
    for name in ("b", "c"):
        overlay = Image.open(tmp_path / "overlays" / f"{name}.jpg")
        assert overlay.format == "JPEG"
        assert overlay.size == SIZES[name][::-1]
        tinted = palette_of(NAMES)[true_mask(name)] * 0.5 + 100 * 0.5
        expected = np.where(true_mask(name)[..., None] == NAMES.index("background"), 100, tinted)
        # JPEG blurs colours at the edges of classes.
        assert np.median(np.abs(np.asarray(overlay) - expected)) <= 3
        height, width = SIZES[name]
        for row, column in [(1, 1), (height - 2, 1), (height - 2, width - 2)]:
            np.testing.assert_allclose(np.asarray(overlay)[row, column], expected[row, column], atol=12)


def test_overlays_show_the_picture_as_it_was_before_the_network(tmp_path: Path) -> None:
    """A dark stripe that is gone at the size that the network sees."""
    pixels = np.full((*SIZES["b"], 3), 200, np.uint8)
    pixels[:, 20:30] = 20
    Image.fromarray(pixels).save(tmp_path / "b.png")
    predict(tmp_path / "b.png", tmp_path, image_size=(1, 1), tint_background=True)
    overlay = np.asarray(Image.open(tmp_path / "overlays" / "b.jpg")).astype(float)
    assert overlay[:, :18].mean() - overlay[:, 22:28].mean() == pytest.approx((200 - 20) / 2, abs=12)


def test_the_table_has_a_row_per_picture(pictures: Path, tmp_path: Path) -> None:
    writer = predict(pictures, tmp_path)
    rows = read_table(tmp_path)
    assert list(rows[0]) == [
        *("picture", "width", "height", "confidence", "entropy"),
        *("pixels/pet", "pixels/background", "pixels/border", "share/pet", "share/background", "share/border"),
        *("mask", "overlay", "error"),
    ]
    by_name = {Path(row["picture"]).stem: row for row in rows}
    assert by_name.keys() == {*SIZES, "bb"}
    # 4 x 6 pixels: two rows of 6, then two rows of 3 and 3. 5 x 5: two rows of 5, then three rows of 2 and 3.
    assert list(by_name["a"].values()) == [
        *(str(pictures / "a.png"), "6", "4", "0.87654", "0.25", "12", "6", "6", "0.5", "0.25", "0.25"),
        *("masks/a.png", "overlays/a.jpg", ""),
    ]
    assert list(by_name["d"].values()) == [
        *(str(pictures / "d.png"), "5", "5", "0.87654", "0.5", "10", "6", "9", "0.4", "0.24", "0.36"),
        *("masks/d.png", "overlays/d.jpg", ""),
    ]
    assert by_name["c"]["entropy"] == "0.12346"
    assert (writer.num_pictures, writer.num_unreadable) == (5, 1)


def test_a_file_that_cannot_be_read_is_reported(
    pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    predict(pictures, tmp_path)
    (broken,) = [row for row in read_table(tmp_path) if row["picture"] == str(pictures / "bb.png")]
    filled = {name: value for name, value in broken.items() if value}
    assert filled.keys() == {"picture", "error"}
    assert filled["error"].startswith(f"{pictures / 'bb.png'}: cannot be read as a picture")
    assert f"skipped {filled['error']}" in caplog.messages
    assert f"1 of 5 pictures could not be read or answered: {tmp_path / 'predictions.csv'}" in caplog.messages


def test_nothing_but_broken_files_leaves_a_table(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).touch()
    writer = predict(tmp_path, tmp_path / "out")
    assert (writer.num_pictures, writer.num_unreadable) == (3, 3)
    assert files_of(tmp_path / "out") == {"predictions.csv"}
    assert [Path(row["picture"]).name for row in read_table(tmp_path / "out")] == ["a.jpg", "b.jpg", "c.jpg"]


def test_without_broken_files_there_is_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_picture(tmp_path / "a.png")
    writer = predict(tmp_path / "a.png", tmp_path / "out")
    assert writer.num_unreadable == 0
    assert not [message for message in caplog.messages if "could not be read" in message]


class Sheet:
    """Draws a contact sheet and remembers what it was given."""

    def __init__(self) -> None:
        self.pictures: list[Array] = []
        self.captions: list[str] = []
        self.class_names: tuple[str, ...] = ()

    def __call__(
        self, pictures: Sequence[Array], captions: Sequence[str], class_names: Sequence[str], tint_background: bool
    ) -> Figure:
        self.pictures, self.captions, self.class_names = list(pictures), list(captions), tuple(class_names)
        return draw_contact_sheet(pictures, captions, class_names, tint_background=tint_background)


@pytest.fixture
def sheet(monkeypatch: pytest.MonkeyPatch) -> Sheet:
    sheet = Sheet()
    monkeypatch.setattr("lightning_seg.plots.contact_sheet.draw_contact_sheet", sheet)
    return sheet


def test_the_most_uncertain_come_first_on_the_sheet(pictures: Path, tmp_path: Path, sheet: Sheet) -> None:
    predict(pictures, tmp_path)
    assert sheet.captions == [
        "b.png\nentropy 0.750",
        "d.png\nentropy 0.500",
        "a.png\nentropy 0.250",
        "c.png\nentropy 0.123",
    ]
    assert sheet.class_names == NAMES
    # The tall one is shown smaller, the others as they are.
    assert [picture.shape for picture in sheet.pictures] == [(40, 60, 3), (5, 5, 3), (4, 6, 3), (320, 4, 3)]
    overlay = np.asarray(Image.open(tmp_path / "overlays" / "b.jpg").convert("RGB"))
    np.testing.assert_allclose(sheet.pictures[0].astype(int), overlay.astype(int), atol=2)
    assert Image.open(tmp_path / "most_uncertain.png").width > 4 * 200


def test_the_background_is_tinted_and_plots_are_written_as_it_is_asked_for(pictures: Path, tmp_path: Path) -> None:
    writer = MaskWriter(tmp_path / "out")
    tint_backgrounds([writer], True)
    trainer = pl.Trainer(accelerator="cpu", logger=False, callbacks=[writer], enable_progress_bar=False)
    trainer.plots = ("svg", "pdf")  # type: ignore[attr-defined]
    trainer.predict(Known(), datamodule=PicturesDataModule(pictures, (8, 8), num_workers=0), return_predictions=False)
    overlay = np.asarray(Image.open(tmp_path / "out" / "overlays" / "b.jpg"))
    inside = true_mask("b") == NAMES.index("background")
    assert np.median(overlay[inside]) == pytest.approx(50, abs=3)
    assert {path.name for path in (tmp_path / "out").glob("most_uncertain.*")} == {
        "most_uncertain.svg",
        "most_uncertain.pdf",
    }
    text = (tmp_path / "out" / "most_uncertain.svg").read_text()
    assert all(f">{name}</text>" in text for name in NAMES)


def test_the_sheet_has_as_many_pictures_as_asked_for(pictures: Path, tmp_path: Path, sheet: Sheet) -> None:
    predict(pictures, tmp_path, num_uncertain=2)
    assert [caption[:5] for caption in sheet.captions] == ["b.png", "d.png"]


def test_no_sheet_is_drawn_if_none_is_wanted(pictures: Path, tmp_path: Path, sheet: Sheet) -> None:
    predict(pictures, tmp_path, num_uncertain=0)
    assert not sheet.captions
    assert not (tmp_path / "most_uncertain.png").exists()


def test_the_sheet_shows_every_picture_its_caption_and_the_classes() -> None:
    pictures = [np.full((3, 4, 3), 40 * number, np.uint8) for number in range(6)]
    captions = [f"caption {number}" for number in range(6)]
    figure = draw_contact_sheet(pictures, captions, NAMES, tint_background=True)
    shown = {axis.get_title(): axis.images[0].get_array() for axis in figure.axes if axis.images}
    assert list(shown) == captions
    for picture, caption in zip(pictures, captions, strict=True):
        np.testing.assert_array_equal(np.asarray(shown[caption]), picture)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(NAMES)
    colours = [np.asarray(patch.get_facecolor())[:3] * 255 for patch in legend.get_patches()]
    np.testing.assert_allclose(colours, palette_of(NAMES)[:3])
    (legend,) = draw_contact_sheet(pictures, captions, NAMES).legends
    assert [text.get_text() for text in legend.get_texts()] == ["pet", "border"]


def test_what_is_written_survives_an_interruption(pictures: Path, tmp_path: Path) -> None:
    """Batches of two: a and b, the broken file and c, then d."""
    with pytest.raises(RuntimeError, match="interrupted"):
        predict(pictures, tmp_path / "out", Known(fails_at=2))
    files = {f"masks/{name}.png" for name in "abc"} | {f"overlays/{name}.jpg" for name in "abc"}
    assert files_of(tmp_path / "out") == files | {"predictions.csv"}
    rows = read_table(tmp_path / "out")
    assert {Path(row["picture"]).stem: bool(row["error"]) for row in rows} == {
        "a": False,
        "b": False,
        "c": False,
        "bb": True,
    }


def test_a_second_time_replaces_the_table(pictures: Path, tmp_path: Path) -> None:
    for _ in range(2):
        predict(pictures, tmp_path)
    assert len(read_table(tmp_path)) == 5


def test_class_names_may_hold_commas(pictures: Path, tmp_path: Path) -> None:
    predict(pictures / "a.png", tmp_path, Known(("sky, blue", 'a "quoted" name', "border")))
    (row,) = read_table(tmp_path)
    assert (row["pixels/sky, blue"], row['share/a "quoted" name'], row["pixels/border"]) == ("12", "0.25", "6")
    assert row["mask"] == "masks/a.png"


def test_classes_that_do_not_occur_have_no_pixels(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    predict(tmp_path / "a.png", tmp_path, Known((*NAMES, "never", "ever")))
    (row,) = read_table(tmp_path)
    assert [row[f"pixels/{name}"] for name in (*NAMES, "never", "ever")] == ["12", "6", "6", "0", "0"]
    assert row["share/ever"] == "0.0"


def test_probabilities_are_written_where_the_task_keeps_them(pictures: Path, tmp_path: Path) -> None:
    predict(pictures, tmp_path / "with", Known(keep_probs=True))
    predict(pictures, tmp_path / "without")
    assert {name for name in files_of(tmp_path / "with") if ".npy" in name} == {f"probs/{name}.npy" for name in SIZES}
    assert not (tmp_path / "without" / "probs").exists()
    probs = np.load(tmp_path / "with" / "probs" / "b.npy")
    assert probs.dtype == np.float16
    np.testing.assert_array_equal(probs, np.arange(3)[:, None, None] == true_mask("b"))


def test_probabilities_of_an_earlier_prediction_are_not_left(pictures: Path, tmp_path: Path) -> None:
    predict(pictures, tmp_path / "out", Known(keep_probs=True))
    predict(pictures, tmp_path / "out")
    assert not [name for name in files_of(tmp_path / "out") if ".npy" in name]


def test_equal_names_in_two_folders_do_not_overwrite_each_other(tmp_path: Path) -> None:
    for folder, grey in (("one", 0), ("two", 250)):
        write_picture(tmp_path / folder / "a.png", grey)
    predict([tmp_path / "one", tmp_path / "two"], tmp_path / "out", tint_background=True)
    written = {f"{kind}/{name}" for kind in ("masks", "overlays") for name in ("one/a", "two/a")}
    assert {name.rpartition(".")[0] for name in files_of(tmp_path / "out")} >= written
    assert [row["mask"] for row in read_table(tmp_path / "out")] == ["masks/one/a.png", "masks/two/a.png"]
    dark, bright = (np.asarray(Image.open(tmp_path / "out" / "overlays" / name / "a.jpg")) for name in ("one", "two"))
    assert bright.astype(float).mean() - dark.astype(float).mean() == pytest.approx(125, abs=3)
