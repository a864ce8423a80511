"""Invented pets in the layout of the Oxford-IIIT Pet dataset: pictures, trimaps, lists and head boxes.

Layout: Parkhi et al., "Cats and Dogs", 2012; https://www.robots.ox.ac.uk/~vgg/data/pets/
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from lightning_seg.errors import ConfigError
from lightning_seg.progress import counted
from lightning_seg.synthetic.animals import BREEDS, Animal, Breed, paint_animal, pose_animal
from lightning_seg.synthetic.marker import ensure_synthetic
from lightning_seg.synthetic.scenery import Colour, Mask, cast_shadow, draw_background, draw_clutter, expose
from lightning_seg.synthetic.voc import write_voc

PET, BACKGROUND, BORDER = 1, 2, 3
# Of the picture's size, the square root of its area; a little wider than published, so that it is learnt in minutes.
BORDER_WIDTH = 0.05
# Some of the surroundings share the pets' colours, so that colour alone does not find the pet.
SURROUNDINGS: tuple[Colour, ...] = (
    *(breed.colours[0] for breed in BREEDS[::6]),
    (96, 128, 70),
    (70, 92, 52),
    (120, 150, 96),
    (150, 160, 172),
    (120, 140, 170),
    (70, 100, 130),
    (90, 150, 150),
    (150, 80, 80),
    (170, 110, 130),
    (110, 90, 140),
)


@dataclass(frozen=True)
class PetPicture:
    """``image`` (H, W, 3) uint8 RGB; ``trimap`` (H, W) uint8; ``head_box`` x1, y1, x2, y2 as in slices."""

    image: NDArray[np.uint8]
    trimap: NDArray[np.uint8]
    head_box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Entry:
    """One line of the lists: a picture's name and its numbers."""

    breed: Breed
    number: int
    class_id: int
    breed_id: int

    @property
    def name(self) -> str:
        return f"{self.breed.name}_{self.number}"

    @property
    def line(self) -> str:
        return f"{self.name} {self.class_id} {1 if self.breed.species == 'cat' else 2} {self.breed_id}"


def write_oxford_pets(
    root: str | Path, num_trainval: int = 320, num_test: int = 80, num_breeds: int = 8, seed: int = 0
) -> None:
    """Writes synthetic pets to ``root``, unless it already holds the same ones.

    A picture depends only on the seed, its breed and its number, so a larger set contains the smaller one.

    Args:
        root: folder for the dataset.
        num_trainval: pictures to train and validate on.
        num_test: pictures to test on.
        num_breeds: of cats and dogs, 1 to 12; each appears in both splits.
        seed: another one gives other pictures.

    Raises:
        ConfigError: a count or the seed is out of range.
        DataError: ``root`` holds other files.
    """
    _check(num_trainval, num_test, num_breeds, seed)
    entries = list_entries(num_trainval, num_test, num_breeds)
    parameters = {"num_trainval": num_trainval, "num_test": num_test, "num_breeds": num_breeds, "seed": seed}
    ensure_synthetic(root, "oxford_pets", lambda folder: _write_files(folder, *entries, seed), parameters)


def _check(num_trainval: int, num_test: int, num_breeds: int, seed: int) -> None:
    if not 1 <= num_breeds <= len(BREEDS):
        raise ConfigError(f"num_breeds {num_breeds} is not possible; use 1 to {len(BREEDS)}")
    for argument, count in (("num_trainval", num_trainval), ("num_test", num_test)):
        if count < num_breeds:
            raise ConfigError(f"{argument} {count} leaves a breed without a picture; use {num_breeds} or more")
    if seed < 0:
        raise ConfigError(f"seed {seed} is negative; use 0 or more")


def list_entries(num_trainval: int, num_test: int, num_breeds: int) -> tuple[list[Entry], list[Entry]]:
    """The entries of trainval and of test, each sorted as published: by class, then by name."""
    breeds = BREEDS[:num_breeds]
    by_class = sorted(breeds, key=lambda breed: breed.name.lower())

    def entry(breed: Breed, number: int) -> Entry:
        same_species = [other for other in by_class if other.species == breed.species]
        return Entry(breed, number, by_class.index(breed) + 1, same_species.index(breed) + 1)

    # Odd numbers for trainval, even ones for test: neither split moves when the other grows.
    trainval = [entry(breeds[i % num_breeds], 2 * (i // num_breeds) + 1) for i in range(num_trainval)]
    test = [entry(breeds[i % num_breeds], 2 * (i // num_breeds) + 2) for i in range(num_test)]
    return _sorted(trainval), _sorted(test)


def _sorted(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (entry.class_id, entry.name))


def _write_files(folder: Path, trainval: list[Entry], test: list[Entry], seed: int) -> None:
    annotations = folder / "annotations"
    for subfolder in (folder / "images", annotations / "trimaps", annotations / "xmls"):
        subfolder.mkdir(parents=True)
    for entry in counted(trainval, "writing trainval", len(trainval)):
        picture = _write_picture(folder, entry, seed)
        path, size = annotations / "xmls" / f"{entry.name}.xml", (picture.trimap.shape[0], picture.trimap.shape[1])
        write_voc(path, "OXIIIT", f"{entry.name}.jpg", size, entry.breed.species, picture.head_box)
    for entry in counted(test, "writing test", len(test)):
        _write_picture(folder, entry, seed)
    _write_list(annotations / "trainval.txt", trainval)
    _write_list(annotations / "test.txt", test)
    _write_list(annotations / "list.txt", _sorted([*trainval, *test]), "#Image CLASS-ID SPECIES BREED ID\n")


def _write_list(path: Path, entries: Iterable[Entry], heading: str = "") -> None:
    path.write_text(heading + "".join(f"{entry.line}\n" for entry in entries))


def _write_picture(folder: Path, entry: Entry, seed: int) -> PetPicture:
    generator = np.random.default_rng((seed, BREEDS.index(entry.breed), entry.number))
    picture = draw_pet(generator, entry.breed)
    Image.fromarray(picture.image).save(folder / "images" / f"{entry.name}.jpg", quality=90)
    Image.fromarray(picture.trimap).save(folder / "annotations" / "trimaps" / f"{entry.name}.png")
    return picture


def draw_pet(generator: Generator, breed: Breed) -> PetPicture:
    """One pet of the breed, with its trimap."""
    image, animal = draw_scene(generator, breed)
    return PetPicture(image, draw_trimap(animal.mask), bounding_box(animal.head))


def draw_scene(generator: Generator, breed: Breed) -> tuple[NDArray[np.uint8], Animal]:
    """A photo ``(H, W, 3)`` of one pet of the breed among a few other things, and the pet's place in it."""
    height, width = generator.integers(160, 261, 2).tolist()
    turn = generator.uniform(0.2, 0.8) * math.pi
    light = math.cos(turn), -math.sin(turn)
    canvas = draw_background(generator, (height, width), SURROUNDINGS)
    draw_clutter(generator, canvas, SURROUNDINGS, int(generator.integers(1, 3)), light)
    animal = pose_animal(generator, breed, (height, width))
    cast_shadow(canvas, animal.mask, (-8 * light[0], -8 * light[1]), generator.uniform(0.1, 0.45))
    paint_animal(generator, canvas, animal, light)
    return expose(generator, canvas), animal


def draw_trimap(mask: Mask) -> NDArray[np.uint8]:
    """Pet and background with a band along the contour between them, half inside and half outside."""
    radius = BORDER_WIDTH * math.sqrt(mask.size) / 2
    trimap = np.where(mask, PET, BACKGROUND).astype(np.uint8)
    for side in (mask, ~mask):
        distance = cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        trimap[side & (distance <= radius)] = BORDER
    return trimap


def bounding_box(mask: Mask) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
