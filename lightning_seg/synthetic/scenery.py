"""Parts of every synthetic picture: noise, outlines, exact masks, shading, backgrounds.

Sizes are ``(height, width)``; points, centres and axes are x before y; angles are degrees. All randomness comes from
the given generator.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

Size: TypeAlias = tuple[int, int]
Colour: TypeAlias = tuple[float, float, float]  # RGB, 0..255
Field: TypeAlias = NDArray[Any]  # (H, W) float32, 0..1
Canvas: TypeAlias = NDArray[Any]  # (H, W, 3) float32 RGB, 0..255
Mask: TypeAlias = NDArray[np.bool_]  # (H, W)
Points: TypeAlias = NDArray[Any]  # (N, 2) float

SUBPIXEL_BITS = 4


def smooth_noise(generator: Generator, size: Size, cell: float, octaves: int = 1) -> Field:
    """Clouds with features about ``cell`` pixels wide; each further octave halves width and weight."""
    height, width = size
    total: Field = np.zeros(size, np.float32)
    for octave in range(octaves):
        step = max(cell / 2**octave, 1.0)
        grid = generator.random((math.ceil(height / step) + 2, math.ceil(width / step) + 2), np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    return _stretch(total)


def _stretch(field: Field) -> Field:
    stretched: Field = (field - field.min()) / np.ptp(field)
    return stretched


def streaks(generator: Generator, size: Size, length: float, thickness: float, angle: float) -> Field:
    """Hair, grass or wood grain: noise stretched along ``angle``."""
    side = math.ceil(math.hypot(*size))
    grid = generator.random((math.ceil(side / thickness), math.ceil(side / length)), np.float32)
    lines = cv2.resize(grid, (side, side), interpolation=cv2.INTER_LINEAR)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1.0)
    turn[:, 2] += (size[1] - side) / 2, (size[0] - side) / 2
    turned: Field = cv2.warpAffine(lines, turn, (size[1], size[0]), borderMode=cv2.BORDER_REFLECT)
    return turned


def stripes(generator: Generator, size: Size, period: float, angle: float, warp: float = 0.0) -> Field:
    """Waves ``period`` pixels apart that run along ``angle``, bent by up to ``warp`` periods."""
    y, x = np.indices(size, np.float32)
    turn = math.radians(angle + 90)
    phase = (x * math.cos(turn) + y * math.sin(turn)) / period + generator.random()
    if warp:
        phase += warp * smooth_noise(generator, size, 3 * period)
    return (0.5 + 0.5 * np.sin(2 * math.pi * phase)).astype(np.float32)


def ramp(size: Size, angle: float) -> Field:
    """A straight gradient from 0 to 1 across the picture, rising towards ``angle``."""
    y, x = np.indices(size, np.float32)
    turn = math.radians(angle)
    return _stretch(x * math.cos(turn) + y * math.sin(turn))


def threshold(field: Field, level: float, softness: float = 0.1) -> Field:
    """0 below ``level``, 1 above it, with a transition ``softness`` wide."""
    return np.asarray(np.clip((field - level) / softness + 0.5, 0.0, 1.0))


def tint(field: Field, low: Colour, high: Colour) -> Canvas:
    """The colour ``low`` where the field is 0, ``high`` where it is 1."""
    image: Canvas = cv2.merge([start + (end - start) * field for start, end in zip(low, high, strict=True)])
    return image


def vary(generator: Generator, colour: Colour, amount: float) -> Colour:
    """``colour``, brighter or darker by up to ``amount`` (a share), with a slightly different hue."""
    gain = 1 + generator.uniform(-amount, amount)
    red, green, blue = np.clip(np.multiply(colour, gain) + generator.uniform(-60, 60, 3) * amount, 4, 250).tolist()
    return red, green, blue


def blend(colour: Colour, other: Colour, share: float) -> Colour:
    """``colour`` mixed with a share of the other one."""
    red, green, blue = (np.multiply(colour, 1 - share) + np.multiply(other, share)).tolist()
    return red, green, blue


def pick(generator: Generator, palette: Sequence[Colour], amount: float = 0.2) -> Colour:
    """One colour of the palette, varied."""
    return vary(generator, palette[int(generator.integers(len(palette)))], amount)


def similarity(scale: float, angle: float, mirrored: bool = False) -> NDArray[Any]:
    """The 2x2 matrix that mirrors left and right if asked, then rotates, then scales."""
    cos, sin = math.cos(math.radians(angle)) * scale, math.sin(math.radians(angle)) * scale
    return np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])


@dataclass(frozen=True)
class Shape:
    """A closed outline or, if it has ``radii``, a chain of discs. Its mask is exact: no antialiasing."""

    points: Points
    radii: NDArray[Any] | None = None

    def moved(self, matrix: NDArray[Any], shift: ArrayLike = (0.0, 0.0)) -> "Shape":
        scale = math.sqrt(abs(np.linalg.det(matrix)))
        return Shape(self.points @ matrix.T + shift, None if self.radii is None else self.radii * scale)

    def bounds(self) -> tuple[Points, Points]:
        """The corners ``(x1, y1)`` and ``(x2, y2)``."""
        reach = 0.0 if self.radii is None else self.radii[:, None]
        return (self.points - reach).min(axis=0), (self.points + reach).max(axis=0)

    def mask(self, size: Size) -> Mask:
        canvas = np.zeros(size, np.uint8)
        points = _subpixel(self.points)
        if self.radii is None:
            cv2.fillPoly(canvas, [points], 1, cv2.LINE_8, SUBPIXEL_BITS)
        else:
            for centre, radius in zip(points.tolist(), _subpixel(self.radii).tolist(), strict=True):
                cv2.circle(canvas, centre, radius, 1, cv2.FILLED, cv2.LINE_8, SUBPIXEL_BITS)
        return canvas.astype(bool)


def _subpixel(values: NDArray[Any]) -> NDArray[np.int32]:
    return np.asarray(np.rint(values * 2**SUBPIXEL_BITS), np.int32)


def polygon(*points: tuple[float, float]) -> Shape:
    return Shape(np.array(points, float))


def ellipse(centre: ArrayLike, axes: ArrayLike, angle: float = 0.0, num_points: int = 40) -> Shape:
    """``axes`` are half the width and half the height before turning."""
    turns = np.linspace(0, 2 * math.pi, num_points, endpoint=False)
    circle = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    return Shape(circle * np.array(axes)).moved(similarity(1.0, angle), centre)


def blob(generator: Generator, centre: ArrayLike, axes: ArrayLike, angle: float = 0.0, wobble: float = 0.1) -> Shape:
    """An ellipse whose radius swells and shrinks smoothly by about ``wobble`` (a share)."""
    turns = np.linspace(0, 2 * math.pi, 64, endpoint=False)
    radius = np.ones_like(turns)
    for wave in (2, 3, 4, 5):
        radius += wobble / wave * generator.normal() * np.cos(wave * turns + generator.uniform(0, 2 * math.pi))
    circle = np.stack([np.cos(turns), np.sin(turns)], axis=1) * np.maximum(radius, 0.3)[:, None]
    return Shape(circle * np.array(axes)).moved(similarity(1.0, angle), centre)


def limb(start: ArrayLike, bend: ArrayLike, end: ArrayLike, radii: tuple[float, float]) -> Shape:
    """A leg, tail or branch: a curve from ``start`` to ``end``, pulled towards ``bend``, of changing width."""
    along = np.linspace(0, 1, 24)[:, None]
    points = (1 - along) ** 2 * np.array(start) + 2 * along * (1 - along) * np.array(bend) + along**2 * np.array(end)
    return Shape(points, np.linspace(*radii, 24))


def region(mask: Mask) -> tuple[slice, slice]:
    """Rows and columns around the masked pixels, with a margin of one pixel where the frame leaves it."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return slice(max(y - 1, 0), y + height + 1), slice(max(x - 1, 0), x + width + 1)


def round_shading(mask: Mask, light: tuple[float, float], depth: float = 0.35) -> Field:
    """Factors around 1 that make a flat mask look round, lit from the direction ``light`` (a unit vector)."""
    distance = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    height = cv2.GaussianBlur(np.sqrt(distance / max(float(distance.max()), 1.0)), (0, 0), 1.5)
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0)
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1)
    facing = np.clip(-(slope_x * light[0] + slope_y * light[1]), -1, 1)
    return np.asarray(1 + depth * (height - 0.7 + 0.6 * facing))


def paint(image: Canvas, mask: Mask, colours: Canvas | Colour, light: tuple[float, float] | None = None) -> None:
    """Paints ``colours`` over the masked pixels of ``image``, in place, shaded by ``light`` if given."""
    area = region(mask)
    inside = mask[area]
    layer = np.asarray(colours, np.float32)
    layer = layer[area][inside] if layer.ndim == 3 else layer
    image[area][inside] = layer if light is None else layer * round_shading(inside, light)[inside][:, None]


def cast_shadow(image: Canvas, mask: Mask, shift: tuple[float, float], strength: float) -> None:
    """Softly darkens ``image`` around the mask moved by ``shift`` pixels, in place."""
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    shadow = cv2.warpAffine(mask.astype(np.float32), move, mask.shape[::-1])
    shadow = cv2.GaussianBlur(shadow, (0, 0), max(math.hypot(*shift), 1.0))
    image *= 1 - strength * shadow[..., None]


def room(generator: Generator, size: Size, palette: Sequence[Colour]) -> Canvas:
    """A papered or painted wall over a floor of boards."""
    wall = pick(generator, palette)
    papered = stripes(generator, size, generator.uniform(8, 30), 90, warp=0.0) * generator.choice([0.0, 0.35])
    image = tint(papered + 0.3 * smooth_noise(generator, size, 60), wall, vary(generator, wall, 0.4))
    start = round(size[0] * generator.uniform(0.4, 0.8))
    board = pick(generator, palette)
    grain = streaks(generator, size, 40, 2, 0) * 0.5 + 0.5 * stripes(generator, size, generator.uniform(14, 40), 0)
    image[start:] = tint(grain, vary(generator, board, 0.4), board)[start:]
    return image


def lawn(generator: Generator, size: Size, palette: Sequence[Colour]) -> Canvas:
    """Grass, gravel or a rug: short streaks over slow changes of colour."""
    base = pick(generator, palette)
    blades = streaks(generator, size, generator.uniform(4, 12), generator.uniform(1.5, 3), generator.uniform(50, 130))
    image = tint(blades, vary(generator, base, 0.5), base)
    return image * (0.7 + 0.5 * smooth_noise(generator, size, 50, octaves=2))[..., None]


def fabric(generator: Generator, size: Size, palette: Sequence[Colour]) -> Canvas:
    """A checked or striped cloth with folds."""
    angle, period = generator.uniform(0, 180), generator.uniform(8, 36)
    weave = threshold(stripes(generator, size, period, angle, 0.4), 0.5, 0.3)
    if generator.random() < 0.5:
        weave = 0.5 * weave + 0.5 * threshold(stripes(generator, size, period, angle + 90, 0.4), 0.5, 0.3)
    image = tint(weave, pick(generator, palette), pick(generator, palette))
    return image * (0.7 + 0.5 * smooth_noise(generator, size, 40))[..., None]


def haze(generator: Generator, size: Size, palette: Sequence[Colour]) -> Canvas:
    """A blurred background: soft patches and discs of light."""
    image = tint(smooth_noise(generator, size, 60, octaves=2), pick(generator, palette), pick(generator, palette))
    for _ in range(generator.integers(4, 14)):
        spot = ellipse(generator.random(2) * size[::-1], [generator.uniform(6, 22)] * 2).mask(size)
        image[spot] = 0.6 * image[spot] + 0.4 * np.array(pick(generator, palette))
    blurred: Canvas = cv2.GaussianBlur(image, (0, 0), generator.uniform(2, 5))
    return blurred


def foliage(generator: Generator, size: Size, palette: Sequence[Colour]) -> Canvas:
    """Leaves over leaves."""
    base = pick(generator, palette)
    image = tint(smooth_noise(generator, size, 20), vary(generator, base, 0.3), base) * np.float32(0.6)
    for _ in range(90):
        axes = generator.uniform(6, 18), generator.uniform(2, 7)
        leaf = ellipse(generator.random(2) * size[::-1], axes, generator.uniform(0, 180), 16)
        paint(image, leaf.mask(size), vary(generator, base, 0.45))
    return image


BACKGROUNDS: tuple[Callable[[Generator, Size, Sequence[Colour]], Canvas], ...] = (room, lawn, fabric, haze, foliage)


def draw_background(generator: Generator, size: Size, palette: Sequence[Colour]) -> Canvas:
    """One of the kinds above, in colours of the palette."""
    return BACKGROUNDS[int(generator.integers(len(BACKGROUNDS)))](generator, size, palette)


def random_object(generator: Generator, size: Size) -> Shape:
    """A cushion, a box, a ball or a stick anywhere in the picture."""
    centre = generator.random(2) * size[::-1]
    axes = generator.uniform(0.06, 0.2, 2) * math.sqrt(size[0] * size[1])
    angle = generator.uniform(0, 180)
    kind = generator.integers(4)
    if kind == 0:
        return blob(generator, centre, axes, angle, 0.25)
    if kind == 1:
        return polygon((-1, -1), (1, -1), (1, 1), (-1, 1)).moved(similarity(1.0, angle) * axes, centre)
    if kind == 2:
        return ellipse(centre, [axes.min()] * 2)
    reach = generator.uniform(-2.5, 2.5, (2, 2)) * axes
    return limb(centre - reach[0], centre, centre + reach[1], (axes.min() / 2, axes.min() / 3))


def draw_clutter(
    generator: Generator, image: Canvas, palette: Sequence[Colour], num_objects: int, light: tuple[float, float]
) -> None:
    """Paints shaded objects in colours of the palette over ``image``, in place."""
    size = image.shape[0], image.shape[1]
    for _ in range(num_objects):
        mask = random_object(generator, size).mask(size)
        colour = pick(generator, palette)
        grain = smooth_noise(generator, size, generator.uniform(4, 30), octaves=2)
        cast_shadow(image, mask, (-6 * light[0], -6 * light[1]), 0.3)
        paint(image, mask, tint(grain, vary(generator, colour, 0.3), colour), light)


def expose(generator: Generator, image: Canvas) -> NDArray[np.uint8]:
    """``image`` as a camera records it: uneven light, exposure, slight blur and noise; ``(H, W, 3)`` uint8."""
    size = image.shape[0], image.shape[1]
    light = generator.uniform(0.8, 1.15) + generator.uniform(0, 0.35) * (ramp(size, generator.uniform(0, 360)) - 0.5)
    exposed = cv2.GaussianBlur(image * light[..., None], (0, 0), generator.uniform(0.4, 0.9))
    exposed += generator.normal(0, generator.uniform(1.5, 6), image.shape)
    return np.asarray(np.clip(np.rint(exposed), 0, 255), np.uint8)
