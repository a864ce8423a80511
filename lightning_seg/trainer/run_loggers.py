"""The loggers of a run: where they write, and what the folder of the run holds whatever they are."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jsonargparse import Namespace
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger

from lightning_seg.callbacks.csv_logger import ContinuedCSVLogger
from lightning_seg.trainer.run_folder import Place

INTO_FOLDERS = (TensorBoardLogger, CSVLogger, ContinuedCSVLogger)
"""Lightning's loggers that keep the files of a run in a folder of its own."""


class Chosen(NamedTuple):
    """A logger that the user has given."""

    logger: Logger
    arguments: Mapping[str, Any]  # of its constructor

    @property
    def place(self) -> Place | None:
        """Where it makes a folder per run; None where its files are none of a run, or lie elsewhere than on a disk."""
        logger, version = self.logger, self.arguments.get("version")
        if type(logger) not in INTO_FOLDERS or not logger.root_dir or "://" in str(logger.root_dir):
            return None
        root = Path(os.path.expandvars(logger.root_dir)).expanduser()
        return Place(root, version if isinstance(version, str | None) else f"version_{version}")

    def within(self, folder: Path, trains: bool) -> Logger:
        """The same logger, of the run in this folder, where it goes on with the files that it finds."""
        values = {**self.arguments, **_place(folder)}
        if isinstance(self.logger, TensorBoardLogger):
            return _tensorboard(values)
        return ContinuedCSVLogger(**{**values, "trains": trains})

    def elsewhere(self) -> Logger:
        """The same logger, whose files are none of the run's."""
        return _tensorboard(self.arguments) if type(self.logger) is TensorBoardLogger else self.logger


def _tensorboard(arguments: Mapping[str, Any]) -> TensorBoardLogger:
    # ``HyperParameters`` writes them beside what was measured; Lightning's placeholder, -1, would hide that.
    return TensorBoardLogger(**{**arguments, "default_hp_metric": False})


def chosen_loggers(given: Any, config: Any) -> list[Chosen] | None:
    """The loggers of ``trainer.logger``; None stands for those that a run has by itself, an empty list for none.

    Args:
        given: what was built.
        config: what it was built from.
    """
    if given is None or given is True:
        return None
    loggers, nodes = (value if isinstance(value, list) else [value] if value else [] for value in (given, config))
    return [Chosen(logger, _arguments(node)) for logger, node in zip(loggers, nodes, strict=True)]


def _arguments(node: Any) -> dict[str, Any]:
    values = node.as_dict() if isinstance(node, Namespace) else {}
    return {**values.get("init_args", {}), **values.get("dict_kwargs", {})}


def place_of(chosen: Sequence[Chosen] | None) -> Place | None:
    """Where the runs of the first logger lie, if that is Lightning's TensorBoardLogger or CSVLogger: it names the run's
    folder, as it does in Lightning.
    """
    return chosen[0].place if chosen else None


def loggers_of(folder: Path, chosen: Sequence[Chosen] | None, trains: bool) -> list[Logger]:
    """The loggers of a run; whatever they are, the folder holds ``metrics.csv``, unless there are none.

    Args:
        folder: of the run.
        chosen: by the user, the first of which may have named the folder; None takes TensorBoard's.
        trains: see ``ContinuedCSVLogger``.
    """
    if chosen is not None and not chosen:
        return []
    table = ContinuedCSVLogger(**_place(folder), trains=trains)
    if chosen is None:
        return [TensorBoardLogger(**_place(folder), log_graph=trains, default_hp_metric=False), table]
    loggers = [one.within(folder, trains) if _shares(one, chosen[0]) else one.elsewhere() for one in chosen]
    has_table = any(isinstance(logger, ContinuedCSVLogger) and Path(logger.log_dir) == folder for logger in loggers)
    return loggers if has_table else [*loggers, table]


def _shares(one: Chosen, first: Chosen) -> bool:
    """Whether the runs of a logger lie where those of the first do, which are the run itself."""
    if one.place is None or first.place is None:
        return False
    return one.place.root == first.place.root and one.place.version in (None, first.place.version)


def _place(folder: Path) -> dict[str, Any]:
    """Arguments of Lightning's loggers that make this their folder."""
    return {"save_dir": str(folder.parent.parent), "name": folder.parent.name, "version": folder.name}
