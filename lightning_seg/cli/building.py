"""Building a training without running it, so that mistakes show before anything is trained."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, get_args

import pytorch_lightning as pl
import yaml

from lightning_seg.arguments import Asked, RunArguments, Typed, content_of, import_public_classes
from lightning_seg.batch import Split
from lightning_seg.callbacks.continued import best_checkpoint
from lightning_seg.cli.command_line import CommandLine
from lightning_seg.errors import ConfigError, RefusedError
from lightning_seg.explaining import user_error
from lightning_seg.models.weights import without_pretrained
from lightning_seg.runs import find_run
from lightning_seg.trainer.run_trainer import RunTrainer
from lightning_seg.trainer.silence import silence_libraries

WITHOUT_SEED = ("--seed_everything", "false")
"""It would be handed on to the processes that are started later."""

MANY_STEPS = 1_000_000
SILENT: Mapping[str, Any] = {
    "devices": 1,
    "num_sanity_val_steps": 0,
    "limit_val_batches": 0,
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
"""Of trainers that leave nothing behind."""
KEPT_OF_TRAINER = ("precision", "accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm")
"""What decides how large a step is, and how much memory it takes."""


class _Building(CommandLine):
    """Builds everything and runs nothing."""

    def before_fit(self) -> None:
        pass

    def fit(self, **given: Any) -> None:
        """Lightning calls it in place of the trainer's."""


class Built(NamedTuple):
    """A training that could begin."""

    monitor: str | None  # the metric that would choose the best checkpoint; None if the last epoch would count as it
    pictures: dict[Split, list[str]]  # by path; none of a datamodule that does not tell them


class Untrained(NamedTuple):
    """A task as ``fit`` would train it, before anything is trained, and with random weights.

    Args:
        task: with the classes and the picture size of its datamodule.
        make_trainer: of one process on the device and in the precision of the config, with these callbacks and nothing
            that is written.
    """

    task: pl.LightningModule
    make_trainer: Callable[[Sequence[pl.Callback]], pl.Trainer]


class Training(NamedTuple):
    """A training as ``fit`` would begin it, weights and data included, for searches before it.

    Args:
        task: with the classes of its datamodule.
        data: not set up yet.
        settings: of a trainer: device, precision, accumulation and clipping.
    """

    task: pl.LightningModule
    data: pl.LightningDataModule
    settings: Mapping[str, Any]

    def fit(self, steps: int, callbacks: Sequence[pl.Callback] = ()) -> None:
        """Train for so many steps on one device; nothing is validated, logged or kept, and the weights change."""
        with _without_information():
            trainer = RunTrainer(**self.settings, **SILENT, max_epochs=-1, max_steps=steps, callbacks=list(callbacks))
        # Trainers of runs take the folder of a run, and say what is kept of it.
        pl.Trainer.fit(trainer, self.task, datamodule=self.data)


def build_training(words: Sequence[str]) -> Training:
    """Build what ``fit`` with these flags would train; with ``--run`` the network of the run begins anew.

    Raises:
        ConfigError: with the message that ``fit`` would have.
    """
    import_public_classes()
    silence_libraries()
    with TemporaryDirectory() as folder:
        # What a trainer makes at once goes with it.
        flags = [*_as_configs(words, Path(folder)), "--trainer.default_root_dir", folder]
        try:
            with _without_information(), _own_message():
                command = _Building(RunArguments.parse(["fit", *flags]))
        except RefusedError as refused:
            raise ConfigError(refused.line) from refused
    trainer = command.trainer
    settings = {name: getattr(trainer, name) for name in KEPT_OF_TRAINER}
    return Training(command.model, command.datamodule, {**settings, "accelerator": _accelerator(trainer)})


def _accelerator(trainer: pl.Trainer) -> str:
    return "cpu" if trainer.strategy.root_device.type == "cpu" else "auto"


def build_task(words: Sequence[str]) -> Untrained:
    """Build the task that ``fit`` with these flags would train; no file of the data is read and no weights are fetched.

    Raises:
        ConfigError: with the message that ``fit`` would have.
    """
    import_public_classes()
    silence_libraries()
    with TemporaryDirectory() as folder:
        # What a trainer makes at once goes with it.
        flags = [*_as_configs(words, Path(folder)), *WITHOUT_SEED, "--trainer.default_root_dir", folder]
        try:
            with _without_information(), _own_message(), without_pretrained():
                command = _Building(RunArguments.parse(["fit", *flags]))
        except RefusedError as refused:
            raise ConfigError(refused.line) from refused
    trainer = command.trainer

    def make_trainer(callbacks: Sequence[pl.Callback]) -> pl.Trainer:
        with _without_information():
            return RunTrainer(
                **SILENT,
                accelerator=_accelerator(trainer),
                precision=trainer.precision,
                callbacks=list(callbacks),
                max_epochs=1,
                # Schedules ask how many there are.
                max_steps=MANY_STEPS,
            )

    return Untrained(command.model, make_trainer)


def _as_configs(words: Sequence[str], folder: Path) -> list[str]:
    """The same flags with what a run was trained with as a config in ``folder``: its task begins anew."""
    asked = Asked.of(words)
    configs = list(asked.configs)
    if asked.runs:
        content = content_of(find_run(asked.runs[-1]), Typed.of(asked))
        config = folder / "config.yaml"
        config.write_text(yaml.safe_dump({name: content[name] for name in ("model", "data") if name in content}))
        configs.insert(0, str(config))
    return [*(word for config in configs for word in ("--config", config)), *asked.rest]


def build(words: Sequence[str]) -> Built:
    """Build everything that ``fit`` with these flags would train, and list its training and test pictures.

    Nothing is written except downloads and synthetic data of a datamodule.

    Raises:
        ConfigError: with the message that ``fit`` or ``test`` would have.
    """
    import_public_classes()
    silence_libraries()
    with _without_information(), _own_message():
        command = _Building(RunArguments.parse(["fit", *words, *WITHOUT_SEED]))
        # As Lightning has it where the stages begin.
        command.datamodule.trainer = command.trainer
        command.datamodule.prepare_data()
        for stage in ("fit", "test"):
            command.datamodule.setup(stage)
        tells = hasattr(command.datamodule, "pictures_of")
        pictures = {split: command.datamodule.pictures_of(split) for split in get_args(Split)} if tells else {}
    best = best_checkpoint(command.trainer)
    return Built(None if best is None else best.monitor, pictures)


@contextmanager
def _without_information() -> Iterator[None]:
    """Hides information about devices, which the run itself prints again."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _own_message() -> Iterator[None]:
    """A user's mistake as itself: jsonargparse wraps errors of constructors."""
    try:
        yield
    except Exception as error:
        own = user_error(error)
        if own is None:
            raise
        raise ConfigError(str(own)) from error
