"""What fewer bits cost in the run's own metric."""

from collections.abc import Callable, Mapping, Sequence
from math import nan
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lightning_seg.errors import ConfigError, ExportError
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
    higher_is_better: bool = True

    @property
    def amount(self) -> float:
        lost = self.task - self.file
        return lost if self.higher_is_better else -lost

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
    """The metric over the pictures, as the network sees them, by both: the one that chose the best checkpoint, and
    where that was a loss, mean IoU or accuracy.

    Raises:
        ConfigError: if the run itself is not better than nothing, so that nothing can be lost.
    """
    of_run, of_file = (
        _measured(task, kind, pictures, one, what) for one, what in ((reference, "the run"), (answer, "the file"))
    )
    name = _metric_of(task, {name: value for name, (value, _) in of_run.items()})
    (mine, higher), (other, _) = of_run[name], of_file.get(name, (nan, True))
    if higher and not mine > 0:
        raise ConfigError(
            f"{name} of the run is {mine:.4f} on {len(pictures)} pictures, so nothing can be lost; train it further, "
            "or give more --pictures"
        )
    return Loss(name, mine, other, higher)


def check_loss(loss: Loss, limit: float) -> None:
    """Raises ExportError if it is larger than the limit, or no number."""
    if not loss.amount <= limit:
        raise ExportError(
            f"the exported file is worse than max_loss {limit} allows: {loss.describe()}; nothing is written. Give "
            "another precision, or a larger --max_loss"
        )


def _measured(
    task: Any, kind: Kind, pictures: Sequence[Seen], answer: Callable[[Array], Mapping[str, Any]], what: str
) -> dict[str, tuple[float, bool]]:
    """Values by name, each with whether a higher one is better."""
    parts: list[Any] = list(task.metric_parts("val").values())
    for seen in counted(pictures, f"measuring {what}", len(pictures), "picture"):
        said = answer(seen.shown[None])
        given = _UPDATE[kind](task, said, seen.truth.unsqueeze(0))
        logs = torch.from_numpy(np.asarray(said["whole" if kind == "boxes" else "probs"])).clamp(min=1e-30).log()
        for part in parts:
            part.update(*given, **({"log_probs": logs} if part.takes_probs else {}))
    names = task.known_class_names()
    return {name: (value, part.higher_is_better) for part in parts for name, value in part.take(names).items()}


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
