"""The dataset of a run, for commands that show it."""

from collections.abc import Sequence

import pytorch_lightning as pl

from lightning_seg.commands.data_flags import keep_data
from lightning_seg.commands.parsing import run_function
from lightning_seg.errors import ConfigError, RefusedError
from lightning_seg.explaining import user_error


def data_of_run(name: str, flags: Sequence[str]) -> pl.LightningDataModule:
    """The datamodule of a run, which is built and not set up.

    Args:
        name: of the command.
        flags: ``--run RUN`` and further ones of ``fit``, about data; the config is checked first, see ``trust``.

    Raises:
        ConfigError: if its config would build something unknown, or its classes cannot be built.
    """
    built: list[pl.LightningDataModule] = []

    def take(data: pl.LightningDataModule | None = None) -> None:
        built.extend([] if data is None else [data])

    try:
        run_function(name, take, keep_data(flags, says_what_is_left=False), flags)
    except RefusedError as refused:
        raise ConfigError(refused.line) from refused
    # The parser wraps what a datamodule says when it is built.
    except Exception as error:
        own = user_error(error)
        if own is None:
            raise
        raise ConfigError(str(own)) from error
    if not built:
        raise ConfigError("the config of the run has no data section; give --data CLASS")
    return built[0]
