"""What a run's files tell about its network: plain values, without places of the machine."""

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lightning_seg.card.measured import Measured, measured_of, others_tested
from lightning_seg.checkpoints import CHECKPOINT_KEY, read_checkpoint
from lightning_seg.class_arguments import parser_of
from lightning_seg.errors import ConfigError
from lightning_seg.files import digest_of
from lightning_seg.hub.private_paths import left_out, published_config
from lightning_seg.run_files import METRICS_FILE, Curves, MeasuredCheckpoint, read_curves, read_record
from lightning_seg.runs import Run, task_arguments
from lightning_seg.synthetic.marker import is_synthetic
from lightning_seg.trust import find_class
from lightning_seg.yaml_files import read_yaml

VERSION = "version/"
TRAINING = ("max_epochs", "max_steps", "precision", "accumulate_grad_batches", "gradient_clip_val", "devices")
"""Of the trainer's arguments, those that change what is learned."""
AS_USUAL = {"accumulate_grad_batches": 1, "max_steps": -1, "devices": "auto"}


class Part(NamedTuple):
    """The task or the datamodule of a run."""

    name: str  # of its class
    kind: type | None  # None of a class of the user's own
    given: dict[str, Any]  # arguments that are not the class's defaults

    @property
    def what(self) -> str:
        """The first sentence about the class, which knows nothing of the run."""
        return "" if self.kind is None else (inspect.getdoc(self.kind) or "").partition("\n")[0]

    @property
    def source(self) -> str | None:
        """Where its pictures are published, as its docstring has it."""
        found = re.search(r"^Source: (.*)$", "" if self.kind is None else inspect.getdoc(self.kind) or "", re.MULTILINE)
        return found[1] if found else None

    @property
    def slug(self) -> str:
        """``oxford_pets`` of ``OxfordPetsDataModule``."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.name.removesuffix("DataModule")).lower()


class RunFacts(NamedTuple):
    """Everything that a card says."""

    task: Part
    data: Part
    class_names: tuple[str, ...]
    image_size: tuple[int, int] | None  # (height, width)
    trainer: dict[str, Any]
    seed: int | None
    is_synthetic: bool
    metrics: dict[str, Any]  # metrics.json
    measured: Measured | None  # None if nothing was with these weights
    others: dict[str, MeasuredCheckpoint]  # what splits were tested with, where it was another checkpoint
    checkpoint: Path
    is_best: bool  # whether the weights are of the best checkpoint, which the run has tested
    config: dict[str, Any]  # as it is published
    left_out: list[str]  # arguments of the config that are not

    @property
    def title(self) -> str:
        return f"{self.task.name} on {self.data.name.removesuffix('DataModule')}"


def facts_of(run: Run) -> RunFacts:
    """The facts of a run's config, best checkpoint and numbers.

    Raises:
        ConfigError: if the run has no checkpoint, or a file of it cannot be read.
    """
    config: dict[str, Any] = read_yaml(run.config)
    checkpoint = run.checkpoint("best")
    stored = task_arguments(checkpoint)
    size = (read_checkpoint(checkpoint).get(CHECKPOINT_KEY) or {}).get("image_size")
    numbers = read_record(run.folder, "delete it, and test the run again")
    published, digest = published_config(config), digest_of(checkpoint)
    root = _arguments(config.get("data")).get("root")
    trainer = {name: value for name, value in (config.get("trainer") or {}).items() if name in TRAINING}
    return RunFacts(
        task=_part(published.get("model"), "model"),
        data=_part(published.get("data"), "data"),
        class_names=tuple(map(str, stored.get("class_names") or ())),
        image_size=None if size is None else (int(size[0]), int(size[1])),
        trainer={name: value for name, value in trainer.items() if value not in (None, AS_USUAL.get(name))},
        seed=published.get("seed_everything"),
        is_synthetic=_arguments(config.get("data")).get("source") == "synthetic"
        or (isinstance(root, str) and is_synthetic(Path(root).expanduser())),
        metrics=numbers,
        measured=measured_of(numbers, _curves(run.folder / METRICS_FILE), digest) if run.is_best else None,
        others=others_tested(numbers, digest) if run.is_best else {},
        checkpoint=checkpoint,
        is_best=run.is_best,
        config=published,
        left_out=left_out(config),
    )


def _curves(path: Path) -> Curves:
    try:
        return read_curves(path) if path.is_file() else {}
    except ValueError as error:
        raise ConfigError(f"{path}: no table of numbers ({error}); delete it, and test the run again") from error


def _part(section: Any, place: str) -> Part:
    path = str(section.get("class_path") if isinstance(section, Mapping) else section)
    kind, given = find_class(path, place), _arguments(section)
    defaults = {} if kind is None else parser_of(kind).get_defaults().as_dict()
    given.pop("root", None)
    others = {name: value for name, value in given.items() if value is not None and defaults.get(name) != value}
    return Part(path.rpartition(".")[2], kind, others)


def _arguments(section: Any) -> dict[str, Any]:
    return dict(section.get("init_args") or {}) if isinstance(section, Mapping) else {}
