"""What fewer bits cost in the run's own metric."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lightning_seg.errors import ExportError
from lightning_seg.export.pictures import Seen
from lightning_seg.export.reference import Answer
from lightning_seg.images import Array
from lightning_seg.model_file import Kind
from lightning_seg.progress import counted


class Loss(NamedTuple):
    """A metric of the run, by the task and by the file."""

    metric: str
    task: float
    file: float

    @property
    def amount(self) -> float:
        return self.task - self.file

    def as_dict(self) -> dict[str, Any]:
        """For the metadata of the file."""
        return {"metric": self.metric, "of_run": round(self.task, 6), "of_file": round(self.file, 6)}

    def describe(self) -> str:
        """One line."""
        return f"{self.metric} of the run {self.task:.4f}, of the file {self.file:.4f}, lost {self.amount:.4f}"


def loss_of(
    task: Any,
    kind: Kind,
    pictures: Sequence[Seen],
    reference: Callable[[Array], Answer],
    answer: Callable[[Array], Mapping[str, Any]],
) -> Loss:
    """The metric over the pictures, as the network sees them, by both."""
    both = [_measured(task, kind, pictures, one, what) for one, what in ((reference, "the run"), (answer, "the file"))]
    name = _metric_of(task, both[0])
    return Loss(name, both[0][name], both[1][name])


def check_loss(loss: Loss, limit: float) -> None:
    """Raises ExportError if it is larger than the limit, or no number."""
    if not loss.amount <= limit:
        raise ExportError(
            f"the exported file is worse than max_loss {limit} allows: {loss.describe()}; nothing is written. Give "
            "another precision, or a larger --max_loss"
        )


def _measured(
    task: Any, kind: Kind, pictures: Sequence[Seen], answer: Callable[[Array], Mapping[str, Any]], what: str
) -> dict[str, float]:
    part = next(iter(task.metric_parts("val").values()))
    for seen in counted(pictures, f"measuring {what}", len(pictures), "picture"):
        said = answer(seen.shown[None])
        part.update(*_UPDATE[kind](task, said, seen.truth.unsqueeze(0)))
    values: dict[str, float] = part.take(task.known_class_names())
    return values


def _metric_of(task: Any, values: Mapping[str, float]) -> str:
    """The metric that chose the best checkpoint; where that was a loss, the first one."""
    wanted = task.monitor[0].partition("/")[2]
    return wanted if wanted in values else next(name for name in ("miou", "accuracy", *values) if name in values)


def _masks(task: Any, said: Mapping[str, Any], truth: Tensor) -> tuple[Tensor | None, ...]:
    mask, probs = torch.from_numpy(said["mask"]).long(), torch.from_numpy(np.asarray(said["probs"]))
    return mask, truth.long(), probs[:, 1] if task.hparams["num_classes"] == 1 else None


def _labels(task: Any, said: Mapping[str, Any], truth: Tensor) -> tuple[Tensor | None, ...]:
    return torch.from_numpy(np.asarray(said["probs"])), truth


def _boxes(task: Any, said: Mapping[str, Any], truth: Tensor) -> tuple[Tensor | None, ...]:
    # A detector is trained and measured on single windows.
    return torch.from_numpy(np.asarray(said["whole"])), truth


_UPDATE: dict[Kind, Callable[[Any, Mapping[str, Any], Tensor], tuple[Tensor | None, ...]]] = {
    "masks": _masks,
    "labels": _labels,
    "boxes": _boxes,
}
