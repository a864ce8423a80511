"""Invented scenes of several flowers with their boxes, and pictures of single flowers to learn them from.

Layout of the scenes: COCO's, https://cocodataset.org/#format-data, with ``annotations.json`` beside ``images/``. The
others are in ``single/<class>/``, with a folder ``background`` of pictures without a flower.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from PIL import Image

from lightning_seg.errors import ConfigError
from lightning_seg.images import Array
from lightning_seg.progress import counted
from lightning_seg.synthetic.blossoms import KINDS, Kind, draw_flower
from lightning_seg.synthetic.flowers import SURROUNDINGS, draw_photo
from lightning_seg.synthetic.marker import ensure_synthetic
from lightning_seg.synthetic.oxford_pets import bounding_box
from lightning_seg.synthetic.scenery import Canvas, Size, draw_background, draw_clutter, expose

BACKGROUND = "background"
MAX_OBJECTS = 5
ATTEMPTS = 60
"""Tries to find a free place for one more flower."""


class Scene(NamedTuple):
    """A picture and its objects."""

    image: Array  # (H, W, 3)
    kinds: list[Kind]
    boxes: list[tuple[int, int, int, int]]  # x1, y1, x2, y2 as slices take them


class Place(NamedTuple):
    """Position of a blossom in pixels."""

    x: float
    y: float
    radius: float


def write_scenes(root: str | Path, num_scenes: int = 60, num_per_class: int = 160, seed: int = 0) -> None:
    """Writes synthetic scenes and single flowers to ``root``, unless it already holds the same ones.

    A picture depends only on the seed and its number, a single one also on its class, so a larger set contains the
    smaller one.

    Args:
        root: folder for the dataset.
        num_scenes: pictures of several flowers with their boxes.
        num_per_class: pictures of one flower of each kind, and of none.
        seed: another one gives other pictures.

    Raises:
        ConfigError: a count or the seed is out of range.
        DataError: ``root`` holds other files.
    """
    for name, count in (("num_scenes", num_scenes), ("num_per_class", num_per_class)):
        if count < 1:
            raise ConfigError(f"{name} {count} leaves no picture; use 1 or more")
    if seed < 0:
        raise ConfigError(f"seed {seed} is negative; use 0 or more")
    parameters = {"num_scenes": num_scenes, "num_per_class": num_per_class, "seed": seed}
    ensure_synthetic(root, "scenes", lambda folder: _write_files(folder, num_scenes, num_per_class, seed), parameters)


def _write_files(folder: Path, num_scenes: int, num_per_class: int, seed: int) -> None:
    (folder / "images").mkdir()
    scenes: dict[str, Scene] = {}
    for number in counted(range(num_scenes), "writing scenes", num_scenes):
        name, scene = f"{number:06}.jpg", draw_scene(np.random.default_rng((seed, number)))
        Image.fromarray(scene.image).save(folder / "images" / name, quality=90)
        scenes[name] = scene
    (folder / "annotations.json").write_text(json.dumps(describe(scenes)) + "\n")
    for label, kind in enumerate((*KINDS, None)):
        single = folder / "single" / (BACKGROUND if kind is None else kind.name)
        single.mkdir(parents=True)
        for number in counted(range(num_per_class), f"writing {single.name}", num_per_class):
            generator = np.random.default_rng((seed, label, number))
            picture = draw_nothing(generator) if kind is None else draw_photo(generator, kind)
            Image.fromarray(picture).save(single / f"{number:06}.jpg", quality=90)


def describe(scenes: dict[str, Scene]) -> dict[str, Any]:
    """The content of ``annotations.json``; ids count from 1, boxes are x, y, width, height."""
    images = [
        {"id": number, "file_name": name, "width": scene.image.shape[1], "height": scene.image.shape[0]}
        for number, (name, scene) in enumerate(scenes.items(), 1)
    ]
    annotations: list[dict[str, Any]] = []
    for number, scene in enumerate(scenes.values(), 1):
        for kind, (x1, y1, x2, y2) in zip(scene.kinds, scene.boxes, strict=True):
            box = [x1, y1, x2 - x1, y2 - y1]
            one = {"id": len(annotations) + 1, "image_id": number, "category_id": KINDS.index(kind) + 1, "bbox": box}
            annotations.append({**one, "area": box[2] * box[3], "iscrowd": 0})
    categories = [{"id": label, "name": kind.name, "supercategory": "flower"} for label, kind in enumerate(KINDS, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def draw_scene(generator: Generator) -> Scene:
    """Two to five separate flowers of at least two kinds; fewer if there is no room."""
    height, width = generator.integers(360, 561, 2).tolist()
    canvas, light = _surroundings(generator, (height, width))
    places = _places(generator, (height, width), int(generator.integers(2, MAX_OBJECTS + 1)))
    chosen = [*generator.permutation(len(KINDS))[:2], *generator.integers(0, len(KINDS), MAX_OBJECTS - 2)]
    kinds = [KINDS[index] for index in chosen[: len(places)]]
    # From the top down, so that stems do not run over the blossoms below.
    boxes = [
        bounding_box(draw_flower(generator, canvas, kind, (place.x, place.y), place.radius, light))
        for kind, place in zip(kinds, places, strict=True)
    ]
    return Scene(expose(generator, canvas), kinds, boxes)


def draw_nothing(generator: Generator) -> Array:
    """A picture ``(H, W, 3)`` uint8 without a flower: scenery, perhaps with the rim of a blossom."""
    height, width = generator.integers(160, 261, 2).tolist()
    canvas, light = _surroundings(generator, (height, width))
    for _ in range(int(generator.integers(0, 3))):
        radius = min(height, width) * generator.uniform(0.3, 0.5)
        # On a circle around the picture's corners, so that less than half of it shows.
        turn = generator.uniform(0, 2 * math.pi)
        away = math.hypot(height, width) / 2 + radius * generator.uniform(0.0, 0.5)
        place = width / 2 + away * math.cos(turn), height / 2 + away * math.sin(turn)
        draw_flower(generator, canvas, KINDS[int(generator.integers(len(KINDS)))], place, radius, light)
    return expose(generator, canvas)


def _surroundings(generator: Generator, size: Size) -> tuple[Canvas, tuple[float, float]]:
    """Scenery without flowers, and the direction of its light."""
    turn = generator.uniform(0.2, 0.8) * math.pi
    light = math.cos(turn), -math.sin(turn)
    canvas = draw_background(generator, size, SURROUNDINGS)
    draw_clutter(generator, canvas, SURROUNDINGS, int(generator.integers(0, 4)), light)
    return canvas, light


def _places(generator: Generator, size: Size, wanted: int) -> list[Place]:
    """Up to as many places as wanted, from the top down; their blossoms are inside the picture and do not touch."""
    height, width = size
    places: list[Place] = []
    for _ in range(wanted):
        for _ in range(ATTEMPTS):
            radius = min(size) * generator.uniform(0.13, 0.2)
            x, y = generator.uniform((radius, radius), (width - radius, height - radius))
            place = Place(float(x), float(y), radius)
            if _is_free(place, places):
                places.append(place)
                break
    return sorted(places, key=lambda place: place.y)


def _is_free(place: Place, others: Sequence[Place]) -> bool:
    return all(
        math.hypot(place.x - other.x, place.y - other.y) >= 1.1 * (place.radius + other.radius) for other in others
    )
