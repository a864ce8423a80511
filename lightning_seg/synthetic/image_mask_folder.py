"""Invented pictures with masks in the formats that users have: coloured shapes on scenery."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.random import Generator
from PIL import Image

from lightning_seg.errors import ConfigError
from lightning_seg.images import Array
from lightning_seg.progress import counted
from lightning_seg.synthetic.marker import ensure_synthetic
from lightning_seg.synthetic.scenery import (
    Colour,
    Shape,
    cast_shadow,
    draw_background,
    ellipse,
    expose,
    paint,
    polygon,
    similarity,
    vary,
)

Encoding = Literal["index", "binary", "palette", "colour"]
Layout = Literal["folders", "beside"]
CLASSES = ("background", "disc", "box", "star")
MASK_COLOURS = ("#000000", "#dc3c32", "#3c5ad2", "#f0c83c")
MASK_VALUES: dict[Encoding, tuple[int | str, ...]] = {
    "index": (0, 1, 2, 3),
    "binary": (0, 255),
    "palette": (0, 1, 2, 3),
    "colour": MASK_COLOURS,
}
PATTERNS: dict[Layout, tuple[str, str]] = {
    "folders": ("images/*.jpg", "masks/{stem}.png"),
    "beside": ("*.png", "{stem}_mask.png"),
}
"""The datamodule's ``images`` and ``masks``."""
VIEWS = 4
SURROUNDINGS: tuple[Colour, ...] = ((96, 128, 70), (120, 150, 96), (150, 160, 172), (110, 110, 104), (140, 126, 110))
PAINTS: tuple[Colour, ...] = ((205, 60, 50), (60, 90, 200), (235, 195, 60), (150, 70, 170), (50, 160, 150))


@dataclass(frozen=True)
class Kind:
    """Storage of a dataset; also written to its marker."""

    num_pictures: int
    mask_values: tuple[int | str, ...]
    palette: bool
    layout: Layout
    seed: int


def write_image_mask_folder(
    root: str | Path,
    num_pictures: int = 200,
    encoding: Encoding = "index",
    layout: Layout = "folders",
    seed: int = 0,
    mask_values: Sequence[int | str] | None = None,
) -> None:
    """Writes synthetic pictures and masks to ``root``, unless it already holds the same ones.

    Four pictures ``sceneNNN_V`` each show one scene. A picture depends only on the seed and its number.

    Args:
        root: folder for the dataset.
        num_pictures: number of pictures.
        encoding: content of the masks: class numbers, 0 and 255, class numbers with a palette, or colours.
        layout: pictures and masks in two folders, or in one as ``NAME.png`` and ``NAME_mask.png``.
        seed: of the draws.
        mask_values: per class a number or ``#rrggbb`` in place of those of ``encoding``.

    Raises:
        ConfigError: an argument is impossible.
        DataError: ``root`` holds other files.
    """
    for name, value, choices in (("encoding", encoding, MASK_VALUES), ("layout", layout, PATTERNS)):
        if value not in choices:
            raise ConfigError(f"{name} {value!r} does not exist; use {', '.join(choices)}")
    if num_pictures < 1 or seed < 0:
        raise ConfigError(f"num_pictures {num_pictures}, seed {seed}: use 1 or more pictures and a seed of 0 or more")
    values = tuple(MASK_VALUES[encoding] if mask_values is None else mask_values)
    kind = Kind(num_pictures, values, encoding == "palette", layout, seed)
    parameters = {**asdict(kind), "mask_values": list(values)}
    ensure_synthetic(root, "image_mask_folder", lambda folder: _write_files(folder, kind), parameters)


def reading_flags(encoding: Encoding, layout: Layout, **others: object) -> list[str]:
    """Flags with which ``configs/own_data.yaml``, which fits the default arguments, reads these pictures."""
    flags = []
    if encoding == "binary":
        flags += ["--data.classes", "[background, shape]"]
    if MASK_VALUES[encoding] != MASK_VALUES["index"]:
        flags += ["--data.mask_values", json.dumps(MASK_VALUES[encoding])]
    if layout != "folders":
        images, masks = PATTERNS[layout]
        flags += ["--data.images", images, "--data.masks", masks]
    return flags


def _write_files(folder: Path, kind: Kind) -> None:
    images, masks = PATTERNS[kind.layout]
    for number in counted(range(kind.num_pictures), "writing", kind.num_pictures):
        stem = f"scene{number // VIEWS:03}_{number % VIEWS}"
        image, classes = draw_scene((kind.seed, number), len(kind.mask_values))
        paths = folder / images.replace("*", stem), folder / masks.replace("{stem}", stem)
        for path in paths:
            path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(paths[0], quality=92)
        encode(classes, kind.mask_values, kind.palette).save(paths[1])


def encode(classes: Array, mask_values: Sequence[int | str], palette: bool) -> Image.Image:
    """The mask file of class indices ``(H, W)``."""
    if isinstance(mask_values[0], str):
        colours = np.array([_rgb(str(value)) for value in mask_values], np.uint8)
        return Image.fromarray(colours[classes])
    numbers = np.array(mask_values)
    mask = Image.fromarray(numbers[classes].astype(np.uint8 if numbers.max() < 256 else np.uint16))
    if palette:
        mask.putpalette([part for colour in MASK_COLOURS for part in _rgb(colour)])
    return mask


def _rgb(colour: str) -> list[int]:
    return list(bytes.fromhex(colour.removeprefix("#")))


def draw_scene(seed: tuple[int, int], num_classes: int) -> tuple[Array, Array]:
    """A picture ``(H, W, 3)`` uint8 RGB and its class indices ``(H, W)`` uint8; class 0 is the background."""
    scene, generator = np.random.default_rng((seed[0], seed[1] // VIEWS, 0)), np.random.default_rng((*seed, 1))
    size = tuple(generator.integers(120, 201, 2).tolist())
    colours = [SURROUNDINGS[int(index)] for index in scene.integers(len(SURROUNDINGS), size=2)]
    canvas = draw_background(generator, size, colours)
    classes = np.zeros(size, np.uint8)
    turn = scene.uniform(0.2, 0.8) * math.pi
    light = math.cos(turn), -math.sin(turn)
    kinds = max(num_classes - 1, len(CLASSES) - 1)
    for _ in range(int(generator.integers(2, 6))):
        kind = int(generator.integers(kinds))
        mask = _shape(generator, size, kind % 3).mask(size)
        if mask.any():
            cast_shadow(canvas, mask, (-5 * light[0], -5 * light[1]), 0.3)
            paint(canvas, mask, vary(generator, PAINTS[kind % len(PAINTS)], 0.15), light)
            classes[mask] = 1 + kind % (num_classes - 1)
    return expose(generator, canvas), classes


def _shape(generator: Generator, size: tuple[int, int], kind: int) -> Shape:
    """A disc, a box or a star somewhere in the picture."""
    height, width = size
    centre = generator.uniform(0.1, 0.9, 2) * (width, height)
    radius = generator.uniform(0.1, 0.24) * math.sqrt(height * width)
    angle = generator.uniform(0, 360)
    if kind == 0:
        return ellipse(centre, (radius, radius))
    if kind == 1:
        axes = radius * generator.uniform(0.6, 1.0, 2)
        return polygon((-1, -1), (1, -1), (1, 1), (-1, 1)).moved(similarity(1.0, angle) * axes, centre)
    turns = np.linspace(0, 2 * math.pi, 10, endpoint=False)
    reach = np.where(np.arange(10) % 2, 0.45, 1.0)
    return Shape(np.stack([np.cos(turns), np.sin(turns)], axis=1) * reach[:, None]).moved(
        similarity(radius, angle), centre
    )
