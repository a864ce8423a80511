"""Five kinds of flowers, drawn petal by petal: they differ far more in shape than in colour.

Parts are laid out in units of the blossom's radius around its centre, x to the right and y down.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from lightning_seg.synthetic.scenery import (
    Canvas,
    Colour,
    Mask,
    Shape,
    Size,
    blend,
    cast_shadow,
    ellipse,
    limb,
    paint,
    pick,
    similarity,
    smooth_noise,
    threshold,
    tint,
    vary,
)

Role: TypeAlias = Literal["stem", "leaf", "petal", "centre"]
Matrix: TypeAlias = NDArray[Any]  # (2, 2) float

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (238, 236, 228)
YELLOW: Colour = (238, 200, 50)
ORANGE: Colour = (232, 140, 48)
PINK: Colour = (228, 130, 168)
RED: Colour = (196, 40, 52)
PURPLE: Colour = (140, 80, 180)
CREAM: Colour = (240, 220, 160)
BROWN: Colour = (84, 54, 32)
GREENS: tuple[Colour, ...] = ((70, 112, 50), (96, 136, 66), (58, 90, 58))


@dataclass(frozen=True)
class Part:
    """A region of a flower, its material, and its brightness relative to others of its kind."""

    shape: Shape
    role: Role
    gain: float = 1.0


@dataclass(frozen=True)
class Kind:
    """Properties shared by all flowers of a kind. Every colour of petals belongs to at least two kinds."""

    name: str
    petals: tuple[Colour, ...]
    centres: tuple[Colour, ...]
    build: Callable[[Generator], list[Part]]


def petal(length: float, width: float, point: float) -> Shape:
    """A petal upwards from the origin; ``width`` is half its width, ``point`` 1 gives a round tip and more a pointed
    one.
    """
    along = np.linspace(0, 1, 14)
    half = along**0.7 * (1 - along) ** (0.5 * point)
    half *= width / half.max()
    right = np.stack([half, -along * length], axis=1)
    return Shape(np.concatenate([right, right[::-1] * (-1, 1)]))


def ring(
    generator: Generator, count: int, inner: float, length: float, width: float, point: float, wild: float = 0.3
) -> list[Part]:
    """Petals all around, ``inner`` away from the centre; ``wild`` is how much they differ."""
    start = generator.uniform(0, 360)
    parts = []
    for number in range(count):
        one = petal(length * generator.uniform(1 - wild / 2, 1), width * generator.uniform(1 - wild, 1 + wild), point)
        angle = start + 360 / count * (number + wild * generator.uniform(-1, 1))
        turned = one.moved(np.eye(2), (0, -inner)).moved(similarity(1.0, angle))
        parts.append(Part(turned, "petal", generator.uniform(0.82, 1.08)))
    return parts


def disc(radius: float) -> Part:
    return Part(ellipse((0, 0), (radius, radius)), "centre")


def daisy(generator: Generator) -> list[Part]:
    """One or two rings of narrow petals with round tips around a small centre."""
    count = int(generator.integers(13, 22))
    rings = ring(generator, count, 0.15, 0.85, generator.uniform(0.1, 0.15), 1.0)
    return [
        *rings,
        *(Part(one.shape, "petal", one.gain * 1.06) for one in rings[::2]),
        disc(generator.uniform(0.2, 0.3)),
    ]


def dandelion(generator: Generator) -> list[Part]:
    """A dense ball of very narrow rays, without a centre of its own."""
    rays = []
    for outer in (1.0, 0.86, 0.7, 0.5, 0.3):
        count = round(generator.uniform(34, 42) * (0.45 + 0.55 * outer))
        rays += ring(generator, count, 0.0, outer, generator.uniform(0.035, 0.05), 1.2, wild=0.5)
    return rays


def rose(generator: Generator) -> list[Part]:
    """Few broad round petals, laid over each other ever smaller."""
    petals: list[Part] = []
    for number, outer in enumerate((1.0, 0.82, 0.64, 0.46, 0.28)):
        count = int(generator.integers(4, 6))
        fold = 0.8 + 0.34 * (number % 2)
        layer = ring(generator, count, -0.2 * outer, 1.2 * outer, 0.72 * outer, 0.7, wild=0.2)
        petals += [replace(one, gain=one.gain * fold * generator.uniform(0.88, 1.12)) for one in layer]
    return petals


def sunflower(generator: Generator) -> list[Part]:
    """Two rings of pointed petals around a centre half as wide as the blossom."""
    count = int(generator.integers(13, 19))
    width = generator.uniform(0.16, 0.21)
    outer = ring(generator, count, 0.35, 0.65, width, 2.4)
    inner = ring(generator, count, 0.35, 0.52, width, 2.4)
    return [*outer, *(replace(one, gain=one.gain * 1.08) for one in inner), disc(generator.uniform(0.46, 0.58))]


def tulip(generator: Generator) -> list[Part]:
    """A cup of pointed petals, seen from the side."""
    parts = []
    for angle, gain in ((-24, 0.82), (24, 0.82), (0, 0.72), (-13, 1.0), (13, 1.0), (generator.uniform(-6, 6), 1.1)):
        one = petal(generator.uniform(1.5, 1.8), generator.uniform(0.36, 0.46), generator.uniform(1.4, 2.0))
        turned = one.moved(similarity(1.0, angle + generator.uniform(-5, 5)), (0, 0.8))
        parts.append(Part(turned, "petal", gain * generator.uniform(0.95, 1.05)))
    return parts


KINDS = (
    Kind("daisy", (WHITE, WHITE, PINK, YELLOW, PURPLE), (YELLOW, ORANGE, BROWN), daisy),
    Kind("dandelion", (YELLOW, YELLOW, WHITE, ORANGE, CREAM), (YELLOW,), dandelion),
    Kind("roses", (RED, PINK, WHITE, YELLOW, CREAM), (RED,), rose),
    Kind("sunflowers", (YELLOW, YELLOW, ORANGE, RED, CREAM), (BROWN, BROWN, YELLOW), sunflower),
    Kind("tulips", (RED, PINK, PURPLE, ORANGE, WHITE), (YELLOW,), tulip),
)
"""Ordered by name, as class folders are read."""


def draw_flower(
    generator: Generator,
    image: Canvas,
    kind: Kind,
    centre: tuple[float, float],
    radius: float,
    light: tuple[float, float],
) -> Mask:
    """Paints one flower over ``image``, in place: perhaps on a stem, seen slightly from the side.

    Args:
        generator: of all its draws.
        image: the background.
        kind: which flower.
        centre: (x, y) of the blossom in pixels.
        radius: of the blossom in pixels.
        light: direction that light comes from, a unit vector.

    Returns:
        The mask of the blossom, without its stem.
    """
    if kind.name == "tulips" or generator.random() < 0.5:
        _paint_parts(generator, image, _stalk(generator), (centre, radius * np.eye(2)), kind, light)
    return _paint_parts(generator, image, kind.build(generator), (centre, radius * _view(generator, kind)), kind, light)


def _view(generator: Generator, kind: Kind) -> Matrix:
    """The 2x2 matrix of the blossom's orientation; tulips stand upright, the others face anywhere."""
    if kind.name == "tulips":
        return similarity(1.0, generator.uniform(-25, 25), generator.random() < 0.5)
    lean = similarity(1.0, generator.uniform(0, 360))
    return np.asarray(lean @ np.diag([1.0, generator.uniform(0.75, 1.0)]) @ similarity(1.0, generator.uniform(0, 360)))


def _stalk(generator: Generator) -> list[Part]:
    """A stem down to somewhere outside of the picture, with leaves."""
    middle, end = (generator.uniform(-0.3, 0.3), 2.2), (generator.uniform(-0.8, 0.8), 5.0)
    stem = [
        Part(limb((0, 0.2), (0, 1.2), middle, (0.09, 0.11)), "stem"),
        Part(limb(middle, (2 * middle[0], 3.2), end, (0.11, 0.13)), "stem"),
    ]
    leaves = [
        Part(petal(generator.uniform(1.0, 1.8), generator.uniform(0.15, 0.3), 2.0).moved(turn, (0, 2.2)), "leaf")
        for turn in (similarity(1.0, side * generator.uniform(20, 70)) for side in (-1, 1))
        if generator.random() < 0.7
    ]
    return [*stem, *leaves]


def _paint_parts(
    generator: Generator,
    image: Canvas,
    parts: list[Part],
    place: tuple[tuple[float, float], Matrix],
    kind: Kind,
    light: tuple[float, float],
) -> Mask:
    """Paints the parts over ``image``, in place, and returns their mask."""
    centre, matrix = place
    size = image.shape[0], image.shape[1]
    green = pick(generator, GREENS)
    colours = {"petal": pick(generator, kind.petals, 0.15), "stem": green, "leaf": green}
    masks = [part.shape.moved(matrix, centre).mask(size) for part in parts]
    whole: Mask = np.logical_or.reduce(masks)
    cast_shadow(image, whole, (-5 * light[0], -5 * light[1]), generator.uniform(0.1, 0.35))
    for part, mask in zip(parts, masks, strict=True):
        if part.role == "centre":
            paint(image, mask, _seeds(generator, size, pick(generator, kind.centres)), light)
        elif mask.any():
            paint(image, mask, blend(BLACK, colours[part.role], part.gain), light)
    image[whole] *= tint(smooth_noise(generator, size, 30), (0.86, 0.86, 0.86), (1.06, 1.06, 1.06))[whole]
    return whole


def _seeds(generator: Generator, size: Size, colour: Colour) -> Canvas:
    dark = vary(generator, blend(colour, BROWN, 0.5), 0.1)
    return tint(threshold(smooth_noise(generator, size, 3.5), 0.5, 0.4), dark, colour)
