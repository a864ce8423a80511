"""Pictures at the size that networks see: how large a JPEG is decoded, and that all else is as it was."""

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from lightning_seg import images
from lightning_seg.datamodules.image_mask_folder import ImageMaskFolderDataModule
from lightning_seg.datasets.image_mask_folder import ImageMaskFolderDataset
from lightning_seg.datasets.mask_codes import MaskCodes
from lightning_seg.datasets.pairs import Pair
from lightning_seg.datasets.pictures import PictureFiles
from lightning_seg.errors import DataError
from lightning_seg.images import Array, read_image, read_image_at, reading

# Two rows of four colours; in a file each fills a square of whole blocks of 8x8 pixels.
COLOURS = np.array(
    [
        [[200, 40, 40], [40, 200, 40], [40, 40, 200], [120, 120, 120]],
        [[9, 9, 9], [240, 240, 240], [90, 60, 30], [30, 90, 60]],
    ],
    np.uint8,
)
TURNED = {
    1: COLOURS,
    2: COLOURS[:, ::-1],
    3: COLOURS[::-1, ::-1],
    4: COLOURS[::-1],
    5: COLOURS.transpose(1, 0, 2),
    6: COLOURS[::-1].transpose(1, 0, 2),
    7: COLOURS[::-1, ::-1].transpose(1, 0, 2),
    8: COLOURS.transpose(1, 0, 2)[::-1],
}


def enlarged(colours: Array, side: int) -> Array:
    """Every colour as a square of ``side`` pixels."""
    return colours.repeat(side, axis=0).repeat(side, axis=1)


def noise(height: int, width: int) -> Array:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def save_jpeg(path: Path, pixels: Array, mode: str = "RGB", **options: Any) -> Path:
    """Without a loss that counts."""
    chosen: dict[str, Any] = {"quality": 100, "subsampling": 0, **options}
    Image.fromarray(pixels).convert(mode).save(path, "JPEG", **chosen)
    return path


def orientation(number: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = number
    return tags


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The sizes of pictures before they are resized."""
    sizes: list[tuple[int, ...]] = []

    def resize(pixels: Array, size: tuple[int, int]) -> Array:
        sizes.append(pixels.shape[:2])
        return np.zeros((*size, 3), np.uint8)

    monkeypatch.setattr(reading, "resize_image", resize)
    return sizes


@pytest.mark.parametrize(
    ("stored", "wanted", "expected"),
    [
        # 500 / 128 is 3.9 and 375 / 128 is 2.9: a half, of which 187.5 rows are 188.
        ((375, 500), (128, 128), (188, 250)),
        ((1280, 1918), (256, 256), (320, 480)),
        ((240, 320), (180, 180), (240, 320)),
        # Exactly as large is large enough, a pixel less is not.
        ((256, 256), (128, 128), (128, 128)),
        ((255, 256), (128, 128), (255, 256)),
        ((256, 255), (128, 128), (256, 255)),
        ((1024, 1100), (128, 128), (128, 138)),
        # Both sides count, and the scale of one is that of the other.
        ((100, 2000), (64, 32), (100, 2000)),
        ((800, 400), (100, 40), (100, 50)),
        # There is none smaller than an eighth.
        ((1600, 1600), (10, 10), (200, 200)),
        # 33 columns would hold 264 pixels, 32 hold 256 of the 257.
        ((264, 257), (32, 32), (33, 32)),
        # What is to grow is decoded in full.
        ((20, 30), (64, 64), (20, 30)),
    ],
)
def test_jpegs_are_decoded_at_their_smallest_scale_that_is_large_enough(
    stored: tuple[int, int], wanted: tuple[int, int], expected: tuple[int, int], decoded: list[object], tmp_path: Path
) -> None:
    Image.new("RGB", stored[::-1]).save(tmp_path / "a.jpg")
    pixels, original_size = read_image_at(tmp_path / "a.jpg", wanted)
    assert decoded == [expected]
    assert pixels.shape[:2] == wanted
    assert original_size == stored


@pytest.mark.parametrize("number", range(1, 9))
def test_scales_are_those_of_the_upright_picture(number: int, decoded: list[object], tmp_path: Path) -> None:
    Image.new("RGB", (400, 100)).save(tmp_path / "a.jpg", exif=orientation(number))
    size, wanted, expected = ((100, 400), (50, 200), (50, 200)) if number < 5 else ((400, 100), (200, 50), (200, 50))
    assert read_image_at(tmp_path / "a.jpg", wanted).original_size == size
    assert read_image_at(tmp_path / "a.jpg", wanted[::-1]).original_size == size
    # Turned by a quarter, the file would be too small in one direction.
    assert decoded == [expected, size]


@pytest.mark.parametrize("kind", ["plain", "progressive", "4:2:0", "phone"])
@pytest.mark.parametrize("scale", [1, 2, 4, 8])
@pytest.mark.parametrize("number", range(1, 9))
def test_colours_stay_where_they_are_at_every_scale(number: int, scale: int, kind: str, tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.jpg", enlarged(COLOURS, 32)
    if kind == "phone":
        behind = Image.new("RGB", (8, 8))
        options: dict[str, Any] = {"quality": 100, "subsampling": 0, "exif": orientation(number)}
        Image.fromarray(pixels).save(path, "MPO", save_all=True, append_images=[behind], **options)
    else:
        more: dict[str, dict[str, Any]] = {"progressive": {"progressive": True}, "4:2:0": {"subsampling": 2}}
        save_jpeg(path, pixels, exif=orientation(number), **more.get(kind, {}))
    height, width = enlarged(TURNED[number], 32).shape[:2]
    read, original_size = read_image_at(path, (height // scale, width // scale))
    assert original_size == (height, width)
    side = 32 // scale
    # A value or two are lost between RGB and YCbCr; 4:2:0 also mixes the colours of neighbours.
    middle = slice(side // 2, None, side) if kind == "4:2:0" else slice(None)
    np.testing.assert_allclose(read[middle, middle].astype(int), enlarged(TURNED[number], side)[middle, middle], atol=3)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
@pytest.mark.parametrize("scale", [1, 4])
def test_grey_and_cmyk_give_their_colours_at_every_scale(mode: str, scale: int, tmp_path: Path) -> None:
    path = save_jpeg(tmp_path / "a.jpg", enlarged(COLOURS, 16), mode)
    converted = np.array(Image.fromarray(COLOURS).convert(mode).convert("RGB"))
    read = read_image_at(path, (32 // scale, 64 // scale)).pixels
    np.testing.assert_allclose(read.astype(int), enlarged(converted, 16 // scale), atol=3)


def test_what_is_left_is_averaged(tmp_path: Path) -> None:
    """At a half, and then two squares of colours become one."""
    path = save_jpeg(tmp_path / "a.jpg", enlarged(COLOURS, 16))
    expected = (COLOURS[:, ::2].astype(float) + COLOURS[:, 1::2]) / 2
    # 32 rows become 10: the scale is a half, the rest of every row is 1.6 to 1.
    read = read_image_at(path, (10, 2)).pixels
    np.testing.assert_allclose(read[[0, 9]], expected, atol=3)
    np.testing.assert_allclose(read[:5], expected[:1].repeat(5, axis=0), atol=3)


@pytest.mark.parametrize("kind", ["png", "tif", "bmp", "webp"])
@pytest.mark.parametrize(
    ("size", "steps"),
    [
        ((20, 30), [(21, 34), (20, 30)]),
        ((21, 30), [(41, 34), (21, 30)]),
        ((21, 34), [(21, 34)]),
        ((5, 67), [(21, 67), (11, 67), (6, 67), (5, 67)]),
        ((41, 67), []),
        ((60, 20), [(41, 34), (60, 20)]),
        ((90, 100), [(90, 100)]),
        (None, []),
    ],
)
def test_other_files_are_read_in_full_and_resized(
    size: tuple[int, int] | None, steps: list[tuple[int, int]], kind: str, tmp_path: Path
) -> None:
    pixels = noise(41, 67)
    options: dict[str, Any] = {"lossless": True} if kind == "webp" else {}
    Image.fromarray(pixels).save(tmp_path / f"a.{kind}", **options)
    expected = pixels
    for height, width in steps:
        expected = cv2.resize(expected, (width, height), interpolation=cv2.INTER_LINEAR)
    read, original_size = read_image_at(tmp_path / f"a.{kind}", size)
    np.testing.assert_array_equal(read, expected)
    assert original_size == (41, 67)


@pytest.mark.parametrize("options", [{}, {"subsampling": 2}, {"progressive": True, "subsampling": 1}, {"quality": 20}])
@pytest.mark.parametrize("shape", [(64, 48), (33, 71), (1, 1)])
def test_in_full_a_jpeg_has_the_pixels_that_pillow_gives_it(
    shape: tuple[int, int], options: dict[str, Any], tmp_path: Path
) -> None:
    path = save_jpeg(tmp_path / "a.jpg", noise(*shape), **options)
    expected = np.asarray(Image.open(path))
    np.testing.assert_array_equal(read_image(path), expected)
    np.testing.assert_array_equal(read_image_at(path, shape).pixels, expected)


@pytest.mark.parametrize("behind", [b"", b"\0", b"some junk", b"\xff\xd8 half a picture"])
def test_what_stands_behind_a_jpeg_does_not_matter(behind: bytes, tmp_path: Path) -> None:
    path = save_jpeg(tmp_path / "a.jpg", enlarged(COLOURS, 16))
    expected = np.asarray(Image.open(path))
    path.write_bytes(path.read_bytes() + behind)
    np.testing.assert_array_equal(read_image(path), expected)
    np.testing.assert_allclose(read_image_at(path, (2, 4)).pixels.astype(int), COLOURS, atol=3)


@pytest.mark.parametrize("size", [None, (128, 96), (64, 48), (16, 12), (300, 300)])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"mode": "L"}, {"mode": "CMYK"}])
@pytest.mark.parametrize("missing", [2, 40, 0.5, 0.9])
def test_a_jpeg_that_was_cut_off_is_refused_at_every_scale(
    missing: float, options: dict[str, Any], size: tuple[int, int] | None, tmp_path: Path
) -> None:
    path = save_jpeg(tmp_path / "a.jpg", noise(128, 96), **options)
    content = path.read_bytes()
    kept = len(content) - missing if missing >= 1 else int(len(content) * (1 - missing))
    path.write_bytes(content[: int(kept)])
    with pytest.raises(DataError, match=r"^[^\n]*a\.jpg: cannot be read as a picture \([^\n]*\); replace the file$"):
        read_image_at(path, size)


@pytest.mark.parametrize("block", [b"Exif\0\0II*\0", b"Exif\0\0" + bytes(range(60)), b"Exif\0\0II*\0\xff\xff\xff\xff"])
def test_broken_exif_turns_nothing_at_every_scale(block: bytes, tmp_path: Path) -> None:
    path = save_jpeg(tmp_path / "a.jpg", enlarged(COLOURS, 16), exif=block)
    for scale in (1, 2, 4, 8):
        read, original_size = read_image_at(path, (32 // scale, 64 // scale))
        np.testing.assert_allclose(read.astype(int), enlarged(COLOURS, 16 // scale), atol=3)
        assert original_size == (32, 64)


@pytest.mark.parametrize("kind", ["png", "jpg", "gif"])
@pytest.mark.parametrize("size", [None, (30, 40), (15, 20), (60, 80)])
def test_pixels_may_be_written_to(kind: str, size: tuple[int, int] | None, tmp_path: Path) -> None:
    Image.fromarray(noise(30, 40)).save(tmp_path / f"a.{kind}")
    read = read_image_at(tmp_path / f"a.{kind}", size).pixels
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.from_numpy(read).zero_()
    assert not read.any()


@pytest.mark.parametrize("shape", [(700, 600), (3, 100_000), (2, 500_000)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_large_pictures_are_copied_whole(mode: str, shape: tuple[int, int], tmp_path: Path) -> None:
    """In bands; a row of half a million pixels is longer than a band."""
    pixels = noise(*shape) if mode == "RGB" else noise(*shape)[..., 0]
    copied = images.to_array(Image.fromarray(pixels))
    np.testing.assert_array_equal(copied, pixels)
    copied[:] = 0


MASK = enlarged(np.array([[0, 1, 1, 0], [1, 0, 0, 1]], np.uint8), 32)


@pytest.fixture
def own_data(tmp_path: Path) -> Path:
    """Eight photos of 64x128 pixels with their masks."""
    for number in range(8):
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
        save_jpeg(tmp_path / "images" / f"{number}.jpg", enlarged(COLOURS, 32))
        Image.fromarray(MASK).save(tmp_path / "masks" / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize("num_workers", [0, 2])
def test_photos_and_masks_lie_on_each_other(num_workers: int, own_data: Path) -> None:
    """Seen at 16x32, photos are decoded at a quarter, their masks in full."""
    data = ImageMaskFolderDataModule(
        own_data, ["one", "other"], image_size=(16, 32), batch_size=2, num_workers=num_workers, augment=False
    )
    data.setup("fit")
    batches = list(data.train_dataloader())
    assert batches
    for batch in batches:
        assert batch["original_size"].tolist() == [[64, 128]] * 2
        for image, seen in zip(batch["image"], batch["mask"], strict=True):
            np.testing.assert_allclose(image.permute(1, 2, 0).numpy().astype(int), enlarged(COLOURS, 8), atol=3)
            np.testing.assert_array_equal(seen.numpy(), MASK[2::4, 2::4])


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize(("shown", "side"), [((16, 32), 8), (None, 32)])
def test_what_is_measured_at_the_original_size_sees_pictures_as_predict_does(
    shown: tuple[int, int] | None, side: int, num_workers: int, own_data: Path
) -> None:
    data = ImageMaskFolderDataModule(own_data, ["one", "other"], batch_size=4, num_workers=num_workers, cache=True)
    data.read_original_sizes(shown)
    data.setup("test")
    batches = list(data.test_dataloader())
    assert batches
    for batch in batches:
        (image,), (mask,) = batch["image"], batch["mask"]
        np.testing.assert_allclose(image.permute(1, 2, 0).numpy().astype(int), enlarged(COLOURS, side), atol=3)
        np.testing.assert_array_equal(mask.numpy(), MASK)
        predicted = PictureFiles([Path(batch["path"][0])], shown)[0]
        assert isinstance(predicted, dict)
        assert torch.equal(predicted["image"], image)


def test_a_mask_of_the_size_that_a_photo_is_decoded_at_is_refused(own_data: Path) -> None:
    pair = Pair("0.jpg", own_data / "images" / "0.jpg", own_data / "masks" / "0.png")
    dataset = ImageMaskFolderDataset([pair], MaskCodes(["one", "other"]), (16, 32))
    assert dataset[0]["mask"].shape == (16, 32)
    Image.fromarray(MASK[::4, ::4]).save(pair.mask)
    with pytest.raises(DataError, match="the picture is 128x64 pixels and its mask 32x16"):
        dataset[0]


def test_prediction_sees_what_training_sees(tmp_path: Path) -> None:
    path = save_jpeg(tmp_path / "a.jpg", noise(300, 410), subsampling=2, quality=80)
    sample = PictureFiles([path], (80, 64))[0]
    assert isinstance(sample, dict)
    seen = sample["image"].permute(1, 2, 0).numpy()
    half = np.asarray(drafted(path, 2))
    assert half.shape == (150, 205, 3)
    half = cv2.resize(half, (103, 150), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(seen, cv2.resize(half, (64, 80), interpolation=cv2.INTER_LINEAR))
    np.testing.assert_array_equal(seen, read_image_at(path, (80, 64)).pixels)
    assert sample["original_size"] == (300, 410)


def drafted(path: Path, scale: int) -> Image.Image:
    """A file at 1/scale by Pillow."""
    image = Image.open(BytesIO(path.read_bytes()))
    image.draft("RGB", (image.width // scale, image.height // scale))
    return image
