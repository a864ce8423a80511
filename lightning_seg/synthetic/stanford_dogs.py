"""Invented dogs in the layout of Stanford Dogs: pictures, boxes and lists.

Layout: Khosla et al., "Novel Dataset for Fine-Grained Image Categorization", 2011;
http://vision.stanford.edu/aditya86/ImageNetDogs/
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from lightning_seg.errors import ConfigError
from lightning_seg.progress import counted
from lightning_seg.synthetic.animals import BREEDS, Breed
from lightning_seg.synthetic.marker import ensure_synthetic
from lightning_seg.synthetic.oxford_pets import bounding_box, draw_scene
from lightning_seg.synthetic.voc import write_voc

DOGS = (
    *(breed for breed in BREEDS if breed.species == "dog"),
    Breed("Fog-Spitz", "dog", ((196, 190, 186), (120, 116, 118)), "saddled", "pointed", (70, 110, 150), 0.95, 0.34),
    Breed("ember_setter", "dog", ((150, 70, 36), (214, 150, 96)), "patched", "floppy", (90, 60, 30), 1.2, 0.2),
    Breed("coal_pug", "dog", ((60, 56, 58), (30, 28, 30)), "plain", "round", (60, 40, 30), 0.7, 0.28),
    Breed("Harlequin_hound", "dog", ((214, 214, 216), (52, 50, 54)), "tabby", "tall", (120, 90, 50), 1.2, 0.15),
)
"""Ordered by label."""
NUM_BREEDS = 8
SYNTHETIC_BREEDS = tuple(breed.name for breed in DOGS[:NUM_BREEDS])
"""Breeds that a datamodule writes."""
PNG_STEM = "n90000001_1"
"""As in the published data, one photo is a PNG with transparency under another suffix."""


@dataclass(frozen=True)
class Entry:
    """One line of the lists."""

    label: int  # from 1 on
    number: int  # of the picture, within its breed

    @property
    def breed(self) -> Breed:
        return DOGS[self.label - 1]

    @property
    def wnid(self) -> str:
        """A number that WordNet does not use."""
        return f"n9{self.label:07}"

    @property
    def stem(self) -> str:
        return f"{self.wnid}_{self.number}"

    @property
    def name(self) -> str:
        return f"{self.wnid}-{self.breed.name}/{self.stem}"


def write_stanford_dogs(
    root: str | Path, num_train: int = 320, num_test: int = 80, num_breeds: int = NUM_BREEDS, seed: int = 0
) -> None:
    """Writes synthetic dogs to ``root``, unless it already holds the same ones.

    A picture depends only on the seed, its breed and its number, so a larger set contains the smaller one.

    Args:
        root: folder for the dataset.
        num_train: pictures to train and validate on.
        num_test: pictures to test on.
        num_breeds: of dogs, 2 to 10; each appears in both splits.
        seed: another one gives other pictures.

    Raises:
        ConfigError: a count or the seed is out of range.
        DataError: ``root`` holds other files.
    """
    if not 2 <= num_breeds <= len(DOGS):
        raise ConfigError(f"num_breeds {num_breeds} is not possible; use 2 to {len(DOGS)}")
    for argument, count in (("num_train", num_train), ("num_test", num_test)):
        if count < num_breeds:
            raise ConfigError(f"{argument} {count} leaves a breed without a picture; use {num_breeds} or more")
    if seed < 0:
        raise ConfigError(f"seed {seed} is negative; use 0 or more")
    # Odd numbers train, even ones test: neither split moves when the other grows.
    lists = {"train": _entries(num_train, num_breeds, 1), "test": _entries(num_test, num_breeds, 2)}
    parameters = {"num_train": num_train, "num_test": num_test, "num_breeds": num_breeds, "seed": seed}
    ensure_synthetic(root, "stanford_dogs", lambda folder: _write_files(folder, lists, seed), parameters)


def _entries(count: int, num_breeds: int, first: int) -> list[Entry]:
    """Ordered by label, as published."""
    entries = [Entry(index % num_breeds + 1, 2 * (index // num_breeds) + first) for index in range(count)]
    return sorted(entries, key=lambda entry: entry.label)


def _write_files(folder: Path, lists: dict[str, list[Entry]], seed: int) -> None:
    (folder / "lists").mkdir()
    for split, entries in lists.items():
        for entry in counted(entries, f"writing {split}", len(entries)):
            _write_picture(folder, entry, seed)
        names = [entry.name for entry in entries]
        content: dict[str, Any] = {
            "file_list": _cells([f"{name}.jpg" for name in names]),
            "annotation_list": _cells(names),
            "labels": np.array([[entry.label] for entry in entries], np.uint8),
        }
        savemat(folder / "lists" / f"{split}_list.mat", content)


def _cells(names: Sequence[str]) -> NDArray[Any]:
    """A column of MATLAB cells."""
    column = np.empty((len(names), 1), object)
    column[:, 0] = names
    return column


def _write_picture(folder: Path, entry: Entry, seed: int) -> None:
    image, animal = draw_scene(np.random.default_rng((seed, entry.label, entry.number)), entry.breed)
    path, annotation = folder / "Images" / f"{entry.name}.jpg", folder / "Annotation" / entry.name
    for file in (path, annotation):
        file.parent.mkdir(parents=True, exist_ok=True)
    if entry.stem == PNG_STEM:
        opaque = np.full(image.shape[:2], 255, np.uint8)
        Image.fromarray(np.dstack([image, opaque])).save(path, format="PNG")
    else:
        Image.fromarray(image).save(path, quality=90)
    size = image.shape[0], image.shape[1]
    box = bounding_box(animal.mask)
    # As published, without suffix.
    write_voc(annotation, entry.wnid.removeprefix("n"), entry.stem, size, entry.breed.name, box)
