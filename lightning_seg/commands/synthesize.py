"""``lightning-seg synthesize``: writes a small dataset, without a download."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_seg.commands.parsing import Parser
from lightning_seg.errors import ConfigError
from lightning_seg.synthetic.annotated import reading_flags as annotated_flags
from lightning_seg.synthetic.annotated import write_annotated
from lightning_seg.synthetic.carvana import write_carvana
from lightning_seg.synthetic.flowers import write_flowers
from lightning_seg.synthetic.image_mask_folder import reading_flags, write_image_mask_folder
from lightning_seg.synthetic.oxford_pets import write_oxford_pets
from lightning_seg.synthetic.scenes import write_scenes
from lightning_seg.synthetic.stanford_dogs import write_stanford_dogs

__all__ = ["RECIPES", "Recipe", "run_flags", "synthesize"]
FOR_TESTS: set[str | int] = {"size", "mask_values"}
"""Arguments of writers that no config would fit."""


@dataclass(frozen=True)
class Recipe:
    """Who writes a dataset, what that is, the configs that train on it, and the flags that some arguments ask for."""

    write: Callable[..., None]
    what: str
    configs: str
    flags: Callable[..., list[str]] | None = None
    folder: str = ""
    """Folder to train on, within the dataset."""


RECIPES = {
    "oxford_pets": Recipe(
        write_oxford_pets,
        "Pets with trimaps and boxes of heads, in the layout of Oxford-IIIT Pet.",
        "--config pets --config overrides/demo",
    ),
    "carvana": Recipe(
        write_carvana,
        "Cars from up to 16 sides with masks, in the layout of Carvana.",
        "--config carvana --model.width 8 --data.image_size 128 --data.source synthetic",
    ),
    "flowers": Recipe(
        write_flowers,
        "Five kinds of flowers, a folder each, in the layout of the TensorFlow flowers.",
        "--config flowers --data.image_size 96 --data.source synthetic",
    ),
    "stanford_dogs": Recipe(
        write_stanford_dogs,
        "Breeds of dogs with boxes, in the layout of Stanford Dogs.",
        "--config dogs --model.arch resnet18 --model.encoder_lr_factor 1 --data.image_size 96 --data.source synthetic",
    ),
    "scenes": Recipe(
        write_scenes,
        "Pictures of several flowers with boxes, in the layout of COCO, and single flowers to train on.",
        "--model SlidingDetectorTask --model.background background --data ImageFolderDataModule --data.test_fraction 0 "
        "--data.image_size 224",
        folder="single",
    ),
    "image_mask_folder": Recipe(
        write_image_mask_folder,
        "Pictures and masks of discs, boxes and stars, as your own would lie there.",
        "--config own_data",
        reading_flags,
    ),
    "annotated_masks": Recipe(
        write_annotated,
        "The same pictures with outlines as a labelling tool writes them: COCO, YOLO, LabelMe or Pascal VOC.",
        "--config own_data",
        annotated_flags,
    ),
}


def synthesize(dataset: str, root: str | Path, **arguments: Any) -> None:
    """Write a small synthetic dataset in a published or usual layout, and say how to train on it.

    Args:
        dataset: a key of ``RECIPES``.
        root: folder for it: new, empty, or a synthetic dataset, which is replaced if its arguments differ.
        arguments: of its writer.

    Raises:
        ConfigError: if there is no such dataset, or an argument is out of range.
        DataError: if ``root`` holds other files.
    """
    _check(dataset)
    recipe = RECIPES[dataset]
    recipe.write(root, **arguments)
    counts = ", ".join(f"{name} {value}" for name, value in arguments.items())
    flags = recipe.flags(**arguments) if recipe.flags else []
    print(
        f"{root} holds synthetic {dataset} ({counts}); train on it: "
        f"lightning-seg fit {recipe.configs} {shlex.join([*flags, '--data.root', str(Path(root, recipe.folder))])}"
    )


def _check(dataset: str = "") -> None:
    if not dataset or dataset.startswith("-"):
        raise ConfigError(f"the dataset comes first, as in synthesize flowers FOLDER; there are {', '.join(RECIPES)}")
    if dataset not in RECIPES:
        raise ConfigError(f"dataset {dataset!r} cannot be synthesized; use {', '.join(RECIPES)}")


def run_flags(flags: Sequence[str]) -> None:
    """``synthesize DATASET FOLDER --ARGUMENT VALUE``.

    Raises:
        ConfigError: if there is no such dataset, and the errors of ``synthesize``.
    """
    Parser.typed = flags
    if {"-h", "--help"}.intersection(flags[:1]):
        _parser_of_all().parse_args(flags)
    _check(*flags[:1])
    dataset, *rest = flags
    arguments = add_arguments(Parser(prog=f"lightning-seg synthesize {dataset}"), RECIPES[dataset]).parse_args(rest)
    synthesize(dataset, **{name: value for name, value in arguments.as_dict().items() if name != "config"})


def _parser_of_all() -> Parser:
    """For the help: a subcommand for each dataset."""
    parser = Parser(prog="lightning-seg synthesize", description="Write a small dataset with nothing to download.")
    datasets = parser.add_subcommands(dest="dataset", required=True)
    for name, recipe in RECIPES.items():
        datasets.add_subcommand(name, add_arguments(Parser(), recipe), help=recipe.what)
    return parser


def add_arguments(parser: Parser, recipe: Recipe) -> Parser:
    """Those of the writer."""
    parser.description = recipe.what
    parser.add_argument("--config", action="config", help="Path to a file with these arguments.")
    parser.add_function_arguments(recipe.write, as_group=False, as_positional=True, skip=FOR_TESTS)
    return parser
