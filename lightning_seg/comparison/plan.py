"""What is compared: variants of a config, seeds, and one folder that belongs to them."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple, Self

from lightning_seg.errors import ConfigError

Config = Mapping[str, Any]
PLAN_FILE = "plan.json"
WRITTEN = ("runs", "logs", "tensorboard", "comparison.json", "comparison.md", "curves.png", "curves_zoomed.png")
"""What a comparison writes and replaces beside its plan."""
BUDGET = (
    "data.batch_size",
    "early_stopping",
    "trainer.accumulate_grad_batches",
    "trainer.devices",
    "trainer.limit_train_batches",
    "trainer.max_epochs",
    "trainer.max_steps",
    "trainer.max_time",
    "trainer.min_epochs",
    "trainer.min_steps",
    "trainer.num_nodes",
    "trainer.overfit_batches",
)
"""Arguments that decide how long and with how many pictures a run trains."""
LEAVES_NOTHING: Mapping[str, tuple[Any, ...]] = {
    # 1 is True, and 0 is False.
    "trainer.fast_dev_run": tuple(range(1, 100)),
    "trainer.logger": (False,),
    "trainer.limit_test_batches": (0,),
    "trainer.limit_val_batches": (0,),
}
"""Values with which a run writes no results."""
ABSENT = object()
PICTURES = (
    "data",
    "data.classes",
    "data.group",
    "data.images",
    "data.masks",
    "data.pairs",
    "data.root",
    "data.source",
    "data.split_by",
    "data.test_fraction",
    "data.test_list",
    "data.train_list",
    "data.val_fraction",
    "data.val_list",
)
"""Arguments that decide which pictures a run trains and is tested on, as far as a datamodule has them."""
OWN = ("--run", "--run_folder", "--ckpt_path", "--seed_everything", "--data.seed", "--trainer.default_root_dir")
"""Flags of fit that are the comparison's own business."""
NO_MATTER = (
    "data.num_workers",
    "data.seed",
    "run_folder",
    "seed_everything",
    "trainer.default_root_dir",
    "trainer.enable_progress_bar",
)
"""Arguments that change no result, or that every run has of its own."""


class Variant(NamedTuple):
    """A name, and the configs that are laid over the common ones."""

    name: str
    files: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """From ``NAME``, ``NAME:FILE`` or ``NAME:FILE,FILE``."""
        name, _, files = text.partition(":")
        if not re.fullmatch(r"[\w-][\w.-]*", name):
            raise ConfigError(
                f"variant {text!r}: the name {name!r} cannot be that of a folder; give NAME or NAME:FILE, for instance "
                "none:configs/overrides/no_augmentation.yaml"
            )
        return cls(name, tuple(file for file in files.split(",") if file))


class PlannedRun(NamedTuple):
    """One training."""

    variant: str
    seed: int
    folder: Path
    log: Path
    flags: list[str]  # of fit


class Plan(NamedTuple):
    """The whole comparison.

    ``flags`` are those of fit for all variants, the common configs among them.
    """

    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    output: Path
    flags: tuple[str, ...]

    def flags_of(self, variant: Variant) -> list[str]:
        """Those of fit, without seeds and folder."""
        laid_over = [word for file in variant.files for word in ("--config", file)]
        # A flag of the same name that was typed comes later and wins.
        return ["--trainer.enable_progress_bar", "false", *self.flags, *laid_over]

    def runs(self, configs: Mapping[str, Config]) -> Iterator[PlannedRun]:
        """Seed by seed, so that whatever is finished can be compared."""
        for seed in self.seeds:
            for variant in self.variants:
                folder = self.output / "runs" / variant.name / f"seed_{seed}"
                flags = [*self.flags_of(variant), "--seed_everything", str(seed), "--run_folder", str(folder)]
                if "data.seed" in flatten(configs[variant.name]):
                    flags += ["--data.seed", str(seed)]
                log = self.output / "logs" / f"{variant.name}_seed_{seed}.log"
                yield PlannedRun(variant.name, seed, folder, log, flags)


def make_plan(
    configs: Sequence[str], variants: Sequence[str], seeds: int | Sequence[int], output: str, flags: Sequence[str]
) -> Plan:
    """From what was typed.

    Raises:
        ConfigError: if there is nothing to compare, or a name or seed occurs twice.
    """
    parsed = tuple(Variant.parse(text) for text in variants)
    names = [variant.name for variant in parsed]
    if not configs:
        raise ConfigError("there is no config; give one first, for instance lightning-seg compare configs/pets.yaml")
    if len(parsed) < 2:
        raise ConfigError(f"{len(parsed)} variants cannot be compared; give --variant NAME:FILE twice or more often")
    if len(set(names)) < len(names):
        raise ConfigError(f"two variants have the same name among {', '.join(names)}; give each its own")
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not chosen or len(set(chosen)) < len(chosen) or min(chosen) < 0:
        raise ConfigError(f"seeds {seeds}: give how many, for instance 3, or different ones of 0 or more, like [0, 5]")
    _refuse_own(flags)
    return Plan(parsed, chosen, Path(output).expanduser(), (*_as_flags(configs), *flags))


def _as_flags(configs: Sequence[str]) -> list[str]:
    return [word for config in configs for word in ("--config", config)]


def _refuse_own(flags: Sequence[str]) -> None:
    for word in flags:
        name = word.partition("=")[0]
        if name in OWN:
            raise ConfigError(f"{name} is set for every run by itself; leave it out, and see --seeds and --output")


def flatten(config: Config) -> dict[str, Any]:
    """Dotted names to values, as they are typed: ``data.augment``; ``data`` is the name of its class."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping) and "class_path" in value:
            flat[name] = value["class_path"].rpartition(".")[2]
            value = value.get("init_args") or {}
        if isinstance(value, Mapping) and name in ("model", "data", "trainer"):
            flat |= {f"{name}.{key}": inner for key, inner in value.items()}
        elif name not in flat:
            flat[name] = value
    return flat


def changes(before: Config, after: Config) -> dict[str, tuple[Any, Any]]:
    """The arguments that differ and matter, with both values; None where a class does not have one."""
    old, new = flatten(before), flatten(after)
    names = [name for name in dict.fromkeys([*new, *old]) if name not in NO_MATTER]
    return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}


def check_equal(configs: Mapping[str, Config], unequal_budgets: bool = False) -> list[str]:
    """Variants must differ, and must have the same budget and the same pictures.

    Args:
        configs: all arguments of every variant.
        unequal_budgets: report differing budgets instead of refusing them.

    Returns:
        What has to be said about the budgets.

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
        for name in PICTURES:
            if name in changed:
                raise ConfigError(f"{_difference(first, second, name, changed)}, so they do not see the same pictures")
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
            if given.get(argument, ABSENT) in refused:
                raise ConfigError(
                    f"variant {name}: with {argument} {as_typed(given[argument])} a run leaves nothing to compare; "
                    "leave it out"
                )


def _difference(first: str, second: str, name: str, changed: Mapping[str, tuple[Any, Any]]) -> str:
    values = " and ".join(map(as_typed, changed[name]))
    return f"variants {first} and {second} differ in {name} ({values})"


def as_typed(value: Any) -> str:
    """A value as it would stand on the command line."""
    return value if isinstance(value, str) else json.dumps(value)


def keep_plan(plan: Plan, configs: Mapping[str, Config]) -> None:
    """Remember what the folder's runs are trained with; variants and seeds may be added later.

    Raises:
        ConfigError: if a variant was begun with other arguments, or the folder is not a comparison's.
    """
    path = plan.output / PLAN_FILE
    foreign = [] if path.is_file() else [name for name in WRITTEN if (plan.output / name).exists()]
    if foreign:
        raise ConfigError(f"output {plan.output}: it holds {foreign[0]}, but no {PLAN_FILE}; give another --output")
    # As they will be read again: JSON has no integers as keys.
    configs = json.loads(json.dumps(configs))
    known: dict[str, Config] = json.loads(path.read_text())["variants"] if path.is_file() else {}
    for name in (name for name in configs if name in known):
        for key, (before, after) in changes(known[name], configs[name]).items():
            raise ConfigError(
                f"variant {name} was begun with {key} {as_typed(before)}, now it has {as_typed(after)}; give another "
                "--output, or the variant another name"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"variants": {**known, **configs}}, indent=2) + "\n")
