"""Invented flowers in the layout of the TensorFlow flower photos: one folder per class.

Layout: https://www.tensorflow.org/datasets/catalog/tf_flowers
"""

import math
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image

from lightning_seg.errors import ConfigError
from lightning_seg.images import Array
from lightning_seg.progress import counted
from lightning_seg.synthetic.blossoms import CREAM, GREENS, KINDS, PINK, YELLOW, Kind, draw_flower
from lightning_seg.synthetic.marker import ensure_synthetic
from lightning_seg.synthetic.scenery import Colour, draw_background, draw_clutter, expose

# Some of the surroundings share the petals' colours, so that colour alone does not tell the flower.
SURROUNDINGS: tuple[Colour, ...] = (
    *GREENS,
    *(YELLOW, PINK, CREAM),
    (96, 128, 70),
    (120, 150, 96),
    (150, 160, 172),
    (110, 150, 190),
    (84, 66, 50),
    (60, 56, 60),
)
FIRST_NUMBER = 1000000


def write_flowers(root: str | Path, num_per_class: int = 160, seed: int = 0) -> None:
    """Writes synthetic flowers to ``root``, unless it already holds the same ones.

    A picture depends only on the seed, its class and its number, so a larger set contains the smaller one.

    Args:
        root: folder for the dataset.
        num_per_class: pictures of each of the five kinds.
        seed: another one gives other pictures.

    Raises:
        ConfigError: a count or the seed is out of range.
        DataError: ``root`` holds other files.
    """
    if num_per_class < 1:
        raise ConfigError(f"num_per_class {num_per_class} leaves no picture; use 1 or more")
    if seed < 0:
        raise ConfigError(f"seed {seed} is negative; use 0 or more")
    parameters = {"num_per_class": num_per_class, "seed": seed}
    ensure_synthetic(root, "flowers", lambda folder: _write_files(folder, num_per_class, seed), parameters)


def _write_files(folder: Path, num_per_class: int, seed: int) -> None:
    for label, kind in enumerate(KINDS):
        (folder / kind.name).mkdir(parents=True)
        for number in counted(range(num_per_class), f"writing {kind.name}", num_per_class):
            picture = draw_photo(np.random.default_rng((seed, label, number)), kind)
            # As published: the number of the photo and a code.
            name = f"{FIRST_NUMBER * (label + 1) + number}_{seed:010x}.jpg"
            Image.fromarray(picture).save(folder / kind.name / name, quality=90)


def draw_photo(generator: Generator, kind: Kind) -> Array:
    """One flower of the kind, or up to three, among a few other things; ``(H, W, 3)`` uint8 of varying sizes."""
    height, width = generator.integers(160, 261, 2).tolist()
    turn = generator.uniform(0.2, 0.8) * math.pi
    light = math.cos(turn), -math.sin(turn)
    canvas = draw_background(generator, (height, width), SURROUNDINGS)
    draw_clutter(generator, canvas, SURROUNDINGS, int(generator.integers(0, 3)), light)
    side = min(height, width)
    for _ in range(int(generator.choice([0, 0, 0, 1, 2]))):
        place = generator.uniform(0.1, 0.9) * width, generator.uniform(0.1, 0.9) * height
        draw_flower(generator, canvas, kind, place, side * generator.uniform(0.12, 0.22), light)
    place = width * (0.5 + generator.normal(0, 0.05)), height * (0.5 + generator.normal(0, 0.05))
    draw_flower(generator, canvas, kind, place, side * generator.uniform(0.34, 0.5), light)
    return expose(generator, canvas)
