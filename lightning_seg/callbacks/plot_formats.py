"""The formats in which the plots of a run are written."""

import pytorch_lightning as pl

from lightning_seg.plots.formats import PNG, Formats


def formats_of(trainer: pl.Trainer) -> Formats:
    """What the command line was asked for by ``--plots``; trainers of scripts may have an attribute ``plots``."""
    formats: Formats = getattr(trainer, "plots", PNG)
    return formats
