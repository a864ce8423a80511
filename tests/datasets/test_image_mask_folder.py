"""Samples by hand-written pixels, and the check of all masks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_seg.batch import SegmentationSample
from lightning_seg.datasets.image_mask_folder import ImageMaskFolderDataset
from lightning_seg.datasets.mask_checks import inspect_masks, missing_classes
from lightning_seg.datasets.mask_codes import MaskCodes, MaskValue
from lightning_seg.datasets.pairs import Pair
from lightning_seg.errors import DataError

CLASSES = ["background", "cat"]
PICTURE = np.array([[[10, 11, 12], [20, 21, 22], [30, 31, 32]], [[40, 41, 42], [50, 51, 52], [60, 61, 62]]], np.uint8)
MASK = np.array([[0, 1, 0], [1, 1, 255]], np.uint8)


def save(path: Path, pixels: Any, orientation: int = 1, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    Image.fromarray(np.asarray(pixels)).save(path, exif=exif, **options)
    return path


def one(tmp_path: Path, picture: Any = PICTURE, mask: Any = MASK, turned: tuple[int, int] = (1, 1)) -> list[Pair]:
    """One pair of files; ``turned`` are the EXIF orientations of picture and mask."""
    image = save(tmp_path / "images" / "a.png", picture, turned[0])
    return [Pair("images/a.png", image, save(tmp_path / "masks" / "a.png", mask, turned[1]))]


def refused(error: pytest.ExceptionInfo[DataError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


# Samples


def test_a_sample_is_what_the_files_hold(tmp_path: Path) -> None:
    sample = ImageMaskFolderDataset(one(tmp_path), MaskCodes(CLASSES))[0]
    assert sample.keys() == SegmentationSample.__annotations__.keys()
    assert torch.equal(sample["image"].permute(1, 2, 0), torch.from_numpy(PICTURE))
    assert sample["mask"].tolist() == [[0, 1, 0], [1, 1, 255]]
    assert sample["mask"].dtype == torch.uint8
    assert sample["path"] == str(tmp_path / "images" / "a.png")
    assert sample["original_size"] == (2, 3)


def test_names_come_from_the_classes(tmp_path: Path) -> None:
    assert ImageMaskFolderDataset(one(tmp_path), MaskCodes(CLASSES)).class_names == ("background", "cat")


def test_masks_of_one_dataset_may_differ_in_kind(tmp_path: Path) -> None:
    palette = Image.fromarray(np.array([[1, 0]], np.uint8))
    palette.putpalette([0, 0, 0, 255, 0, 0])
    masks = [
        Image.fromarray(np.array([[[255, 0, 0], [0, 0, 0]]], np.uint8)),
        Image.fromarray(np.array([[[255, 0, 0, 255], [0, 0, 0, 255]]], np.uint8)),
        palette,
    ]
    pairs = []
    for index, mask in enumerate(masks):
        image = save(tmp_path / f"{index}.jpg", np.zeros((1, 2, 3), np.uint8))
        mask.save(tmp_path / f"{index}.png")
        pairs.append(Pair(image.name, image, tmp_path / f"{index}.png"))
    dataset = ImageMaskFolderDataset(pairs, MaskCodes(CLASSES, ["#000000", "#ff0000"]))
    assert [dataset[index]["mask"].tolist() for index in range(3)] == [[[1, 0]]] * 3


@pytest.mark.parametrize(
    ("tag", "corner", "mask"),
    [(3, [60, 61, 62], [[255, 1, 1], [0, 1, 0]]), (6, [40, 41, 42], [[1, 0], [1, 1], [255, 0]])],
)
def test_files_are_turned_upright(tmp_path: Path, tag: int, corner: list[int], mask: list[list[int]]) -> None:
    sample = ImageMaskFolderDataset(one(tmp_path, turned=(tag, tag)), MaskCodes(CLASSES))[0]
    assert sample["mask"].tolist() == mask
    assert sample["image"][:, 0, 0].tolist() == corner
    assert sample["original_size"] == (len(mask), len(mask[0]))


def test_a_mask_drawn_on_the_upright_picture(tmp_path: Path) -> None:
    upright = np.array([[1, 0], [1, 1], [255, 0]], np.uint8)
    dataset = ImageMaskFolderDataset(one(tmp_path, mask=upright, turned=(6, 1)), MaskCodes(CLASSES))
    assert dataset[0]["mask"].tolist() == upright.tolist()
    assert dataset[0]["image"][:, 0, 0].tolist() == [40, 41, 42]
    inspect_masks(dataset)


# The check of all masks


def several(tmp_path: Path, masks: Sequence[Any], **options: Any) -> ImageMaskFolderDataset:
    pairs = []
    for index, mask in enumerate(masks):
        pixels = np.array(mask, np.uint8)
        image = save(tmp_path / "images" / f"{index}.png", np.zeros((*pixels.shape, 3), np.uint8))
        pairs.append(Pair(f"images/{index}.png", image, save(tmp_path / "masks" / f"{index}.png", pixels)))
    return ImageMaskFolderDataset(pairs, MaskCodes(**{"classes": [*CLASSES, "dog"], **options}))


def test_the_check_says_which_classes_occur(tmp_path: Path) -> None:
    dataset = several(tmp_path, [[[0, 255]], [[0, 2]]])
    occurs = inspect_masks(dataset)
    assert np.flatnonzero(occurs).tolist() == [0, 2, 255]
    assert missing_classes(dataset, occurs) == ["cat"]


def test_the_first_wrong_mask_and_how_many_more(tmp_path: Path) -> None:
    dataset = several(tmp_path, [[[0]], [[7]], [[1]], [[8]], [[9]]])
    with pytest.raises(DataError) as error:
        inspect_masks(dataset)
    message = refused(error)
    assert message.startswith(f"{tmp_path}/masks/1.png: the mask holds 7 (1 pixel) of no class")
    assert message.endswith("; 2 more of 5 masks cannot be used")


def test_one_wrong_mask_is_no_crowd(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"add 7 to mask_values or ignore_values$"):
        inspect_masks(several(tmp_path, [[[0]], [[7]]]))


def wrong(pairs: list[Pair]) -> str:
    with pytest.raises(DataError) as error:
        inspect_masks(ImageMaskFolderDataset(pairs, MaskCodes(CLASSES)))
    return refused(error)


def test_another_size(tmp_path: Path) -> None:
    assert wrong(one(tmp_path, mask=MASK[:, :2])) == (
        f"{tmp_path}/masks/a.png: the mask is 2x2 pixels and its picture {tmp_path}/images/a.png 3x2; replace one of "
        "the two"
    )


@pytest.mark.parametrize(
    ("turned", "mask", "picture", "hint"),
    [
        ((6, 1), "3x2", "2x3", "; EXIF orientation 6 turns the picture, not the mask"),
        ((8, 1), "3x2", "2x3", "; EXIF orientation 8 turns the picture, not the mask"),
        ((1, 6), "2x3", "3x2", "; EXIF orientation 6 turns the mask, not the picture"),
        ((6, 3), "3x2", "2x3", "; EXIF orientation 6 turns the picture, 3 the mask"),
    ],
)
def test_one_of_two_files_is_turned(
    tmp_path: Path, turned: tuple[int, int], mask: str, picture: str, hint: str
) -> None:
    message = wrong(one(tmp_path, turned=turned))
    assert f"the mask is {mask} pixels and its picture {tmp_path}/images/a.png {picture}{hint}; replace" in message


def test_a_tag_behind_the_pixels_is_seen(tmp_path: Path) -> None:
    """PNG allows its EXIF chunk after the pixels; the header alone would give the wrong size."""
    pairs = one(tmp_path, mask=MASK.T, turned=(6, 1))
    content = pairs[0].image.read_bytes()
    start = content.index(b"eXIf") - 4
    chunk = content[start : start + 12 + int.from_bytes(content[start : start + 4], "big")]
    end = content.index(b"IEND") - 4
    pairs[0].image.write_bytes(content[:start] + content[start + len(chunk) : end] + chunk + content[end:])
    occurs = inspect_masks(ImageMaskFolderDataset(pairs, MaskCodes(CLASSES)))
    assert np.flatnonzero(occurs).tolist() == np.unique(MASK).tolist()


def test_the_check_decodes_no_picture(tmp_path: Path) -> None:
    pairs = one(tmp_path)
    pairs[0].image.write_bytes(pairs[0].image.read_bytes()[:45])
    occurs = inspect_masks(ImageMaskFolderDataset(pairs, MaskCodes(CLASSES)))
    assert np.flatnonzero(occurs).tolist() == np.unique(MASK).tolist()


def test_unreadable_files(tmp_path: Path) -> None:
    pairs = one(tmp_path)
    content = pairs[0].mask.read_bytes()
    pairs[0].mask.write_bytes(content[:45])
    assert wrong(pairs).startswith(f"{tmp_path}/masks/a.png: cannot be read as a picture (")
    pairs[0].mask.write_bytes(content)
    pairs[0].image.write_bytes(b"")
    assert wrong(pairs).startswith(f"{tmp_path}/images/a.png: cannot be read as a picture (")


def test_a_jpeg(tmp_path: Path) -> None:
    pairs = one(tmp_path)
    save(pairs[0].mask, MASK, format="JPEG")
    assert wrong(pairs).startswith(f"{tmp_path}/masks/a.png: the mask is stored as JPEG")


@pytest.mark.parametrize(
    ("masks", "classes", "mask_values", "message"),
    [
        (
            [[[0, 255]], [[0, 0]]],
            CLASSES,
            None,
            "hold 0 and 255 alone, and 255 belongs to no class; give mask_values [0, 255]",
        ),
        ([[[255, 1]]], CLASSES, None, "hold 1 and 255 alone, and 255 belongs to no class; give mask_values [255, 1]"),
        ([[[255, 9]]], CLASSES, [9, 8], "hold 9 and 255 alone, and 255 belongs to no class; give mask_values [9, 255]"),
        (
            [[[0, 255]]],
            [*CLASSES, "dog"],
            None,
            "hold 0 and 255 alone, and 255 belongs to no class; name it in mask_values",
        ),
        ([[[255]]], CLASSES, None, "hold 255 alone, and 255 belongs to no class; name it in mask_values"),
    ],
)
def test_all_but_one_class_lost_to_255(
    tmp_path: Path, masks: Any, classes: list[str], mask_values: list[MaskValue] | None, message: str
) -> None:
    dataset = several(tmp_path, masks, classes=classes, mask_values=mask_values)
    with pytest.raises(DataError) as error:
        missing_classes(dataset, inspect_masks(dataset))
    assert message in refused(error)
    assert refused(error).endswith(", or ignore_values [255] if it is to be ignored")


def test_255_may_be_ignored_on_purpose(tmp_path: Path) -> None:
    dataset = several(tmp_path, [[[0, 255]]], ignore_values=[255])
    assert missing_classes(dataset, inspect_masks(dataset)) == ["cat", "dog"]


def test_two_classes_and_255_are_usual(tmp_path: Path) -> None:
    dataset = several(tmp_path, [[[0, 255]], [[1, 1]]], classes=CLASSES)
    assert missing_classes(dataset, inspect_masks(dataset)) == []


def test_one_class_without_255_is_only_missed(tmp_path: Path) -> None:
    dataset = several(tmp_path, [[[0, 0]]])
    assert missing_classes(dataset, inspect_masks(dataset)) == ["cat", "dog"]
