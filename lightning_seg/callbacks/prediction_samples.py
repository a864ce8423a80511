"""Sample pictures with truth and prediction, before training and after every epoch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from torch.utils.data import DataLoader, IterableDataset

from lightning_seg.callbacks.loggers import add_picture
from lightning_seg.callbacks.plot_formats import formats_of
from lightning_seg.callbacks.split_plots import class_names
from lightning_seg.callbacks.weight_average import averaged
from lightning_seg.plots.figures import figure_to_array, save_plot
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
        # A continued training draws what its newest validation saw.
        with averaged(trainer):
            self._draw(trainer, pl_module, trainer.current_epoch)
        pl_module.train()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._draw(trainer, pl_module, trainer.current_epoch + 1)

    def _draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        log_dir = trainer.log_dir  # asks all processes, so it stands before the return
        loader: Any = trainer.val_dataloaders
        truth = _truth_of(loader, pl_module)
        if not trainer.is_global_zero or log_dir is None or truth is None:
            return
        figure = _figure(trainer, pl_module, _samples(loader, truth, self.num_samples), truth)
        picture = figure_to_array(figure)
        save_plot(figure, Path(log_dir) / "samples" / f"epoch_{epoch:03d}", formats_of(trainer), picture)
        add_picture(trainer, "samples", picture)


def _truth_of(loader: Any, pl_module: pl.LightningModule) -> str | None:
    """What is true of its pictures, ``mask`` or ``label``; None where it has none that could be picked and drawn."""
    if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset) or not len(loader):
        return None
    sample = loader.dataset[0]
    known = [key for key in ("label", "mask") if isinstance(sample, Mapping) and "image" in sample and key in sample]
    # Data of the user's own may have both.
    learned: str | None = getattr(pl_module, "truth", None)
    return learned if learned in known else next(iter(known), None)


def _samples(loader: DataLoader[Any], truth: str, num_samples: int | None) -> dict[str, Any]:
    """A batch of validation pictures."""
    dataset: Any = loader.dataset
    if num_samples is None:
        num_samples = MANY if truth == "label" else FEW
    positions = torch.linspace(0, len(dataset) - 1, min(num_samples, len(dataset))).round().int().tolist()
    batch: dict[str, Any] = loader.collate_fn([dataset[position] for position in positions])
    return batch


def _figure(trainer: pl.Trainer, pl_module: pl.LightningModule, batch: dict[str, Any], truth: str) -> Figure:
    """The figure of a batch, by a task in eval mode."""
    task: Any = pl_module
    images, names = batch["image"], class_names(pl_module)
    with torch.no_grad(), trainer.precision_plugin.forward_context():
        logits = task(images.to(pl_module.device))
    if truth == "label":
        # Of shares the largest.
        label = batch["label"].argmax(dim=1) if batch["label"].ndim == 2 else batch["label"]
        return draw_labels(images, label, logits.float().softmax(dim=1).cpu(), names)
    return draw_predictions(images, batch["mask"], task.decide(logits).cpu(), names)
