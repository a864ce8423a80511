"""``lightning-seg synthesize``: writes a small dataset, without a download."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, Literal

from lightning_seg.errors import ConfigError
from lightning_seg.synthetic.carvana import write_carvana
from lightning_seg.synthetic.flowers import write_flowers
from lightning_seg.synthetic.image_mask_folder import Encoding, Layout, reading_flags, write_image_mask_folder
from lightning_seg.synthetic.oxford_pets import write_oxford_pets
from lightning_seg.synthetic.scenes import write_scenes
from lightning_seg.synthetic.stanford_dogs import write_stanford_dogs


@dataclass(frozen=True)
class Recipe:
    """The writer of a dataset, the configs that train on it, and the flags for some of its arguments."""

    write: Callable[..., None]
    configs: str
    flags: Callable[..., list[str]] | None = None
    folder: str = ""
    """Folder to train on, within the dataset."""


RECIPES = {
    "oxford_pets": Recipe(write_oxford_pets, "--config configs/pets.yaml --config configs/overrides/demo.yaml"),
    "carvana": Recipe(
        write_carvana, "--config configs/carvana.yaml --model.width 8 --data.image_size 128 --data.source synthetic"
    ),
    "flowers": Recipe(write_flowers, "--config configs/flowers.yaml --data.image_size 96 --data.source synthetic"),
    "stanford_dogs": Recipe(
        write_stanford_dogs,
        "--config configs/dogs.yaml --model.arch resnet18 --model.encoder_lr_factor 1 --data.image_size 96 "
        "--data.source synthetic",
    ),
    "scenes": Recipe(
        write_scenes,
        "--model SlidingDetectorTask --model.background background --data ImageFolderDataModule --data.test_fraction 0 "
        "--data.image_size 224",
        folder="single",
    ),
    "image_mask_folder": Recipe(write_image_mask_folder, "--config configs/own_data.yaml", reading_flags),
}


def synthesize(
    dataset: Literal["oxford_pets", "carvana", "flowers", "stanford_dogs", "scenes", "image_mask_folder"],
    root: str,
    num_trainval: int = 320,
    num_train: int = 320,
    num_test: int = 80,
    num_breeds: int = 8,
    num_cars: int = 12,
    num_views: int = 16,
    num_per_class: int = 160,
    num_scenes: int = 60,
    num_pictures: int = 200,
    encoding: Encoding = "index",
    layout: Layout = "folders",
    seed: int = 0,
) -> None:
    """Write a small synthetic dataset in a published or usual layout, and say how to train on it.

    Args:
        dataset: Whose layout to write; scenes are pictures with boxes as COCO has them, and single objects to train on;
            image_mask_folder is that of your own pictures and masks.
        root: Folder for the dataset: new, empty, or a synthetic dataset, which is replaced if its arguments differ.
        num_trainval: Pictures of pets to train and validate on.
        num_train: Pictures of stanford_dogs to train and validate on.
        num_test: Pictures of pets or of stanford_dogs to test on.
        num_breeds: Breeds of cats and dogs, or of dogs; each appears in both splits.
        num_cars: Cars of carvana.
        num_views: Pictures of each, from as many of 16 sides.
        num_per_class: Pictures of each of the five kinds of flowers; of scenes, of one flower and of none.
        num_scenes: Pictures of several flowers with their boxes.
        num_pictures: Pictures of image_mask_folder.
        encoding: What its masks hold: class numbers, 0 and 255, class numbers with a palette, or colours.
        layout: Its pictures and masks in two folders, or beside each other.
        seed: Another seed gives other pictures.
    """
    if dataset not in RECIPES:
        raise ConfigError(f"dataset {dataset!r} cannot be synthesized; use {', '.join(RECIPES)}")
    given: dict[str, Any] = {"num_trainval": num_trainval, "num_test": num_test, "num_breeds": num_breeds, "seed": seed}
    given |= {"num_cars": num_cars, "num_views": num_views, "num_train": num_train, "num_per_class": num_per_class}
    given |= {"num_scenes": num_scenes, "num_pictures": num_pictures, "encoding": encoding, "layout": layout}
    recipe = RECIPES[dataset]
    accepted = _accepted(dataset, given)
    recipe.write(root, **accepted)
    counts = ", ".join(f"{name} {value}" for name, value in accepted.items())
    flags = recipe.flags(**accepted) if recipe.flags else []
    print(
        f"{root} holds synthetic {dataset} ({counts}); train on it: "
        f"lightning-seg fit {recipe.configs} {shlex.join([*flags, '--data.root', str(Path(root, recipe.folder))])}"
    )


def _accepted(dataset: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments for the dataset's writer; arguments of other datasets may only have their defaults."""
    taken, defaults = signature(RECIPES[dataset].write).parameters, signature(synthesize).parameters
    for name, value in arguments.items():
        if name not in taken and value != defaults[name].default:
            raise ConfigError(f"{name} {value} does not go with dataset {dataset}; leave it out")
    return {name: value for name, value in arguments.items() if name in taken}
