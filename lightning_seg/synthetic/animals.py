"""Cats and dogs of invented breeds, drawn part by part so that their masks are exact.

Parts are laid out in units of the head's radius around the head's centre, x to the right and y down.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.random import Generator

from lightning_seg.synthetic.scenery import (
    Canvas,
    Colour,
    Field,
    Mask,
    Shape,
    Size,
    blob,
    ellipse,
    limb,
    paint,
    polygon,
    ramp,
    similarity,
    smooth_noise,
    streaks,
    stripes,
    threshold,
    tint,
    vary,
)

Role: TypeAlias = Literal["body", "leg", "tail", "skull", "ear", "muzzle", "eye", "nose"]
HEAD_ROLES = ("skull", "ear", "muzzle")
FACE_ROLES = ("eye", "nose")
DARK: Colour = (28, 24, 24)


@dataclass(frozen=True)
class Breed:
    """Properties shared by all pets of a breed. ``colours`` are the coat's ground and its marks."""

    name: str
    species: Literal["cat", "dog"]
    colours: tuple[Colour, Colour]
    pattern: Literal["plain", "tabby", "spotted", "patched", "pointed", "saddled"]
    ears: Literal["pointed", "tall", "round", "floppy"]
    eyes: Colour
    leg_length: float = 1.0
    tail_radius: float = 0.25


BREEDS = (
    Breed("Copper_Tabby", "cat", ((205, 140, 75), (125, 70, 30)), "tabby", "pointed", (190, 170, 60)),
    Breed("marsh_hound", "dog", ((240, 232, 220), (140, 85, 45)), "patched", "floppy", (95, 60, 30), 1.15, 0.16),
    Breed("Smokeling", "cat", ((118, 124, 138), (80, 84, 98)), "plain", "round", (220, 160, 50), 0.85, 0.34),
    Breed("fenwick", "dog", ((52, 46, 46), (170, 112, 60)), "saddled", "tall", (110, 70, 30), 1.2, 0.24),
    Breed("Moon_Lynx", "cat", ((222, 208, 186), (82, 62, 52)), "pointed", "tall", (90, 150, 220), 1.1, 0.18),
    Breed("pebble_spaniel", "dog", ((232, 228, 224), (62, 58, 60)), "spotted", "floppy", (80, 55, 35), 0.8, 0.3),
    Breed("Ink_Whisker", "cat", ((48, 46, 52), (226, 224, 222)), "patched", "pointed", (120, 190, 90)),
    Breed("russet_terrier", "dog", ((168, 98, 52), (205, 160, 110)), "plain", "pointed", (70, 45, 25), 0.75, 0.2),
    Breed("Sand_Leopard", "cat", ((214, 178, 122), (84, 56, 36)), "spotted", "round", (150, 180, 80), 1.05, 0.22),
    Breed("snow_shepherd", "dog", ((236, 230, 216), (200, 180, 148)), "saddled", "pointed", (60, 45, 40), 1.1, 0.36),
    Breed("Silverstripe", "cat", ((188, 190, 194), (76, 78, 86)), "tabby", "tall", (110, 180, 130), 0.95, 0.3),
    Breed("brindle_boxer", "dog", ((160, 112, 68), (66, 46, 36)), "tabby", "round", (85, 55, 30), 1.1, 0.14),
)


@dataclass(frozen=True)
class Part:
    """A region of a pet and its material."""

    shape: Shape
    role: Role


def ear(kind: str, side: int) -> Shape:
    if kind == "pointed":
        return polygon((side * 0.2, -0.7), (side * 0.97, -0.1), (side * 0.92, -1.4))
    if kind == "tall":
        return polygon((side * 0.15, -0.7), (side * 0.95, -0.2), (side * 0.8, -1.95), (side * 0.55, -1.8))
    if kind == "round":
        return ellipse((side * 0.78, -0.72), (0.42, 0.42))
    return limb((side * 0.75, -0.6), (side * 1.35, -0.5), (side * 1.2, 0.75), (0.25, 0.4))


def head(generator: Generator, breed: Breed) -> list[Part]:
    """Skull, ears and face around the origin, seen from the front or slightly from the side."""
    yaw = generator.uniform(-0.35, 0.35)
    skull = Part(blob(generator, (0, 0), (1.0, 0.9), wobble=0.04), "skull")
    ears = [Part(ear(breed.ears, side), "ear") for side in (-1, 1)]
    length = 1.0 if breed.species == "cat" else 1.5
    snout = (yaw * length * 1.3, 0.3 + 0.2 * length)
    muzzle = Part(limb((yaw * 0.5, 0.3), (yaw, 0.4), snout, (0.42, 0.32 + 0.05 * length)), "muzzle")
    eyes = [Part(ellipse((yaw * 0.8 + side * 0.42, -0.12), (0.15, 0.17)), "eye") for side in (-1, 1)]
    nose = Part(ellipse((snout[0], snout[1] - 0.08), (0.17, 0.12), num_points=16), "nose")
    # Hanging ears lie over the skull, the others behind it.
    crown = [skull, *ears] if breed.ears == "floppy" else [*ears, skull]
    return [*crown, muzzle, *eyes, nose]


def tail(generator: Generator, breed: Breed, root: tuple[float, float]) -> Part:
    reach = generator.uniform((0.6, -1.8), (2.0, 0.6))
    bend = root + np.array([1.6, generator.uniform(-0.6, 0.8)])
    return Part(limb(root, bend, root + reach, (breed.tail_radius, breed.tail_radius * 0.8)), "tail")


def leg(generator: Generator, hip: tuple[float, float], length: float, radius: float) -> Part:
    foot = hip[0] + generator.uniform(-0.4, 0.4), hip[1] + length
    knee = (hip[0] + foot[0]) / 2 + generator.uniform(-0.25, 0.25), hip[1] + length / 2
    return Part(limb(hip, knee, foot, (radius * 1.2, radius)), "leg")


def sitting(generator: Generator, breed: Breed) -> list[Part]:
    girth, length = generator.uniform(0.9, 1.25), breed.leg_length
    chest = Part(blob(generator, (0.1, 2.0), (1.05 * girth, 1.7), wobble=0.06), "body")
    haunches = [Part(ellipse((side * girth, 3.0), (0.75, 0.8)), "body") for side in (-1, 1)]
    legs = [leg(generator, (side * 0.5, 2.4), 1.1 + 0.6 * length, 0.34) for side in (-1, 1)]
    return [tail(generator, breed, (girth, 3.2)), *haunches, chest, *legs]


def standing(generator: Generator, breed: Breed) -> list[Part]:
    girth, reach = generator.uniform(0.9, 1.2), generator.uniform(3.2, 4.2)
    drop = generator.uniform(0.5, 1.1)
    trunk = Part(limb((1.2, drop + 0.4), (reach / 2, drop + 0.6), (reach, drop + 0.4), (girth, girth * 0.95)), "body")
    neck = Part(limb((0.1, 0.2), (0.7, 0.3), (1.3, drop + 0.3), (0.75, 0.9)), "body")
    hips = (0.9, 1.5, reach - 0.1, reach + 0.4)
    legs = [leg(generator, (hip, drop + 0.9), 1.2 + breed.leg_length, 0.3) for hip in hips]
    return [tail(generator, breed, (reach + 0.7, drop)), *legs[::2], neck, trunk, *legs[1::2]]


def lying(generator: Generator, breed: Breed) -> list[Part]:
    girth, reach = generator.uniform(0.85, 1.1), generator.uniform(3.0, 4.2)
    trunk = Part(limb((0.7, 0.8), (reach / 2, 0.6), (reach, 1.1), (girth, girth * 0.95)), "body")
    haunch = Part(ellipse((reach, 1.2), (1.0, 0.85), generator.uniform(-20, 20)), "body")
    paws = [
        Part(limb((0.8, 1.4), (0, 1.7), (-1.0 * breed.leg_length - shift, 1.7 + shift / 3), (0.38, 0.3)), "leg")
        for shift in generator.uniform(-0.3, 0.8, 2)
    ]
    return [tail(generator, breed, (reach + 0.7, 1.3)), trunk, haunch, *paws]


POSES: tuple[Callable[[Generator, Breed], list[Part]], ...] = (sitting, standing, lying)


def assemble(generator: Generator, breed: Breed) -> list[Part]:
    """All parts of one pet in the order of painting, with the head upright or tilted."""
    body = POSES[generator.integers(len(POSES))](generator, breed)
    tilt = similarity(1.0, generator.uniform(-18, 18))
    return [*body, *(Part(part.shape.moved(tilt), part.role) for part in head(generator, breed))]


def place(generator: Generator, parts: Sequence[Part], size: Size) -> list[Part]:
    """The parts in pixels: scaled, turned, perhaps mirrored or partly outside of the frame; the head is inside."""
    corners = [part.shape.bounds() for part in parts]
    extent = np.max([high for _, high in corners], axis=0) - np.min([low for low, _ in corners], axis=0)
    share = generator.uniform(0.55, 1.1) if generator.random() < 0.8 else generator.uniform(1.1, 1.6)
    scale = share * math.sqrt(size[0] * size[1] / extent.prod())
    scale = min(scale, 0.34 * min(size))
    matrix = similarity(scale, generator.uniform(-12, 12), generator.random() < 0.5)
    corners = [part.shape.moved(matrix).bounds() for part in parts]
    middle = (np.min([low for low, _ in corners], axis=0) + np.max([high for _, high in corners], axis=0)) / 2
    frame = np.array(size[::-1])
    shift = frame * (0.5 + generator.normal(0, 0.1, 2)) - middle
    # The head's centre is the origin, so the shift is where it comes to lie.
    shift = np.clip(shift, scale * 1.1, frame - scale * 1.1)
    return [Part(part.shape.moved(matrix, shift), part.role) for part in parts]


def marks(generator: Generator, breed: Breed, size: Size, unit: float) -> Field:
    """Where the coat has the colour of its marks; ``unit`` is the head's radius in pixels."""
    noise = smooth_noise(generator, size, unit, octaves=2)
    if breed.pattern == "tabby":
        angle = generator.uniform(60, 120)
        return threshold(stripes(generator, size, max(0.45 * unit, 5.0), angle, 0.8), 0.62, 0.4)
    if breed.pattern == "spotted":
        return threshold(smooth_noise(generator, size, max(0.35 * unit, 4.0)), 0.6, 0.12)
    if breed.pattern == "patched":
        return threshold(smooth_noise(generator, size, 1.6 * unit), 0.55, 0.08)
    if breed.pattern == "saddled":
        return threshold(0.7 * ramp(size, 90) + 0.3 * noise, 0.55, 0.2)
    return 0.35 * noise


def coat(generator: Generator, breed: Breed, size: Size, unit: float) -> Canvas:
    """Fur for a whole picture; the pet's mask is cut out of it later."""
    ground, second = (vary(generator, colour, 0.12) for colour in breed.colours)
    hair = streaks(generator, size, max(0.5 * unit, 6.0), 1.6, generator.uniform(0, 180))
    return tint(marks(generator, breed, size, unit), ground, second) * (0.82 + 0.36 * hair)[..., None]


def union(masks: Iterable[Mask]) -> Mask:
    return np.asarray(np.logical_or.reduce(list(masks)))


@dataclass(frozen=True)
class Animal:
    """A pet placed in a picture. ``head`` is the visible part of skull, ears and muzzle; it is part of ``mask``."""

    breed: Breed
    parts: list[Part]
    masks: list[Mask]
    unit: float

    @property
    def mask(self) -> Mask:
        return union(self.masks)

    @property
    def head(self) -> Mask:
        return union(mask for part, mask in zip(self.parts, self.masks, strict=True) if part.role in HEAD_ROLES)


def pose_animal(generator: Generator, breed: Breed, size: Size) -> Animal:
    parts = place(generator, assemble(generator, breed), size)
    skull = next(part.shape for part in parts if part.role == "skull")
    low, high = skull.bounds()
    masks = [part.shape.mask(size) for part in parts]
    head = union(mask for part, mask in zip(parts, masks, strict=True) if part.role in HEAD_ROLES)
    # Eyes and nose are paint: they never change the silhouette.
    masks = [mask & head if part.role in FACE_ROLES else mask for part, mask in zip(parts, masks, strict=True)]
    return Animal(breed, parts, masks, float((high - low).mean() / 2))


def paint_animal(generator: Generator, image: Canvas, animal: Animal, light: tuple[float, float]) -> None:
    """Paints the pet over ``image``, in place."""
    size = image.shape[0], image.shape[1]
    fur = coat(generator, animal.breed, size, animal.unit)
    marked = 0.4 * fur + 0.6 * np.array(vary(generator, animal.breed.colours[1], 0.15))
    for part, mask in zip(animal.parts, animal.masks, strict=True):
        if part.role == "eye":
            paint(image, mask, animal.breed.eyes)
            paint(image, pupil(mask, animal.unit), DARK)
        elif part.role == "nose":
            paint(image, mask, DARK)
        else:
            paint(image, mask, marked if is_marked(animal.breed, part.role) else fur, light)


def is_marked(breed: Breed, role: Role) -> bool:
    """Whether the whole part has the colour of the marks."""
    return role == "muzzle" or (breed.pattern == "pointed" and role in ("leg", "tail", "ear"))


def pupil(eye: Mask, unit: float) -> Mask:
    kernel = np.ones((3, 3), np.uint8)
    shrunk = cv2.erode(eye.astype(np.uint8), kernel, iterations=max(round(unit / 24), 1))
    return np.asarray(shrunk, bool)
