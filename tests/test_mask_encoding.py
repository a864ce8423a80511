"""What mask files hold, written and told as plain values."""

from typing import Any

import numpy as np
import pytest

from lightning_seg.errors import ConfigError
from lightning_seg.mask_encoding import MaskEncoding

MASK = np.array([[0, 1, 2], [2, 0, 0]], np.uint8)


def test_numbers_become_greys() -> None:
    picture = MaskEncoding((1, 2, 3)).picture(MASK)
    assert picture.mode == "L"
    assert np.asarray(picture).tolist() == [[1, 2, 3], [3, 1, 1]]


def test_large_numbers_become_greys_of_16_bits() -> None:
    picture = MaskEncoding((0, 300, 65535)).picture(MASK)
    assert np.asarray(picture).tolist() == [[0, 300, 65535], [65535, 0, 0]]
    assert picture.mode == "I;16"


def test_colours_become_rgb() -> None:
    picture = MaskEncoding(("#000000", "#ff0000", "#0a0b0c")).picture(MASK)
    assert picture.mode == "RGB"
    assert np.asarray(picture)[0].tolist() == [[0, 0, 0], [255, 0, 0], [10, 11, 12]]


def test_numbers_with_colours_become_a_palette() -> None:
    """As in Carvana: 0 and 1 for programs that read numbers, black and white for people."""
    picture = MaskEncoding((0, 1), ("#000000", "#ffffff")).picture(MASK % 2)
    assert picture.mode == "P"
    assert np.asarray(picture).tolist() == [[0, 1, 0], [0, 0, 0]]
    assert np.asarray(picture.convert("RGB"))[0, :2].tolist() == [[0, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize(
    "encoding",
    [MaskEncoding((1, 2)), MaskEncoding(("#000000", "#ffffff")), MaskEncoding((0, 1), ("#000000", "#00ff00"))],
)
def test_plain_values_make_it_again(encoding: MaskEncoding) -> None:
    assert MaskEncoding.of(encoding.as_dict()) == encoding


def test_nothing_is_told_by_files_of_older_versions() -> None:
    assert MaskEncoding.of(None) is None
    assert MaskEncoding.of({}) is None


@pytest.mark.parametrize(
    "plain",
    [
        *("text", 3, [1, 2], {"values": "12"}, {"values": []}, {"values": [1, "#ff0000"]}, {"values": [1, 1]}),
        *({"values": [True, False]}, {"values": [-1, 1]}, {"values": [70000, 1]}, {"values": ["red", "blue"]}),
        *({"values": [[0, 0, 0], [1, 1, 1]]}, {"values": [0, 1], "colours": ["white"]}),
        *({"values": [0, 300], "colours": ["#ffffff"]}, {"values": [0.5, 1.0]}),
    ],
)
def test_anything_else_is_one_line(plain: Any) -> None:
    with pytest.raises(ConfigError, match=r"^mask_encoding .* holds no number or colour for each class$"):
        MaskEncoding.of(plain)
