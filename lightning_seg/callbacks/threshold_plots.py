"""Precision and recall over the threshold, for tasks with one logit."""

from pathlib import Path

import pytorch_lightning as pl

from lightning_seg.batch import Split
from lightning_seg.callbacks.loggers import add_picture
from lightning_seg.callbacks.prediction_samples import class_names
from lightning_seg.plots.figures import figure_to_array, save_array
from lightning_seg.plots.thresholds import draw_thresholds


class ThresholdPlots(pl.Callback):
    """Draws ``precision_recall_<split>.png`` into the run folder and into TensorBoard.

    After every validation and test of a task whose one logit tells two classes apart; others are left alone.
    """

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.sanity_checking:
            self._draw(trainer, pl_module, "val")

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._draw(trainer, pl_module, "test")

    def _draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule, split: Split) -> None:
        log_dir = trainer.log_dir  # asks all processes, so it stands before the return
        scores_of = getattr(pl_module, "scores_of", None)
        curves = None if scores_of is None else scores_of(split).curves
        if curves is None or log_dir is None or not trainer.is_global_zero:
            return
        title = f"{class_names(pl_module)[-1]}, {split} split, average precision {curves.average_precision:.4f}"
        figure = draw_thresholds(
            curves.thresholds, curves.precision, curves.recall, curves.dice, curves.best_threshold, title
        )
        picture = figure_to_array(figure)
        save_array(picture, Path(log_dir) / f"precision_recall_{split}.png")
        add_picture(trainer, f"precision_recall/{split}", picture)
