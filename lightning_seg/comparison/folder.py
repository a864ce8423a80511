"""The folder of a comparison: its owner, its lock, and the arguments of its runs."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lightning_seg.comparison.equality import Config, as_typed, changes
from lightning_seg.comparison.plan import Plan
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.json_files import as_read, read_json, write_json
from lightning_seg.locks import HeldError, holding
from lightning_seg.plots.formats import FORMATS

log = logging.getLogger(__name__)
PLAN_FILE = "plan.json"
LOCK_FILE = ".lock"
PLOTS = ("curves", "curves_zoomed")
"""Without the suffixes of their formats."""
WRITTEN = (
    *("runs", "logs", "tensorboard", "comparison.json", "comparison.md"),
    *(f"{name}.{kind}" for name in PLOTS for kind in FORMATS),
)
"""Files that a comparison writes and replaces, beside its plan."""


@contextmanager
def hold(output: Path) -> Iterator[None]:
    """The folder belongs to this process alone until the block or the process ends, in any way.

    Raises:
        ConfigError: if another process works there, or the folder is not a comparison's.
    """
    _check_own(output)
    try:
        with holding(output / LOCK_FILE):
            yield
    except HeldError as held:
        raise ConfigError(
            f"output {output}: another comparison, {held.owner}, is at work there; wait for it, end it, or give "
            "another --output"
        ) from None


def _check_own(output: Path) -> None:
    foreign = [] if (output / PLAN_FILE).is_file() else [name for name in WRITTEN if (output / name).exists()]
    if foreign:
        raise ConfigError(f"output {output}: it holds {foreign[0]}, but no {PLAN_FILE}; give another --output")


def keep_plan(plan: Plan, configs: Mapping[str, Config]) -> None:
    """Write the arguments of the folder's runs; variants and seeds may be added later.

    A variant without a finished epoch has not begun, and may get other arguments.

    Raises:
        ConfigError: if a variant has begun with other arguments.
        DataError: if the file cannot be read.
    """
    path = plan.output / PLAN_FILE
    # As they will be read again.
    configs = as_read(configs)
    known = {name: config for name, config in _read_plan(path).items() if has_begun(plan.folder(name))}
    for name in (name for name in configs if name in known):
        for key, (before, after) in changes(known[name], configs[name]).items():
            raise ConfigError(
                f"variant {name} was begun with {key} {as_typed(before)}, now it has {as_typed(after)}; {_remedy(key)}"
            )
    write_json(path, {"variants": {**known, **configs}})


def _read_plan(path: Path) -> dict[str, Config]:
    """The arguments of each variant; empty if the folder is new."""
    remedy = "give another --output"
    stored = read_json(path, remedy).get("variants") if path.is_file() else {}
    if not isinstance(stored, dict) or not all(isinstance(config, dict) for config in stored.values()):
        raise DataError(f"{path}: no plan of a comparison; {remedy}")
    return stored


def has_begun(variant: Path) -> bool:
    """Whether one of the variant's runs has finished an epoch."""
    return any(has_epoch(run) for run in variant.glob("seed_*"))


def has_epoch(run: Path) -> bool:
    """Whether there is a finished epoch to continue from."""
    return (run / "config.yaml").is_file() and (run / "checkpoints" / "last.ckpt").is_file()


def _remedy(key: str) -> str:
    if key in ("trainer.max_epochs", "trainer.max_steps"):
        return "a longer run is another one, since schedules are drawn over its length, so give another --output"
    return "give another --output, or the variant another name"
