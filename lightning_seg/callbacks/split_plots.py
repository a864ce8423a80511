"""Base of the callbacks that draw a figure of a split's counts."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import pytorch_lightning as pl
from matplotlib.figure import Figure

from lightning_seg.batch import Split
from lightning_seg.callbacks.loggers import add_picture
from lightning_seg.plots.figures import figure_to_array, save_array


class SplitPlots(pl.Callback, ABC):
    """Draws ``<name>_<split>.png`` into the run folder and ``<name>/<split>`` into TensorBoard.

    It draws after every validation and test; a subclass draws the figure of the scores, if there is anything to draw.
    """

    name: ClassVar[str]

    @abstractmethod
    def draw(self, scores: Any, class_names: tuple[str, ...], split: Split) -> Figure | None:
        """A figure of a task's scores; None if they are of another kind."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.sanity_checking:
            self._draw(trainer, pl_module, "val")

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._draw(trainer, pl_module, "test")

    def _draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: Split) -> None:
        log_dir = trainer.log_dir  # asks all processes, so it stands before the return
        scores_of = getattr(pl_module, "scores_of", None)
        if scores_of is None or log_dir is None or not trainer.is_global_zero:
            return
        figure = self.draw(scores_of(split), class_names(pl_module), split)
        if figure is None:
            return
        picture = figure_to_array(figure)
        save_array(picture, Path(log_dir) / f"{self.name}_{split}.png")
        add_picture(trainer, f"{self.name}/{split}", picture)


def class_names(pl_module: pl.LightningModule) -> tuple[str, ...]:
    """Those of a task of this package, otherwise what the module says."""
    known = getattr(pl_module, "known_class_names", None)
    names: tuple[str, ...] = pl_module.class_names if known is None else known()  # type: ignore[assignment]
    return names
