"""The confusion matrix of masks, pixel by pixel, as a file."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from lightning_seg.callbacks.split_plots import class_names
from lightning_seg.metrics import SegmentationMetrics
from lightning_seg.run_files import PIXEL_COLUMNS, PIXELS_FILE
from lightning_seg.tables import write_rows


class PixelConfusionWriter(pl.Callback):
    """Writes ``confusion_pixels.csv`` into the run folder after a test of masks.

    It tells how many pixels of each true class were predicted as each class, over all pictures and processes, ignored
    ones left out; a row per pair of classes. At the original size it is ``confusion_pixels_full.csv``. Steps wait for
    nothing: the counts are those of the metrics. A task that measures no masks has no such file.
    """

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        log_dir = trainer.log_dir  # asks all processes, so it stands before the return
        scores_of = getattr(pl_module, "scores_of", None)
        if scores_of is None or log_dir is None or not trainer.is_global_zero:
            return
        part = scores_of("test").part(SegmentationMetrics)
        if part is None or part.pairs is None:
            return
        names = class_names(pl_module)
        rows = [
            dict(zip(PIXEL_COLUMNS, (true, predicted, count), strict=True))
            for true, counts in zip(names, part.pairs.tolist(), strict=True)
            for predicted, count in zip(names, counts, strict=True)
        ]
        log_name: Any = getattr(pl_module, "log_name", str)
        name = PIXELS_FILE.replace(".csv", f"{log_name('test').removeprefix('test')}.csv")
        write_rows(Path(log_dir) / name, PIXEL_COLUMNS, rows)
