"""Values that a training takes from the one that it continues."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BatchSizeFinder, LearningRateFinder

from lightning_seg.arguments import Typed
from lightning_seg.callbacks import RunRecord
from lightning_seg.callbacks.epoch_record import complete
from lightning_seg.errors import ConfigError
from lightning_seg.process_tree import is_first_process
from lightning_seg.runs import Run, callback_state, epochs_ended, values_found

FINDERS = (BatchSizeFinder, LearningRateFinder)
"""Callbacks that look for a value before the training."""


def take_what_was_found(finders: Sequence[pl.Callback], checkpoint: Path, model: Any, data: Any, typed: Typed) -> None:
    """A batch size and a rate that were searched for once are not searched for again.

    Args:
        finders: callbacks that would search.
        checkpoint: that the training goes on from.
        model: the task, which gets the rate.
        data: the datamodule, which gets the size.
        typed: what the user says wins.
    """
    found = values_found(checkpoint)
    kinds = {"batch_size": (BatchSizeFinder, data), "lr": (LearningRateFinder, model.hparams)}
    for name, (finder, holder) in kinds.items():
        section = "data" if name == "batch_size" else "model"
        searched = any(isinstance(one, finder) for one in finders)
        if not searched or found.get(name) is None or typed.is_typed(section, name):
            continue
        print(f"{checkpoint}: {section}.{name} {found[name]}, as {finder.__name__} has found it", flush=True)
        if name == "lr":
            holder[name] = found[name]
        else:
            setattr(holder, name, found[name])


def check_unfinished(run: Run, checkpoint: Path, epochs: int | None) -> None:
    """Raises ConfigError if a run has trained as long as it is asked to.

    Its record gets what a process that ended behind its last checkpoint has not written any more.
    """
    if epochs is None or not 0 <= epochs <= (done := epochs_ended(checkpoint)):
        return
    record = callback_state(checkpoint, RunRecord.__qualname__)
    if record and is_first_process():
        complete(run.folder, record)
    raise ConfigError(
        f"{run.folder} has trained {done} epochs of {epochs}; to go on, give more, for instance "
        f"--trainer.max_epochs {done + 10}"
    )
