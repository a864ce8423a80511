"""Building a training without running it, so that mistakes show before anything is trained."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, get_args

from lightning_seg.arguments import RunArguments, import_public_classes
from lightning_seg.batch import Split
from lightning_seg.callbacks.continued import best_checkpoint
from lightning_seg.cli.command_line import CommandLine
from lightning_seg.errors import ConfigError
from lightning_seg.explaining import user_error
from lightning_seg.trainer.silence import silence_libraries

WITHOUT_SEED = ("--seed_everything", "false")
"""It would be handed on to the processes that are started later."""


class _Building(CommandLine):
    """Builds everything and runs nothing."""

    def before_fit(self) -> None:
        pass

    def fit(self, **given: Any) -> None:
        """Lightning calls it in place of the trainer's."""


class Built(NamedTuple):
    """A training that could begin."""

    monitor: (
        str | None
    )  # the metric that would choose the best checkpoint; None if the last epoch would count as the best
    pictures: dict[Split, list[str]]  # by path; none of a datamodule that does not tell them


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
