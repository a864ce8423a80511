"""Networks that answer a pixel by its colour, and what a test measures of them: expected values come from paper."""

from math import log, nan
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger

from lightning_seg.callbacks import PictureScoreWriter, PixelConfusionWriter, ReliabilityPlots
from lightning_seg.tables import read_rows
from lightning_seg.tasks.classification import ClassificationTask
from lightning_seg.tasks.segmentation import SegmentationTask


class Lookup(torch.nn.Module):
    """Answers a pixel by its red value alone: row 0 for black and row 1 for white."""

    def __init__(self, logits: list[list[float]], of_pictures: bool = False) -> None:
        super().__init__()
        self.logits, self.of_pictures = torch.nn.Parameter(torch.tensor(logits)), of_pictures

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        answers = self.logits[images[:, 0].round().long()]
        return answers[:, 0, 0] if self.of_pictures else answers.permute(0, 3, 1, 2)


class Samples(torch.utils.data.Dataset[dict[str, Any]]):
    """Pictures of one row, by the colours of their pixels; 1 is white."""

    def __init__(self, key: str, rows: list[list[int]], truths: list[Any]) -> None:
        self.key, self.rows, self.truths = key, rows, truths

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image = 255 * torch.tensor([[self.rows[index]]], dtype=torch.uint8).expand(3, 1, -1)
        truth = self.truths[index]
        mask = torch.tensor([truth], dtype=torch.uint8) if self.key == "mask" else torch.tensor(truth)
        return {"image": image, self.key: mask, "path": f"{index}.png"}


def measured(
    task: pl.LightningModule, samples: Samples, folder: Path, num_workers: int = 0, num_errors: int = 12
) -> dict[str, float]:
    """What a test measures of batches of two; its files are in the folder."""
    trainer = pl.Trainer(
        logger=CSVLogger(folder, "", ""),
        accelerator="cpu",
        callbacks=[PictureScoreWriter(num_errors), PixelConfusionWriter(), ReliabilityPlots()],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = torch.utils.data.DataLoader(samples, batch_size=2, num_workers=num_workers)
    (values,) = trainer.test(task, loader, verbose=False)
    return dict(values)


def rows_of_test(
    task: pl.LightningModule, samples: Samples, folder: Path, num_workers: int = 0
) -> list[dict[str, str]]:
    """The rows of the table that a test writes, of batches of two."""
    measured(task, samples, folder, num_workers)
    (table,) = folder.glob("test_*pictures.csv")
    assert table.read_text().splitlines()[0] == "path,truth,prediction,probability,loss,score,quantity,group"
    return read_rows(table)


def classifier() -> ClassificationTask:
    """Black is 0.5, 0.3 and 0.2 sure of the three classes, white 0.1, 0.1 and 0.8."""
    return ClassificationTask(
        Lookup([[log(0.5), log(0.3), log(0.2)], [log(0.1), log(0.1), log(0.8)]], of_pictures=True),
        3,
        class_names=["ant", "bee", "=cat"],
        normalization="unit",
        label_smoothing=0.1,
        class_weights=[1.0, 2.0, 3.0],
    )


MASKS: dict[str, tuple[list[list[float]], int, list[str], list[list[float]]]] = {
    # One logit: white is foreground by 0.8, black by 0.25. The first picture is foreground, foreground, background and
    # an ignored pixel, of which the second and the third are wrong: probabilities 0.8, 0.8, 0.75, and costs -ln 0.8,
    # -ln 0.2, -ln 0.25. Dice 2 * 1 / (2 + 2). Without a pixel that counts, nothing is missed.
    "one": (
        [[-log(3)], [log(4)]],
        1,
        ["ground", "car"],
        [[0.783333, 1.072959, 0.5], [nan, nan, 1.0], [0.8, 0.223144, 1.0]],
    ),
    # Several: black is 0.6, 0.3, 0.1 and white 0.2, 0.7, 0.1 sure. Probabilities 0.7, 0.7, 0.6, costs -ln 0.7, -ln 0.2,
    # -ln 0.3; both classes of the mask have an IoU of 0 of 2 and 1 of 3.
    "several": (
        [[log(0.6), log(0.3), log(0.1)], [log(0.2), log(0.7), log(0.1)]],
        3,
        ["ground", "car", "sky"],
        [[0.666667, 1.056695, 1 / 6], [nan, nan, nan], [0.7, 0.356675, 1.0]],
    ),
}
PIXELS = [[1, 1, 0, 1], [0, 1, 0, 1], [1, 1, 1, 1]], [[1, 0, 1, 255], [255] * 4, [1, 1, 255, 1]]


def mask_task(kind: str) -> tuple[SegmentationTask, list[list[float]]]:
    logits, num_classes, names, expected = MASKS[kind]
    task = SegmentationTask(
        Lookup(logits), num_classes, class_names=names, normalization="unit", label_smoothing=0.1, dice_weight=1.0
    )
    return task, expected
