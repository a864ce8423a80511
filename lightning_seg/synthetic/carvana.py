"""Invented cars in the layout of Kaggle's Carvana Image Masking Challenge: pictures, masks and their list.

Layout: https://www.kaggle.com/c/carvana-image-masking-challenge/data
"""

import csv
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from PIL import Image

from lightning_seg.errors import ConfigError
from lightning_seg.images import Array
from lightning_seg.progress import counted
from lightning_seg.synthetic.car_views import ground_car, paint_car, show_car, union
from lightning_seg.synthetic.cars import BODIES, design_car
from lightning_seg.synthetic.marker import ensure_synthetic
from lightning_seg.synthetic.scenery import Colour, Size, expose
from lightning_seg.synthetic.solids import Camera
from lightning_seg.synthetic.studio import draw_crates, draw_studio

NUM_VIEWS = 16
SIZE = (160, 240)
LEAST_SIDE = 32
WALLS: tuple[Colour, ...] = ((226, 226, 224), (206, 208, 212), (216, 210, 202), (186, 192, 200))
FLOORS: tuple[Colour, ...] = ((188, 188, 186), (168, 172, 178), (150, 154, 160), (200, 198, 194))
# Half of them are about as grey as the studio, so that colour alone does not find the car.
PAINTS: tuple[Colour, ...] = (
    (228, 228, 226),
    (34, 34, 38),
    (176, 179, 182),
    (165, 24, 34),
    (128, 132, 136),
    (38, 62, 120),
    (206, 203, 194),
    (78, 70, 64),
    (200, 202, 206),
    (60, 96, 78),
    (150, 154, 160),
)


class CarPicture(NamedTuple):
    """``image`` (H, W, 3) uint8 RGB and ``mask`` (H, W) uint8: 0 background, 1 car."""

    image: Array
    mask: Array


def write_carvana(
    root: str | Path, num_cars: int = 12, num_views: int = NUM_VIEWS, size: Size = SIZE, seed: int = 0
) -> None:
    """Writes synthetic cars to ``root``, unless it already holds the same ones.

    A picture depends only on the size, the seed, its car and its view, so a larger set contains the smaller one.

    Args:
        root: folder for the dataset.
        num_cars: how many cars.
        num_views: of each car, 1 to 16; the car turns by a sixteenth between them.
        size: (height, width) of the pictures.
        seed: of the draws.

    Raises:
        ConfigError: an argument is out of range.
        DataError: ``root`` holds other files.
    """
    _check(num_cars, num_views, size, seed)
    parameters = {"num_cars": num_cars, "num_views": num_views, "size": list(size), "seed": seed}
    ensure_synthetic(root, "carvana", lambda folder: _write_files(folder, num_cars, num_views, size, seed), parameters)


def _check(num_cars: int, num_views: int, size: Size, seed: int) -> None:
    if not 1 <= num_views <= NUM_VIEWS:
        raise ConfigError(f"num_views {num_views} is not possible; use 1 to {NUM_VIEWS}")
    if num_cars < 1 or seed < 0:
        raise ConfigError(f"num_cars {num_cars}, seed {seed}: use 1 or more cars and a seed of 0 or more")
    if min(size) < LEAST_SIDE:
        raise ConfigError(f"size {size} is too small to show a car; use {LEAST_SIDE} or more for both sides")


def name_car(seed: int, number: int) -> str:
    """12 hexadecimal digits, as published."""
    return sha256(f"{seed}/{number}".encode()).hexdigest()[:12]


def _write_files(folder: Path, num_cars: int, num_views: int, size: Size, seed: int) -> None:
    for subfolder in ("train", "train_masks"):
        (folder / subfolder).mkdir()
    stems = []
    for number in counted(range(num_cars), "writing", num_cars, "car"):
        for view in range(1, num_views + 1):
            stem = f"{name_car(seed, number)}_{view:02}"
            picture = draw_car(seed, number, view, size)
            Image.fromarray(picture.image).save(folder / "train" / f"{stem}.jpg", quality=92)
            _save_mask(folder / "train_masks" / f"{stem}_mask.gif", picture.mask)
            stems.append(stem)
    with (folder / "train_masks.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("img", "rle_mask"), *((f"{stem}.jpg", "") for stem in sorted(stems))])


def _save_mask(path: Path, mask: Array) -> None:
    picture = Image.fromarray(mask)
    picture.putpalette([0, 0, 0, 255, 255, 255])
    # Otherwise Pillow renumbers the colours of a mask that holds only one.
    picture.save(path, optimize=False)


def draw_car(seed: int, number: int, view: int, size: Size = SIZE) -> CarPicture:
    """One view of one car; views of a car differ in camera, light and surroundings."""
    of_car, generator = np.random.default_rng((seed, number, 0)), np.random.default_rng((seed, number, view))
    car = design_car(of_car, BODIES[number % len(BODIES)], PAINTS[number % len(PAINTS)])
    wall, floor = WALLS[int(of_car.integers(len(WALLS)))], FLOORS[int(of_car.integers(len(FLOORS)))]
    camera = place_camera(generator, view, size)
    canvas = draw_studio(generator, camera, size, (wall, floor))
    draw_crates(generator, canvas, camera, PAINTS, int(generator.integers(0, 4)))
    pieces = show_car(car, camera, size)
    mask = union(pieces)
    ground_car(canvas, car, camera, mask, generator.uniform(0.3, 0.6))
    paint_car(generator, canvas, car, pieces, wall)
    return CarPicture(expose(generator, canvas), mask.astype(np.uint8))


def place_camera(generator: Generator, view: int, size: Size) -> Camera:
    """View 1 shows the front of the car, 9 its rear; the car may touch the frame."""
    height, width = size
    return Camera(
        azimuth=(view - 1) * 360 / NUM_VIEWS + generator.uniform(-5, 5),
        distance=7.5,
        height=generator.uniform(1.5, 2.3),
        aim=0.6,
        focal=min(width, 1.5 * height) * generator.uniform(1.0, 1.28),
        centre=(width * generator.uniform(0.44, 0.56), height * generator.uniform(0.5, 0.64)),
    )
