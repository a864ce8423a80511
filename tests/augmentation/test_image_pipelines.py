"""The tutorials' augmentations, each against what its name says, on pictures small enough for paper."""

import colorsys
import logging
import math
from collections import Counter

import cv2
import numpy as np
import pytest

from lightning_seg.augmentation.checks import check_fill, check_transform
from lightning_seg.augmentation.pipelines import PIPELINES
from lightning_seg.augmentation.seeding import SeededPipeline
from lightning_seg.images import Array

NAMES = (
    *("flip", "flips", "rot90", "rotation_36", "rotation_72", "zoom", "center_crop", "random_center_crop"),
    *("random_crop", "pad_crop", "cutout", "invert", "grayscale", "hue", "saturation", "triple_saturation"),
    *("contrast", "brightness", "brighter", "jpeg", "flips_rotation", "flip_rotation_zoom", "pad_crop_brightness"),
    "dogs",
)
COLOUR_ONLY = (
    *("invert", "grayscale", "hue", "saturation", "triple_saturation", "contrast", "brightness", "brighter", "jpeg"),
)


def draw(name: str, image: Array, mask: Array, count: int) -> list[tuple[Array, Array]]:
    pipeline = SeededPipeline(PIPELINES[name](), seed=3)
    return [pipeline(image, mask, (index % 5, index)) for index in range(count)]


def numbered(height: int, width: int) -> tuple[Array, Array]:
    """Every pixel of the mask has a number of its own, from 1 on, which the image shows as a grey."""
    mask = np.arange(1, height * width + 1, dtype=np.uint8).reshape(height, width)
    return np.stack([mask] * 3, axis=2), mask


def one_row(*pixels: tuple[int, int, int]) -> tuple[Array, Array]:
    """A picture of one row, and a mask that numbers it."""
    return np.array([pixels], np.uint8), np.arange(len(pixels), dtype=np.uint8)[None]


def photo() -> tuple[Array, Array]:
    """Smooth colours, and a mask of two classes."""
    grid = np.random.default_rng(0).integers(60, 200, (5, 6, 3)).astype(np.uint8)
    mask = np.ones((40, 48), np.uint8)
    cv2.circle(mask, (20, 15), 10, 2, -1)
    return cv2.resize(grid, (48, 40), interpolation=cv2.INTER_CUBIC).astype(np.uint8), mask


@pytest.mark.parametrize("name", NAMES)
def test_draws_depend_on_epoch_and_index_and_keep_size_and_classes(name: str) -> None:
    image, mask = photo()
    pictures = draw(name, image, mask, 30)
    again = draw(name, image, mask, 30)
    for (drawn_image, drawn_mask), (same_image, same_mask) in zip(pictures, again, strict=True):
        assert (drawn_image.shape, drawn_mask.shape) == (image.shape, mask.shape)
        assert set(np.unique(drawn_mask)) <= {1, 2, 255}
        assert np.array_equal(drawn_image, same_image)
        assert np.array_equal(drawn_mask, same_mask)
    assert len({drawn_image.tobytes() for drawn_image, _ in pictures}) > 1
    if name in COLOUR_ONLY:
        assert all(np.array_equal(drawn_mask, mask) for _, drawn_mask in pictures)


@pytest.mark.parametrize("name", NAMES)
def test_masks_may_go_through_all_of_them(name: str, caplog: pytest.LogCaptureFixture) -> None:
    for transform in PIPELINES[name]():
        check_transform(transform)
    with caplog.at_level(logging.WARNING):
        # Class 0 is no background here, so an invented 0 would be warned of.
        check_fill(PIPELINES[name](), ("pet", "ground"))
    assert not caplog.messages


# Flips and turns


def test_flips_go_both_ways_and_are_drawn_apart() -> None:
    image, mask = numbered(2, 3)
    ways = [mask, mask[:, ::-1], mask[::-1], mask[::-1, ::-1]]
    counts = Counter(drawn.tobytes() for _, drawn in draw("flips", image, mask, 400))
    # Four ways with 100 draws each; a standard deviation is below 9.
    assert set(counts) == {way.tobytes() for way in ways}
    assert min(counts.values()) > 60


def test_quarter_turns() -> None:
    image, mask = numbered(3, 3)
    drawn = draw("rot90", image, mask, 100)
    assert {turned.tobytes() for _, turned in drawn} == {np.rot90(mask, times).tobytes() for times in range(4)}
    assert all(np.array_equal(turned_image[..., 0], turned_mask) for turned_image, turned_mask in drawn)


def test_a_quarter_turn_of_a_wide_picture_is_squeezed() -> None:
    image, mask = numbered(2, 4)
    drawn = {tuple(map(tuple, turned.tolist())) for _, turned in draw("rot90", image, mask, 100)}
    # Against the clock: columns 4 8, 3 7, 2 6, 1 5; of these every second row, each number twice.
    assert ((3, 3, 7, 7), (1, 1, 5, 5)) in drawn
    assert ((1, 2, 3, 4), (5, 6, 7, 8)) in drawn
    assert ((8, 7, 6, 5), (4, 3, 2, 1)) in drawn
    assert len(drawn) == 4


def dots() -> tuple[Array, Array]:
    """A dot 40 pixels to the right of the centre, number 1, and one 40 pixels below it, number 2."""
    # So far from the edge that their mirrored images stay outside.
    mask = np.zeros((161, 161), np.uint8)
    cv2.circle(mask, (120, 80), 3, 1, -1)
    cv2.circle(mask, (80, 120), 3, 2, -1)
    return np.stack([mask] * 3, axis=2), mask


def polar(mask: Array, number: int) -> tuple[float, float]:
    """Distance from the centre, and degrees from the right, towards below."""
    y, x = np.argwhere(mask == number).mean(axis=0) - 80
    return math.hypot(x, y), math.degrees(math.atan2(y, x))


@pytest.mark.parametrize(("name", "most"), [("rotation_36", 36), ("rotation_72", 72)])
def test_rotations_reach_their_angle_to_both_sides(name: str, most: float) -> None:
    angles = []
    for _, turned in draw(name, *dots(), 150):
        (near, right), (far, below) = polar(turned, 1), polar(turned, 2)
        assert near == pytest.approx(40, abs=1)
        assert far == pytest.approx(40, abs=1)
        assert (below - right) % 360 == pytest.approx(90, abs=2)
        angles.append(right)
    assert -most - 1 < min(angles) < -0.9 * most
    assert 0.9 * most < max(angles) < most + 1


def test_zoom_scales_both_sides_alike() -> None:
    scales = []
    for _, zoomed in draw("zoom", *dots(), 150):
        (near, right), (far, below) = polar(zoomed, 1), polar(zoomed, 2)
        assert right == pytest.approx(0, abs=1)
        assert below == pytest.approx(90, abs=1)
        assert near == pytest.approx(far, abs=0.8)
        scales.append(near / 40)
    assert 0.88 < min(scales) < 0.92
    assert 1.08 < max(scales) < 1.12


# Crops


def test_the_central_half_of_every_second_picture() -> None:
    image, mask = numbered(4, 8)
    half = np.array([[11, 12, 13, 14], [19, 20, 21, 22]], np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    drawn = draw("center_crop", image, mask, 200)
    counts = Counter(cropped.tobytes() for _, cropped in drawn)
    assert set(counts) == {mask.tobytes(), half.tobytes()}
    assert 60 < counts[half.tobytes()] < 140
    corners = next(cropped for cropped, _ in drawn if not np.array_equal(cropped, image))[::3, ::7, 0]
    assert corners.tolist() == [[11, 14], [19, 22]]


def lost(name: str, count: int) -> Array:
    """(count, 4) pixels of 200 that left, right, top and bottom lose."""
    rows, columns = np.indices((200, 200))
    image = np.stack([rows, columns, rows], axis=2).astype(np.uint8)
    results = []
    for index, (cropped, mask) in enumerate(draw(name, image, columns.astype(np.uint8), count)):
        results.append([mask[0, 0], 199 - mask[0, -1], cropped[0, 0, 0], 199 - cropped[-1, 0, 0]])
        assert abs(int(cropped[0, 0, 1]) - int(mask[0, 0])) <= 1, index
    return np.array(results)


def test_the_central_part_is_drawn_for_every_picture() -> None:
    shares = lost("random_center_crop", 300) / 200
    assert np.ptp(shares, axis=1).max() <= 0.01
    assert shares.min() <= 0.01
    assert 0.24 <= shares.max() <= 0.255
    # Evenly: a fifth of 300 draws is 60, with a standard deviation of 7.
    assert np.histogram(shares[:, 0], bins=5, range=(0, 0.25))[0].min() > 30


def test_a_random_crop_loses_something_else_on_each_side() -> None:
    shares = lost("random_crop", 300) / 200
    assert (shares.min(axis=0) <= 0.01).all()
    assert (shares.max(axis=0) >= 0.18).all()
    assert shares.max() <= 0.205
    assert abs(np.corrcoef(shares.T) - np.eye(4)).max() < 0.25


def windows(image: Array, mask: Array) -> dict[bytes, Array]:
    """By mask: each picture that padding by 3 and cropping back may leave."""
    height, width = mask.shape
    wide = np.pad(image, ((3, 3), (3, 3), (0, 0)))
    wide_mask = np.pad(mask, 3, constant_values=255)
    places = [(slice(top, top + height), slice(left, left + width)) for top in range(7) for left in range(7)]
    return {wide_mask[place].tobytes(): wide[place] for place in places}


def test_pad_and_crop_gives_all_49_places() -> None:
    image, mask = numbered(10, 12)
    known = windows(image, mask)
    drawn = draw("pad_crop", image, mask, 600)
    assert {moved.tobytes() for _, moved in drawn} == set(known)
    assert all(np.array_equal(moved, known[moved_mask.tobytes()]) for moved, moved_mask in drawn)


def test_pad_crop_brightness_does_both() -> None:
    image, mask = numbered(10, 12)
    known = windows(image, mask)
    shifts = []
    for moved, moved_mask in draw("pad_crop_brightness", image, mask, 100):
        added = int(moved[5, 6, 0]) - int(known[moved_mask.tobytes()][5, 6, 0])
        expected = np.clip(known[moved_mask.tobytes()].astype(int) + added, 0, 255)
        # Where the middle itself was clipped, nothing is known of the others.
        assert moved[5, 6, 0] in (0, 255) or abs(moved - expected).max() <= 1
        shifts.append(added)
    assert max(shifts) > 110


def test_cutout_hides_one_rectangle_and_does_not_count_it() -> None:
    image, mask = photo()
    areas, tops = set(), set()
    for hidden, hidden_mask in draw("cutout", image, mask, 100):
        hole = hidden_mask == 255
        rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert hole.sum() == height * width
        assert 9 <= height <= 20
        assert 11 <= width <= 24
        assert (hidden[hole] == 128).all()
        assert np.array_equal(hidden[~hole], image[~hole])
        assert np.array_equal(hidden_mask[~hole], mask[~hole])
        areas.add((int(height), int(width)))
        tops.add(int(rows[0]))
    assert len(areas) > 20
    assert len(tops) > 15


# Colours


def of_every_second(name: str, image: Array) -> Array:
    """The one change that 160 draws show, in about half of them."""
    mask = np.zeros(image.shape[:2], np.uint8)
    changed = [drawn for drawn, _ in draw(name, image, mask, 160) if not np.array_equal(drawn, image)]
    assert len({drawn.tobytes() for drawn in changed}) == 1
    # 80 +- 5 standard deviations of 6.3.
    assert 48 < len(changed) < 112
    return changed[0]


def test_an_inverted_picture_is_its_negative() -> None:
    image, _ = one_row((200, 40, 60), (0, 255, 128))
    assert of_every_second("invert", image).tolist() == [[[55, 215, 195], [255, 0, 127]]]


def test_grey_weighs_the_colours() -> None:
    image = np.array([[[200, 40, 60]] * 2, [[30, 120, 220]] * 2], np.uint8)
    # 59.8 + 23.48 + 6.84 and 8.97 + 70.44 + 25.08
    assert of_every_second("grayscale", image).tolist() == [[[90] * 3] * 2, [[104] * 3] * 2]


def test_triple_saturation_is_three_times_as_far_from_grey() -> None:
    image, _ = one_row((120, 100, 80), (200, 40, 60))
    # Greys 103.7 and 90.1: 152.6, 92.6, 32.6; the second one is clipped on all sides.
    saturated = of_every_second("triple_saturation", image).astype(int)
    assert abs(saturated - np.array([[[153, 93, 33], [255, 0, 0]]])).max() <= 1


def test_brighter_adds_and_clips() -> None:
    image, _ = one_row((0, 100, 200))
    assert of_every_second("brighter", image).tolist() == [[[102, 202, 255]]]


@pytest.mark.parametrize(("name", "most"), [("brightness", 127), ("dogs", 51)])
def test_brightness_adds_the_same_everywhere_and_clips(name: str, most: int) -> None:
    image, mask = one_row((128, 128, 128), (60, 60, 60), (0, 0, 0), (255, 255, 255))
    shifts, orders = [], set()
    for drawn, drawn_mask in draw(name, image, mask, 200):
        # dogs may have turned the row around.
        pixels = {int(number): int(pixel[0]) for number, pixel in zip(drawn_mask[0], drawn[0], strict=True)}
        added = pixels[0] - 128
        expected = np.clip(np.array([60, 0, 255]) + added, 0, 255)
        assert abs(np.array([pixels[1], pixels[2], pixels[3]]) - expected).max() <= 1
        shifts.append(added)
        orders.add(tuple(drawn_mask[0].tolist()))
    assert -most - 1 <= min(shifts) < -0.9 * most
    assert 0.9 * most < max(shifts) <= most + 1
    assert orders == ({(0, 1, 2, 3), (3, 2, 1, 0)} if name == "dogs" else {(0, 1, 2, 3)})


def test_contrast_is_the_distance_from_the_mean() -> None:
    image, mask = one_row((100, 100, 100), (200, 200, 200))
    factors = []
    for drawn, _ in draw("contrast", image, mask, 200):
        dark, light = drawn[0, :, 0].astype(int).tolist()
        assert dark + light == pytest.approx(300, abs=1)
        factors.append((light - dark) / 100)
    assert 0.48 <= min(factors) < 0.55
    assert 1.45 < max(factors) <= 1.52


def test_saturation_leaves_grey_and_brightness_alone() -> None:
    image, mask = one_row((120, 100, 80), (77, 77, 77))
    factors = []
    for drawn, _ in draw("saturation", image, mask, 200):
        red, green, blue = drawn[0, 0].astype(int).tolist()
        assert drawn[0, 1].tolist() == [77, 77, 77]
        assert 0.299 * red + 0.587 * green + 0.114 * blue == pytest.approx(103.7, abs=1)
        factors.append((red - blue) / 40)
    assert 0.45 <= min(factors) < 0.6
    assert 1.4 < max(factors) <= 1.55


def test_hue_turns_by_36_degrees_at_most() -> None:
    image, mask = one_row((200, 60, 60), (90, 90, 90))
    turns = []
    for drawn, _ in draw("hue", image, mask, 200):
        assert drawn[0, 1].tolist() == [90, 90, 90]
        angle = colorsys.rgb_to_hsv(*(drawn[0, 0] / 255).tolist())[0]
        turns.append(((angle + 0.5) % 1 - 0.5) * 360)
    assert -40 < min(turns) < -32
    assert 32 < max(turns) < 40


def test_jpeg_is_one_of_the_qualities() -> None:
    image, mask = photo()
    known = {}
    for quality in range(20, 96):
        stored = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        read = np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR))
        known[read[..., ::-1].tobytes()] = quality
    qualities = {known[drawn.tobytes()] for drawn, _ in draw("jpeg", image, mask, 200)}
    assert min(qualities) < 30
    assert max(qualities) > 85


# Combinations


def test_flip_rotation_zoom_does_all_three() -> None:
    distances, angles, sides = [], [], set()
    for _, drawn in draw("flip_rotation_zoom", *dots(), 150):
        distance, right = polar(drawn, 1)
        _, below = polar(drawn, 2)
        # From the right dot to the one below: a quarter turn forward, or backward in a mirror.
        sides.add(mirrored := (below - right) % 360 > 180)
        angles.append((180 - right if mirrored else right) % 360)
        distances.append(distance)
    assert sides == {True, False}
    assert all(angle < 37 or angle > 323 for angle in angles)
    assert any(30 < angle < 37 for angle in angles)
    assert min(distances) < 37.5
    assert max(distances) > 42.5


def test_flips_rotation_does_both() -> None:
    ways, angles = set(), []
    for _, drawn in draw("flips_rotation", *dots(), 200):
        right, below = polar(drawn, 1)[1], polar(drawn, 2)[1]
        ways.add((below - right) % 360 > 180)
        angles.append(right % 360)
    assert ways == {True, False}
    # Up to 72 degrees around the right and, mirrored, around the left.
    assert max(angles) - min(angles) > 300
    assert not any(75 < angle < 105 or 255 < angle < 285 for angle in angles)
