"""A training up to its first step, so that mistakes show before anything is trained."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lightning_seg.arguments import RunArguments, import_public_classes
from lightning_seg.callbacks.continued import best_checkpoint
from lightning_seg.cli.command_line import CommandLine
from lightning_seg.cli.silence import silence_libraries
from lightning_seg.errors import ConfigError, UserError


class _Building(CommandLine):
    """Builds everything, and runs nothing."""

    def _set_seed(self) -> None:
        """It would be handed on to the processes that are started later."""

    def _run_subcommand(self, subcommand: str) -> None:
        pass


def build(words: Sequence[str]) -> str | None:
    """Build what ``fit`` with these flags would train, and read which pictures it would train and test on.

    Nothing is written but what a datamodule downloads or synthesizes.

    Returns:
        The metric that would choose the best checkpoint; None if the last epoch would count as the best.

    Raises:
        ConfigError: with the message that ``fit`` or ``test`` would have.
    """
    import_public_classes()
    silence_libraries()
    with _without_information(), _own_message():
        command = _Building(RunArguments.parse(["fit", *words]))
        # As Lightning has it where the stages begin.
        command.datamodule.trainer = command.trainer
        command.datamodule.prepare_data()
        for stage in ("fit", "test"):
            command.datamodule.setup(stage)
    best = best_checkpoint(command.trainer)
    return None if best is None else best.monitor


@contextmanager
def _without_information() -> Iterator[None]:
    """The run itself says again which devices there are."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _own_message() -> Iterator[None]:
    """A user's mistake as itself: jsonargparse wraps what a constructor raises."""
    try:
        yield
    except Exception as error:
        inner: BaseException | None = error
        while inner is not None and not isinstance(inner, UserError):
            inner = inner.__cause__ or inner.__context__
        if inner is None:
            raise
        raise ConfigError(str(inner)) from error
