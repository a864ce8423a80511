"""Hiding messages that no user can act on."""

import logging
import warnings

import torch
from pytorch_lightning.utilities import rank_zero_only

MESSAGES = (
    r"`torch\.jit\.trace",
    r"`isinstance\(treespec, LeafSpec\)`",
    # A frozen encoder is meant to be in eval mode, a continued run to have a folder.
    r"Found \d+ module\(s\) in eval mode",
    r"Checkpoint directory .* exists and is not empty",
    # Our own checkpoints keep what they remember; Lightning's beside a prediction has nothing to remember.
    r"The dirpath has changed from",
    r"Be aware that when using `ckpt_path`, callbacks used to create the checkpoint",
    r"The '\w+' does not have many workers",
    # A datamodule without validation pictures.
    r"Total length of `DataLoader` across ranks is zero",
    # Who gives it knows.
    r"You are trying to `self\.log\(\)` but `Trainer\(barebones",
    # A process that has had no picture, or a loss that was not measured.
    r"The ``compute`` method of metric \w+ was called before",
    r"The number of training batches \(\d+\) is smaller than the logging interval",
)

LOGGED = ("Tip: For seamless cloud", "Trainer already configured with model summary callbacks")


def silence_libraries() -> None:
    """In this process; messages that all processes would print alike come only from the first."""
    for message in MESSAGES:
        warnings.filterwarnings("ignore", message)
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(
        lambda record: not any(noise in record.getMessage() for noise in LOGGED)
    )
    if logging.lastResort is not None:
        logging.lastResort.addFilter(_is_first_or_own)


def _is_first_or_own(record: logging.LogRecord) -> bool:
    """Messages about one process carry ``extra={"every_process": True}``."""
    ours = record.name.startswith("lightning_seg") and not getattr(record, "every_process", False)
    return not ours or getattr(rank_zero_only, "rank", 0) in (0, None)
