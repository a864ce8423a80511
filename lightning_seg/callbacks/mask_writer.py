"""Predicted masks as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
from PIL import Image
from pytorch_lightning.callbacks import BasePredictionWriter

from lightning_seg.batch import SegmentationPrediction
from lightning_seg.images import Array
from lightning_seg.inference.restore import restore_mask
from lightning_seg.plots.palette import class_palette


class MaskWriter(BasePredictionWriter):
    """Writes ``<stem>.png`` per picture at its original size: class indices with a palette.

    Args:
        output: folder; None is ``predictions/`` in the run folder.
    """

    def __init__(self, output: str | Path | None = None) -> None:
        super().__init__(write_interval="batch")
        self.output = output

    def write_on_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        prediction = cast(SegmentationPrediction, prediction)
        folder = Path(self.output or Path(trainer.log_dir or ".") / "predictions")
        folder.mkdir(parents=True, exist_ok=True)
        for probs, path, size in zip(*(prediction[key] for key in ("probs", "path", "original_size")), strict=True):
            mask = restore_mask(probs, size.tolist()).cpu().numpy()
            write_mask(folder / f"{Path(path).stem}.png", mask, len(probs))


def write_mask(path: Path, mask: Array, num_classes: int) -> None:
    """``(H, W)`` uint8 class indices as a palette PNG."""
    picture = Image.fromarray(mask)
    picture.putpalette(class_palette(num_classes).tobytes())
    picture.save(path)
