"""Base of the segmentation tasks: losses, metrics, prediction of pictures of any size."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Unpack

import torch
from torch import Tensor, nn

from lightning_seg.batch import IGNORE_INDEX, MaskPrediction, SegmentationBatch, Split
from lightning_seg.checkpoints import CHECKPOINT_KEY
from lightning_seg.errors import ConfigError
from lightning_seg.images import resize_image
from lightning_seg.inference.knobs import knobs_of_masks
from lightning_seg.inference.masks import MaskInference, decide
from lightning_seg.inference.views import average_views
from lightning_seg.losses import SegmentationLoss
from lightning_seg.mask_encoding import MaskEncoding
from lightning_seg.measuring import Measuring
from lightning_seg.metrics import MetricPart, SegmentationMetrics
from lightning_seg.metrics.calibration import Calibration
from lightning_seg.metrics.likelihood import log_probs_of, logs_of
from lightning_seg.metrics.pictures import PictureMetrics
from lightning_seg.metrics.thresholds import ThresholdCounts
from lightning_seg.models.padding import pad_to_multiple
from lightning_seg.tasks.batches import truth_of
from lightning_seg.tasks.class_weights import ClassWeightedTask, checked_weights
from lightning_seg.tasks.mask_watch import MaskWatch
from lightning_seg.tasks.options import SupervisedOptions
from lightning_seg.tasks.truths import check_masks

MASK_ENCODING = "mask_encoding"
"""Key of a checkpoint: what mask files of its dataset hold."""


class SegmentationTask(ClassWeightedTask):
    """Trains a network that maps normalised pictures ``(B, 3, H, W)`` to logits ``(B, C, H, W)``.

    Logs once per epoch, for all splits ``<split>/loss`` (and each of its parts, if there are several), ``accuracy``,
    ``miou``, ``mdice``, ``iou/<class>`` and ``dice/<class>``, all over the pixels of the split; for val and test also
    ``boundary_iou``, ``picture_iou``, ``picture_dice`` and ``picture_boundary_iou`` by class and as means, see
    ``PictureMetrics``; with one logit also ``average_precision`` and ``best_threshold``. For a Mixup picture, training
    metrics count the mask of the larger share.

    Args:
        model: the network; its part ``encoder``, if it has one, can be frozen.
        num_classes: channels of the logits; 1 stands for two classes that one logit tells apart.
        ignore_index: mask value that neither loss nor metrics count.
        ce_weight: weight of cross-entropy in the loss.
        dice_weight: weight of soft Dice in the loss.
        label_smoothing: share of each pixel's label that is spread over all classes in training.
        class_weights: of cross-entropy, a number per class (two for one logit), or ``auto`` for the inverse of each
            class's share of the training masks.
        extra_losses: focal, jaccard, lovasz or tversky with their weights, see ``SegmentationLoss``.
        options: see ``SupervisedTask``.

    Raises:
        ConfigError: if a name does not exist or arguments contradict each other.
    """

    default_monitor = "val/miou"
    curves = ("loss", "miou", "mdice")
    truth = "mask"
    counted, counted_by = "mask", "count_class_pixels"
    prediction = MaskPrediction
    loss: SegmentationLoss
    inference: MaskInference
    mask_encoding: MaskEncoding | None = None
    """What the files of the masks hold that it was trained on, if its data or its checkpoint says it."""

    def __init__(
        self,
        model: nn.Module,
        num_classes: int,
        ignore_index: int = IGNORE_INDEX,
        ce_weight: float = 1.0,
        dice_weight: float = 0.0,
        label_smoothing: float = 0.0,
        class_weights: list[float] | Literal["auto"] | None = None,
        extra_losses: dict[str, float | dict[str, float]] | None = None,
        **options: Unpack[SupervisedOptions],
    ) -> None:
        if num_classes > IGNORE_INDEX:
            raise ConfigError(
                f"num_classes {num_classes} is too large, since masks have 8 bits here and {IGNORE_INDEX} is ignored; "
                f"join classes, or ignore rare ones, until {IGNORE_INDEX} are left"
            )
        super().__init__(model=model, num_classes=num_classes, **options)
        classes = max(2, num_classes)
        given = checked_weights(class_weights, classes)
        self.loss = SegmentationLoss(ce_weight, dice_weight, label_smoothing, ignore_index, given, extra_losses)
        self.count(self.loss.weights)
        self.inference = MaskInference()

    def metric_parts(self, split: Split) -> dict[str, MetricPart]:
        """Each takes class indices ``(B, H, W)``, predicted and true, and of one logit the probability of class 1."""
        num_classes, ignore_index = self.hparams["num_classes"], self.hparams["ignore_index"]
        parts: dict[str, MetricPart] = {
            "pixels": SegmentationMetrics(max(2, num_classes), ignore_index, of_foreground=num_classes == 1)
        }
        # A step of training has no time to spare for more.
        if split != "train":
            parts["pictures"] = PictureMetrics(max(2, num_classes), ignore_index)
        if split != "train":
            parts["calibration"] = Calibration(ignore_index)
        if split != "train" and num_classes == 1:
            parts["thresholds"] = ThresholdCounts(ignore_index)
        return parts

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` uint8 RGB of any size to logits ``(B, C, H, W)``."""
        height, width = images.shape[-2:]
        logits: Tensor = self.model(pad_to_multiple(self.normalize(images), self.reduction))
        return logits[..., :height, :width]

    @property
    def reduction(self) -> int:
        """Number that both sides must be multiples of; other pictures are padded."""
        return int(getattr(self.model, "reduction", 1))

    def check_picture_size(self, size: Sequence[int]) -> None:
        # What predicts pads pictures, and data of the user's own may have been padded in training, too.
        if self._trainer is None or self.trainer.state.fn != "predict":
            check_divisible(size, self.reduction)

    def learn_from(self, data: Any) -> None:
        super().learn_from(data)
        self.mask_encoding = getattr(data, "mask_encoding", None) or self.mask_encoding
        ignore_index = getattr(data, "ignore_index", self.hparams["ignore_index"])
        if ignore_index != self.hparams["ignore_index"]:
            raise ConfigError(
                f"the task has ignore_index {self.hparams['ignore_index']}, {type(data).__name__} has {ignore_index}; "
                "give the task the same"
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        if self.mask_encoding is not None:
            checkpoint[CHECKPOINT_KEY][MASK_ENCODING] = self.mask_encoding.as_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What masks hold comes from the checkpoint where the data does not tell it.

        Raises:
            ConfigError: see ``SupervisedTask``; also if that is no encoding.
        """
        super().on_load_checkpoint(checkpoint)
        stored = (checkpoint.get(CHECKPOINT_KEY) or {}).get(MASK_ENCODING)
        self.mask_encoding = self.mask_encoding or MaskEncoding.of(stored)

    # Steps

    def check_truth(self, batch: Mapping[str, Any], split: Split, size: tuple[int, int]) -> None:
        """Masks, which may be larger than the pictures where they are measured at the original size."""
        classes, ignored = max(2, self.hparams["num_classes"]), self.hparams["ignore_index"]
        check_masks(batch, split, classes, ignored, of_image=not self.measuring.original_size)

    def shared_step(self, batch: SegmentationBatch, split: Split) -> Tensor:
        self.check_batch(batch, split)
        mask, mask_b, lam = _masks(batch)
        logits = self(batch["image"])
        sums = self.loss.sums(logits, mask, mask_b, lam)
        loss = self.loss.total(sums)
        self.losses_of(split).add(sums, len(mask), self._num_counted(mask, mask_b))
        if mask_b is not None and lam is not None:
            mask = torch.where(lam.view(-1, 1, 1) >= 0.5, mask, mask_b)
        logits = logits.detach()
        foreground = logits[:, 0].float().sigmoid() if logits.shape[1] == 1 else None
        threshold = None if split == "train" else self.inference.threshold
        predicted = self.decide(logits) if threshold is None else decide_all(probabilities_of(logits), threshold)
        scores = self.scores_of(split)
        scores.update(predicted, mask, foreground, log_probs=log_probs_of(logits) if scores.needs_probs else None)
        return loss

    def _num_counted(self, mask: Tensor, mask_b: Tensor | None) -> Tensor:
        """Number of pictures with a pixel that counts."""
        ignored: int = self.hparams["ignore_index"]
        counted = mask != ignored
        if mask_b is not None:
            counted |= mask_b != ignored
        return counted.flatten(1).any(dim=1).sum()

    def why_nothing_counts(self) -> str:
        return f"every pixel of its masks holds ignore_index {self.hparams['ignore_index']}"

    # How it is measured

    def knobs(self) -> tuple[str, ...]:
        return knobs_of_masks(super().knobs(), self.hparams["num_classes"])

    def how_to_measure(self, original_size: bool, trained_at: tuple[int, int] | None) -> Measuring:
        if not original_size and self.inference.tile is None:
            return Measuring()
        return Measuring(original_size=True, shown_size=self.shown_size(trained_at))

    def shown_size(
        self, trained_at: tuple[int, int] | None, inference: MaskInference | None = None
    ) -> tuple[int, int] | None:
        # Tiles are cut from pictures as they are.
        return trained_at if (inference or self.inference).tile is None else None

    def measure(self, batch: SegmentationBatch, split: Split) -> None:
        """As training does it, or as ``predict``, at the size of the masks: then there is no loss."""
        if self.measuring.original_size or self.inference.tile is not None:
            self._measure_predictions(batch, split)
        elif self.inference.tta is not None:
            self._measure_views(batch, split)
        else:
            self.shared_step(batch, split)

    def _measure_predictions(self, batch: SegmentationBatch, split: Split) -> None:
        self.check_batch(batch, split)
        mask, images = truth_of(batch, "mask").long(), batch["image"]
        if self.measuring.shown_size is not None:
            images = torch.stack([_resized(image, self.measuring.shown_size) for image in images])
        scores = self.scores_of(split)
        watch = MaskWatch(self.inference, mask, self.hparams["ignore_index"], scores.part(Calibration))
        how = watch.inference if scores.needs_probs else None
        predictions = self.predict_pictures(images, [(mask.shape[1], mask.shape[2])] * len(mask), how)
        self.add_unanswered(sum(not prediction.is_number for prediction in predictions))
        predicted = torch.stack([prediction.mask for prediction in predictions])
        scores.update(predicted.to(mask), mask, likelihood=watch.likelihood)

    def _measure_views(self, batch: SegmentationBatch, split: Split) -> None:
        self.check_batch(batch, split)
        mask = truth_of(batch, "mask").long()
        probs = average_views(self.probabilities, self.inference.tta)(batch["image"])
        self.add_unanswered((~probs.isfinite()).flatten(1).any(dim=1).sum())
        foreground = probs[:, 1] if self.hparams["num_classes"] == 1 else None
        predicted = decide_all(probs, self.inference.threshold)
        self.scores_of(split).update(predicted, mask, foreground, log_probs=logs_of(probs))

    # Predictions

    def decide(self, logits: Tensor) -> Tensor:
        """Logits ``(B, C, H, W)`` to class indices ``(B, H, W)`` int64."""
        return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(dim=1)

    def probabilities(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` uint8 RGB to probabilities ``(B, C, H, W)``; with one logit those of both classes."""
        return probabilities_of(self(images))

    def predict_pictures(
        self, images: Tensor, sizes: Sequence[tuple[int, int]], inference: MaskInference | None = None
    ) -> list[MaskPrediction]:
        """Masks at the original sizes."""
        return (inference or self.inference).predict(self.probabilities, images, sizes)


def probabilities_of(logits: Tensor) -> Tensor:
    """``(B, C, H, W)``; of one logit those of both classes."""
    logits = logits.float()
    if logits.shape[1] > 1:
        return logits.softmax(dim=1)
    foreground = logits.sigmoid()
    return torch.cat([1 - foreground, foreground], dim=1)


def decide_all(probs: Tensor, threshold: float | None) -> Tensor:
    """Probabilities ``(B, C, H, W)`` to class indices ``(B, H, W)`` int64, see ``inference.masks.decide``."""
    return torch.stack([decide(one, threshold) for one in probs])


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """``(3, H, W)`` uint8 at another size, as ``predict`` resizes it."""
    pixels = resize_image(image.permute(1, 2, 0).contiguous().cpu().numpy(), size)
    return torch.from_numpy(pixels).permute(2, 0, 1).to(image.device)


def _masks(batch: Mapping[str, Any]) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """The masks as int64 and, after Mixup, the second masks and the shares of the first."""
    mask_b = batch.get("mask_b")
    return truth_of(batch, "mask").long(), None if mask_b is None else mask_b.long(), batch.get("lam")


def check_divisible(size: Sequence[int], reduction: int) -> None:
    """Check that each side is a multiple of ``reduction``: a network that halves its maps can only double them back
    then.

    Raises:
        ConfigError: naming the nearest sizes that fit.
    """
    for side in size:
        if side % reduction:
            below = side // reduction * reduction
            choices = f"{below} or {below + reduction}" if below else str(reduction)
            raise ConfigError(f"image_size {side} is not divisible by {reduction}; use {choices}")
