"""Picture files as strangers make them: broken EXIF, pages, claims, transparency, and what is no file."""

import os
import resource
import struct
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from lightning_seg import images
from lightning_seg.datasets.mask_files import read_stored_mask
from lightning_seg.errors import DataError
from lightning_seg.images import arrays, read_header, read_image, read_index_mask, resize_image

# Top left, top right, bottom left, bottom right.
PIXELS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]], [[1, 2, 3], [4, 5, 6]]], np.uint8)


def exif(kind: int, count: int, value: bytes, cut: int = 0) -> bytes:
    """A block with an orientation of any type."""
    block = b"Exif\0\0II*\0" + struct.pack("<IHHHI", 8, 1, 0x0112, kind, count) + value + bytes(4)
    return block[: len(block) - cut]


def bitmap(width: int, height: int) -> bytes:
    """A file of 58 bytes."""
    body = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 58, 0, 0, 54) + body + bytes(4)


@pytest.mark.parametrize(
    "block",
    [
        exif(3, 1, bytes(4)),  # 0 is no orientation
        exif(3, 1, struct.pack("<I", 9)),
        exif(2, 4, b"six\0"),
        exif(5, 1, struct.pack("<I", 4000)),
        exif(5, 1, struct.pack("<I", 8)),
        exif(7, 4, b"\6\0\0\0"),
        exif(99, 1, b"\6\0\0\0"),
        exif(3, 2**31, b"\6\0\0\0"),
        exif(3, 1, b"\6\0\0\0", cut=7),
        b"Exif\0\0II*\0",
        b"Exif\0\0" + bytes(range(60)),
        b"Exif\0\0II*\0\xff\xff\xff\xff",
    ],
)
@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_broken_exif_turns_nothing_and_says_nothing(block: bytes, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    Image.fromarray(PIXELS).save(path, exif=block)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        assert read_image(path).shape == (3, 2, 3)
        assert read_header(path) == ((3, 2), 1, kind == "jpg")
    if kind == "png":
        np.testing.assert_array_equal(read_image(path), PIXELS)


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, PIXELS),
        (2, PIXELS[:, ::-1]),
        (3, PIXELS[::-1, ::-1]),
        (4, PIXELS[::-1]),
        (5, PIXELS.transpose(1, 0, 2)),
        (6, PIXELS[::-1].transpose(1, 0, 2)),
        (7, PIXELS[::-1, ::-1].transpose(1, 0, 2)),
        (8, PIXELS.transpose(1, 0, 2)[::-1]),
    ],
)
@pytest.mark.parametrize("kind", ["png", "tif"])
def test_good_exif_turns_pictures_upright(orientation: int, expected: images.Array, kind: str, tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[0x0112] = orientation
    Image.fromarray(PIXELS).save(tmp_path / f"a.{kind}", exif=tags)
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{kind}"), expected)
    assert read_header(tmp_path / f"a.{kind}").size == expected.shape[:2]


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tif"])
def test_several_pages_or_frames_are_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    first, second = Image.new("L", (4, 4), 0), Image.new("L", (4, 4), 200)
    first.save(path, save_all=True, append_images=[second])
    for read in (read_image, read_header, read_index_mask, read_stored_mask):
        with pytest.raises(DataError, match=r"a\.\w+: holds several pages or frames, and nobody says which; save one"):
            read(path)


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tif"])
def test_one_frame_is_a_picture(kind: str, tmp_path: Path) -> None:
    Image.new("L", (4, 4), 7).save(tmp_path / f"a.{kind}", save_all=True)
    assert read_image(tmp_path / f"a.{kind}").shape == (4, 4, 3)


@pytest.mark.parametrize("kind", [1, 4])
def test_smaller_copies_and_masks_in_a_tiff_are_no_pages(kind: int, tmp_path: Path) -> None:
    large, small = Image.new("L", (8, 8), 3), Image.new("L", (4, 4), 3)
    small.encoderinfo = {"tiffinfo": {254: kind}}
    large.save(tmp_path / "a.tif", save_all=True, append_images=[small])
    with Image.open(tmp_path / "a.tif") as written:
        written.seek(1)
        if written.tag_v2.get(254) != kind:  # type: ignore[attr-defined]
            pytest.skip("this Pillow does not write the tag")
    assert read_index_mask(tmp_path / "a.tif").tolist() == [[3] * 8] * 8


def test_what_phones_put_behind_a_photo_is_no_page(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[Image.new("RGB", (2, 2))])
    with Image.open(tmp_path / "a.jpg") as written:
        assert written.format == "MPO"
    assert read_image(tmp_path / "a.jpg").shape == (3, 2, 3)


def test_a_small_file_that_claims_much_is_refused_without_taking_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.bmp"
    path.write_bytes(bitmap(30_000, 20_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for read in (read_image, read_header, read_index_mask, read_stored_mask):
        with pytest.raises(DataError, match="a file of 58 bytes cannot hold the 30000x20000 pixels that it claims"):
            read(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize("side", [50_000, 2**31 - 1])
def test_more_than_a_billion_pixels_are_refused(side: int, tmp_path: Path) -> None:
    (tmp_path / "a.bmp").write_bytes(bitmap(side, side))
    with pytest.raises(DataError, match=r"^[^\n]*a\.bmp: [^\n]*pixels[^\n]*$"):
        read_image(tmp_path / "a.bmp")


def test_the_limit_can_be_moved(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    script = "import sys; from lightning_seg.images import read_image; print(read_image(sys.argv[1]).shape)"
    command = [sys.executable, "-c", script, str(tmp_path / "a.png")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "LIGHTNING_SEG_MAX_PIXELS": "1599"}
    )
    assert "a.png: 40x40 are more than 1599 pixels; cut it into pieces, or set the environment" in done.stderr
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "(40, 40, 3)\n"


def test_a_large_picture_of_one_colour_is_read(tmp_path: Path) -> None:
    Image.new("1", (12_000, 3_000)).save(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size < 20_000
    assert read_image(tmp_path / "a.png").shape == (3_000, 12_000, 3)


def test_memory_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise MemoryError

    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    monkeypatch.setattr(arrays, "to_array", refuse)
    with pytest.raises(DataError, match=r"a\.png: cannot be read as a picture \(MemoryError\); replace the file"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L"])
def test_transparency_is_dropped_without_a_word(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    if mode == "P":
        image = Image.new("P", (1, 2))
        image.putpalette([10, 20, 30, 40, 50, 60])
        image.putpixel((0, 1), 1)
        image.save(path, transparency=bytes([0, 128]))
        expected = [[[10, 20, 30]], [[40, 50, 60]]]
    elif mode == "RGBA":
        Image.fromarray(np.array([[[10, 20, 30, 0]], [[40, 50, 60, 128]]], np.uint8)).save(path)
        expected = [[[10, 20, 30]], [[40, 50, 60]]]
    else:
        image = Image.new(mode, (1, 2), (10, 0) if mode == "LA" else 10)
        image.save(path, "PNG", **({} if mode == "LA" else {"transparency": 10}))
        expected = [[[10] * 3], [[10] * 3]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(path).tolist() == expected


def test_what_is_no_file_is_one_line_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "nowhere.png").symlink_to("missing")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    for path in tmp_path.iterdir():
        with pytest.raises(DataError, match="a folder, a pipe, a device or a link to nothing, and no picture"):
            read_image(path)
    for name in ("missing.png", "x" * 300, "a\0b.png"):
        with pytest.raises(DataError, match=r"no such file|cannot be read as a picture"):
            read_image(tmp_path / name)


@pytest.mark.parametrize(
    ("row", "width", "expected"),
    [
        ([0, 100, 200, 50], 1, [88]),
        ([0, 100, 200, 50], 2, [50, 125]),
        ([0, 30, 60, 3, 9, 0], 2, [30, 4]),
        # Centres of three lie at 1/3, 2 and 11/3, which gives [10, 60, 20], and of two then at 1/4 and 7/4.
        ([0, 30, 60, 60, 0], 2, [23, 30]),
        # Centres lie at 1/6, 3/2 and 17/6.
        ([0, 90, 30, 60], 3, [15, 60, 55]),
        ([10, 50], 4, [10, 20, 40, 50]),
        ([7, 8, 9], 3, [7, 8, 9]),
    ],
)
def test_pictures_shrink_by_halves_and_then_linearly(row: list[int], width: int, expected: list[int]) -> None:
    image = np.repeat(np.array([row], np.uint8)[:, :, None], 3, axis=2)
    np.testing.assert_allclose(resize_image(image, (1, width))[0, :, 0].astype(int), expected, atol=1)
    np.testing.assert_allclose(
        resize_image(image.transpose(1, 0, 2).copy(), (width, 1))[:, 0, 2].astype(int), expected, atol=1
    )


def grey_files(tmp_path: Path) -> Iterator[Path]:
    """Masks in grey PNG files as programs write them: depths, orientations, transparency."""
    drawn = np.random.default_rng(0)
    for number in range(40):
        height, width = drawn.integers(1, 40, 2)
        image = Image.fromarray(drawn.integers(0, 256, (height, width), dtype=np.uint8))
        exif = Image.Exif()
        exif[0x0112] = number % 8 + 1
        kinds: list[dict[str, Any]] = [{}, {"transparency": 3}, {"exif": exif}, {"bits": 4}]
        path = tmp_path / f"{number}.png"
        image.save(path, **kinds[number % 4])
        yield path


def by_pillow(path: Path) -> Any:
    with Image.open(path) as image:
        return np.array(ImageOps.exif_transpose(image))


def test_a_grey_mask_has_the_numbers_that_pillow_reads(tmp_path: Path) -> None:
    for path in grey_files(tmp_path):
        mask = read_index_mask(path)
        np.testing.assert_array_equal(mask, by_pillow(path))
        mask[:] = 0  # it is one's own


def test_a_grey_mask_that_is_broken_is_read_as_pillow_reads_it_or_refused(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0)
    Image.fromarray(drawn.integers(0, 4, (40, 60), dtype=np.uint8)).save(tmp_path / "whole.png")
    whole, path = (tmp_path / "whole.png").read_bytes(), tmp_path / "broken.png"
    refused = 0
    for place in range(8, len(whole), 7):
        broken = bytearray(whole)
        broken[place] ^= 1 << int(drawn.integers(8))
        path.write_bytes(broken)
        try:
            expected = by_pillow(path)
        # Pillow answers with errors of many kinds.
        except Exception:
            with pytest.raises(DataError, match=r"broken\.png: "):
                read_index_mask(path)
            refused += 1
            continue
        np.testing.assert_array_equal(read_index_mask(path), expected)
    assert refused > 50
