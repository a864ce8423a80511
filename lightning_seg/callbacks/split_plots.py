"""Base of the callbacks that draw a figure of a split's counts."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import pytorch_lightning as pl
from matplotlib.figure import Figure

from lightning_seg.batch import Split
from lightning_seg.callbacks.loggers import add_picture
from lightning_seg.callbacks.plot_formats import formats_of
from lightning_seg.metrics import MetricPart
from lightning_seg.plots.figures import figure_to_array, save_plot

P = TypeVar("P", bound=MetricPart)


class SplitPlots(pl.Callback, ABC, Generic[P]):
    """Draws ``<name>_<split>.png`` into the run folder and ``<name>/<split>`` into TensorBoard.

    The split is called as in the names of metrics, so ``test_full`` at the original size.
    It draws after every validation and test, of tasks that measure ``part``; a subclass draws the figure.
    """

    name: ClassVar[str]
    part: type[P]

    @abstractmethod
    def draw(self, part: P, class_names: tuple[str, ...], split: Split) -> Figure | None:
        """A figure of what was measured in the last epoch; None if there is nothing to draw."""

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
        part = scores_of(split).part(self.part)
        figure = None if part is None else self.draw(part, class_names(pl_module), split)
        if figure is None:
            return
        picture = figure_to_array(figure)
        log_name: Any = getattr(pl_module, "log_name", str)
        measured = log_name(split)
        save_plot(figure, Path(log_dir) / f"{self.name}_{measured}", formats_of(trainer), picture)
        add_picture(trainer, f"{self.name}/{measured}", picture)


def class_names(pl_module: pl.LightningModule) -> tuple[str, ...]:
    """Those of a task of this package, otherwise what the module says."""
    known = getattr(pl_module, "known_class_names", None)
    names: tuple[str, ...] = pl_module.class_names if known is None else known()  # type: ignore[assignment]
    return names
