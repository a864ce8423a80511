"""``lightning-seg synthesize``: a small dataset with nothing to download."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal

from lightning_seg.errors import ConfigError
from lightning_seg.synthetic.oxford_pets import write_oxford_pets


@dataclass(frozen=True)
class Recipe:
    """Who writes a dataset, and the configs that train on it."""

    write: Callable[..., None]
    configs: str


RECIPES = {"oxford_pets": Recipe(write_oxford_pets, "--config configs/pets.yaml --config configs/overrides/demo.yaml")}


def synthesize(
    dataset: Literal["oxford_pets"],
    root: str,
    num_trainval: int = 320,
    num_test: int = 80,
    num_breeds: int = 8,
    seed: int = 0,
) -> None:
    """Write a small synthetic dataset in the published layout, and say how to train on it.

    Args:
        dataset: Whose layout to write.
        root: Folder for the dataset: new, empty, or a synthetic dataset, which is replaced if its arguments differ.
        num_trainval: Pictures to train and validate on.
        num_test: Pictures to test on.
        num_breeds: Breeds of cats and dogs; each appears in both splits.
        seed: Another seed gives other pictures.
    """
    if dataset not in RECIPES:
        raise ConfigError(f"dataset {dataset!r} cannot be synthesized; use {', '.join(RECIPES)}")
    arguments = {"num_trainval": num_trainval, "num_test": num_test, "num_breeds": num_breeds, "seed": seed}
    accepted = _accepted(dataset, arguments)
    RECIPES[dataset].write(root, **accepted)
    counts = ", ".join(f"{name} {value}" for name, value in accepted.items())
    print(
        f"{root} holds synthetic {dataset} ({counts}); train on it: "
        f"lightning-seg fit {RECIPES[dataset].configs} --data.root {shlex.quote(root)}"
    )


def _accepted(dataset: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What the dataset's writer takes; the argument of another dataset may only have its default."""
    taken, defaults = signature(RECIPES[dataset].write).parameters, signature(synthesize).parameters
    for name, value in arguments.items():
        if name not in taken and value != defaults[name].default:
            raise ConfigError(f"{name} {value} does not go with dataset {dataset}; leave it out")
    return {name: value for name, value in arguments.items() if name in taken}
