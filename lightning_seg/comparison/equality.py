"""Checks of what may differ between variants, and of what must be equal for a fair comparison."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pkgutil import resolve_name
from typing import Any

from lightning_seg.batch import Split
from lightning_seg.datamodules.base import DataModule
from lightning_seg.errors import ConfigError

Config = Mapping[str, Any]
TEST_PICTURES = "trainer.limit_test_batches"
BUDGET = (
    "data.batch_size",
    "early_stopping",
    "trainer.accumulate_grad_batches",
    "trainer.check_val_every_n_epoch",
    "trainer.devices",
    "trainer.limit_train_batches",
    "trainer.limit_val_batches",
    "trainer.max_epochs",
    "trainer.max_steps",
    "trainer.max_time",
    "trainer.min_epochs",
    "trainer.min_steps",
    "trainer.num_nodes",
    "trainer.overfit_batches",
    "trainer.val_check_interval",
)
"""Arguments that decide how long and with how many pictures a run trains, and from how many epochs its best is chosen.
"""
LEAVES_NOTHING: Mapping[str, tuple[Any, ...]] = {
    # 1 is True, and 0 is False.
    "trainer.enable_checkpointing": (False,),
    "trainer.fast_dev_run": tuple(range(1, 100)),
    "trainer.logger": (False,),
    "trainer.limit_test_batches": (0,),
    "trainer.limit_val_batches": (0,),
}
"""Values with which a run writes no results."""
NO_MATTER = (
    "data.cache",
    "data.cache_dir",
    "data.num_workers",
    "data.seed",
    "plots",
    "run_folder",
    "seed_everything",
    "trainer.default_root_dir",
    "trainer.enable_progress_bar",
)
"""Arguments that do not change results, or that every run has of its own."""


def flatten(config: Config) -> dict[str, Any]:
    """Dotted names and values, as they are typed: ``data.augment``; ``data`` is the name of its class."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping) and "class_path" in value:
            flat[name] = value["class_path"]
        if isinstance(value, Mapping) and {"class_path", "init_args"} & value.keys():
            value = value.get("init_args") or {}
        if isinstance(value, Mapping) and name in ("model", "data", "trainer"):
            flat |= {f"{name}.{key}": inner for key, inner in value.items()}
        elif name not in flat:
            flat[name] = value
    return flat


def changes(before: Config, after: Config) -> dict[str, tuple[Any, Any]]:
    """The arguments that differ and matter, with both values; None if a class does not have one."""
    old, new = flatten(before), flatten(after)
    names = [name for name in dict.fromkeys([*new, *old]) if name not in NO_MATTER]
    return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}


def as_typed(value: Any) -> str:
    """A value as typed on the command line; a class of this package by its name alone."""
    if isinstance(value, str) and value.startswith("lightning_seg."):
        return value.rpartition(".")[2]
    return value if isinstance(value, str) else json.dumps(value)


def decides_pictures(config: Config) -> Iterator[str]:
    """The arguments that decide which pictures a run trains and is tested on, and what is true of them.

    A datamodule says which of its own do; those of one that says nothing have the meaning that they have here.
    """
    path = (config.get("data") or {}).get("class_path", "")
    try:
        kind: Any = resolve_name(path)
    # A class in a config that is no longer there.
    except (ImportError, AttributeError, ValueError):
        kind = None
    kinds = [kind] if hasattr(kind, "deciding") else list(_kinds_of(DataModule))  # type: ignore[type-abstract]
    yield from ("data", TEST_PICTURES)
    for one in kinds:
        yield from (f"data.{name}" for name in (*one.deciding, *one.listing, *one.dividing))


def _kinds_of(kind: type[DataModule[Any]]) -> Iterator[type[DataModule[Any]]]:
    yield kind
    for derived in kind.__subclasses__():
        yield from _kinds_of(derived)


def check_equal(configs: Mapping[str, Config], unequal_budgets: bool = False) -> list[str]:
    """Variants must differ, and must have the same budget and the same pictures.

    Args:
        configs: all arguments of every variant.
        unequal_budgets: report differing budgets instead of refusing them.

    Returns:
        Notes about the budgets.

    Raises:
        ConfigError: naming the two variants and the argument.
    """
    said = []
    for (first, config), (second, other) in combinations(configs.items(), 2):
        changed = changes(config, other)
        if not changed:
            raise ConfigError(
                f"variants {first} and {second} are the same; give them different files, and leave out flags that "
                "set for all what the files set"
            )
        others = sorted(changed.keys() & {*decides_pictures(config), *decides_pictures(other)})
        if others:
            raise ConfigError(f"{_difference(first, second, others[0], changed)}, so they do not see the same pictures")
        for name in BUDGET:
            if name in changed and not unequal_budgets:
                raise ConfigError(
                    f"{_difference(first, second, name, changed)}, so their budgets are not equal; give "
                    "--unequal_budgets true to compare them all the same"
                )
            if name in changed:
                said.append(f"budgets are not equal: {_difference(first, second, name, changed)}")
    return said


def check_measured(configs: Mapping[str, Config]) -> None:
    """Raises ConfigError if runs would leave no results."""
    for name, config in configs.items():
        given = flatten(config)
        for argument, refused in LEAVES_NOTHING.items():
            if argument in given and given[argument] in refused:
                raise ConfigError(
                    f"variant {name}: with {argument} {as_typed(given[argument])} a run leaves nothing to compare; "
                    "leave it out"
                )


def check_monitors(monitors: Mapping[str, str | None]) -> None:
    """The best checkpoint of all variants must be chosen by the same metric.

    Args:
        monitors: of every variant, for instance ``val/miou``; None if the last epoch counts as the best.

    Raises:
        ConfigError: naming the metrics, or a variant without validation.
    """
    for name, monitor in monitors.items():
        if monitor is None:
            raise ConfigError(
                f"variant {name}: no validation would choose its best checkpoint; give it pictures to validate on"
            )
    if len(set(monitors.values())) > 1:
        chosen = ", ".join(f"{monitor} ({name})" for name, monitor in monitors.items())
        raise ConfigError(f"the variants' best checkpoints are chosen by {chosen}; give one --model.monitor")


def check_pictures(pictures: Mapping[str, Mapping[Split, Sequence[str]]]) -> None:
    """All variants must train, validate and test on the same pictures, whatever argument divides them.

    Args:
        pictures: of every variant, paths by split; none if its data does not tell them.

    Raises:
        ConfigError: naming two variants and a picture.
    """
    (first, told), *others = pictures.items()
    for name, one in others:
        for split in told.keys() & one.keys():
            differing = sorted(set(told[split]) ^ set(one[split]))
            if differing:
                raise ConfigError(
                    f"variants {first} and {name} do not see the same pictures: of {split} {len(differing)} are in "
                    f"one alone, for instance {differing[0]}; divide the data alike"
                )


def overruled(flags: Sequence[str], name: str, files: Mapping[str, Config]) -> Iterator[str]:
    """Notes about flags for all variants that win over values in a variant's files.

    Args:
        flags: of fit, for all variants.
        name: of the variant.
        files: their contents by path.
    """
    names = (word.partition("=")[0] for word in flags if word.startswith("--"))
    typed = dict.fromkeys(name.removeprefix("--").replace(".init_args.", ".").rstrip("+") for name in names)
    for path, content in files.items():
        for argument in flatten(content):
            for flag in typed:
                # A flag may set a part of a value, but the class of a section is not that value.
                if flag == argument or ("." in argument and flag.startswith(f"{argument}.")):
                    yield f"variant {name}: --{flag} was typed for all variants and wins over {argument} in {path}"


def _difference(first: str, second: str, name: str, changed: Mapping[str, tuple[Any, Any]]) -> str:
    values = " and ".join(map(as_typed, changed[name]))
    return f"variants {first} and {second} differ in {name} ({values})"
