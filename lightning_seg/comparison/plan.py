"""The plan of a comparison: variants of a config, and seeds."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from lightning_seg.comparison.equality import Config, flatten
from lightning_seg.errors import ConfigError
from lightning_seg.trust import names_foreign

OWN = ("--run", "--run_folder", "--ckpt_path", "--seed_everything", "--data.seed", "--trainer.default_root_dir")
"""Flags of fit that the comparison sets itself."""


class Variant(NamedTuple):
    """A name, and the configs laid over the common ones."""

    name: str
    files: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """From ``NAME``, ``NAME:CONFIG`` or ``NAME:CONFIG,CONFIG``; a config is a file or has a name."""
        name, _, files = text.partition(":")
        if not re.fullmatch(r"[\w-][\w.-]*", name):
            raise ConfigError(
                f"variant {text!r}: the name {name!r} cannot be that of a folder; give NAME or NAME:CONFIG, for "
                "instance none:overrides/no_augmentation"
            )
        return cls(name, tuple(file for file in files.split(",") if file))


class PlannedRun(NamedTuple):
    """One training."""

    variant: str
    seed: int
    folder: Path
    log: Path
    flags: list[str]  # of fit
    again: list[str]  # flags of a continued fit and of a test, whose others are in the run's config
    has_own_classes: bool = False  # the user's, in the configs that he has typed


class Plan(NamedTuple):
    """The whole comparison.

    ``flags`` are the flags of fit for all variants, with the common configs.
    """

    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    output: Path
    flags: tuple[str, ...]

    def flags_of(self, variant: Variant) -> list[str]:
        """The flags of fit, without seeds and folder."""
        laid_over = [word for file in variant.files for word in ("--config", file)]
        # A flag of the same name that was typed comes later and wins.
        return ["--trainer.enable_progress_bar", "false", *self.flags, *laid_over]

    def runs(self, configs: Mapping[str, Config]) -> Iterator[PlannedRun]:
        """Ordered by seed, so that finished runs can be compared at any time."""
        for seed in self.seeds:
            for variant in self.variants:
                folder = self.folder(variant.name) / f"seed_{seed}"
                flags = [*self.flags_of(variant), "--seed_everything", str(seed), "--run_folder", str(folder)]
                given = flatten(configs[variant.name])
                if "data.seed" in given:
                    flags += ["--data.seed", str(seed)]
                workers = given.get("data.num_workers")
                again = [] if workers is None else ["--data.num_workers", str(workers)]
                log = self.output / "logs" / f"{variant.name}_seed_{seed}.log"
                foreign = names_foreign(configs[variant.name])
                yield PlannedRun(variant.name, seed, folder, log, flags, again, foreign)

    def folder(self, variant: str) -> Path:
        """The folder of all runs of a variant."""
        return self.output / "runs" / variant


def make_plan(
    configs: Sequence[str], variants: Sequence[str], seeds: int | Sequence[int], output: str, flags: Sequence[str]
) -> Plan:
    """The plan from the typed values.

    Raises:
        ConfigError: if there is nothing to compare, or a name or seed occurs twice.
    """
    parsed = tuple(Variant.parse(text) for text in variants)
    names = [variant.name for variant in parsed]
    if not configs:
        raise ConfigError("there is no config; give one, for instance lightning-seg compare --config pets")
    if len(parsed) < 2:
        raise ConfigError(f"variants: {len(parsed)} cannot be compared; give --variant NAME:CONFIG twice or more often")
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
