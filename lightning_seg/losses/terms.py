"""The parts of a segmentation loss.

A part is called with logits ``(B, C, H, W)``, or ``(B, 1, H, W)`` where one logit tells two classes apart, masks ``(B,
H, W)`` int64 and the weight ``(B,)`` of each picture. It returns a sum and the weight to divide it by, so that the two
masks of a Mixup picture can be added first.
"""

from collections.abc import Callable, Sequence
from typing import Any

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.losses.summed import Summed
from lightning_seg.numbers import check_number


class CrossEntropy(nn.Module):
    """Cross-entropy per counted pixel, binary for one logit.

    Args:
        class_weights: one per class, two for one logit; the mean is weighted by them.
        label_smoothing: share of each pixel's label that is spread over all classes, in training mode alone.
        ignore_index: pixels with this value take no part.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        class_weights: Sequence[float] | None = None,
        label_smoothing: float = 0.0,
        ignore_index: int = IGNORE_INDEX,
    ) -> None:
        super().__init__()
        check_number("label_smoothing", label_smoothing, 0.1, most=1)
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        # Not in checkpoints: the arguments of the task hold them.
        self.register_buffer("class_weights", weights, persistent=False)
        self.label_smoothing, self.ignore_index = label_smoothing, ignore_index

    def forward(self, logits: Tensor, mask: Tensor, share: Tensor) -> Summed:
        counted = mask != self.ignore_index
        weight = counted * share.view(-1, 1, 1)
        if self.class_weights is not None:
            weight = weight * self.class_weights[mask.masked_fill(~counted, 0)]
        pixels = mask[0].numel()
        return Summed((self._per_pixel(logits, mask, counted) * weight).sum() / pixels, weight.sum() / pixels)

    def _per_pixel(self, logits: Tensor, mask: Tensor, counted: Tensor) -> Tensor:
        smoothing = self.label_smoothing if self.training else 0.0
        if logits.shape[1] == 1:
            smoothed = (mask == 1) * (1 - smoothing) + smoothing / 2
            # Kept out here, since 0 times an infinite loss is not a number.
            return F.binary_cross_entropy_with_logits(logits[:, 0], smoothed, reduction="none").masked_fill(~counted, 0)
        return F.cross_entropy(
            logits, mask, ignore_index=self.ignore_index, label_smoothing=smoothing, reduction="none"
        )


class Overlap(nn.Module):
    """One minus the soft overlap of every class in every picture, averaged over the classes of each picture.

    ``(TP + smooth) / (TP + alpha * FP + beta * FN + smooth)``: Dice with alpha = beta = 1/2, Jaccard with 1. One logit
    has one class, the foreground.

    A class that is absent from a picture counts too, so false alarms cost, and each picture counts alike in any batch.
    The losses of segmentation-models-pytorch (0.6) take the sums over the batch and are 0 for an absent class.

    Sources: Milletari et al., "V-Net", 2016; Salehi et al., "Tversky loss function", 2017.

    Args:
        alpha: what a false alarm costs.
        beta: what a missed pixel costs.
        smooth: added to both sides of the fraction, in pixels.
        ignore_index: pixels with this value take no part.
    """

    def __init__(
        self, alpha: float = 0.5, beta: float = 0.5, smooth: float = 1.0, ignore_index: int = IGNORE_INDEX
    ) -> None:
        super().__init__()
        self.alpha, self.beta, self.smooth, self.ignore_index = alpha, beta, smooth, ignore_index

    def forward(self, logits: Tensor, mask: Tensor, share: Tensor) -> Summed:
        return Summed((self.per_picture(logits, mask) * share).sum(), share.sum())

    def per_picture(self, logits: Tensor, mask: Tensor) -> Tensor:
        """The loss of each picture ``(B,)``, in [0, 1)."""
        counted = (mask != self.ignore_index).unsqueeze(1)
        is_binary = logits.shape[1] == 1
        probs = (logits.sigmoid() if is_binary else logits.softmax(dim=1)) * counted
        classes = torch.arange(logits.shape[1], device=logits.device).view(1, -1, 1, 1) + int(is_binary)
        present = (mask.unsqueeze(1) == classes) & counted
        shared, predicted, true = (values.sum(dim=(2, 3)) for values in (probs * present, probs, present))
        total = shared + self.alpha * (predicted - shared) + self.beta * (true - shared)
        return 1 - ((shared + self.smooth) / (total + self.smooth)).mean(dim=1)


class OfLibrary(nn.Module):
    """A loss of segmentation-models-pytorch, computed for each picture separately.

    Args:
        create: the class.
        options: its arguments.
        ignore_index: pixels with this value take no part.
    """

    def __init__(self, create: Callable[..., nn.Module], ignore_index: int = IGNORE_INDEX, **options: Any) -> None:
        super().__init__()
        self.binary = create("binary", ignore_index=ignore_index, **options)
        self.multiclass = create("multiclass", ignore_index=ignore_index, **options)
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, mask: Tensor, share: Tensor) -> Summed:
        loss = self.binary if logits.shape[1] == 1 else self.multiclass
        # What has no counted pixel is not a number there.
        pictures = [index for index in range(len(mask)) if (mask[index] != self.ignore_index).any()]
        values = [share[index] * loss(logits[index : index + 1], mask[index : index + 1]) for index in pictures]
        # The second part keeps a batch without any counted pixel differentiable.
        return Summed(sum(values, 0 * logits.sum()), share[pictures].sum())


def focal(ignore_index: int, gamma: float = 2.0, alpha: float | None = None) -> nn.Module:
    """Cross-entropy with a small weight for easy pixels. Source: Lin et al., "Focal Loss", 2017."""
    return OfLibrary(smp.losses.FocalLoss, ignore_index, gamma=gamma, alpha=alpha)


def lovasz(ignore_index: int) -> nn.Module:
    """A convex bound of Jaccard, over the classes in a picture. Source: Berman et al., 2018."""
    return OfLibrary(smp.losses.LovaszLoss, ignore_index)


def jaccard(ignore_index: int, smooth: float = 1.0) -> nn.Module:
    """One minus the soft intersection over union.

    Examples:
        >>> loss = jaccard(ignore_index=255)
        >>> round(loss.per_picture(torch.zeros(1, 1, 1, 2), torch.tensor([[[1, 0]]])).item(), 4)  # 1 - 1.5 / 2.5
        0.4
    """
    return Overlap(1.0, 1.0, smooth, ignore_index)


def tversky(ignore_index: int, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0) -> nn.Module:
    """An overlap in which false alarms cost ``alpha`` and missed pixels ``beta``.

    Examples:
        >>> loss = tversky(ignore_index=255)
        >>> round(loss.per_picture(torch.zeros(1, 1, 1, 2), torch.tensor([[[1, 0]]])).item(), 4)  # 1 - 1.5 / 2
        0.25
    """
    return Overlap(alpha, beta, smooth, ignore_index)


NAMED: dict[str, Callable[..., nn.Module]] = {loss.__name__: loss for loss in (focal, jaccard, lovasz, tversky)}
"""Further losses by name; their arguments are options."""
