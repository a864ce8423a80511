"""Scores of single test pictures, so that models can be compared picture by picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pytorch_lightning as pl
import torch.distributed as dist

from lightning_seg.datasets.base import PictureDataset
from lightning_seg.metrics.picture_scores import PictureScores
from lightning_seg.tables import harmless_path, read_rows, write_rows

TABLE = "test_pictures.csv"
COLUMNS = ("path", "score", "quantity", "group")

Row: TypeAlias = tuple[int, str, float, str]
"""Position in the split, path, score, group."""


class ScoredPictures(NamedTuple):
    """Content of the table."""

    quantity: str
    scores: dict[str, float]  # by path
    groups: dict[str, str]  # by path, of pictures that are of one


class PictureScoreWriter(pl.Callback):
    """Writes ``test_pictures.csv`` into the run folder, a row per picture: path, score, name of the score, group.

    The score of a classifier is 1 (right) or 0 (wrong), that of a segmentation the mean IoU over the classes of the
    picture's mask, with one logit Dice of the foreground. Scores at the original size go to ``test_full_pictures.csv``.
    Other kinds of tasks have none. Pictures of one group, such as 16 views of a car, are no independent samples; the
    dataset knows their groups.
    """

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        scores = _test_scores(pl_module)
        self.rows: list[Row] = []
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
        if self.kept is None:
            return
        scores = self.kept.take()
        if scores:
            indices, paths = _pictures_of(
                batch, range(len(self.rows), len(self.rows) + len(scores)), trainer.global_rank
            )
            groups = [(self.groups[index] or "") if self.groups else "" for index in indices]
            self.rows += zip(indices, paths, scores, groups, strict=True)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        log_dir = trainer.log_dir  # asks all processes, so it stands before the return
        if self.kept is None or log_dir is None:
            return
        _test_scores(pl_module).picture_scores = None
        rows = _of_all_processes(self.rows)
        if trainer.is_global_zero and rows:
            log_name: str = pl_module.log_name("test")  # type: ignore[operator]
            _write(Path(log_dir) / TABLE.replace("test", log_name), rows, self.kept.quantity)


def read_picture_scores(path: Path) -> ScoredPictures:
    """The content of the table, without pictures that have no score; earlier tables have no groups."""
    rows = read_rows(path)
    scored = [row for row in rows if row["score"]]
    scores = {row["path"]: float(row["score"]) for row in scored}
    return ScoredPictures(
        rows[0]["quantity"], scores, {row["path"]: row["group"] for row in scored if row.get("group")}
    )


def _pictures_of(batch: Any, counted: Sequence[int], rank: int) -> tuple[Sequence[int], Sequence[str]]:
    """Positions and paths; batches of the user's own need not tell them, and are counted in their order."""
    told = batch if isinstance(batch, Mapping) else {}
    indices = told["index"].tolist() if "index" in told else counted
    start = f"picture_{f'{rank}_' * bool(rank)}"
    return indices, told.get("path") or [f"{start}{index}" for index in indices]


def _test_scores(pl_module: pl.LightningModule) -> Any:
    scores_of = getattr(pl_module, "scores_of", None)
    scores = None if scores_of is None else scores_of("test")
    return scores if getattr(scores, "of_pictures", None) is not None else None


def _of_all_processes(rows: list[Row]) -> list[Row]:
    """Ordered by position in the split."""
    if dist.is_available() and dist.is_initialized():
        parts: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(parts, rows)
        rows = [row for part in parts for row in part]
    return sorted(rows)


def _write(path: Path, rows: list[Row], quantity: str) -> None:
    # A picture whose pixels are all ignored has no score.
    cells = (
        (harmless_path(picture), "" if score != score else f"{score:.6g}", quantity, group)
        for _, picture, score, group in rows
    )
    write_rows(path, COLUMNS, (dict(zip(COLUMNS, row, strict=True)) for row in cells))
