"""The loss of segmentation: a weighted sum of cross-entropy, soft Dice and others by name."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from inspect import signature
from math import inf

import torch
from torch import Tensor, nn

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.errors import ConfigError
from lightning_seg.losses.summed import Summed, means
from lightning_seg.losses.terms import NAMED, CrossEntropy, Overlap
from lightning_seg.numbers import check_number

Extra = float | Mapping[str, float]
NAMES_OF_WEIGHTS = {"cross_entropy": "ce_weight", "dice_loss": "dice_weight"}
"""Arguments with the weights of losses."""


def dice_loss(logits: Tensor, mask: Tensor, ignore_index: int = IGNORE_INDEX, smooth: float = 1.0) -> Tensor:
    """One minus the soft Dice, ``(2 * shared + smooth) / (predicted + true + smooth)``, see ``Overlap``.

    Args:
        logits: ``(B, C, H, W)`` before softmax, or ``(B, 1, H, W)`` before sigmoid.
        mask: ``(B, H, W)`` class indices.
        ignore_index: pixels with this value take no part.
        smooth: in pixels.

    Returns:
        The mean over the pictures, a scalar in [0, 1).

    Examples:
        Two pixels, both 0.5; one is foreground: 1 - (2 * 0.5 + 1) / (1 + 1 + 1).

        >>> round(dice_loss(torch.zeros(1, 1, 1, 2), torch.tensor([[[1, 0]]])).item(), 4)
        0.3333
    """
    return _dice(ignore_index, smooth).per_picture(logits, mask).mean()


def _dice(ignore_index: int, smooth: float = 1.0) -> Overlap:
    return Overlap(0.5, 0.5, smooth / 2, ignore_index)


class SegmentationLoss(nn.Module):
    """Weighted sum of losses, from logits and class indices.

    Args:
        ce_weight: of cross-entropy, binary for one logit.
        dice_weight: of soft Dice.
        label_smoothing: of cross-entropy, in training mode alone.
        ignore_index: pixels with this value take no part and have no gradient.
        class_weights: of cross-entropy, one number per class (two for one logit).
        extra_losses: further losses by name, each with its weight, or with ``weight`` and options:
            ``{"focal": 0.5, "tversky": {"weight": 1.0, "alpha": 0.3, "beta": 0.7}}``.

    Raises:
        ConfigError: if there is no such loss or option, a number is impossible, or no loss has a weight.

    Examples:
        >>> loss = SegmentationLoss(ce_weight=1.0)
        >>> round(loss(torch.zeros(1, 2, 1, 1), torch.tensor([[[0]]])).item(), 4)  # ln 2
        0.6931
        >>> SegmentationLoss(extra_losses={"tverski": 1.0})
        Traceback (most recent call last):
        lightning_seg.errors.ConfigError: extra_losses: there is no 'tverski'; did you mean 'tversky'? ...
    """

    def __init__(
        self,
        ce_weight: float = 1.0,
        dice_weight: float = 0.0,
        label_smoothing: float = 0.0,
        ignore_index: int = IGNORE_INDEX,
        class_weights: Sequence[float] | None = None,
        extra_losses: Mapping[str, Extra] | None = None,
    ) -> None:
        super().__init__()
        given: dict[str, tuple[float, nn.Module]] = {
            "cross_entropy": (ce_weight, CrossEntropy(class_weights, label_smoothing, ignore_index)),
            "dice_loss": (dice_weight, _dice(ignore_index)),
        }
        for name, extra in (extra_losses or {}).items():
            given[f"{name}_loss"] = _named_loss(name, extra, ignore_index)
        for name, (weight, _) in given.items():
            check_number(NAMES_OF_WEIGHTS.get(name, f"extra_losses {name.removesuffix('_loss')} weight"), weight, 1)
        self.weights = {name: weight for name, (weight, _) in given.items() if weight}
        if not self.weights:
            raise ConfigError("all losses have the weight 0; give ce_weight 1 or dice_weight 1")
        if class_weights is not None and not ce_weight:
            raise ConfigError(
                f"class_weights {class_weights} weigh cross-entropy; give ce_weight above 0, or leave them out"
            )
        self.losses = nn.ModuleDict({name: given[name][1] for name in self.weights})

    def weigh_classes(self, class_weights: Tensor) -> None:
        """Sets the class weights ``(C,)`` of cross-entropy."""
        cross_entropy = self.losses["cross_entropy"]
        assert isinstance(cross_entropy, CrossEntropy)
        cross_entropy.class_weights = class_weights

    def sums(
        self, logits: Tensor, mask: Tensor, mask_b: Tensor | None = None, lam: Tensor | None = None
    ) -> dict[str, Summed]:
        """Each loss by name, before its weight.

        Args:
            logits: ``(B, C, H, W)`` or ``(B, 1, H, W)``.
            mask: ``(B, H, W)`` int64.
            mask_b: of Mixup, the mask of the second picture.
            lam: of Mixup, the share ``(B,)`` of the first picture.
        """
        logits = logits.float()
        if mask_b is None or lam is None:
            parts = [(mask, logits.new_ones(len(mask)))]
        else:
            parts = [(mask, lam.to(logits)), (mask_b, 1 - lam.to(logits))]
        values = {}
        for name, loss in self.losses.items():
            totals, weights = zip(*(loss(logits, *part) for part in parts), strict=True)
            values[name] = Summed(sum(totals), sum(weights))
        return values

    def total(self, sums: Mapping[str, Summed]) -> Tensor:
        """The weighted sum of ``sums``, a scalar; in training mode together with all other processes."""
        terms = means(sums, over_processes=self.training)
        return torch.stack([self.weights[name] * value for name, value in terms.items()]).sum()

    def forward(self, logits: Tensor, mask: Tensor, mask_b: Tensor | None = None, lam: Tensor | None = None) -> Tensor:
        """A scalar; arguments as for ``sums``."""
        return self.total(self.sums(logits, mask, mask_b, lam))


def _check_option(name: str, option: str, value: float) -> None:
    # Focal weighs its two sides by a share.
    is_share = (name, option) == ("focal", "alpha")
    check_number(f"extra_losses {name} {option}", value, 0.25 if is_share else 1, most=1 if is_share else inf)


def _named_loss(name: str, extra: Extra, ignore_index: int) -> tuple[float, nn.Module]:
    """Weight and loss."""
    if name not in NAMED:
        near = get_close_matches(name, NAMED, n=1, cutoff=0.0)[0]
        raise ConfigError(f"extra_losses: there is no {name!r}; did you mean {near!r}? There are {', '.join(NAMED)}")
    options: dict[str, float] = dict(extra) if isinstance(extra, Mapping) else {"weight": extra}
    weight = options.pop("weight", 1.0)
    accepted = [option for option in signature(NAMED[name]).parameters if option != "ignore_index"]
    for option in options:
        if option not in accepted:
            raise ConfigError(
                f"extra_losses: {name} has no option {option!r}; there are {', '.join(['weight', *accepted])}"
            )
        if options[option] is not None:
            _check_option(name, option, options[option])
    return weight, NAMED[name](ignore_index, **options)
