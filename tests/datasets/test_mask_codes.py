"""Every encoding by hand-written pixels, and every refusal."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lightning_seg.datasets.mask_codes import MaskCodes, MaskValue
from lightning_seg.datasets.mask_files import read_stored_mask
from lightning_seg.errors import ConfigError, DataError

CLASSES = ["background", "cat", "dog"]
BLACK, RED, BLUE, GREEN = (0, 0, 0), (255, 0, 0), (0, 0, 255), (128, 192, 128)
COLOURS: list[MaskValue] = ["#000000", "#ff0000", "#0000FF"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mask.png"


def grey(pixels: Sequence[Sequence[int]], dtype: Any = np.uint8) -> Image.Image:
    return Image.fromarray(np.array(pixels, dtype))


def colour(pixels: Sequence[Sequence[tuple[int, ...]]]) -> Image.Image:
    return Image.fromarray(np.array(pixels, np.uint8))


def with_palette(pixels: Sequence[Sequence[int]], colours: Sequence[tuple[int, int, int]]) -> Image.Image:
    image = grey(pixels)
    image.putpalette([part for rgb in colours for part in rgb])
    return image


def read(path: Path, image: Image.Image, codes: MaskCodes, **options: Any) -> list[list[int]]:
    image.save(path, **options)
    mask = codes.decode(read_stored_mask(path), path)
    assert mask.dtype == np.uint8
    rows: list[list[int]] = mask.tolist()
    return rows


def refuse(path: Path, image: Image.Image, codes: MaskCodes, **options: Any) -> str:
    with pytest.raises(DataError) as error:
        read(path, image, codes, **options)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


# Numbers


def test_without_values_a_number_is_its_class(path: Path) -> None:
    assert read(path, grey([[0, 1], [2, 255]]), MaskCodes(CLASSES)) == [[0, 1], [2, 255]]


def test_a_number_per_class(path: Path) -> None:
    codes = MaskCodes(CLASSES, [2, 1, 3])
    assert read(path, grey([[1, 2], [3, 255]]), codes) == [[1, 0], [2, 255]]


def test_0_and_255(path: Path) -> None:
    codes = MaskCodes(["background", "cat"], [0, 255])
    assert read(path, grey([[0, 255], [255, 0]]), codes) == [[0, 1], [1, 0]]


def test_ignored_numbers(path: Path) -> None:
    codes = MaskCodes(["background", "cat"], [0, 255], ignore_values=[128, 7])
    assert read(path, grey([[0, 128], [7, 255]]), codes) == [[0, 255], [255, 1]]


def test_255_stays_ignored_beside_other_ignored_numbers(path: Path) -> None:
    assert read(path, grey([[9, 255]]), MaskCodes(CLASSES, ignore_values=[9])) == [[255, 255]]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_numbers_of_16_bits(tmp_path: Path, suffix: str) -> None:
    codes = MaskCodes(CLASSES, [0, 300, 65535])
    image = grey([[0, 300], [65535, 255]], np.uint16)
    assert read(tmp_path / f"mask{suffix}", image, codes) == [[0, 1], [2, 255]]


def test_numbers_of_32_bits(tmp_path: Path) -> None:
    image = grey([[0, 2], [1, 1]], np.int32)
    assert read(tmp_path / "mask.tif", image, MaskCodes(CLASSES)) == [[0, 2], [1, 1]]


@pytest.mark.parametrize(
    ("mask_values", "expected"),
    [(None, [[0, 1]]), ([0, 1], [[0, 1]]), ([1, 0], [[1, 0]]), ([0, 255], [[0, 1]]), ([255, 0], [[1, 0]])],
)
def test_white_of_1_bit_is_1_or_255(path: Path, mask_values: list[MaskValue] | None, expected: list[list[int]]) -> None:
    image = Image.fromarray(np.array([[False, True]]))
    assert image.mode == "1"
    assert read(path, image, MaskCodes(["background", "cat"], mask_values)) == expected


def test_white_of_1_bit_is_not_ignored_by_accident(path: Path) -> None:
    image = Image.fromarray(np.array([[False, True]]))
    assert "holds 1 (1 pixel) of no class" in refuse(path, image, MaskCodes(["background", "cat"], [0, 7]))
    assert read(path, image, MaskCodes(["background", "cat"], [0, 7], ignore_values=[255])) == [[0, 255]]


def test_white_of_1_bit_is_1_where_both_are_named(path: Path) -> None:
    image = Image.fromarray(np.array([[False, True]]))
    assert read(path, image, MaskCodes(["background", "cat"], [0, 1], ignore_values=[255])) == [[0, 1]]


def test_numbers_of_a_palette_are_its_indices(path: Path) -> None:
    image = with_palette([[0, 1], [2, 255]], [(9, 9, 9)] * 256)
    assert read(path, image, MaskCodes(CLASSES)) == [[0, 1], [2, 255]]


def test_equal_channels_are_a_number(path: Path) -> None:
    codes = MaskCodes(CLASSES)
    assert read(path, colour([[(0, 0, 0), (1, 1, 1)], [(2, 2, 2), (255, 255, 255)]]), codes) == [[0, 1], [2, 255]]
    assert read(path, colour([[(0, 0, 0, 255), (2, 2, 2, 255)]]), codes) == [[0, 2]]
    grey_and_opaque = Image.merge("LA", [grey([[1, 2]]), grey([[255, 255]])])
    assert read(path, grey_and_opaque, codes) == [[1, 2]]


# Colours


def test_a_colour_per_class(path: Path) -> None:
    image = colour([[RED, BLUE], [BLACK, RED]])
    assert read(path, image, MaskCodes(CLASSES, COLOURS)) == [[1, 2], [0, 1]]
    assert read(path, image, MaskCodes(CLASSES, [[0, 0, 0], [255, 0, 0], [0, 0, 255]])) == [[1, 2], [0, 1]]
    assert read(path, image, MaskCodes(CLASSES, [[0, 0, 255], "#000000", "#ff0000"])) == [[2, 0], [1, 2]]


def test_all_three_channels_count(path: Path) -> None:
    near: list[MaskValue] = ["#010203", "#020203", "#010303", "#010204"]
    image = colour([[(1, 2, 4), (1, 3, 3)], [(2, 2, 3), (1, 2, 3)]])
    assert read(path, image, MaskCodes(["a", "b", "c", "d"], near)) == [[3, 2], [1, 0]]


def test_ignored_colours(path: Path) -> None:
    codes = MaskCodes(["background", "cat"], ["#000000", "#ff0000"], ignore_values=["#0000ff", [128, 192, 128]])
    assert read(path, colour([[BLACK, BLUE], [GREEN, RED]]), codes) == [[0, 255], [255, 1]]


def test_no_colour_is_ignored_unasked(path: Path) -> None:
    codes = MaskCodes(["background", "cat"], ["#000000", "#00ff00"])
    assert "holds #ff0000 (1 pixel) of no class" in refuse(path, colour([[RED, BLACK]]), codes)


def test_white_is_a_colour_like_others(path: Path) -> None:
    white = (255, 255, 255)
    codes = MaskCodes(["background", "cat"], ["#000000", "#ffffff"])
    assert read(path, colour([[white, BLACK]]), codes) == [[1, 0]]
    assert "holds #ffffff (1 pixel)" in refuse(path, colour([[white, BLACK]]), MaskCodes(CLASSES, COLOURS))


def test_colours_of_a_palette(path: Path) -> None:
    image = with_palette([[0, 1], [2, 3]], [BLUE, BLACK, RED, BLUE])
    assert read(path, image, MaskCodes(CLASSES, COLOURS)) == [[2, 0], [1, 2]]
    assert read(path, image, MaskCodes(CLASSES, COLOURS), transparency=0) == [[2, 0], [1, 2]]


def test_opaque_alpha_changes_nothing(path: Path) -> None:
    image = colour([[(*RED, 255), (*BLACK, 255)]])
    assert read(path, image, MaskCodes(CLASSES, COLOURS)) == [[1, 0]]


def test_greys_are_colours_too(path: Path) -> None:
    codes = MaskCodes(["background", "cat", "road"], ["#000000", "#ffffff", "#808080"])
    assert read(path, grey([[0, 255, 128]]), codes) == [[0, 1, 2]]
    assert read(path, Image.fromarray(np.array([[False, True]])), codes) == [[0, 1]]


# Orientation


@pytest.mark.parametrize(("tag", "expected"), [(3, [[0, 2], [2, 1]]), (6, [[2, 1], [0, 2]])])
@pytest.mark.parametrize("stored", ["numbers", "palette", "colours"])
def test_a_mask_is_turned_by_its_own_tag(path: Path, stored: str, tag: int, expected: list[list[int]]) -> None:
    exif = Image.Exif()
    exif[0x0112] = tag
    pixels = [[1, 2], [2, 0]]
    by_name = {
        "numbers": (grey(pixels), MaskCodes(CLASSES)),
        "palette": (with_palette(pixels, [BLACK, RED, BLUE]), MaskCodes(CLASSES, COLOURS)),
        "colours": (colour([[RED, BLUE], [BLUE, BLACK]]), MaskCodes(CLASSES, COLOURS)),
    }
    assert read(path, *by_name[stored], exif=exif) == expected


# Masks that are refused


def test_a_number_of_no_class(path: Path) -> None:
    message = refuse(path, grey([[0, 7, 7], [9, 1, 0]]), MaskCodes(CLASSES))
    assert message == (
        "the mask holds 7 (2 pixels), 9 (1 pixel) of no class; there are 0 background, 1 cat, 2 dog, 255 ignored; "
        "add 7 to mask_values or ignore_values"
    )


def test_as_many_numbers_as_classes_are_a_suggestion(path: Path) -> None:
    assert "give mask_values [1, 2, 3]" in refuse(path, grey([[1, 2, 3]]), MaskCodes(CLASSES))
    assert "give mask_values [0, 255]" in refuse(path, grey([[0, 255]]), MaskCodes(["a", "b"], [1, 2]))


def test_a_colour_of_no_class(path: Path) -> None:
    message = refuse(path, colour([[RED, GREEN], [GREEN, BLACK]]), MaskCodes(CLASSES, COLOURS))
    assert message == (
        "the mask holds #80c080 (2 pixels) of no class; there are #000000 background, #ff0000 cat, #0000ff dog; add "
        '"#80c080" to mask_values or ignore_values'
    )


def test_only_a_few_of_many_values_are_shown(path: Path) -> None:
    smoothed = colour([[(level, 0, 0) for level in range(1, 101)] + [(50, 0, 0)]])
    message = refuse(path, smoothed, MaskCodes(CLASSES, COLOURS))
    assert "holds #320000 (2 pixels), #010000 (1 pixel), #020000 (1 pixel)" in message
    assert "95 more of no class" in message
    assert "smoothed edges or lossy compression" in message


def test_many_classes_are_cut_short(path: Path) -> None:
    message = refuse(path, grey([[99]]), MaskCodes([f"class{index}" for index in range(30)]))
    assert "9 class9, ...; " in message
    assert "class10" not in message


def test_an_index_without_colour(path: Path) -> None:
    image = with_palette([[0, 3]], [BLACK, RED, BLUE])
    assert "holds a number without colour (1 pixel)" in refuse(path, image, MaskCodes(CLASSES, COLOURS))


def test_colours_where_numbers_are_expected(path: Path) -> None:
    message = refuse(path, colour([[RED, BLACK], [BLACK, BLACK]]), MaskCodes(CLASSES))
    assert "is in colour, #000000 (3 pixels), #ff0000 (1 pixel), and the classes are numbers" in message
    assert "give mask_values one colour per class" in message


def test_wide_numbers_where_colours_are_expected(path: Path) -> None:
    message = refuse(path, grey([[0, 1]], np.uint16), MaskCodes(CLASSES, COLOURS))
    assert "numbers of 16 bits, and the classes are colours; save it as RGB" in message


CLEAR = (9, 99, 9, 0)
"""A colour of no class, which nobody sees."""


@pytest.mark.parametrize(("role", "expected"), [("background", 0), ("dog", 2), ("ignore", 255)])
def test_transparent_pixels_of_colours_are_the_class_that_is_named(path: Path, role: str, expected: int) -> None:
    image = colour([[CLEAR, (*RED, 255)], [(*BLACK, 255), (*BLUE, 0)]])
    codes = MaskCodes(CLASSES, COLOURS, transparent=role)
    assert read(path, image, codes) == [[expected, 1], [0, expected]]
    assert codes.fingerprint() != MaskCodes(CLASSES, COLOURS).fingerprint()


def test_transparent_pixels_of_numbers(path: Path) -> None:
    image = colour([[CLEAR, (1, 1, 1, 255)], [(2, 2, 2, 255), (0, 0, 0, 0)]])
    assert read(path, image, MaskCodes(CLASSES, transparent="background")) == [[0, 1], [2, 0]]
    lightness = Image.fromarray(np.array([[[1, 255], [7, 0]]], np.uint8), "LA")
    assert read(path, lightness, MaskCodes(CLASSES, transparent="cat")) == [[1, 1]]


@pytest.mark.parametrize("told", [2, bytes([255, 128, 0])])
def test_transparent_numbers_of_a_palette(path: Path, told: int | bytes) -> None:
    """Without the argument the number stands, whatever its transparency."""
    image = with_palette([[0, 1], [2, 2]], [BLACK, RED, BLUE])
    assert read(path, image, MaskCodes(CLASSES, COLOURS), transparency=told) == [[0, 1], [2, 2]]
    for values in (None, COLOURS):
        codes = MaskCodes(CLASSES, values, transparent="background")
        assert read(path, image, codes, transparency=told) == [[0, 1], [0, 0]]


def test_a_transparent_colour_of_a_file_without_alpha(path: Path) -> None:
    image = colour([[RED, BLUE, BLACK]])
    codes = MaskCodes(CLASSES, COLOURS, transparent="background")
    assert read(path, image, codes, transparency=RED) == [[0, 2, 0]]
    assert "1 pixel of the mask is transparent" in refuse(path, image, MaskCodes(CLASSES, COLOURS), transparency=RED)


def test_opaque_masks_are_as_without_the_argument(path: Path) -> None:
    codes = MaskCodes(CLASSES, COLOURS, transparent="ignore")
    assert read(path, colour([[RED, BLUE, BLACK]]), codes) == [[1, 2, 0]]
    assert "#80c080 (1 pixel) of no class" in refuse(path, colour([[(*GREEN, 255), CLEAR]]), codes)


def test_pixels_that_are_transparent_in_part_stay_open(path: Path) -> None:
    message = refuse(path, colour([[(*RED, 254), CLEAR]]), MaskCodes(CLASSES, COLOURS, transparent="background"))
    assert message.startswith("1 pixel of the mask is transparent in part, which leaves their class open")


def test_transparent_names_a_class() -> None:
    with pytest.raises(
        ConfigError, match=r"transparent: 'bg' is none of the classes .*, dog; give one of them, or ignore"
    ):
        MaskCodes(CLASSES, transparent="bg")


@pytest.mark.parametrize("mask_values", [None, COLOURS])
def test_transparent_pixels(path: Path, mask_values: list[MaskValue] | None) -> None:
    image = colour([[(0, 0, 0, 0), (0, 0, 0, 254), (0, 0, 0, 255)]])
    message = refuse(path, image, MaskCodes(CLASSES, mask_values))
    assert message.startswith("2 pixels of the mask are transparent")
    assert "without an alpha channel, or name their class with --data.transparent" in message


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jpg", {"format": "JPEG"}),
        ("a.png", {"format": "JPEG"}),
        ("a.jpg", {"format": "MPO", "save_all": True, "append_images": [Image.new("RGB", (16, 16))]}),
        ("a.tif", {"format": "TIFF", "compression": "jpeg"}),
    ],
    ids=["jpg", "called png", "several pictures", "tif"],
)
def test_jpeg_by_content(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    message = refuse(tmp_path / name, Image.new("RGB", (16, 16)), MaskCodes(CLASSES), **options)
    assert message == (
        "the mask is stored as JPEG, which invents values at edges; export it again as PNG, or give --data.mask_match "
        "nearest"
    )


def test_png_called_jpg_is_read(tmp_path: Path) -> None:
    assert read(tmp_path / "mask.jpg", grey([[0, 2]]), MaskCodes(CLASSES), format="PNG") == [[0, 2]]


def test_other_modes(tmp_path: Path) -> None:
    message = refuse(tmp_path / "mask.tif", grey([[0]], np.float32), MaskCodes(CLASSES))
    assert message == "no mask has mode F; save it as a greyscale, palette or RGB PNG"


def test_unreadable(path: Path) -> None:
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(DataError, match=r"mask\.png: cannot be read as a picture"):
        read_stored_mask(path)
    with pytest.raises(DataError, match=r"gone\.png: no such file"):
        read_stored_mask(path.with_name("gone.png"))


# Arguments that are refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["cat"],), "classes ['cat']: 1 is no possible number; give 2 to 255 names, background included"),
        (([],), "classes []: 0 is no possible number"),
        (("cat",), "classes ['cat']: 1 is no possible number"),
        (([str(index) for index in range(256)],), "classes: 256 is no possible number, since masks have 8 bits"),
        (([str(index) for index in range(999)],), "name the 255 that matter and put the values of the others into ign"),
        ((["cat", "cat"],), "'cat' stands there twice; give each class a name of its own"),
        ((["cat", " "],), "' ' is no name"),
        ((["cat", 1],), "1 is no name"),
        (
            (CLASSES, [0, 1]),
            "mask_values has 2 entries, classes has 3 (background, cat, dog); give one value per class",
        ),
        ((CLASSES, []), "mask_values has 0 entries, classes has 3"),
        ((CLASSES, [0, 1, 1]), "hold 1 twice; a value stands for one class"),
        ((CLASSES, ["#000000", "#FF0000", [255, 0, 0]]), "hold #ff0000 twice"),
        ((CLASSES, [0, 1, 2], [2]), "hold 2 twice"),
        ((CLASSES, None, [2]), "hold 2 twice"),
        ((CLASSES, [0, 1, "#ff0000"]), "mix numbers and colours; give one kind"),
        ((CLASSES, [0, 1, 2], ["#ff0000"]), "ignore_values ['#ff0000'] mix numbers and colours"),
        ((CLASSES, None, ["#ff0000"]), "mix numbers and colours"),
        ((CLASSES, [0, 1, -1]), "mask_values: -1 is neither a number from 0 to 65535 nor a colour"),
        ((CLASSES, [0, 1, 65536]), "mask_values: 65536 is neither"),
        ((CLASSES, [0, 1, True]), "mask_values: True is neither"),
        ((CLASSES, [0, 1, 1.5]), "mask_values: 1.5 is neither"),
        ((CLASSES, [0, 1, "2"]), "mask_values: '2' is neither"),
        ((CLASSES, ["#000000", "#ff0000", "red"]), "mask_values: 'red' is neither"),
        ((CLASSES, ["#000000", "#ff0000", "#f00"]), "mask_values: '#f00' is neither"),
        ((CLASSES, ["#000000", "#ff0000", [0, 0, 256]]), "mask_values: [0, 0, 256] is neither"),
        ((CLASSES, ["#000000", "#ff0000", [0, 0]]), "mask_values: [0, 0] is neither"),
        ((CLASSES, None, [300000]), "ignore_values: 300000 is neither"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_impossible_arguments(arguments: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        MaskCodes(*arguments)


def test_as_many_classes_as_possible(path: Path) -> None:
    codes = MaskCodes([str(index) for index in range(255)])
    assert read(path, grey([[0, 254, 255]]), codes) == [[0, 254, 255]]


def test_numbers_of_numpy_are_numbers(path: Path) -> None:
    assert read(path, grey([[5, 0]]), MaskCodes(["a", "b"], list(np.array([5, 0])))) == [[0, 1]]


def test_what_files_hold_in_plain_values() -> None:
    assert MaskCodes(CLASSES).stored_values() == [0, 1, 2]
    assert MaskCodes(CLASSES, ["#000000", [255, 0, 1], "#0000FF"]).stored_values() == ["#000000", "#ff0001", "#0000ff"]


def test_twelve_megapixels_in_colour_take_well_below_a_second(path: Path) -> None:
    rng = np.random.default_rng(0)
    colours: NDArray[np.uint8] = rng.integers(0, 256, (20, 3), np.uint8)
    blocks = rng.integers(0, 20, (30, 40))
    Image.fromarray(colours[blocks].repeat(100, axis=0).repeat(100, axis=1)).save(path, compress_level=1)
    codes = MaskCodes([str(index) for index in range(20)], colours.tolist())
    stored = read_stored_mask(path)
    seconds = []
    for _ in range(2):
        # Of this process alone, whatever else the machine does.
        start = time.process_time()
        mask = codes.decode(stored, path)
        seconds.append(time.process_time() - start)
    assert (mask[::100, ::100] == blocks).all()
    assert min(seconds) < 0.7


# The nearest class


def test_the_nearest_number_is_taken_where_edges_were_smoothed(path: Path) -> None:
    """127 is 127 from 0 and 128 from 255; 128 the reverse."""
    codes = MaskCodes(CLASSES[:2], [0, 255], match="nearest")
    grey([[0, 1, 127], [128, 254, 255]]).save(path)
    assert codes.decode_counting(read_stored_mask(path), path).num_decided == 4
    assert codes.decode(read_stored_mask(path), path).tolist() == [[0, 0, 0], [1, 1, 1]]


def test_the_nearest_colour_is_measured_in_rgb(path: Path) -> None:
    """(200, 0, 90) is 105.5 from red, 219.3 from black and 259.3 from blue; (0, 0, 100) is nearer to black."""
    codes = MaskCodes(CLASSES, COLOURS, match="nearest")
    assert read(path, colour([[(200, 0, 90), (0, 0, 100), (0, 10, 250)]]), codes) == [[1, 0, 2]]


def test_what_is_ignored_may_be_the_nearest(path: Path) -> None:
    codes = MaskCodes(CLASSES[:2], [0, 100], ignore_values=[255], match="nearest")
    assert read(path, grey([[90, 240, 5]]), codes) == [[1, 255, 0]]


def test_beyond_the_tolerance_a_value_is_refused(path: Path) -> None:
    codes = MaskCodes(CLASSES[:2], [0, 255], match="nearest", tolerance=20)
    assert read(path, grey([[20, 235]]), codes) == [[0, 1]]
    assert "holds 21 (1 pixel) of no class" in refuse(path, grey([[20, 21]]), codes)


def test_a_palette_number_without_colour_is_near_to_none(path: Path) -> None:
    codes = MaskCodes(CLASSES, COLOURS, match="nearest")
    image = with_palette([[0, 3]], [BLACK, RED, BLUE])
    assert "a number without colour (1 pixel) of no class" in refuse(path, image, codes)


def test_a_lossy_mask_is_read_by_the_nearest_class(path: Path) -> None:
    """Two halves, black and white, as JPEG: values near to 0 and 255, and edges."""
    half = np.zeros((16, 32), np.uint8)
    half[:, 16:] = 255
    image, codes = Image.fromarray(half), MaskCodes(CLASSES[:2], [0, 255], match="nearest")
    image.save(path, format="JPEG", quality=60)
    mask = codes.decode(read_stored_mask(path, lossy=True), path)
    assert mask.tolist() == (half // 255).tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"match": "near"}, "mask_match 'near' does not exist; choose exact or nearest"),
        ({"tolerance": 5.0}, "mask_tolerance 5.0 is for --data.mask_match nearest; give both or neither"),
        ({"match": "nearest", "tolerance": 0.0}, "mask_tolerance 0.0 must be above 0"),
        ({"match": "nearest", "tolerance": float("nan")}, "mask_tolerance nan must be above 0"),
    ],
)
def test_impossible_ways_to_match(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        MaskCodes(CLASSES, **options)


def test_caches_know_how_masks_were_matched() -> None:
    ways = [MaskCodes(CLASSES), MaskCodes(CLASSES, match="nearest"), MaskCodes(CLASSES, match="nearest", tolerance=9)]
    assert len({codes.fingerprint() for codes in ways}) == 3
