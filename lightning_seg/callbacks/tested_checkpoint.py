"""Which checkpoint a test has measured, for the record of the run."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from lightning_seg.checkpoints import read_checkpoint
from lightning_seg.files import digest_of
from lightning_seg.run_files import checkpoint_numbers


def tested_checkpoint(trainer: pl.Trainer) -> dict[str, Any]:
    """The numbers of the record that tell it; None each where the weights come from no file."""
    path = None if trainer.ckpt_path is None else Path(trainer.ckpt_path)
    # Lightning may have read it from an address.
    name: Any = getattr(trainer.lightning_module, "log_name", str)
    if path is None or not path.is_file():
        return checkpoint_numbers(name("test"))
    return checkpoint_numbers(name("test"), path.name, read_checkpoint(path).get("epoch"), digest_of(path))
