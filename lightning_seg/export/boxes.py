"""Detection as one function: pictures as they are in, merged boxes out."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_seg.export.merging import merge
from lightning_seg.export.resizing import as_length, size_of
from lightning_seg.inference.boxes import BoxInference
from lightning_seg.inference.windows import LONGEST, cover
from lightning_seg.tasks.sliding_detector import SlidingDetectorTask


class WholeBoxes(nn.Module):
    """``(N, H, W, 3)`` uint8 RGB of any size to boxes and what they were made of, see ``model_file``.

    Pictures are never cut into bands: ``BoxInference.max_pixels`` means nothing here.

    Args:
        task: a detector.
        inference: scales, windows, merging, and the threshold where none is given.
    """

    def __init__(self, task: SlidingDetectorTask, inference: BoxInference) -> None:
        super().__init__()
        self.task, self.inference = task, inference
        self.grid = task.grid
        self.shares = task.labels.shares
        self.num_labels = len(task.labels.names)
        given = inference.threshold
        self.threshold = torch.tensor(inference.default_threshold if given is None else given)

    def forward(self, images: Tensor, threshold: Tensor | None = None) -> tuple[Tensor, ...]:
        pictures = images.permute(0, 3, 1, 2).float()
        least = self.threshold if threshold is None else threshold
        found: list[tuple[Tensor, ...]] = []
        maps: list[Tensor] = []
        for scale in sorted(self.inference.scales, reverse=True):
            probs, boxes = self._windows(pictures, size_of(images), scale)
            labelled = self._labelled(probs)
            found.append(_above(labelled, boxes, least))
            maps.append(self._cover(labelled))
        picture, kept, scores, labels = (torch.cat(values) for values in zip(*found, strict=True))
        merged = merge(kept, scores, labels, picture, self.num_labels, self.inference)
        whole = self.task.probabilities(_resized(pictures, self.grid.window, self.grid.window))
        return (*merged, _highest(maps), whole, probs.flatten(2).transpose(1, 2), boxes.flatten(0, 1))

    def _windows(self, pictures: Tensor, size: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """Probabilities ``(N, C, rows, columns)`` of all windows at a scale, and their boxes ``(rows, columns, 4)``."""
        stride, window = self.grid.stride, self.grid.window
        times = self._level(size, scale)
        height, width = (as_length(number, window // stride) * stride for number in times.unbind())
        probs = self.task.window_probabilities(_resized(pictures, height, width))
        boxes = self._boxes(probs.shape[2], probs.shape[3], times * stride, size)
        if self.inference.windows == "tutorial":
            rows, columns = (torch.sym_max(1, number - 1) for number in probs.shape[2:])
            probs, boxes = probs[:, :, :rows, :columns], boxes[:rows, :columns]
        return probs, boxes

    def _level(self, size: Tensor, scale: float) -> Tensor:
        """``Grid.level_size`` in strides, of a size that is a tensor."""
        shorter = size.min().double()
        factor = scale * self.grid.window / shorter
        strides = torch.round(torch.minimum(size.double(), LONGEST * shorter) * factor / self.grid.stride)
        return strides.clamp(min=self.grid.window // self.grid.stride).long()

    def _boxes(self, rows: int, columns: int, level: Tensor, size: Tensor) -> Tensor:
        """``Grid.boxes`` of sizes that are tensors."""
        top = torch.arange(rows)[:, None].expand(rows, columns)
        left = torch.arange(columns)[None, :].expand(rows, columns)
        corners = torch.stack([left, top, left, top], dim=-1).double() * self.grid.stride
        corners = corners + torch.tensor([0, 0, self.grid.window, self.grid.window], dtype=torch.float64)
        ratio = size.double() / level.double()
        return (corners * torch.stack([ratio[1], ratio[0], ratio[1], ratio[0]])).float()

    def _labelled(self, probs: Tensor) -> Tensor:
        return probs if self.shares is None else torch.einsum("lc,nchw->nlhw", self.shares.to(probs), probs)

    def _cover(self, probs: Tensor) -> Tensor:
        covered = cover(probs.flatten(0, 1), self.grid.window // self.grid.stride)
        return covered.reshape(probs.shape[0], probs.shape[1], *covered.shape[1:])


def _resized(pictures: Tensor, height: int, width: int) -> Tensor:
    """``(N, 3, H, W)`` of whole numbers as uint8 at another size, averaged where it becomes smaller.

    As torch resizes uint8: columns first, and rounded before the rows.
    """
    for size in ((pictures.shape[2], width), (height, width)):
        resized = F.interpolate(pictures, size=size, mode="bilinear", align_corners=False, antialias=True)
        pictures = torch.floor(resized + 0.5).clamp(0, 255)
    return pictures.to(torch.uint8)


def _above(probs: Tensor, boxes: Tensor, threshold: Tensor) -> tuple[Tensor, ...]:
    """Picture, box, score and label of each window that is likely enough."""
    picture, label, row, column = torch.nonzero(probs >= threshold, as_tuple=True)
    return picture, boxes[row, column], probs[picture, label, row, column], label


def _highest(maps: list[Tensor]) -> Tensor:
    """The maximum of several maps ``(N, L, h, w)``, at the finest map's resolution."""
    first, *others = maps
    for other in others:
        wide = F.interpolate(other, size=first.shape[2:], mode="bilinear", align_corners=False)
        first = torch.maximum(first, wide)
    return first
