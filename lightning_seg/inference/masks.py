"""Masks at the size of the picture, with confidence and entropy."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from lightning_seg.batch import MaskPrediction
from lightning_seg.errors import ConfigError
from lightning_seg.inference.bands import Band, resized_bands
from lightning_seg.inference.knobs import MaskKnobs
from lightning_seg.inference.tiles import tiled_bands
from lightning_seg.inference.views import Model, average_views


class MaskInference(MaskKnobs):
    """How a model segments a picture: with the settings of ``MaskKnobs``."""

    def predict(self, model: Model, images: Tensor, sizes: Sequence[Sequence[int]]) -> list[MaskPrediction]:
        """Masks at the original sizes.

        Args:
            model: maps pictures to probabilities per pixel.
            images: ``(B, 3, H, W)`` uint8; for tiles at the original size.
            sizes: (height, width) of each original picture.
        """
        viewed = average_views(model, self.tta)
        if self.tile is not None:
            bands: Iterable[Iterable[Band]] = (
                tiled_bands(viewed, image, self.tile, self.overlap, self.tile_batch) for image in images
            )
        else:
            bands = (resized_bands(probs, size) for probs, size in zip(viewed(images), sizes, strict=True))
        seen = (self.look(number, rows) for number, rows in enumerate(bands))
        return [collect(rows, size, self.keep_probs, self.threshold) for rows, size in zip(seen, sizes, strict=True)]

    def look(self, number: int, bands: Iterable[Band]) -> Iterable[Band]:
        """The bands of a picture on their way."""
        return bands


@dataclass(frozen=True)
class WatchedMaskInference(MaskInference):
    """Settings of which somebody sees the probabilities of whole pictures, which are never in memory as a whole.

    Args:
        watch: gets the number of a picture, the first row of a band, its probabilities ``(C, rows, W)`` and its classes
            ``(rows, W)``.
    """

    watch: Callable[[int, int, Tensor, Tensor], None] | None = None

    def look(self, number: int, bands: Iterable[Band]) -> Iterator[Band]:
        assert self.watch is not None
        for band in bands:
            self.watch(number, band.top, band.probs, decide(band.probs, self.threshold))
            yield band


def collect(
    bands: Iterable[Band], size: Sequence[int], keep_probs: bool = False, threshold: float | None = None
) -> MaskPrediction:
    """The mask of one picture on the CPU, mean confidence and mean entropy, from its bands.

    Raises:
        ConfigError: if there is a threshold and more than two classes.
    """
    height, width = size
    mask = torch.empty(height, width, dtype=torch.uint8)
    kept: Tensor | None = None
    confidence, entropy, num_classes = 0.0, 0.0, 2
    for top, probs in bands:
        num_classes, rows = probs.shape[:2]
        classes = decide(probs, threshold)
        mask[top : top + rows] = classes.to(torch.uint8).cpu()
        confidence += probs.gather(0, classes.unsqueeze(0)).double().sum().item()
        entropy += torch.special.entr(probs.clamp(0, 1)).double().sum().item()
        if keep_probs:
            kept = torch.empty(num_classes, height, width, dtype=torch.float16) if kept is None else kept
            kept[:, top : top + rows] = probs.half().cpu()
    pixels = height * width
    return MaskPrediction(mask, confidence / pixels, entropy / pixels / log(max(2, num_classes)), kept)


def decide(probs: Tensor, threshold: float | None = None) -> Tensor:
    """Probabilities ``(C, H, W)`` to class indices ``(H, W)`` int64."""
    if threshold is None:
        # The same indices as argmax, which takes fifteen times as long along the first side.
        return probs.max(dim=0).indices
    if len(probs) != 2:
        raise ConfigError(f"threshold {threshold} separates two classes, this model has {len(probs)}; leave it out")
    return (probs[1] >= threshold).long()
