"""All metrics of a segmentation over one split."""

from collections.abc import Sequence
from math import nan

from torch import Tensor, nn

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.metrics.picture_scores import PictureScores, foreground_dice, mean_picture_iou
from lightning_seg.metrics.pictures import PictureMetrics, picture_metric_names
from lightning_seg.metrics.segmentation import SegmentationMetrics, metric_names, summarize
from lightning_seg.metrics.thresholds import ThresholdCounts, ThresholdCurves

OF_THRESHOLDS = ("average_precision", "best_threshold")


class SegmentationScores(nn.Module):
    """Counts of one split.

    Args:
        num_classes: of the masks, at least 2.
        ignore_index: mask value that does not count.
        of_pictures: also measure single pictures and contours.
        of_thresholds: also count for every threshold of the foreground's probability.
    """

    def __init__(
        self,
        num_classes: int,
        ignore_index: int = IGNORE_INDEX,
        of_pictures: bool = False,
        of_thresholds: bool = False,
    ) -> None:
        super().__init__()
        self.pixels = SegmentationMetrics(num_classes, ignore_index)
        self.pictures = PictureMetrics(num_classes, ignore_index) if of_pictures else None
        self.thresholds = ThresholdCounts(ignore_index) if of_thresholds else None
        self.curves: ThresholdCurves | None = None
        """Precision and recall of the last epoch."""
        self.pixel_matrix: Tensor | None = None
        """Pixels ``[true, predicted]`` of the last epoch, on the CPU."""
        self.picture_scores: PictureScores | None = None
        """If wanted, gets a number for each picture."""
        self.picture_quantity = "mean IoU" if self.thresholds is None else "Dice"

    def update(self, prediction: Tensor, mask: Tensor, foreground: Tensor | None = None) -> None:
        """Class indices ``(B, H, W)`` of both, and the probability of class 1, if there are two."""
        self.pixels.update(prediction, mask)
        if self.pictures is not None:
            self.pictures.update(prediction, mask)
        if self.picture_scores is not None:
            self.picture_scores.add(self._score(prediction, mask))
        if self.thresholds is not None and foreground is not None:
            self.thresholds.update(foreground, mask)

    def _score(self, prediction: Tensor, mask: Tensor) -> Tensor:
        if self.thresholds is not None:
            return foreground_dice(prediction, mask, self.pixels.ignored_label)
        return mean_picture_iou(prediction, mask, len(self.pixels.confmat), self.pixels.ignored_label)

    def take(self, class_names: Sequence[str]) -> dict[str, float]:
        """The values by name; counting begins anew."""
        self.pixel_matrix = self.pixels.compute().cpu()
        values = summarize(self.pixel_matrix, class_names)
        if self.pictures is not None:
            values |= self.pictures.summarize(class_names)
        # All processes ask, whatever they have seen.
        curves: ThresholdCurves | None = None if self.thresholds is None else self.thresholds.compute()
        if curves is not None:
            # Without a pixel that counts there is no curve.
            self.curves = None if curves.is_empty else curves
            found = (nan, nan) if curves.is_empty else (curves.average_precision, curves.best_threshold)
            values |= dict(zip(OF_THRESHOLDS, found, strict=True))
        for part in (self.pixels, self.pictures, self.thresholds):
            if part is not None:
                part.reset()
        return values

    def names(self, class_names: Sequence[str]) -> list[str]:
        """Everything that ``take`` can give."""
        of_pictures = [] if self.pictures is None else picture_metric_names(class_names)
        return [*metric_names(class_names), *of_pictures, *(() if self.thresholds is None else OF_THRESHOLDS)]
