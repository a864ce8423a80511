"""What is drawn of a validation split, by the keys of its batches."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from PIL import Image
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, default_collate

from lightning_seg.callbacks import PredictionSamples
from lightning_seg.plots.labels import draw_labels
from lightning_seg.plots.predictions import draw_predictions
from lightning_seg.tasks.classification import ClassificationTask
from lightning_seg.tasks.segmentation import SegmentationTask


class Reds(Dataset[dict[str, Tensor]]):
    """Pictures of rising red, the brighter half labelled 1."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        image = torch.zeros(3, 8, 8, dtype=torch.uint8)
        image[0] = 10 * index
        return {"image": image, **self.truth(torch.tensor(int(2 * index >= self.number)))}

    def truth(self, label: Tensor) -> dict[str, Tensor]:
        return {"label": label}


class Masks(Reds):
    def truth(self, label: Tensor) -> dict[str, Tensor]:
        return {"mask": label.expand(8, 8).to(torch.uint8)}


class Red(nn.Module):
    """Logits of 0 and of how red a picture is, per pixel or as a whole."""

    def __init__(self, of_pixels: bool) -> None:
        super().__init__()
        self.factor, self.of_pixels = nn.Parameter(torch.ones(())), of_pixels

    def forward(self, images: Tensor) -> Tensor:
        logits = torch.cat([0 * images[:, :1], self.factor * images[:, :1]], dim=1)
        return logits if self.of_pixels else logits.mean(dim=(2, 3))


def fit(task: pl.LightningModule, data: Reds, folder: Path, **options: Any) -> None:
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=CSVLogger(folder, name="", version=""),
        callbacks=[PredictionSamples(**options)],
        max_epochs=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    loader = DataLoader(data, batch_size=4, collate_fn=default_collate)
    trainer.fit(task, loader, loader)


def spy_on(draw: Callable[..., Figure], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the callback hands to the function from now on."""
    drawn: list[Any] = []

    def noticed(*given: Any) -> Figure:
        drawn.append(given)
        return draw(*given)

    monkeypatch.setattr(f"lightning_seg.callbacks.prediction_samples.{draw.__name__}", noticed)
    return drawn


@pytest.mark.parametrize(("options", "shown"), [({}, 9), ({"num_samples": 2}, 2), ({"num_samples": 99}, 20)])
def test_labels_are_drawn_with_what_is_predicted(
    options: dict[str, int], shown: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = spy_on(draw_labels, monkeypatch)
    task = ClassificationTask(Red(False), 2, class_names=["dark", "red"], normalization="unit", lr=1e-30)

    fit(task, Reds(20), tmp_path, **options)

    assert [path.name for path in sorted((tmp_path / "samples").iterdir())] == ["epoch_000.png", "epoch_001.png"]
    assert Image.open(tmp_path / "samples" / "epoch_000.png").width > 200
    for images, labels, probs, names in drawn:
        assert names == ("dark", "red")
        assert len(images) == shown
        # From the first to the last, each with its own label and probability.
        reds = images[:, 0, 0, 0]
        assert (reds[0], reds[-1]) == (0, 190)
        assert labels.tolist() == (reds >= 100).long().tolist()
        torch.testing.assert_close(probs[:, 1], torch.sigmoid(reds / 255))
    assert len(drawn) == 2


def test_masks_are_drawn_in_three_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = spy_on(draw_predictions, monkeypatch)
    task = SegmentationTask(Red(True), 2, class_names=["dark", "red"], normalization="unit", lr=1e-30)

    fit(task, Masks(20), tmp_path)

    images, masks, predictions, names = drawn[0]
    assert images[:, 0, 0, 0].tolist() == [0, 100, 190]
    assert masks[:, 0, 0].tolist() == [0, 1, 1]
    # Equal logits are the first class.
    assert predictions[:, 0, 0].tolist() == [0, 1, 1]
    assert names == ("dark", "red")
