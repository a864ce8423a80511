"""Sample pictures with truth and prediction, before training and after every epoch."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from torch.utils.data import DataLoader

from lightning_seg.callbacks.loggers import add_picture
from lightning_seg.callbacks.split_plots import class_names
from lightning_seg.plots.figures import figure_to_array, save_array
from lightning_seg.plots.labels import draw_labels
from lightning_seg.plots.predictions import draw_predictions

FEW, MANY = 3, 9


class PredictionSamples(pl.Callback):
    """Draws the same validation pictures into ``samples/epoch_NNN.png`` of the run folder and into TensorBoard.

    ``epoch_000.png`` shows the network before training. Pictures with masks are drawn in rows of image, true mask and
    predicted mask, pictures with labels in a square, with their true and predicted classes.

    Args:
        num_samples: how many pictures, spread evenly over the validation split; None takes three with masks, or nine
            with labels.
    """

    def __init__(self, num_samples: int | None = None) -> None:
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
        if not trainer.is_global_zero or log_dir is None or not isinstance(loader, DataLoader) or not len(loader):
            return
        picture = figure_to_array(_figure(trainer, pl_module, _samples(loader, self.num_samples)))
        save_array(picture, Path(log_dir) / "samples" / f"epoch_{epoch:03d}.png")
        add_picture(trainer, "samples", picture)


def _samples(loader: DataLoader[Any], num_samples: int | None) -> dict[str, Any]:
    """A batch of validation pictures."""
    dataset: Any = loader.dataset
    if num_samples is None:
        num_samples = MANY if "label" in dataset[0] else FEW
    positions = torch.linspace(0, len(dataset) - 1, min(num_samples, len(dataset))).round().int().tolist()
    batch: dict[str, Any] = loader.collate_fn([dataset[position] for position in positions])
    return batch


def _figure(trainer: pl.Trainer, pl_module: pl.LightningModule, batch: dict[str, Any]) -> Figure:
    """The figure of a batch, by a task in eval mode."""
    task: Any = pl_module
    images, names = batch["image"], class_names(pl_module)
    with torch.no_grad(), trainer.precision_plugin.forward_context():
        logits = task(images.to(pl_module.device))
    if "label" in batch:
        return draw_labels(images, batch["label"], logits.float().softmax(dim=1).cpu(), names)
    return draw_predictions(images, batch["mask"], task.decide(logits).cpu(), names)
