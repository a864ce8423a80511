"""What Look shows: lists in their order, pictures beside what is true, the confusion matrix, on cases by hand."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_seg.app import look_markup, markup
from lightning_seg.app.compare_tab import check_comparable, pair_of
from lightning_seg.app.look_tab import behind, look_at, numbers_of
from lightning_seg.app.pictures import EVERY_CLASS, PER_PAGE, about, list_of, thumbnail
from lightning_seg.app.sources import Source
from lightning_seg.app.truths import Truths
from lightning_seg.datamodules import ImageMaskFolderDataModule, OxfordPetsDataModule
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.plots.difference import WRONG, draw_difference
from lightning_seg.report.confusion import Confusion
from lightning_seg.report.contents import read_content
from lightning_seg.report.pixels import PixelConfusion
from lightning_seg.report.tested import PictureResult


def labelled(name: str, truth: str, prediction: str, probability: float, loss: float) -> PictureResult:
    return PictureResult(name, truth, prediction, probability, loss, float(truth == prediction), "accuracy", "")


TESTED = [
    labelled("a.jpg", "cat", "cat", 0.9, 0.1),
    labelled("b.jpg", "cat", "dog", 0.6, 1.2),
    labelled("c.jpg", "dog", "cat", 0.8, 2.5),
    labelled("d.jpg", "dog", "dog", 0.7, 0.3),
    labelled("e.jpg", "cat", "dog", 0.95, 3.0),
]


def names(order: str, class_name: str = EVERY_CLASS, best: bool = False, page: int = 1) -> str:
    return "".join(one.path[0] for one in list_of(TESTED, order, class_name, best, page)[0])


def test_the_worst_come_first_in_every_order() -> None:
    assert names("loss") == "ecbda"
    assert names("mistake") == "ecb"
    assert names("by loss") == "ecbda"
    assert names("loss", best=True) == "adbce"


def test_a_class_is_true_or_predicted() -> None:
    assert names("loss", "dog") == "ecbd"


def test_pages() -> None:
    many = [labelled(f"{number}.jpg", "cat", "cat", 0.5, float(number)) for number in range(2 * PER_PAGE + 1)]
    first, pages = list_of(many, "loss", EVERY_CLASS, False, 1)
    assert (len(first), pages, first[0].loss) == (PER_PAGE, 3, 2 * PER_PAGE)
    assert [one.loss for one in list_of(many, "loss", EVERY_CLASS, False, 3)[0]] == [0]
    assert list_of(many, "loss", EVERY_CLASS, False, 9)[0] == list_of(many, "loss", EVERY_CLASS, False, 3)[0]
    assert list_of([], "loss", EVERY_CLASS, False, 1) == ([], 1)


def test_captions() -> None:
    assert about(TESTED[1]) == "true cat, predicted dog (0.60), loss 1.2"
    mask = PictureResult("m.png", "cat; sky", "sky", 0.8, None, 0.5, "mean IoU", "")
    assert about(mask) == "mean IoU 0.500"


def test_a_cell_holds_its_pictures_the_surest_first() -> None:
    confusion = Confusion.of(TESTED, ("cat", "dog"))
    assert confusion is not None
    words, found = behind(confusion, [0, 1])
    assert words == "2 of cat taken for dog"
    assert [one.path for one in found] == ["e.jpg", "b.jpg"]
    page = look_markup.confusion(confusion)
    assert re.findall(r'data-index="\[(\d),(\d)\]" aria-label="([^"]*)"', page) == [
        ("0", "0", "1 picture of cat taken for cat"),
        ("0", "1", "2 pictures of cat taken for dog"),
        ("1", "0", "1 picture of dog taken for cat"),
        ("1", "1", "1 picture of dog taken for dog"),
    ]


def test_names_are_text_whatever_they_hold() -> None:
    evil = "<img src=x onerror=alert(1)>\n"
    confusion = Confusion.of([labelled("a", evil, evil, 0.9, 0.1)], (evil,))
    assert confusion is not None
    small = [(np.zeros((2, 2, 3), np.uint8), evil, evil)]
    for page in (
        look_markup.confusion(confusion),
        look_markup.pictures(small),
        markup.line(evil),
        markup.heading(evil, evil),
    ):
        assert "<img src=x" not in page
        assert "&lt;img src=x" in page
        assert "\n" not in page


def test_a_thumbnail_keeps_the_shape_and_a_missing_file_is_grey(truths: Truths) -> None:
    (path,) = truths.paths
    Image.fromarray(np.full((300, 600, 3), 77, np.uint8)).save(path)
    assert thumbnail(truths, path).shape == (128, 256, 3)
    Path(path).unlink()
    assert (thumbnail(truths, path) == 128).all()


def test_no_picture_outside_of_the_dataset_is_opened(truths: Truths, masks: Source, tmp_path: Path) -> None:
    """A table of a stranger may name any file."""
    Image.fromarray(np.full((30, 60, 3), 77, np.uint8)).save(tmp_path / "private.png")
    assert (thumbnail(truths, str(tmp_path / "private.png")) == 128).all()
    result = PictureResult(str(tmp_path / "private.png"), "", "", None, None, 0.7, "mean IoU", "")
    said, pictures = look_at(masks, truths, result)
    assert "not among the test pictures" in said
    assert pictures == [None] * 4


def test_pictures_of_a_dataset_that_was_elsewhere_then_are_shown(truths: Truths, masks: Source) -> None:
    (path,) = truths.paths
    then = f"/somewhere/else/images/{Path(path).name}"
    assert truths.place(then) == path
    _, pictures = look_at(masks, truths, PictureResult(then, "", "", None, None, 0.7, "mean IoU", ""))
    assert pictures[0] is not None


def test_the_difference_shows_wrong_pixels_and_leaves_out_ignored_ones() -> None:
    image = np.zeros((1, 4, 3), np.uint8)
    truth, said = np.array([[0, 1, 1, 255]], np.uint8), np.array([[0, 0, 1, 0]], np.uint8)
    drawn = np.asarray(draw_difference(image, truth, said))
    pale = [115, 115, 115]
    assert drawn[0].tolist() == [pale, list(WRONG), pale, [255, 255, 255]]


@pytest.fixture
def own_data(tmp_path: Path) -> Path:
    """A test picture of 4 pixels whose left half is dark, and whose mask says so but for one pixel."""
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[:, 1] = 200
    for number in range(4):
        Image.fromarray(pixels).save(tmp_path / "data" / "images" / f"{number}.png")
        Image.fromarray(np.array([[0, 1], [1, 1]], np.uint8)).save(tmp_path / "data" / "masks" / f"{number}.png")
    return tmp_path / "data"


@pytest.fixture
def truths(own_data: Path) -> Truths:
    kind: dict[str, Any] = {"images": "images/*.png", "classes": ["dark", "bright"]}
    return Truths.of(ImageMaskFolderDataModule(own_data, image_size=8, batch_size=1, test_fraction=0.25, **kind))


def test_a_test_picture_beside_what_is_true(truths: Truths, masks: Source) -> None:
    (path,) = truths.paths
    result = PictureResult(path, "dark; bright", "dark; bright", 0.9, 0.1, 0.7, "mean IoU", "")
    said, pictures = look_at(masks, truths, result)
    assert "mean IoU 0.700, loss 0.1. Now: " in said
    picture, truth, prediction, difference = [np.asarray(one) for one in pictures]
    assert picture.shape == (2, 2, 3)
    # At the size of the file: the pixel below left is bright in the mask and dark in the picture.
    wrong = (difference == WRONG).all(axis=2)
    assert wrong.tolist() == [[False, False], [True, False]]
    assert (truth != prediction).any(axis=2).tolist() == [[False, False], [True, False]]


def test_a_picture_that_is_gone_is_a_line(truths: Truths, masks: Source) -> None:
    result = PictureResult(truths.paths[0], "", "", None, None, 0.7, "mean IoU", "")
    Path(truths.paths[0]).unlink()
    said, pictures = look_at(masks, truths, result)
    assert 'role="alert"' in said
    assert "no such file" in said
    assert pictures == [None] * 4
    other = PictureResult("elsewhere.png", "", "", None, None, 0.7, "mean IoU", "")
    with pytest.raises(DataError, match="not among the test pictures"):
        truths.mask(other.path)


def test_masks_of_other_classes_are_refused(truths: Truths) -> None:
    truths.check_classes(("dark", "bright"))
    with pytest.raises(ConfigError, match="the dataset has the classes dark, bright, the model a, b"):
        truths.check_classes(("a", "b"))


def test_a_dataset_that_is_not_there_is_not_downloaded(tmp_path: Path) -> None:
    data = OxfordPetsDataModule(tmp_path / "pets", download=True)
    with pytest.raises(DataError):
        Truths.of(data)
    assert not (tmp_path / "pets").exists()


def test_two_models_on_one_picture(own_data: Path, masks: Source, labels: Source) -> None:
    other = masks._replace(name="other", with_options=lambda options: masks.with_options({"threshold": 0.9}))
    check_comparable(masks, other)
    pair = pair_of(masks, other, own_data / "images" / "0.png")
    left, right = (np.asarray(picture) for picture in pair.pictures)
    # At 200 only the first one calls it bright.
    assert (left != right).any(axis=2).tolist() == [[False, True]] * 2
    assert pair.lines[0].startswith("bright/1: dark 50.0 %, bright 50.0 %")
    assert pair.lines[1].startswith("other: dark 100.0 %")
    with pytest.raises(ConfigError, match="bright/1 gives masks and bright/2 gives labels; give another"):
        check_comparable(masks, labels)
    with pytest.raises(ConfigError, match="has the classes dark, bright, bright/1 a, b"):
        check_comparable(masks, masks._replace(found_names=("a", "b")))


def test_numbers_of_an_empty_folder_are_a_line(tmp_path: Path) -> None:
    page = numbers_of(read_content(tmp_path))
    assert "No epoch was logged" in page
    (tmp_path / "metrics.json").write_text("{broken")
    assert 'role="alert"' in numbers_of(read_content(tmp_path))


def test_pixels_are_shown_in_percent_of_their_true_class() -> None:
    page = look_markup.confused_pixels(PixelConfusion(("sky", "<b>"), ((300, 100), (0, 600))))
    shown = re.findall(r'<td class="(\w+)"(?: style="--share:(\d+)%")?>([\d.]+)</td>', page)
    assert shown == [("right", "75", "75.0"), ("wrong", "25", "25.0"), ("none", "", "0"), ("right", "100", "100.0")]
    assert "90.0% of 1,000 are right" in page
    assert "<b>" not in page
