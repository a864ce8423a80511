"""Files and names as strangers have them, through the commands that a user types."""

import json
import shlex
import struct
from collections.abc import Callable, Sequence
from itertools import cycle, pairwise
from pathlib import Path
from typing import Literal
from unicodedata import normalize

import numpy as np
import pytest
from PIL import Image

from lightning_seg import CocoObjectsDataModule, ImageFolderDataModule, ImageMaskFolderDataModule, Predictor
from lightning_seg.__main__ import main
from lightning_seg.datasets.finding import find_pictures
from lightning_seg.images import Array
from lightning_seg.tables import read_rows

SMALL = shlex.split(
    "--model MobileNetV2UNetTask --model.encoder_weights null --model.freeze_encoder false "
    "--model.freeze_encoder_norm false --data ImageMaskFolderDataModule --data.image_size 32 --data.batch_size 2 "
    "--data.cache false --trainer.accelerator cpu "
    "--trainer.max_epochs 1 --trainer.limit_train_batches 1 --trainer.enable_progress_bar false "
    "--trainer.enable_model_summary false"
)
Form = Literal["NFC", "NFD"]
Mistake = Callable[[list[str]], str]
NAMES = [f"p{number}" for number in range(10)]
WORKERS = pytest.mark.parametrize("workers", [0, 2])


def picture(number: int) -> Array:
    return np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)


def mask(number: int) -> Array:
    """Ones in a half, zeros in the other."""
    return np.roll(np.repeat([[0, 1]], 16, axis=1).repeat(32, axis=0), number, axis=1).astype(np.uint8)


def write_own(root: Path, names: Sequence[str] = NAMES) -> Path:
    """Pictures ``images/NAME.jpg`` and masks ``masks/NAME.png`` of the numbers 0 and 1."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(picture(number)).save(root / "images" / f"{name}.jpg")
        Image.fromarray(mask(number)).save(root / "masks" / f"{name}.png")
    return root


def fit(root: Path, *flags: str, classes: str = "[background, leaf]", workers: int = 0) -> list[str]:
    words = ["--data.root", str(root), "--data.classes", classes, "--data.num_workers", str(workers)]
    return ["fit", *SMALL, *words, "--run_folder", str(root.parent / "run"), *flags]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one step."""
    folder = tmp_path_factory.mktemp("odd")
    assert main(fit(write_own(folder / "data"))) == 0
    return folder / "run"


def predict(run: Path, images: str | Path, output: Path, *flags: str) -> list[str]:
    """The names of the predicted pictures."""
    words = ["--run", str(run), "--images", str(images), "--output", str(output), "--data.num_workers", "0"]
    assert main(["predict", *words, *flags]) == 0
    return [Path(row["picture"]).name for row in read_rows(output / "predictions.csv")]


def write_photos(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names or ("a.jpg", "b.jpg")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(number)).save(folder / name)
    return folder


# Predictions are no pictures to predict.


@pytest.mark.parametrize(
    ("images", "output"), [("photos", "photos"), ("photos/**/*", "photos/out"), ("photos/*", "photos")]
)
def test_what_is_predicted_is_not_predicted_again(
    images: str, output: str, run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_photos(tmp_path / "photos")
    for _ in range(2):
        assert predict(run, tmp_path / images, tmp_path / output) == ["a.jpg", "b.jpg"]
    assert (tmp_path / output / "masks" / "a.png").is_file()
    (line,) = (message for message in caplog.messages if "an earlier prediction has written" in message)
    assert line.endswith("are left out; give their folder alone to predict them")


def test_an_earlier_output_elsewhere_among_the_pictures_is_left_out(run: Path, tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", "a.jpg", "day/b.jpg", "masks/c.jpg")
    every = str(photos / "**" / "*")
    assert predict(run, every, photos / "first") == ["a.jpg", "b.jpg", "c.jpg"]
    assert predict(run, every, tmp_path / "second") == ["a.jpg", "b.jpg", "c.jpg"]


def test_files_that_a_shell_lists_are_told_apart_too(run: Path, tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos")
    predict(run, photos, photos)
    listed = [str(path) for path in sorted(photos.iterdir())]
    assert len(listed) == 6
    assert main(["predict", "--run", str(run), "--images", *listed, "--output", str(tmp_path / "out")]) == 0
    assert [Path(row["picture"]).name for row in read_rows(tmp_path / "out" / "predictions.csv")] == ["a.jpg", "b.jpg"]


def test_predictions_that_are_asked_for_alone_are_predicted(run: Path, tmp_path: Path, mistake: Mistake) -> None:
    predict(run, write_photos(tmp_path / "photos"), tmp_path / "out")
    assert predict(run, tmp_path / "out" / "overlays", tmp_path / "again") == ["a.jpg", "b.jpg"]
    line = mistake(["predict", "--run", str(run), "--images", str(tmp_path / "out" / "**" / "*"), "--output", "o"])
    assert "5 files that an earlier prediction has written" in line
    assert "are all that is there; give the folder of the pictures, or that of these files" in line


def test_predictions_are_no_class_and_no_pictures_of_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = write_photos(tmp_path / "flowers", *(f"{kind}/{n}.jpg" for kind in ("aster", "rose") for n in range(4)))
    words = ["--model", "CNNClassifierTask", "--data", "ImageFolderDataModule", "--data.root", str(root)]
    words += ["--data.image_size", "32", "--data.num_workers", "0", "--trainer.accelerator", "cpu"]
    words += ["--data.val_fraction", "0.25", "--data.test_fraction", "0.25", "--trainer.max_epochs", "1"]
    assert main(["fit", *words, "--run_folder", str(tmp_path / "run")]) == 0
    for output in (root / "predictions", root / "rose"):
        assert predict(tmp_path / "run", root / "rose", output) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
        assert (output / "most_uncertain.png").is_file()
    data = ImageFolderDataModule(root)
    caplog.clear()
    data.setup("fit")
    assert data.class_names == ("aster", "rose")
    assert len(data.read_pictures()) == 8
    (line,) = (message for message in caplog.messages if "left out" in message)
    assert line.endswith(": predictions/, rose/most_uncertain.png, rose/predictions.csv")


# Brackets, and accents as one character or as two.


@pytest.mark.parametrize("asked", ["photos[1]/*.jpg", "photos[1]/a*"])
def test_a_bracket_in_a_name_is_a_wildcard_in_a_pattern(
    asked: str, run: Path, tmp_path: Path, mistake: Mistake
) -> None:
    write_photos(tmp_path / "photos[1]")
    line = mistake(["predict", "--run", str(run), "--images", asked])
    escaped = asked.replace("[", "[[]")
    assert f"[ begins a wildcard there; for a name that holds it write '{escaped}'; give a file" in line
    assert "a.jpg" in predict(run, escaped, tmp_path / "out")
    assert predict(run, "photos[1]", tmp_path / "out2") == ["a.jpg", "b.jpg"]


def test_a_bracket_in_the_pattern_of_a_dataset(tmp_path: Path, mistake: Mistake) -> None:
    root = write_own(tmp_path / "data[2]")
    (root / "images").rename(root / "images[1]")
    line = mistake(fit(root, "--data.images", "images[1]/*.jpg"))
    assert "[ begins a wildcard there; for a name that holds it write 'images[[]1]/*.jpg'; " in line
    assert main(fit(root, "--data.images", "images[[]1]/*.jpg")) == 0


@pytest.mark.parametrize("typed", ["NFC", "NFD"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_pictures_to_predict_by_accents_in_either_spelling(typed: Form, stored: Form, tmp_path: Path) -> None:
    folder = write_photos(tmp_path / normalize(stored, "조각é"), normalize(stored, "é.jpg"), "b.jpg")
    asked = tmp_path / normalize(typed, "조각é")
    for images in (asked, asked / "*.jpg"):
        assert find_pictures([images]) == sorted(folder.iterdir())
    assert find_pictures([asked / normalize(typed, "é.jpg")]) == [folder / normalize(stored, "é.jpg")]
    assert find_pictures([asked / normalize(typed, "é*")]) == [folder / normalize(stored, "é.jpg")]


@WORKERS
@pytest.mark.parametrize("masks", ["NFC", "NFD"])
def test_masks_classes_lists_and_patterns_by_accents_in_either_spelling(
    masks: Form, workers: int, tmp_path: Path
) -> None:
    images: Form = "NFD" if masks == "NFC" else "NFC"
    names = [f"조각é{number}" for number in range(10)]
    root = write_own(tmp_path / "data", [normalize(images, name) for name in names])
    for path in list((root / "masks").iterdir()):
        path.rename(path.with_name(normalize(masks, path.name)))
    (root / "images").rename(root / normalize(images, "é"))
    (root / "val.txt").write_text("\n".join(normalize(masks, name) for name in names[:3]), "utf-8")
    pattern = normalize(masks, "é/*é*.jpg")
    flags = ["--data.images", pattern, "--data.val_list", "val.txt", "--data.test_list", "test.txt"]
    (root / "test.txt").write_text(normalize(masks, names[4]), "utf-8")
    assert main(fit(root, *flags, classes=f"[{normalize(images, 'é')}, leaf]", workers=workers)) == 0
    record = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert "val/iou/é" in record
    words = ["--run", str(tmp_path / "run"), "--data.classes", f"[{normalize(masks, 'é')}, leaf]"]
    assert main(["test", *words]) == 0


# What YAML takes for something else.


@WORKERS
def test_classes_that_yaml_would_read_as_numbers_and_truth_keep_their_names(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = write_own(tmp_path / "data")
    classes = "classes:\n    - 02146\n    - off\n    - 0x1F\n    - '1e3'\n"
    Path("names.yaml").write_text(f"data:\n  class_path: ImageMaskFolderDataModule\n  init_args:\n    {classes}")
    in_config = ("--data", "ImageMaskFolderDataModule", "--data.classes", "[background, leaf]")
    words = [word for word in fit(root, workers=workers) if word not in in_config]
    assert main(["fit", "--config", "names.yaml", *words[1:]]) == 0
    assert main(["test", "--run", "run"]) == 0
    record = json.loads((tmp_path / "run" / "metrics.json").read_text())
    for split in ("val", "test"):
        names = {name.removeprefix(f"{split}/iou/") for name in record if name.startswith(f"{split}/iou/")}
        assert names == {"02146", "off", "0x1F", "1e3"}


def test_class_folders_of_numbers_with_zeros(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "photos", *(f"{kind}/{n}.png" for kind in ("02146", "yes") for n in range(3)))
    given = ["--data", "ImageFolderDataModule", "--data.root", str(root), "--data.classes", "[yes, 02146]"]
    words = ["--model", "CNNClassifierTask", *given, "--data.image_size", "32", "--data.num_workers", "0"]
    words += ["--trainer.accelerator", "cpu", "--trainer.max_epochs", "1", "--data.val_fraction", "0.4"]
    assert main(["fit", *words, "--run_folder", str(tmp_path / "run"), "--data.test_fraction", "0"]) == 0
    assert Predictor.from_run(tmp_path / "run").class_names == ("yes", "02146")


# Boxes.


@WORKERS
def test_scenes_with_empty_annotations_string_ids_and_a_byte_order_mark_are_loaded(
    workers: int, scenes_root: Path, tmp_path: Path
) -> None:
    content = json.loads((scenes_root / "annotations.json").read_text())
    for one in content["images"]:
        one["id"] = str(one["id"])
    first = dict(content["annotations"][0])
    content["annotations"] += [
        {**first, "id": "x", "bbox": [29.6, 38.3, 1.03, 0.0]},
        {**first, "id": "y", "bbox": None},
    ]
    (tmp_path / "odd.json").write_text(json.dumps(content), "utf-8-sig")
    loaded = []
    for file in (scenes_root / "annotations.json", tmp_path / "odd.json"):
        data = CocoObjectsDataModule(scenes_root, str(file), num_workers=workers, image_size=64)
        data.read_original_sizes()
        data.setup("test")
        loaded.append([(batch["path"], batch["boxes"][0].tolist()) for batch in data.test_dataloader()])
    assert loaded[0] == loaded[1]
    assert sum(len(boxes) for _, boxes in loaded[0]) == len(content["annotations"]) - 2


# Transparency and pages.


@WORKERS
def test_transparent_masks_train_as_the_class_that_is_named(workers: int, tmp_path: Path, mistake: Mistake) -> None:
    root = write_own(tmp_path / "data")
    for number, path in enumerate(sorted((root / "masks").iterdir())):
        rgba = np.zeros((32, 32, 4), np.uint8)
        rgba[mask(number) == 1] = (255, 0, 0, 255)
        Image.fromarray(rgba).save(path)
    words = fit(root, "--data.mask_values", '["#000000", "#ff0000"]', workers=workers)
    line = mistake(words)
    assert "512 pixels of the mask are transparent" in line
    assert "name their class with --data.transparent" in line
    assert main([*words, "--data.transparent", "background"]) == 0
    data = ImageMaskFolderDataModule(
        root, ["background", "leaf"], mask_values=["#000000", "#ff0000"], transparent="background", image_size=32
    )
    data.setup("fit")
    dataset = data.datasets["val"]
    for index, pair in enumerate(dataset.records):
        np.testing.assert_array_equal(dataset[index]["mask"], mask(NAMES.index(Path(pair.name).stem)))


@WORKERS
def test_masks_of_several_pages_are_refused(workers: int, tmp_path: Path, mistake: Mistake) -> None:
    root = write_own(tmp_path / "data")
    pages = [Image.fromarray(mask(0)), Image.fromarray(mask(9))]
    for name in NAMES:
        pages[0].save(root / "masks" / f"{name}.tif", save_all=True, append_images=pages[1:])
    line = mistake(fit(root, "--data.masks", "masks/{stem}.tif", workers=workers))
    assert ".tif: holds several pages or frames, and nobody says which; save one as a file of its own" in line


def test_pictures_of_several_pages_are_skipped_and_transparency_is_dropped(
    run: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    photos = write_photos(tmp_path / "photos", "a.png")
    first, second = Image.fromarray(picture(0)), Image.fromarray(picture(1))
    kinds = ("tif", "gif", "png", "webp")
    for kind in kinds:
        first.save(photos / f"pages.{kind}", save_all=True, append_images=[second])
    clear = np.random.default_rng(0).integers(0, 256, (32, 32, 1), np.uint8)
    Image.fromarray(np.concatenate([picture(0), clear], axis=2)).save(photos / "b.png")
    words = ["--run", str(run), "--images", str(photos), "--output", str(tmp_path / "out"), "--data.num_workers", "0"]
    assert main(["predict", *words]) == 3
    rows = read_rows(tmp_path / "out" / "predictions.csv")
    skipped = {Path(row["picture"]).name for row in rows if "several pages or frames" in row["error"]}
    assert skipped == {f"pages.{kind}" for kind in kinds}
    plain, transparent = (row for row in rows if not row["error"])
    assert {**plain, "picture": "", "mask": "", "overlay": ""} == {
        **transparent,
        "picture": "",
        "mask": "",
        "overlay": "",
    }
    assert not [one for one in recwarn if "transparency" in str(one.message).lower()]


# EXIF that Pillow reads and cannot write.


def exif_with(tag: int, kind: int, value: bytes, orientation: int) -> bytes:
    """The orientation and one more tag, whose value Pillow has no way to write as what the tag is."""
    tags = sorted([struct.pack("<HHIHH", 0x112, 3, 1, orientation, 0), struct.pack("<HHI", tag, kind, 1) + value])
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + b"".join(tags) + bytes(12)


UNWRITABLE: dict[str, tuple[type[Exception], int, int, bytes]] = {
    "struct.error": (struct.error, 0x103, 8, struct.pack("<hxx", -5)),
    "TypeError": (TypeError, 0x11A, 2, b"abc\0"),
    "AttributeError": (AttributeError, 0x132, 11, struct.pack("<f", 1.5)),
}


def save_unwritable(path: Path, pixels: Array, kind: str) -> None:
    """A picture that is to be turned to the right, by half a turn and by its tag."""
    error, tag, stored_as, value = UNWRITABLE[kind]
    Image.fromarray(np.rot90(pixels).copy()).save(path, exif=exif_with(tag, stored_as, value, orientation=6))
    with Image.open(path) as image, pytest.raises(error):
        image.getexif().tobytes()


@WORKERS
def test_exif_that_cannot_be_written_again_is_trained_on_and_previewed(workers: int, tmp_path: Path) -> None:
    root = write_own(tmp_path / "data")
    for number, (name, kind) in enumerate(zip(NAMES, cycle(UNWRITABLE), strict=False)):
        save_unwritable(root / "images" / f"{name}.jpg", picture(number), kind)
    words = fit(root, workers=workers)
    assert main(words) == 0
    flags = words[words.index("--data") : words.index("--run_folder")]
    data = [word for pair in pairwise(flags) if pair[0].startswith("--data") for word in pair]
    assert main(["preview", *data, "--output", str(tmp_path / "p.png")]) == 0


@WORKERS
def test_exif_that_cannot_be_written_again_is_predicted(workers: int, run: Path, tmp_path: Path) -> None:
    pixels, photos = picture(0)[:, :24], tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(pixels).save(photos / "a.png")
    for kind in UNWRITABLE:
        for suffix in ("png", "jpg", "webp"):
            save_unwritable(photos / f"{suffix}_{kind}.{suffix}", pixels, kind)
    assert len(predict(run, photos, tmp_path / "out", "--data.num_workers", str(workers))) == 10
    rows = read_rows(tmp_path / "out" / "predictions.csv")
    assert {(row["width"], row["height"], row["error"]) for row in rows} == {("24", "32", "")}
    without_loss = [row for row in rows if row["picture"].endswith(".png")]
    told = {tuple(row[name] for name in ("confidence", "entropy", "pixels/leaf")) for row in without_loss}
    assert (len(without_loss), len(told)) == (4, 1)
    assert (tmp_path / "out" / "most_uncertain.png").is_file()
    predictor = Predictor.from_run(run)
    for path in photos.glob("*.png"):
        for image in (path, Image.open(path)):
            np.testing.assert_array_equal(predictor(image).image, pixels)


# Lists.


@WORKERS
def test_backslashes_windows_line_ends_and_a_byte_order_mark_in_lists(workers: int, tmp_path: Path) -> None:
    root = write_own(tmp_path / "data")
    rows = [f'.\\images\\{name}.jpg,"masks\\{name}.png"' for name in NAMES]
    (root / "pairs.csv").write_bytes("\r\n".join(["image,mask", *rows]).encode("utf-8-sig"))
    (root / "val.txt").write_bytes("images\\p1.jpg\r\np2\r\n".encode("utf-8-sig"))
    assert main(fit(root, "--data.pairs", "pairs.csv", "--data.val_list", "val.txt", workers=workers)) == 0
    data = ImageMaskFolderDataModule(root, ["background", "leaf"], pairs="pairs.csv", val_list="val.txt")
    data.setup("validate")
    assert [pair.name for pair in data.datasets["val"].records] == ["images/p1.jpg", "images/p2.jpg"]
