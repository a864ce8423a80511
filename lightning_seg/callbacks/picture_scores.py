"""Scores of single test pictures, so that models can be compared picture by picture."""

from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytorch_lightning as pl
import torch.distributed as dist
from torch import Tensor

from lightning_seg.callbacks.confusion_pictures import TABLE as CONFUSIONS
from lightning_seg.callbacks.confusion_pictures import Answered, write_confusions
from lightning_seg.callbacks.error_sheet import SHEET, Mistake, write_errors
from lightning_seg.callbacks.plot_formats import formats_of
from lightning_seg.callbacks.split_plots import class_names
from lightning_seg.callbacks.worst_pictures import Worst, WorstPictures
from lightning_seg.datasets.base import PictureDataset
from lightning_seg.errors import DataError
from lightning_seg.files import printable
from lightning_seg.metrics.picture_scores import PictureRow, PictureScores
from lightning_seg.numbers import at_least
from lightning_seg.picture_table import COLUMNS, LABELLED, TABLE, class_cell, read_tested
from lightning_seg.plots.formats import Formats
from lightning_seg.tables import harmless_path, write_rows

Gathered = TypeVar("Gathered")


class Row(NamedTuple):
    """A picture of the table, in the order of these."""

    picture: int  # position in the split
    path: str
    group: str
    told: PictureRow


class ScoredPictures(NamedTuple):
    """Content of the table."""

    quantity: str
    scores: dict[str, float]  # by path
    groups: dict[str, str]  # by path, of pictures that are of one


class PictureScoreWriter(pl.Callback):
    """Writes ``test_pictures.csv`` into the run folder, a row per picture; see ``COLUMNS``.

    Of a classifier: the true and the predicted class, the probability of the predicted one, the cross-entropy in nats
    (without label smoothing and weights), and as score 1 (right) or 0 (wrong). Of a segmentation: the classes that
    occur in the true and in the predicted mask, the mean probability of the predicted classes and the mean
    cross-entropy per counted pixel, and as score the mean IoU over the classes of the picture's mask, with one logit
    Dice of the foreground. Cells are empty where there is nothing to tell: of pictures whose pixels are all ignored,
    and of probabilities that a task of one's own does not hand to ``SplitScores.update``.

    What is measured at the original size goes to ``test_full_pictures.csv``. Other kinds of tasks, detectors against
    boxes among them, have no table. Pictures of one group, such as 16 views of a car, are no independent samples; the
    dataset knows their groups.

    ``confusion_pictures.csv`` beside that of a classifier lists the pictures behind each cell of its confusion matrix;
    see ``write_confusions``.

    ``errors_test.png`` beside it, at the original size ``errors_test_full.png``, shows the pictures with the lowest
    scores, of equal ones those with the highest losses, or the wrong labels that the network is surest of. Where
    nothing is wrong, an earlier one is removed: it would show pictures that are right now.

    Args:
        num_errors: how many pictures it shows; 0 draws none.
    """

    def __init__(self, num_errors: int = 12) -> None:
        self.num_errors = at_least(0, "num_errors", num_errors)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        scores = _test_scores(pl_module)
        self.batches: list[tuple[Tensor | Sequence[int], Sequence[str]]] = []
        self.number = 0
        self.worst = WorstPictures(self.num_errors)
        # The user's own data need not know any.
        dataset: Any = getattr(trainer.test_dataloaders, "dataset", None)
        self.groups = dataset.groups if isinstance(dataset, PictureDataset) else None
        self.kept = None if scores is None else PictureScores(scores.of_pictures.picture_quantity)
        if scores is not None:
            scores.picture_scores = self.kept

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self.kept is not None and len(self.kept) > self.number:
            self.batches.append(_pictures_of(batch, range(self.number, len(self.kept)), trainer.global_rank))
            images, newest = _images_of(batch), self.kept.newest
            # Steps of the user's own may have batches of any kind.
            if images is not None and newest is not None and len(images) == len(newest.scores):
                self.worst.add(newest, images, len(self.kept) - len(images))
            self.number = len(self.kept)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        log_dir = trainer.log_dir  # asks all processes, so it stands before the return
        if self.kept is None:
            return
        _test_scores(pl_module).picture_scores = None
        if log_dir is None:
            return
        own = self._rows(self.kept.take())
        mistakes = _of_all_processes([_mistake(own[one.position], one) for one in self.worst.take()])
        rows = sorted(_of_all_processes(own), key=lambda row: row[:2])
        if trainer.is_global_zero and rows:
            log_name: str = pl_module.log_name("test")  # type: ignore[operator]
            names, quantity = class_names(pl_module), self.kept.quantity
            _write(Path(log_dir) / TABLE.replace("test", log_name), rows, names, quantity)
            self._draw(Path(log_dir) / SHEET.replace("test", log_name), mistakes, names, formats_of(trainer))
            if quantity == LABELLED:
                print(write_confusions(Path(log_dir) / CONFUSIONS, _answered(rows, names), names), flush=True)

    def _draw(self, path: Path, mistakes: list[Mistake], names: Sequence[str], formats: Formats) -> None:
        """The worst of all processes, of equal ones in the order of their paths; and a line that names the sheet."""
        assert self.kept is not None
        if not self.num_errors:
            return
        worst = sorted(mistakes, key=lambda one: (-one.badness, one.path))[: self.num_errors]
        if write_errors(path, worst, names, self.kept.quantity, formats):
            what = f"{len(worst)} worst test pictures" if len(worst) > 1 else "worst test picture"
            print(printable(f"{path}.{formats[0]}: the {what}"), flush=True)

    def _rows(self, told: Sequence[PictureRow]) -> list[Row]:
        """The pictures of this process."""
        batches, self.batches = self.batches, []
        pictures = [
            # Asked for in a step, positions on a device would have to be waited for.
            (index, path)
            for indices, paths in batches
            for index, path in zip(indices.tolist() if isinstance(indices, Tensor) else indices, paths, strict=True)
        ]
        groups = self.groups
        return [
            Row(index, path, (groups[index] or "") if groups else "", one)
            for (index, path), one in zip(pictures, told, strict=True)
        ]


def read_picture_scores(path: Path) -> ScoredPictures:
    """The content of the table, without pictures that have no score; earlier tables have fewer columns.

    Raises:
        DataError: if it is no such table, or no picture has a score.
    """
    scored = {one.path: one for one in read_tested(path) if one.score is not None}
    if not scored:
        raise DataError(f"{path}: no test picture has a score; test again")
    quantity = next(iter(scored.values())).quantity
    scores = {name: one.score for name, one in scored.items() if one.score is not None}
    return ScoredPictures(quantity, scores, {name: one.group for name, one in scored.items() if one.group})


def _pictures_of(batch: Any, counted: Sequence[int], rank: int) -> tuple[Tensor | Sequence[int], Sequence[str]]:
    """Positions and paths; batches of the user's own need not tell them, and are counted in their order."""
    told = batch if isinstance(batch, Mapping) else {}
    indices = told.get("index", counted)
    if "path" in told:
        return indices, told["path"]
    numbers = indices.tolist() if isinstance(indices, Tensor) else indices
    start = f"picture_{f'{rank}_' * bool(rank)}"
    return numbers, [f"{start}{index}" for index in numbers]


def _test_scores(pl_module: pl.LightningModule) -> Any:
    scores_of = getattr(pl_module, "scores_of", None)
    scores = None if scores_of is None else scores_of("test")
    return scores if getattr(scores, "of_pictures", None) is not None else None


def _images_of(batch: Any) -> Tensor | None:
    images = batch.get("image") if isinstance(batch, Mapping) else None
    return images if isinstance(images, Tensor) and images.ndim == 4 else None


def _answered(rows: Sequence[Row], names: Sequence[str]) -> list[Answered]:
    """Pictures of one class each."""
    return [
        Answered(names[told.truth[0]], names[told.prediction[0]], told.probability, path)
        for _, path, _, told in rows
        if len(told.truth) == len(told.prediction) == 1
    ]


def _mistake(row: Row, worst: Worst) -> Mistake:
    return Mistake(worst.badness, row.path, row.told, worst.panels)


def _of_all_processes(rows: list[Gathered]) -> list[Gathered]:
    if dist.is_available() and dist.is_initialized():
        parts: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(parts, rows)
        rows = [row for part in parts for row in part]
    return rows


def _write(path: Path, rows: list[Row], names: Sequence[str], quantity: str) -> None:
    write_rows(path, COLUMNS, (_cells(row, names, quantity) for row in rows))


def _cells(row: Row, names: Sequence[str], quantity: str) -> dict[str, str]:
    told = row.told
    # Of a picture whose pixels are all ignored there are none.
    numbers = {name: getattr(told, name) for name in ("probability", "loss", "score")}
    classes = {name: getattr(told, name) for name in ("truth", "prediction")}
    return {
        "path": harmless_path(row.path),
        **{name: class_cell([names[index] for index in found], quantity) for name, found in classes.items()},
        **{name: "" if isnan(value) else f"{value:.6g}" for name, value in numbers.items()},
        "quantity": quantity,
        "group": row.group,
    }
