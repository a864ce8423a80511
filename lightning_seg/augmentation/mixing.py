"""CutMix and Mixup: pictures of a batch mixed with others of the same batch.

Draws come first and are applied to pictures and labels afterwards. They depend on (seed, epoch, index) of a picture, as
those of the pipelines do; its partner also depends on the batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal, NamedTuple, get_args

import cv2
import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn import functional as F

from lightning_seg.augmentation.seeding import draw_seed
from lightning_seg.batch import ClassificationBatch, MixedSegmentationBatch, SegmentationBatch
from lightning_seg.errors import ConfigError
from lightning_seg.images import Array

MixKind = Literal["cutmix", "mixup", "both"]
MixScope = Literal["image", "batch"]
CUTMIX_SHARE: dict[MixKind, float] = {"cutmix": 1.0, "mixup": 0.0, "both": 0.5}
"""Probability of CutMix for a mixed picture."""
MAX_ALPHA = 1_000_000
"""Above this every share is nearly a half, and far above it none can be computed."""
STREAM = 1
"""Stream of ``draw_seed``; the pipeline has 0."""


@dataclass(frozen=True)
class Mixing:
    """How pictures of a training batch are mixed.

    Sources: Yun et al., "CutMix", 2019; Zhang et al., "mixup", 2018.

    Args:
        kind: ``cutmix``, ``mixup``, or ``both``: one of the two for each picture.
        alpha: parameter of the Beta distribution of the share; 1 is uniform.
        prob: probability that a picture is mixed.
        per: ``image``: a draw for each picture; ``batch``: one draw for the whole batch.
        until_epoch: first epoch without mixing, counted from 0.

    Raises:
        ConfigError: if a value is impossible.

    Examples:
        >>> Mixing(prob=2)
        Traceback (most recent call last):
        lightning_seg.errors.ConfigError: mixing: prob 2 must lie between 0 and 1, for instance 0.5
    """

    kind: MixKind = "cutmix"
    alpha: float = 1.0
    prob: float = 0.5
    per: MixScope = "image"
    until_epoch: int | None = None

    def __post_init__(self) -> None:
        for name, value, choices in (("kind", self.kind, MixKind), ("per", self.per, MixScope)):
            if value not in get_args(choices):
                raise ConfigError(f"mixing: {name} {value!r} does not exist; choose {', '.join(get_args(choices))}")
        if not 0 < self.alpha <= MAX_ALPHA:
            raise ConfigError(
                f"mixing: alpha {self.alpha} must be above 0 and at most {MAX_ALPHA}; 1 draws every share alike"
            )
        if not 0 <= self.prob <= 1:
            raise ConfigError(f"mixing: prob {self.prob} must lie between 0 and 1, for instance 0.5")
        if self.until_epoch is not None and self.until_epoch < 0:
            raise ConfigError(f"mixing: until_epoch {self.until_epoch} is too small; give 0 or more, or null for all")


class Box(NamedTuple):
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right``; the last ones are excluded.

    Examples:
        >>> Box(top=0, left=0, bottom=2, right=3).area
        6
    """

    top: int
    left: int
    bottom: int
    right: int

    @property
    def area(self) -> int:
        return (self.bottom - self.top) * (self.right - self.left)


class Draw(NamedTuple):
    """The mixing of one picture: a box of its partner is pasted, or without a box the two are averaged."""

    lam: float = 1.0  # share kept of the picture; with 1 it stays as it is
    partner: int = 0  # position in the batch
    box: Box | None = None


def sample_lam(alpha: float, generator: Generator) -> float:
    """A share in [0, 1], drawn from Beta(alpha, alpha)."""
    return float(generator.beta(alpha, alpha))


def sample_box(lam: float, size: tuple[int, int], generator: Generator) -> Box:
    """A box with the share ``1 - lam`` of a picture of (height, width), centred anywhere, clipped to the picture."""
    sides = []
    for length in size:
        half = length * sqrt(1 - lam) / 2
        centre = generator.uniform(0, length)
        sides.append((round(max(0.0, centre - half)), round(min(float(length), centre + half))))
    (top, bottom), (left, right) = sides
    return Box(top, left, bottom, right)


def draw_mix(mixing: Mixing, size: tuple[int, int], num_pictures: int, generator: Generator) -> tuple[Draw, int]:
    """One draw, and how many positions after the picture its partner is, which is never 0.

    The share and the box do not depend on ``num_pictures``.
    """
    mixes, pastes = generator.random() < mixing.prob, generator.random() < CUTMIX_SHARE[mixing.kind]
    lam = sample_lam(mixing.alpha, generator)
    box = sample_box(lam, size, generator) if pastes else None
    if box is not None:
        # Clipping and whole pixels change the share.
        lam = 1 - box.area / (size[0] * size[1])
    step = int(generator.integers(1, num_pictures))
    return (Draw(lam, box=box) if mixes else Draw()), step


def draw_batch(
    mixing: Mixing, seed: int, epochs: Sequence[int], indices: Sequence[int], size: tuple[int, int]
) -> list[Draw]:
    """A draw per picture. A single picture is not mixed.

    Args:
        mixing: kind and probability.
        seed: of the datamodule.
        epochs: of each sample.
        indices: of each sample in its split.
        size: (height, width) of the pictures.
    """
    count = len(indices)
    ended = mixing.until_epoch is not None and epochs[0] >= mixing.until_epoch
    if count < 2 or ended:
        return [Draw()] * count
    keys = list(zip(epochs, indices, strict=True))
    draws = []
    for position, key in enumerate(keys if mixing.per == "image" else keys[:1] * count):
        draw, step = draw_mix(mixing, size, count, np.random.default_rng(draw_seed(seed, *key, STREAM)))
        draws.append(draw._replace(partner=(position + step) % count))
    return draws


def mix_images(images: Tensor, draws: Sequence[Draw]) -> Tensor:
    """Mixed pictures ``(B, 3, H, W)`` uint8, in channels_last; partners are taken unmixed.

    Examples:
        Mixup of 100 and 200, of which three quarters and one quarter are kept.

        >>> images = torch.tensor([100, 200], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 1, 1)
        >>> mix_images(images, [Draw(lam=0.75, partner=1), Draw()])[:, 0].flatten().tolist()
        [125, 200]
    """
    before: Array = images.permute(0, 2, 3, 1).contiguous().numpy()
    mixed = before.copy()
    for position, (lam, partner, box) in enumerate(draws):
        if box is not None:
            paste(mixed[position], before[partner], box)
        elif lam < 1:
            # Rounded; into place, since another copy takes longer than the average.
            cv2.addWeighted(before[position], lam, before[partner], 1 - lam, 0, dst=mixed[position])
    return torch.from_numpy(mixed).permute(0, 3, 1, 2)


def paste(target: Array, source: Array, box: Box) -> None:
    """Copy a box of ``source`` into ``target``, both ``(H, W)`` or ``(H, W, 3)``, in place.

    Examples:
        >>> target = np.zeros((2, 2), np.uint8)
        >>> paste(target, np.full((2, 2), 9, np.uint8), Box(0, 1, 2, 2))
        >>> target.tolist()
        [[0, 9], [0, 9]]
    """
    rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
    target[rows, columns] = source[rows, columns]


def mix_segmentation(batch: SegmentationBatch, draws: Sequence[Draw]) -> MixedSegmentationBatch:
    """CutMix pastes the mask with the picture. Mixup keeps both masks, and ``lam`` is the share of the first."""
    before: Array = batch["mask"].numpy()
    mask = before.copy()
    for position, draw in enumerate(draws):
        if draw.box is not None:
            paste(mask[position], before[draw.partner], draw.box)
    mask_b, lam = mask.copy(), torch.ones(len(draws))
    for position, draw in enumerate(draws):
        if draw.box is None and draw.lam < 1:
            mask_b[position], lam[position] = before[draw.partner], draw.lam
    return {
        **batch,
        "image": mix_images(batch["image"], draws),
        "mask": torch.from_numpy(mask),
        "mask_b": torch.from_numpy(mask_b),
        "lam": lam,
    }


def mix_classification(batch: ClassificationBatch, draws: Sequence[Draw], num_classes: int) -> ClassificationBatch:
    """Both mix the labels; CutMix by the area that is really covered."""
    label = mix_labels(batch["label"], draws, num_classes)
    return {**batch, "image": mix_images(batch["image"], draws), "label": label}


def mix_labels(labels: Tensor, draws: Sequence[Draw], num_classes: int) -> Tensor:
    """Class indices ``(B,)`` to shares ``(B, num_classes)`` float32, whose rows sum to one.

    Examples:
        >>> mix_labels(torch.tensor([0, 1]), [Draw(lam=0.75, partner=1), Draw()], num_classes=2).tolist()
        [[0.75, 0.25], [0.0, 1.0]]
    """
    single = F.one_hot(labels, num_classes).float()
    lam = torch.tensor([draw.lam for draw in draws], dtype=torch.float32).unsqueeze(1)
    return lam * single + (1 - lam) * single[[draw.partner for draw in draws]]


Mix = Callable[[Any, Sequence[Draw]], Any]
"""Applies draws to a batch and returns it; the only part that knows the kind of label."""


class MixingCollate:
    """Samples to a batch with some mixed pictures.

    Args:
        collate: samples to a batch.
        mix: applies the draws, for instance ``mix_segmentation``.
        mixing: kind and probability.
        seed: of the draws.
    """

    def __init__(self, collate: Callable[[Sequence[Any]], Any], mix: Mix, mixing: Mixing, seed: int) -> None:
        self.collate, self.mix, self.mixing, self.seed = collate, mix, mixing, seed

    def __call__(self, samples: Sequence[Any]) -> Any:
        batch = self.collate(samples)
        epochs, indices = ([int(sample[key]) for sample in samples] for key in ("epoch", "index"))
        height, width = batch["image"].shape[-2:]
        return self.mix(batch, draw_batch(self.mixing, self.seed, epochs, indices, (height, width)))
