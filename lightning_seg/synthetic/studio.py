"""A photo studio: a light wall with letters, a light floor with a turntable, and crates."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator

from lightning_seg.synthetic.scenery import (
    Canvas,
    Colour,
    Shape,
    Size,
    blend,
    paint,
    pick,
    ramp,
    smooth_noise,
    streaks,
    tint,
    vary,
)
from lightning_seg.synthetic.solids import Camera, box

WORDS = ("AUTOHAUS", "MOTORS", "GARAGE", "CARROUSEL", "SHOWROOM")
BLACK: Colour = (0, 0, 0)
BACKDROP = 6.0
"""Metres from the middle of the turntable to the wall behind it."""


def draw_studio(generator: Generator, camera: Camera, size: Size, colours: tuple[Colour, Colour]) -> Canvas:
    """A studio without a car; ``colours`` are roughly those of its wall and floor."""
    wall, floor = (vary(generator, colour, 0.05) for colour in colours)
    horizon = float(camera.project(np.array([[*camera.around(BACKDROP, 0.0), 0.0]]))[0, 1])
    clouds = 0.5 * smooth_noise(generator, size, size[1] / 3) + 0.5 * ramp(size, generator.uniform(0, 360))
    image = tint(clouds, blend(wall, BLACK, 0.14), wall)
    draw_letters(generator, image, horizon)
    draw_skirting(generator, image, horizon, vary(generator, blend(floor, BLACK, 0.18), 0.1))
    surface = 0.6 * smooth_noise(generator, size, size[1] / 4, octaves=2) + 0.4 * streaks(generator, size, 40, 3, 0)
    below = np.zeros(size, np.bool_)
    below[max(0, round(horizon)) :] = True
    paint(image, below, tint(surface, vary(generator, floor, 0.08), floor))
    draw_turntable(generator, image, camera, floor)
    return image


def draw_letters(generator: Generator, image: Canvas, horizon: float) -> None:
    """A word in dark letters on the wall, about as wide as the picture."""
    word, width = WORDS[int(generator.integers(len(WORDS)))], image.shape[1]
    thickness = max(1, round(width / 60))
    (length, _), _ = cv2.getTextSize(word, cv2.FONT_HERSHEY_SIMPLEX, 1.0, thickness)
    scale = width * generator.uniform(0.55, 0.85) / length
    place = round(generator.uniform(0.02, 0.2) * width), round(horizon * generator.uniform(0.5, 0.95))
    letters = np.zeros(image.shape[:2], np.uint8)
    cv2.putText(letters, word, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 1, thickness)
    paint(image, letters.astype(np.bool_), vary(generator, (84, 84, 88), 0.4))


def draw_skirting(generator: Generator, image: Canvas, horizon: float, colour: Colour) -> None:
    """The lower part of the wall, up to a wavy edge."""
    width = image.shape[1]
    x = np.linspace(-1, width + 1, 30)
    depth = generator.uniform(0.06, 0.22) * horizon
    wave = 0.3 * depth * np.sin(x / width * generator.uniform(1, 9) + generator.uniform(0, 6))
    edge = np.column_stack([x, horizon - depth + wave])
    outline = np.concatenate([edge, [(width + 1, horizon + 2), (-1, horizon + 2)]])
    paint(image, Shape(outline).mask(image.shape[:2]), colour)


def draw_turntable(generator: Generator, image: Canvas, camera: Camera, floor: Colour) -> None:
    """A disc in the floor, with a joint around it."""
    radius, turns = generator.uniform(3.0, 3.6), np.linspace(0, 2 * math.pi, 64, endpoint=False)
    circle = np.stack([np.cos(turns), np.sin(turns), np.zeros(64)], axis=1)
    for reach, colour in ((radius, blend(floor, BLACK, 0.3)), (radius - 0.06, vary(generator, floor, 0.06))):
        mask = Shape(camera.project(reach * circle)).mask(image.shape[:2])
        image[mask] = 0.5 * image[mask] + 0.5 * np.array(colour)


def draw_crates(
    generator: Generator, image: Canvas, camera: Camera, palette: Sequence[Colour], num_crates: int
) -> None:
    """Boxes and posts in colours of the palette, behind and beside the turntable."""
    size = image.shape[0], image.shape[1]
    for _ in range(num_crates):
        place = camera.around(generator.uniform(2.5, BACKDROP - 1), generator.uniform(-4.5, 4.5))
        sides = generator.uniform((0.15, 0.15, 0.4), (1.1, 1.1, 1.7))
        colour = pick(generator, palette)
        for piece in camera.show(box(place, sides, generator.uniform(0, 90), "crate"), size):
            paint(image, piece.mask, np.multiply(colour, piece.light))
