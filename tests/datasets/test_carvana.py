import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lightning_seg.batch import SegmentationSample
from lightning_seg.datasets.carvana import CarvanaDataset, CarvanaRecord, read_list
from lightning_seg.errors import DataError

Pixels = NDArray[np.uint8]
SIZE = (20, 30)  # height, width of the pictures below
MASK = np.zeros(SIZE, np.uint8)
MASK[8:16, 6:24] = 1
STEMS = ("f00dcafe0123_02", "f00dcafe0123_01", "0123456789ab_16")


def image(root: Path, stem: str) -> Path:
    return root / "train" / f"{stem}.jpg"


def mask_path(root: Path, stem: str) -> Path:
    return root / "train_masks" / f"{stem}_mask.gif"


def save_mask(path: Path, mask: Pixels) -> None:
    """A palette GIF, as published; the colours have nothing to do with the numbers."""
    picture = Image.fromarray(mask)
    picture.putpalette([200, 0, 0, 10, 20, 30, 40, 50, 60])
    picture.save(path, "GIF", optimize=False)


def write_list(root: Path, lines: Sequence[str]) -> None:
    (root / "train_masks.csv").write_bytes("".join(f"{line}\r\n" for line in lines).encode())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three pictures of two cars in Kaggle's layout, and what else may lie there."""
    root = tmp_path / "carvana"
    for folder in ("train", "train_masks", "test"):
        (root / folder).mkdir(parents=True)
    for number, stem in enumerate(STEMS):
        pixels = np.random.default_rng(number).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(image(root, stem), "PNG")
        save_mask(mask_path(root, stem), MASK)
        for path in (image(root, stem), mask_path(root, stem)):
            path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
    Image.fromarray(MASK).save(root / "test" / "f00dcafe9999_01.jpg", "JPEG")
    write_list(root, ["img,rle_mask", *(f"{stem}.jpg,8 3 31 2" for stem in STEMS)])
    return root


def one_line(error: pytest.ExceptionInfo[DataError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


# What is read


def test_records_keep_the_order_of_the_list(root: Path) -> None:
    assert [tuple(record) for record in CarvanaDataset(root).records] == [
        ("f00dcafe0123_02", "f00dcafe0123", 2),
        ("f00dcafe0123_01", "f00dcafe0123", 1),
        ("0123456789ab_16", "0123456789ab", 16),
    ]


def test_mask_is_what_the_file_stores_and_not_its_colours(root: Path) -> None:
    sample = CarvanaDataset(root)[0]
    assert CarvanaDataset.class_names == ("background", "car")
    assert torch.equal(sample["mask"], torch.from_numpy(MASK))


def test_pixels_are_exactly_those_of_the_file(root: Path) -> None:
    expected = np.random.default_rng(2).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    assert torch.equal(CarvanaDataset(root)[2]["image"].permute(1, 2, 0), torch.from_numpy(expected))


def test_sample_keeps_the_contract(root: Path) -> None:
    sample = CarvanaDataset(root, image_size=(16, 12))[(3, 1)]

    assert sample.keys() == SegmentationSample.__annotations__.keys()
    assert (sample["image"].dtype, tuple(sample["image"].shape)) == (torch.uint8, (3, 16, 12))
    assert (sample["mask"].dtype, tuple(sample["mask"].shape)) == (torch.uint8, (16, 12))
    assert (sample["index"], sample["epoch"]) == (1, 3)
    assert sample["path"] == str(image(root, STEMS[1]))
    assert sample["original_size"] == SIZE


@pytest.mark.parametrize(
    "lines",
    [
        ["img,rle_mask", "0123456789ab_16.jpg,"],
        ["img", "0123456789ab_16.jpg"],
        ["rle_mask,img", "7 2 9 1,0123456789ab_16.jpg"],
        ["\ufeffimg,rle_mask", "", "0123456789ab_16.jpg,8 3", ""],
    ],
)
def test_of_the_list_only_the_column_of_names_counts(root: Path, lines: list[str]) -> None:
    write_list(root, lines)
    assert read_list(root) == [CarvanaRecord("0123456789ab_16", "0123456789ab", 16)]


def test_files_of_records_that_are_not_taken_may_be_missing(root: Path) -> None:
    image(root, STEMS[0]).unlink()
    mask_path(root, STEMS[2]).unlink()

    dataset = CarvanaDataset(root, records=read_list(root)[1:2])

    assert [record.stem for record in dataset.records] == [STEMS[1]]
    assert dataset[0]["path"] == str(image(root, STEMS[1]))


# What is refused


def test_missing_root_says_what_to_put_where_and_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        CarvanaDataset(tmp_path / "nowhere")
    message = one_line(error)
    assert message.startswith(f"{tmp_path / 'nowhere'}: no train_masks.csv there")
    for part in (
        "train/*.jpg, train_masks/*_mask.gif and train_masks.csv",
        "--data.root",
        "--data.source synthetic",
        "account",
        "rules",
        "kaggle competitions download -c carvana-image-masking-challenge -f",
        "train.zip, train_masks.zip and train_masks.csv.zip",
        "unzip",
    ):
        assert part in message


@pytest.mark.parametrize("content", [b"", b"image,rle_mask\r\na_01.jpg,\r\n"])
def test_list_without_names_column_is_refused(root: Path, content: bytes) -> None:
    (root / "train_masks.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"train_masks\.csv: there is no column img; restore the published file$"):
        CarvanaDataset(root)


def test_list_that_is_no_csv_is_refused(root: Path) -> None:
    (root / "train_masks.csv").write_bytes(b"img,rle_mask\r\na_01.jpg," + b"1 " * 70_000)
    with pytest.raises(DataError) as error:
        CarvanaDataset(root)
    assert "train_masks.csv: cannot be read as CSV (" in one_line(error)


def test_empty_list_is_refused(root: Path) -> None:
    write_list(root, ["img,rle_mask"])
    with pytest.raises(DataError, match=r"train_masks\.csv: the list names no picture; restore the published file$"):
        CarvanaDataset(root)


@pytest.mark.parametrize("name", ["f00dcafe0123_01.png", "f00dcafe0123.jpg", "../train/f00dcafe0123_01.jpg", ""])
def test_bad_name_is_shown_with_its_line(root: Path, name: str) -> None:
    write_list(root, ["img,rle_mask", f"{STEMS[0]}.jpg,", f"{name},1 2"])
    with pytest.raises(DataError) as error:
        CarvanaDataset(root)
    assert one_line(error).endswith(f"train_masks.csv, line 3: expected CAR_VIEW.jpg, found {name!r}; restore the file")


def test_missing_files_are_named(root: Path) -> None:
    mask_path(root, STEMS[0]).unlink()
    image(root, STEMS[1]).unlink()
    image(root, STEMS[2]).unlink()
    mask_path(root, STEMS[2]).unlink()

    with pytest.raises(DataError) as error:
        CarvanaDataset(root)

    assert one_line(error) == (
        f"{root}: 1 listed names have a mask and no picture: {STEMS[1]}; "
        f"1 listed names have a picture and no mask: {STEMS[0]}; "
        f"1 listed names have neither picture nor mask: {STEMS[2]}; "
        "restore the files or take the names off train_masks.csv"
    )


def test_ten_of_twelve_missing_names_are_shown(root: Path) -> None:
    names = [f"aaaaaaaaaaaa_{view:02}" for view in range(1, 13)]
    write_list(root, ["img,rle_mask", *(f"{name}.jpg," for name in names)])
    with pytest.raises(DataError) as error:
        CarvanaDataset(root)
    assert f"12 listed names have neither picture nor mask: {', '.join(names[:10])}, ...; restore" in one_line(error)


def test_missing_folder_of_masks_is_no_crash(root: Path) -> None:
    shutil.rmtree(root / "train_masks")
    with pytest.raises(DataError, match="3 listed names have a picture and no mask"):
        CarvanaDataset(root)


@pytest.mark.parametrize("path", [image, mask_path])
def test_unreadable_file_is_named(root: Path, path: Callable[[Path, str], Path]) -> None:
    file = path(root, STEMS[0])
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(DataError) as error:
        CarvanaDataset(root)[0]
    assert one_line(error).startswith(f"{file}: cannot be read as a picture (")


@pytest.mark.parametrize("value", [2, 255])
def test_mask_with_another_value_is_refused(root: Path, value: int) -> None:
    wrong = MASK.copy()
    wrong[3, 4] = value
    path = mask_path(root, STEMS[1])
    # Grey levels here, since a palette of 256 colours is read the same way.
    Image.fromarray(wrong).save(path, "PNG")

    with pytest.raises(DataError) as error:
        CarvanaDataset(root)[1]

    assert one_line(error) == (
        f"{path}: a mask holds 0 (background) and 1 (car), this file also [{value}]; replace it with the published one"
    )


def test_mask_of_another_size_is_refused(root: Path) -> None:
    save_mask(mask_path(root, STEMS[0]), MASK[:, :20])
    with pytest.raises(DataError, match=f"{STEMS[0]}.jpg: the picture is 30x20 pixels and its mask 20x20; replace one"):
        CarvanaDataset(root)[0]


# Real photos


@pytest.mark.real_data
def test_real_photos(real_data: Path) -> None:
    dataset = CarvanaDataset(real_data / "carvana", image_size=(64, 96))

    views: dict[str, list[int]] = {}
    for record in dataset.records:
        views.setdefault(record.car, []).append(record.view)
    assert len(dataset) == 96
    assert len(views) == 6
    assert all(found == list(range(1, 17)) for found in views.values())
    for index in range(0, 96, 7):
        sample = dataset[index]
        assert sample["original_size"] == (1280, 1918)
        assert set(sample["mask"].flatten().tolist()) == {0, 1}
        # The car is in the middle, the wall above it is not part of it.
        assert 0.1 < sample["mask"].float().mean() < 0.35
        assert sample["mask"][28:34, 44:52].float().mean() > 0.9
        assert not sample["mask"][:8].any()


@pytest.mark.real_data
def test_a_real_photo_at_its_own_size(real_data: Path) -> None:
    sample = CarvanaDataset(real_data / "carvana")[0]
    assert sample["image"].shape == (3, 1280, 1918)
    assert sample["mask"].shape == (1280, 1918)
