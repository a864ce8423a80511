"""Image, true mask and predicted mask before training and after every epoch."""

from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_seg.batch import SegmentationBatch
from lightning_seg.callbacks.loggers import add_picture
from lightning_seg.plots.figures import figure_to_array, save_array
from lightning_seg.plots.predictions import draw_predictions


class PredictionSamples(pl.Callback):
    """Draws the same validation pictures into ``samples/epoch_NNN.png`` of the run folder and into TensorBoard.

    ``epoch_000.png`` shows the network before training.

    Args:
        num_samples: how many pictures, spread evenly over the validation split.
    """

    def __init__(self, num_samples: int = 3) -> None:
        self.num_samples = num_samples

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.eval()
        self._draw(trainer, pl_module, trainer.current_epoch)
        pl_module.train()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._draw(trainer, pl_module, trainer.current_epoch + 1)

    def _draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        log_dir = trainer.log_dir  # asks all processes, so it stands before the return
        loader = trainer.val_dataloaders
        if not trainer.is_global_zero or log_dir is None or not isinstance(loader, DataLoader):
            return
        batch = _samples(loader, self.num_samples)
        predictions = predict(trainer, pl_module, batch)
        picture = figure_to_array(draw_predictions(batch["image"], batch["mask"], predictions, class_names(pl_module)))
        save_array(picture, Path(log_dir) / "samples" / f"epoch_{epoch:03d}.png")
        add_picture(trainer, "samples", picture)


def class_names(pl_module: pl.LightningModule) -> tuple[str, ...]:
    names: tuple[str, ...] = pl_module.class_names  # type: ignore[assignment]
    return names


def _samples(loader: DataLoader[SegmentationBatch], num_samples: int) -> SegmentationBatch:
    size = len(loader.dataset)  # type: ignore[arg-type]
    positions = torch.linspace(0, size - 1, min(num_samples, size)).round().int().tolist()
    batch: SegmentationBatch = loader.collate_fn([loader.dataset[position] for position in positions])
    return batch


def predict(trainer: pl.Trainer, pl_module: pl.LightningModule, batch: SegmentationBatch) -> Tensor:
    """Class indices ``(B, H, W)`` from a task in eval mode."""
    with torch.no_grad(), trainer.precision_plugin.forward_context():
        logits: Tensor = pl_module(batch["image"].to(pl_module.device))
    classes: Tensor = pl_module.decide(logits)  # type: ignore[operator]
    return classes.cpu()
