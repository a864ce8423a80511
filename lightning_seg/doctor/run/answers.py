"""Answers of a network to the pictures that it was not trained on, counted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lightning_seg.augmentation.seeding import EvalSampler
from lightning_seg.batch import IGNORE_INDEX, Split
from lightning_seg.datamodules.base import DataModule
from lightning_seg.datamodules.loaders import make_loader
from lightning_seg.doctor.subject import Pictures, Subject
from lightning_seg.errors import ConfigError
from lightning_seg.metrics.calibration import Reliability, count_answers, no_answers, together
from lightning_seg.metrics.counting import count_cells
from lightning_seg.metrics.label_errors import mask_disagreement
from lightning_seg.predictor import Predictor
from lightning_seg.progress import counted

MEASURED: tuple[Split, ...] = ("val", "test")


class Drawn(NamedTuple):
    """The pictures of a split that are looked at."""

    split: Split
    pictures: Pictures
    total: int  # of the split that can be read


@dataclass
class Answers:
    """What a network says to pictures, counted. Only a number or two of each picture are kept."""

    classes: int
    reliability: Reliability = field(default_factory=no_answers)
    pictures_with: Tensor = field(init=False)  # (C,) in how many pictures a class is true
    matrix: Tensor = field(init=False)  # [true, predicted]
    paths: list[str] = field(default_factory=list)
    probs: list[Tensor] = field(default_factory=list)  # of labels, (B, C)
    labels: list[Tensor] = field(default_factory=list)  # (B,)
    scores: list[Tensor] = field(default_factory=list)  # of masks, (B,)

    def __post_init__(self) -> None:
        self.pictures_with = torch.zeros(self.classes, dtype=torch.int64)
        self.matrix = torch.zeros(self.classes, self.classes, dtype=torch.int64)

    def add(self, probs: Tensor, truth: Tensor, paths: Sequence[str], ignore_index: int) -> None:
        """Of a batch: ``(B, C, ...)`` against ``(B, ...)``."""
        truth, kept = truth.long(), truth != ignore_index
        self.reliability = together(self.reliability, count_answers(probs, truth, kept))
        ignored = self.classes**2
        pairs = (truth * self.classes + probs.argmax(dim=1)).masked_fill(~kept, ignored)
        self.matrix += count_cells(pairs, ignored + 1)[:ignored].view(self.classes, self.classes).cpu()
        for one in truth.cpu():
            self.pictures_with += one.flatten()[one.flatten() != ignore_index].bincount(minlength=self.classes) > 0
        self.paths += paths
        if truth.ndim == 1:
            self.probs.append(probs.float().cpu())
            self.labels.append(truth.cpu())
        else:
            self.scores.append(mask_disagreement(probs, truth, ignore_index).score.cpu())


def collect_answers(predictor: Predictor, data: DataModule[Any], parts: Sequence[Drawn]) -> Answers:
    """Show the pictures to the network.

    Raises:
        ConfigError: if the task or the data have nothing that could be compared.
    """
    task = predictor.task
    truth, ignored = task.truth, getattr(data, "ignore_index", IGNORE_INDEX)
    if not hasattr(task, "probabilities") or truth is None:
        raise ConfigError(f"{type(task).__name__} gives no probabilities(images) of what is true; add the method to it")
    answers = Answers(len(predictor.class_names))
    for part in parts:
        loader = _loader(data, part.pictures)
        for batch in counted(loader, f"answers to {part.split}", len(loader), "step"):
            if truth not in batch:
                raise ConfigError(
                    f"{type(data).__name__} gives boxes and no {truth}; test --run RUN --original_size true compares "
                    "boxes"
                )
            with torch.inference_mode():
                probs = task.probabilities(batch["image"].to(predictor.device))
            answers.add(probs, batch[truth].to(predictor.device), batch["path"], ignored)
    return answers


def draw(subject: Subject, most: int, seed: int) -> list[Drawn]:
    """The pictures to look at: at most so many of each split, of those that can be read; always the same ones."""
    parts = []
    for split in MEASURED:
        readable = _readable(subject, split)
        if readable:
            order = torch.randperm(len(readable), generator=torch.Generator().manual_seed(seed))
            chosen = [readable[index] for index in order[:most].sort().values.tolist()]
            parts.append(Drawn(split, subject.splits[split].subset(chosen), len(readable)))
    return parts


def _readable(subject: Subject, split: Split) -> list[int]:
    return [
        number
        for number, (picture, mask) in enumerate(subject.facts.get(split, ()))
        if not picture.problem and not (mask is not None and mask.problem)
    ]


def _loader(data: DataModule[Any], pictures: Pictures) -> Any:
    batch_size = 1 if pictures.image_size is None else data.batch_size
    return make_loader(pictures, EvalSampler(pictures), data.collate_fn(), batch_size, data.num_workers)
