"""One colour per class."""

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from lightning_seg.plots.overlay import draw_classes
from lightning_seg.plots.palette import (
    LINES,
    background_of,
    class_palette,
    class_patches,
    object_palette,
    palette_of,
)

SEEN = {
    # Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009,
    # severity 1, on linear RGB.
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
# IEC 61966-2-1: linear sRGB to XYZ at D65.
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
D65 = np.array([0.95047, 1.0, 1.08883])


def cielab(colours: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours ``(N, 3)`` of sRGB in [0, 1] as somebody sees them, in CIELAB."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    ratios = np.clip(linear @ matrix.T, 0, 1) @ XYZ.T / D65
    roots = np.where(ratios > (6 / 29) ** 3, np.cbrt(ratios), ratios / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = roots.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def least_distance(colours: NDArray[np.float64], matrix: NDArray[np.float64]) -> float:
    places = cielab(colours, matrix)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    return float(distances[~np.eye(len(places), dtype=bool)].min())


def test_the_measure_of_distance_is_cielab() -> None:
    # Known: sRGB red is L 53.24, a 80.09, b 67.20.
    (red,) = cielab(np.array([[1.0, 0.0, 0.0]]), SEEN["normal"])
    assert red.tolist() == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
    # What it is for: red and green of the same lightness are near to each other for those who lack one of them.
    old = np.array([[0.173, 0.627, 0.173], [0.839, 0.153, 0.157]])  # the green and the red of tab10
    assert least_distance(old, SEEN["normal"]) > 100
    assert least_distance(old, SEEN["deuteranopia"]) < 40


@pytest.mark.parametrize("sight", SEEN)
@pytest.mark.parametrize(("number", "least"), [(8, 17), (20, 17), (64, 10), (255, 4)])
def test_colour_blind_people_tell_classes_apart(sight: str, number: int, least: float) -> None:
    palette = class_palette(number)
    assert least_distance(palette[:number] / 255, SEEN[sight]) >= least
    # White are ignored pixels.
    white = np.ones((1, 3))
    assert all(
        least_distance(np.concatenate([white, colour[None] / 255]), SEEN[sight]) > 6 for colour in palette[:number]
    )


@pytest.mark.parametrize("sight", SEEN)
def test_lines_differ_from_each_other_and_from_the_page(sight: str) -> None:
    lines = np.array([to_rgb(colour) for colour in LINES])
    assert least_distance(np.concatenate([lines, np.ones((1, 3))]), SEEN[sight]) >= 17


def test_the_first_colours_are_those_of_okabe_and_ito() -> None:
    """As published; black is the background."""
    published = [
        (0, 0, 0),
        (230, 159, 0),
        (86, 180, 233),
        (0, 158, 115),
        (240, 228, 66),
        (0, 114, 178),
        (213, 94, 0),
        (204, 121, 167),
    ]
    assert class_palette(20)[:8].tolist() == [list(colour) for colour in published]
    # The colour of a class does not depend on how many there are; boxes have no background.
    assert np.array_equal(class_palette(2)[:2], class_palette(255)[:2])
    assert object_palette(7).tolist() == [list(colour) for colour in published[1:]]
    assert len(object_palette(1000)) == 1000


@pytest.mark.parametrize(
    ("names", "background"),
    [
        (("pet", "background", "border"), 1),
        (("Background", "car"), 0),
        (("cat", "dog", "void"), 2),
        (("배경", "자동차"), 0),
        (("road", "car"), None),
        (("backgrounds", "other thing"), None),
    ],
)
def test_the_background_is_known_by_its_name(names: tuple[str, ...], background: int | None) -> None:
    assert background_of(names) == background


def test_the_background_is_black_wherever_it_stands() -> None:
    black, orange, blue = (0, 0, 0), (230, 159, 0), (86, 180, 233)
    assert palette_of(("pet", "background", "border"))[:4].tolist() == [
        list(one) for one in (orange, black, blue, black)
    ]
    # With no class of this name the first one has its colour, as always.
    assert np.array_equal(palette_of(("road", "car")), class_palette(2))
    names = [f"class {index}" for index in range(64)]
    assert len(np.unique(palette_of([*names, "background"])[:65], axis=0)) == 65
    assert [str(one.get_label()) for one in class_patches(("a", "background"))] == ["a", "background"]
    assert [str(one.get_label()) for one in class_patches(("a", "background"), background=False)] == ["a"]


def test_overlays_leave_the_background_as_it_is_unless_it_is_asked_for() -> None:
    image = np.full((1, 4, 3), 100, np.uint8)
    mask = np.array([[0, 1, 2, 255]], np.uint8)
    names = ("pet", "background", "border")
    # Half of 100 and half of orange, sky blue; a tenth of 100 and white where ignored.
    pet, border, ignored = [165, 130, 50], [93, 140, 166], [240, 240, 240]

    def drawn(**options: Any) -> list[list[int]]:
        pixels: list[list[int]] = np.asarray(draw_classes(image, mask, names, **options))[0].tolist()
        return pixels

    np.testing.assert_allclose(drawn(), [pet, [100] * 3, border, ignored], atol=1)
    np.testing.assert_allclose(drawn(tint_background=True), [pet, [50] * 3, border, ignored], atol=1)
    np.testing.assert_allclose(drawn(hidden=[0]), [[100] * 3, [100] * 3, border, ignored], atol=1)


@pytest.mark.parametrize("num_classes", [2, 10, 37, 255])
def test_masks_have_a_colour_per_class_and_white_where_nobody_knows(num_classes: int) -> None:
    palette = class_palette(num_classes)
    assert palette.shape == (256, 3)
    assert len(np.unique(palette[:num_classes], axis=0)) == num_classes
    assert palette[255].tolist() == [255, 255, 255]


def test_there_may_be_more_classes_than_a_mask_can_hold() -> None:
    assert class_palette(1000).shape == (1000, 3)
    assert len(class_patches([str(index) for index in range(1000)])) == 1000
