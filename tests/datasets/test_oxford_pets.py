import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lightning_seg.batch import SegmentationSample
from lightning_seg.datasets.oxford_pets import OxfordPetsDataset
from lightning_seg.errors import DataError

Pixels = NDArray[np.uint8]
SIZE = (24, 32)  # height, width of the pictures below
TRIMAP = np.full(SIZE, 2, np.uint8)
TRIMAP[6:18, 8:24] = 3
TRIMAP[8:16, 10:22] = 1
NO_PET = np.full(SIZE, 2, np.uint8)


def colours(channels: int, seed: int) -> Pixels:
    """Noise, so that every pixel counts and a file has some length."""
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, channels), dtype=np.uint8)


GREY = colours(1, seed=0)[..., 0]
TRANSPARENT = colours(4, seed=1)


def as_jpeg(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def save_trimap(path: Path, trimap: Pixels) -> None:
    Image.fromarray(trimap).save(path, "PNG")


def image(root: Path, name: str) -> Path:
    return root / "images" / f"{name}.jpg"


def trimap(root: Path, name: str) -> Path:
    return root / "annotations" / "trimaps" / f"{name}.png"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three pictures in the published layout, with the oddities of the published archive."""
    root = tmp_path / "oxford_pets"
    for folder in ("images", "annotations/trimaps", "annotations/xmls"):
        (root / folder).mkdir(parents=True)
    # A GIF without a pet and a PNG with transparency, both called jpg, and a photo with rubbish before its end marker.
    Image.fromarray(GREY).save(image(root, "Abyssinian_34"), "GIF")
    save_trimap(trimap(root, "Abyssinian_34"), NO_PET)
    Image.fromarray(TRANSPARENT).save(image(root, "Abyssinian_5"), "PNG")
    save_trimap(trimap(root, "Abyssinian_5"), TRIMAP)
    photo = as_jpeg(colours(3, seed=2))
    image(root, "american_bulldog_100").write_bytes(photo[:-2] + bytes(range(1, 240)) + photo[-2:] + b"\r\nmore\r\n")
    save_trimap(trimap(root, "american_bulldog_100"), TRIMAP)
    (root / "images" / "Abyssinian_101.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    for name in ("Abyssinian_34", "Abyssinian_5"):
        (root / "annotations" / "trimaps" / f"._{name}.png").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
    write_list(root, "trainval", ["Abyssinian_34 1 1 1", "Abyssinian_5 1 1 1", "american_bulldog_100 2 2 1"])
    return root


def write_list(root: Path, split: str, lines: Sequence[str]) -> None:
    (root / "annotations" / f"{split}.txt").write_text("".join(f"{line}\n" for line in lines))


def one_line(error: pytest.ExceptionInfo[DataError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


# What is read


def test_every_listed_picture_reads_whatever_its_format(root: Path) -> None:
    dataset = OxfordPetsDataset(root)
    samples = [dataset[index] for index in range(len(dataset))]

    assert [tuple(sample["image"].shape) for sample in samples] == [(3, 24, 32)] * 3
    assert [Path(sample["path"]).name for sample in samples] == [
        "Abyssinian_34.jpg",
        "Abyssinian_5.jpg",
        "american_bulldog_100.jpg",
    ]


def test_pixels_are_exactly_those_of_the_file(root: Path) -> None:
    dataset = OxfordPetsDataset(root)
    assert torch.equal(dataset[0]["image"], torch.from_numpy(GREY).expand(3, -1, -1))
    assert torch.equal(dataset[1]["image"].permute(1, 2, 0), torch.from_numpy(TRANSPARENT[..., :3]))


def test_rubbish_at_the_end_of_a_jpeg_changes_no_pixel(root: Path) -> None:
    damaged = OxfordPetsDataset(root)[2]["image"]
    image(root, "american_bulldog_100").write_bytes(as_jpeg(colours(3, seed=2)))
    assert torch.equal(damaged, OxfordPetsDataset(root)[2]["image"])


def test_trimap_1_2_3_become_mask_0_1_2(root: Path) -> None:
    masks = [OxfordPetsDataset(root)[index]["mask"] for index in range(2)]

    assert OxfordPetsDataset.class_names == ("pet", "background", "border")
    assert (masks[0] == 1).all()
    assert masks[1][10, 6:13].tolist() == [1, 1, 2, 2, 0, 0, 0]
    # 8 x 12 pet pixels in 12 x 16 of pet and border in 24 x 32.
    assert torch.bincount(masks[1].flatten()).tolist() == [96, 768 - 192, 192 - 96]


def test_palette_trimap_is_read_by_its_indices(root: Path) -> None:
    palette = Image.fromarray(TRIMAP)
    palette.putpalette([0, 0, 0, 250, 0, 0, 0, 250, 0, 0, 0, 250])
    palette.save(trimap(root, "Abyssinian_34"), "PNG")

    assert torch.equal(OxfordPetsDataset(root)[0]["mask"], torch.from_numpy(TRIMAP - 1))


def test_sample_keeps_the_contract(root: Path) -> None:
    sample = OxfordPetsDataset(root, image_size=(16, 20))[(3, 1)]

    assert sample.keys() == SegmentationSample.__annotations__.keys()
    assert (sample["image"].dtype, tuple(sample["image"].shape)) == (torch.uint8, (3, 16, 20))
    assert sample["image"].permute(1, 2, 0).is_contiguous()
    assert (sample["mask"].dtype, tuple(sample["mask"].shape)) == (torch.uint8, (16, 20))
    assert (sample["index"], sample["epoch"]) == (1, 3)
    assert sample["path"] == str(root / "images" / "Abyssinian_5.jpg")
    assert sample["original_size"] == (24, 32)


def test_plain_index_is_epoch_0(root: Path) -> None:
    assert OxfordPetsDataset(root)[2]["epoch"] == 0


def test_records_know_breed_and_species(root: Path) -> None:
    assert [tuple(record) for record in OxfordPetsDataset(root).records] == [
        ("Abyssinian_34", "Abyssinian", "cat"),
        ("Abyssinian_5", "Abyssinian", "cat"),
        ("american_bulldog_100", "american_bulldog", "dog"),
    ]


def test_list_may_hold_comments_and_empty_lines(root: Path) -> None:
    write_list(root, "trainval", ["#Image CLASS-ID SPECIES BREED ID", "", "Abyssinian_5 1 1 1"])
    assert len(OxfordPetsDataset(root)) == 1


def test_split_names_its_list(root: Path) -> None:
    write_list(root, "test", ["american_bulldog_100 2 2 1"])
    assert Path(OxfordPetsDataset(root, "test")[0]["path"]).name == "american_bulldog_100.jpg"


# Resizing


@pytest.mark.parametrize("image_size", [(7, 13), (12, 16), (50, 50), (24, 40)])
def test_resizing_a_mask_invents_no_class(root: Path, image_size: tuple[int, int]) -> None:
    # Between 1 and 3 any mean would be 2.
    striped = np.where(np.arange(32) % 3 == 0, 1, 3).astype(np.uint8) * np.ones((24, 1), np.uint8)
    save_trimap(trimap(root, "Abyssinian_5"), striped)

    mask = OxfordPetsDataset(root, image_size=image_size)[1]["mask"]

    assert tuple(mask.shape) == image_size
    assert set(mask.flatten().tolist()) == {0, 2}


def test_resized_mask_holds_the_nearest_pixel_centres(root: Path) -> None:
    # Height and width shrink to a third, so the centre of 3 x 3 pixels is the one that counts.
    coarse = np.random.default_rng(3).integers(1, 4, (8, 10), dtype=np.uint8)
    fine = np.random.default_rng(4).integers(1, 4, (24, 30), dtype=np.uint8)
    fine[1::3, 1::3] = coarse
    save_trimap(trimap(root, "Abyssinian_5"), fine)
    Image.fromarray(TRANSPARENT[:, :30]).save(image(root, "Abyssinian_5"), "PNG")

    mask = OxfordPetsDataset(root, image_size=(8, 10))[1]["mask"]

    assert torch.equal(mask, torch.from_numpy(coarse - 1))


def test_shrunk_picture_is_the_mean_of_its_pixels(root: Path) -> None:
    pixels = OxfordPetsDataset(root, image_size=(8, 8))[1]["image"].permute(1, 2, 0)

    expected = TRANSPARENT[..., :3].reshape(8, 3, 8, 4, 3).mean(axis=(1, 3))
    assert np.abs(pixels.numpy() - expected).max() <= 0.5


# What is refused


def test_missing_root_names_the_remedies(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        OxfordPetsDataset(tmp_path / "nowhere")
    message = one_line(error)
    assert message.startswith(f"{tmp_path / 'nowhere'}: no annotations/trainval.txt there")
    for remedy in ("--data.root", "--data.download true", "--data.source synthetic"):
        assert remedy in message


def test_missing_list_is_named(root: Path) -> None:
    with pytest.raises(DataError, match=r"oxford_pets: no annotations/test\.txt there"):
        OxfordPetsDataset(root, "test")


def test_empty_list_is_refused(root: Path) -> None:
    write_list(root, "trainval", ["# nothing"])
    with pytest.raises(DataError, match=r"trainval\.txt: the list names no picture; restore"):
        OxfordPetsDataset(root)


@pytest.mark.parametrize(
    "line", ["Abyssinian_5", "Abyssinian_5 1 1", "Abyssinian_5 1 3 1", "Abyssinian 1 1 1", "Abyssinian_5 1 1 1 1", "  "]
)
def test_bad_line_of_a_list_is_shown_with_its_number(root: Path, line: str) -> None:
    write_list(root, "trainval", ["Abyssinian_34 1 1 1", line])
    with pytest.raises(DataError) as error:
        OxfordPetsDataset(root)
    message = one_line(error)
    assert f"trainval.txt, line 2: expected NAME CLASS-ID SPECIES BREED-ID, found {line!r}" in message


def test_picture_without_trimap_is_named(root: Path) -> None:
    trimap(root, "Abyssinian_5").unlink()
    with pytest.raises(DataError) as error:
        OxfordPetsDataset(root)
    assert "1 listed names have a picture and no trimap: Abyssinian_5; restore the files or" in one_line(error)


def test_trimap_without_picture_is_named(root: Path) -> None:
    image(root, "american_bulldog_100").unlink()
    with pytest.raises(DataError) as error:
        OxfordPetsDataset(root)
    assert "1 listed names have a trimap and no picture: american_bulldog_100; restore" in one_line(error)


def test_ten_of_twelve_missing_names_are_shown(root: Path) -> None:
    names = [f"beagle_{number}" for number in range(1, 13)]
    write_list(root, "trainval", [f"{name} 5 2 4" for name in names])
    with pytest.raises(DataError) as error:
        OxfordPetsDataset(root)
    assert f"12 listed names have neither picture nor trimap: {', '.join(names[:10])}, ...; restore" in one_line(error)


def test_missing_folder_of_pictures_is_no_crash(root: Path) -> None:
    shutil.rmtree(root / "images")
    with pytest.raises(DataError, match="3 listed names have a trimap and no picture"):
        OxfordPetsDataset(root)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def empty(content: bytes) -> bytes:
    return b""


def text(content: bytes) -> bytes:
    return b"<html>404</html>"


@pytest.mark.parametrize("damage", [cut, empty, text])
@pytest.mark.parametrize("path", [image, trimap])
def test_unreadable_file_is_named(root: Path, path: Any, damage: Any) -> None:
    file = path(root, "american_bulldog_100")
    file.write_bytes(damage(file.read_bytes()))

    with pytest.raises(DataError) as error:
        OxfordPetsDataset(root)[2]

    message = one_line(error)
    assert message.startswith(f"{file}: cannot be read as a picture (")
    assert message.endswith("; replace the file")


def test_file_that_vanishes_is_named(root: Path) -> None:
    dataset = OxfordPetsDataset(root)
    image(root, "Abyssinian_5").unlink()
    with pytest.raises(DataError, match=r"Abyssinian_5\.jpg: no such file; restore it"):
        dataset[1]


@pytest.mark.parametrize("value", [0, 4, 255])
def test_trimap_with_another_value_is_refused(root: Path, value: int) -> None:
    wrong = TRIMAP.copy()
    wrong[3, 4] = value
    save_trimap(trimap(root, "Abyssinian_5"), wrong)

    with pytest.raises(DataError) as error:
        OxfordPetsDataset(root)[1]

    message = one_line(error)
    assert message.startswith(f"{trimap(root, 'Abyssinian_5')}: a trimap holds 1 (pet), 2 (background) and 3 (border)")
    assert message.endswith(f"this file also [{value}]; replace it with the published one")


def test_trimap_of_another_size_is_refused(root: Path) -> None:
    save_trimap(trimap(root, "Abyssinian_5"), TRIMAP[:, :20])
    with pytest.raises(DataError) as error:
        OxfordPetsDataset(root, image_size=(16, 16))[1]
    message = one_line(error)
    assert "Abyssinian_5.jpg: the picture is 32x24 pixels and its mask 20x24; replace one" in message


def test_trimap_in_colour_is_refused(root: Path) -> None:
    save_trimap(trimap(root, "Abyssinian_5"), np.stack([TRIMAP] * 3, axis=2))
    with pytest.raises(DataError) as error:
        OxfordPetsDataset(root)[1]
    message = one_line(error)
    assert message.startswith(f"{trimap(root, 'Abyssinian_5')}: a mask holds one 8-bit number per pixel")
    assert "mode RGB" in message
