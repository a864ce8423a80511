"""Changes of a config, by a checkpoint or for missing data, before its classes are built."""

import logging
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

from jsonargparse import Namespace

from lightning_seg.arguments import ABSENT, Typed
from lightning_seg.class_arguments import class_of, types_of
from lightning_seg.cli.linking import LINKS, differing
from lightning_seg.datamodules.base import DataModule
from lightning_seg.datamodules.pictures import PicturesDataModule
from lightning_seg.errors import ConfigError
from lightning_seg.tasks.class_names import check_same

PRETRAINED = ("encoder_weights", "weights")
"""Arguments of tasks that name pretrained weights."""
log = logging.getLogger(__name__)


def take_classes(data: Namespace, learned: Sequence[str] | None) -> None:
    """Use the classes that the checkpoint has learned, not those in today's folder.

    Args:
        data: section of the config.
        learned: class names of the checkpoint.

    Raises:
        ConfigError: if others were given.
    """
    given = data.get("init_args", {})
    names_them = getattr(class_of(data), "takes_class_names", False)
    if not (learned and names_them and "classes" in given) or given.get("source") == "synthetic":
        return
    classes = given["classes"]
    if classes is None:
        classes = given["classes"] = list(learned)
    # A class of the user's own may mean something else by it.
    if isinstance(classes, list):
        check_same(learned, [str(name) for name in classes])


def take_linked(model: Namespace, stored: Mapping[str, Any], typed: Typed) -> None:
    """What data may tell a task is as in training where it does not: the config of a run leaves it out.

    Args:
        model: section of the config.
        stored: arguments of the checkpoint's task.
        typed: what the user says wins.
    """
    # Those of base classes are stored, too.
    accepted = types_of(class_of(model))
    for name in LINKS:
        if name in stored and name in accepted and typed.value("model", name) is ABSENT:
            model["init_args"][name] = stored[name]


def spare_dataset(data: Namespace, stored: Mapping[str, Any], images: Sequence[str], typed: Typed) -> None:
    """Pictures are predicted also where the dataset is not that the checkpoint was trained on.

    Args:
        data: section of the config.
        stored: arguments of the checkpoint's task.
        images: what to predict.
        typed: what the user says.

    Raises:
        ConfigError: if he says something else than the checkpoint, as nothing else could tell it.
    """
    for name, _, value in differing(typed, stored):
        raise ConfigError(f"model.{name} is taken from the checkpoint, {value}; leave it out")
    kind = class_of(data)
    # Another's may mean something else by its arguments.
    if stored.get("class_names") is None or not (isinstance(kind, type) and issubclass(kind, DataModule)):
        return
    given = {**vars(data["init_args"]), "images": images}
    options = {name: given[name] for name in signature(PicturesDataModule).parameters if name in given}
    data["class_path"] = f"{PicturesDataModule.__module__}.{PicturesDataModule.__qualname__}"
    data["init_args"] = Namespace(**options)  # type: ignore[no-untyped-call]


def spare_downloads(data: Namespace, model: Namespace, typed: Typed) -> None:
    """Synthetic pictures need no download; then the encoder's weights are fetched only if they are typed.

    Args:
        data: section of the config.
        model: section of the config.
        typed: what the user says.
    """
    given = model.get("init_args", {})
    weights = next((name for name in PRETRAINED if given.get(name) == "imagenet"), None)
    if data.get("init_args", {}).get("source") != "synthetic" or weights is None or typed.is_typed("model", weights):
        return
    flags = ("freeze_encoder_norm",) if given.get("unfreeze_epoch") else ("freeze_encoder_norm", "freeze_encoder")
    frozen = [name for name in flags if given.get(name)]
    for name, value in {weights: None, **dict.fromkeys(frozen, False)}.items():
        given[name] = value
    changed = ", ".join([f"{weights} null", *(f"{name} false" for name in frozen)])
    log.warning(f"data.source is synthetic: {changed}; --model.{weights} imagenet downloads the weights")
