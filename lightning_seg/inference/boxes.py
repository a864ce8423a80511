"""Boxes of objects, from a classifier that slides over a picture at several sizes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as TF

from lightning_seg.batch import BoxPrediction
from lightning_seg.inference.knobs import BoxKnobs
from lightning_seg.inference.merging import Boxes, merge_boxes
from lightning_seg.inference.views import average_views
from lightning_seg.inference.windows import Grid, cover

CONTEXT = 4
"""Cells beside a part of a large picture that its features also see."""
CROPS_AT_ONCE = 16


class WindowClassifier(Protocol):
    """A classifier of windows."""

    @property
    def grid(self) -> Grid: ...

    def window_probabilities(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` uint8 to probabilities ``(B, C, rows, columns)`` of all windows in one pass."""

    def probabilities(self, images: Tensor) -> Tensor:
        """Windows ``(B, 3, window, window)`` uint8 to probabilities ``(B, C)``."""


class BoxInference(BoxKnobs):
    """How a classifier finds objects in a picture: with the settings of ``BoxKnobs``."""

    def predict(
        self,
        model: WindowClassifier,
        image: Tensor,
        to_labels: Callable[[Tensor], Tensor] = lambda probs: probs,
        size: Sequence[int] | None = None,
    ) -> BoxPrediction:
        """Objects of one picture.

        Args:
            model: the classifier.
            image: ``(3, H, W)`` uint8, of any size.
            to_labels: maps probabilities of classes ``(C, ...)`` to those of labels ``(L, ...)``.
            size: (height, width) that boxes refer to; None for that of ``image``.
        """
        grid, size = model.grid, tuple(size or image.shape[1:])
        answer = average_views(self._windows_of(model), self.tta)
        threshold = self.default_threshold if self.threshold is None else self.threshold
        found: list[Boxes] = []
        maps: list[Tensor] = []
        probs = torch.empty(0)
        boxes = torch.empty(0, 4)
        for scale in sorted(self.scales, reverse=True):
            level = grid.level_size(size, scale)
            probs = answer(resize(image, level).unsqueeze(0))[0].float().cpu()
            boxes = grid.boxes(level, size)
            if self.windows == "tutorial":
                probs, boxes = (
                    probs[:, : max(1, probs.shape[1] - 1), : max(1, probs.shape[2] - 1)],
                    boxes[: max(1, len(boxes) - 1), : max(1, boxes.shape[1] - 1)],
                )
            labelled = to_labels(probs)
            found.append(_above(labelled, boxes, threshold))
            maps.append(cover(labelled, grid.window // grid.stride))
        merged = merge_boxes(Boxes(*map(torch.cat, zip(*found, strict=True))), self.merge, self.merge_overlap)
        whole = model.probabilities(resize(image, (grid.window, grid.window)).unsqueeze(0))[0].float().cpu()
        return BoxPrediction(*merged, _highest(maps), whole, probs.flatten(1).T, boxes.flatten(0, 1))

    def _windows_of(self, model: WindowClassifier) -> Callable[[Tensor], Tensor]:
        grid = model.grid
        if self.detector == "crops":
            return lambda images: crop_probabilities(model, images)

        def from_map(images: Tensor) -> Tensor:
            # Bands across the longer side are the smallest ones.
            along = 2 if images.shape[2] >= images.shape[3] else 3
            parts = [
                model.window_probabilities(band).narrow(along, first, count)
                for band, first, count in self._bands(images, grid, along)
            ]
            return torch.cat(parts, dim=along)

        return from_map

    def _bands(self, images: Tensor, grid: Grid, along: int) -> Iterator[tuple[Tensor, int, int]]:
        """Parts of the picture along one of its sides, the first of their windows that counts, and the number of such
        windows.
        """
        length, across = images.shape[along], images.shape[5 - along]
        windows = (length - grid.window) // grid.stride + 1
        around = (grid.window // grid.stride - 1 + 2 * CONTEXT) * grid.stride
        step = max(1, (self.max_pixels // across - around) // grid.stride)
        for start in range(0, windows, step):
            end = min(start + step, windows)
            first = max(0, start - CONTEXT)
            stop = min(length, (end - 1 + CONTEXT) * grid.stride + grid.window)
            band = images.narrow(along, first * grid.stride, stop - first * grid.stride)
            yield band, start - first, end - start


def resize(image: Tensor, size: Sequence[int]) -> Tensor:
    """``(3, H, W)`` uint8 at another size, averaged where it becomes smaller."""
    resized: Tensor = TF.resize(image, list(size), antialias=True)
    return resized


def crop_probabilities(model: WindowClassifier, images: Tensor) -> Tensor:
    """Every window cut out and classified separately, ``(B, C, rows, columns)``."""
    grid = model.grid
    rows, columns = grid.counts(images.shape[-2:])
    windows = images.unfold(2, grid.window, grid.stride).unfold(3, grid.window, grid.stride)
    crops = windows.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
    probs = torch.cat([model.probabilities(part) for part in torch.split(crops, CROPS_AT_ONCE)])
    return probs.reshape(len(images), rows, columns, -1).permute(0, 3, 1, 2)


def _above(probs: Tensor, boxes: Tensor, threshold: float) -> Boxes:
    labels, rows, columns = torch.nonzero(probs >= threshold, as_tuple=True)
    return Boxes(boxes[rows, columns], probs[labels, rows, columns], labels)


def _highest(maps: Sequence[Tensor]) -> Tensor:
    """The maximum of several maps, at the finest map's resolution."""
    first, *others = maps
    for other in others:
        wide = F.interpolate(other.unsqueeze(0), size=first.shape[1:], mode="bilinear", align_corners=False)[0]
        first = torch.maximum(first, wide)
    return first
