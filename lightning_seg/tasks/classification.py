"""Base of the classification tasks: the loss, metrics, prediction of pictures."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Unpack

import torch
from torch import Tensor, nn

from lightning_seg.batch import BoxPrediction, ClassificationBatch, LabelPrediction, Split
from lightning_seg.errors import ConfigError
from lightning_seg.inference.activation import class_activation, last_feature_map
from lightning_seg.inference.labels import LabelInference
from lightning_seg.losses.classification import ClassificationLoss
from lightning_seg.metrics import MetricPart
from lightning_seg.metrics.calibration import Calibration
from lightning_seg.metrics.classification import ClassCounts
from lightning_seg.metrics.likelihood import log_probs_of, logs_of
from lightning_seg.tasks.batches import truth_of
from lightning_seg.tasks.class_weights import ClassWeightedTask, checked_weights
from lightning_seg.tasks.looking import picture_size
from lightning_seg.tasks.options import SupervisedOptions
from lightning_seg.tasks.truths import check_labels


class ClassificationTask(ClassWeightedTask):
    """Trains a network that maps normalised pictures ``(B, 3, H, W)`` to logits ``(B, C)``.

    Logs once per epoch, for all splits, ``<split>/loss``, ``accuracy``, ``macro_f1`` and, with more than five classes,
    ``top5_accuracy``. With labels mixed by CutMix or Mixup, ``train/accuracy`` and the others count the class of the
    larger share, and ``train/soft_accuracy`` is the mean share that the predicted class has in the label; see
    ``ClassCounts``.

    Args:
        model: the network; its part ``encoder``, if it has one, can be frozen.
        num_classes: number of logits.
        label_smoothing: share of each label that is spread over all classes in training.
        class_weights: of cross-entropy, a number per class, or ``auto`` for the inverse of each class's share of the
            training pictures.
        options: see ``SupervisedTask``.

    Raises:
        ConfigError: if a name does not exist or arguments contradict each other.
    """

    default_monitor = "val/accuracy"
    curves = ("accuracy", "loss")
    truth = "label"
    counted, counted_by = "picture", "count_class_samples"
    prediction: ClassVar[type[LabelPrediction] | type[BoxPrediction]] = LabelPrediction
    loss: ClassificationLoss
    inference: LabelInference

    def __init__(
        self,
        model: nn.Module,
        num_classes: int,
        label_smoothing: float = 0.0,
        class_weights: list[float] | Literal["auto"] | None = None,
        **options: Unpack[SupervisedOptions],
    ) -> None:
        super().__init__(model=model, num_classes=num_classes, **options)
        self.loss = ClassificationLoss(label_smoothing, checked_weights(class_weights, num_classes))
        self.count(self.loss.weights)
        self.inference = LabelInference()
        # By the size of pictures. In a dict, since torch takes a layer that is an attribute for a further part.
        self._cam_layers: dict[torch.Size, nn.Module] = {}

    def metric_parts(self, split: Split) -> dict[str, MetricPart]:
        """Each takes logits or probabilities ``(B, C)``, and labels ``(B,)`` int64 or ``(B, C)`` float."""
        parts: dict[str, MetricPart] = {"counts": ClassCounts(self.hparams["num_classes"], may_mix=split == "train")}
        # Augmented pictures are harder than others, and mixed ones have no answer to be sure of.
        if split != "train":
            parts["calibration"] = Calibration()
        return parts

    def _check_arguments(self) -> None:
        if self.hparams["num_classes"] < 2:
            raise ConfigError(f"num_classes {self.hparams['num_classes']} is too small; give 2 or more")
        super()._check_arguments()

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` uint8 RGB to logits ``(B, C)``."""
        logits: Tensor = self.model(self.normalize(images))
        return logits

    # Steps

    def check_truth(self, batch: Mapping[str, Any], split: Split, size: tuple[int, int]) -> None:
        """Labels; of data that does not tell ``image_size``, whether the network takes such pictures, too."""
        check_labels(batch, split, self.hparams["num_classes"])
        if picture_size(getattr(self.trainer, "datamodule", None)) is None:
            self.check_picture_size(size)

    def shared_step(self, batch: ClassificationBatch, split: Split) -> Tensor:
        self.check_batch(batch, split)
        label = truth_of(batch, "label")
        logits = self(batch["image"])
        sums = self.loss.sums(logits, label)
        loss = self.loss.total(sums)
        self.losses_of(split).add(sums, len(label), len(label))
        scores, logits = self.scores_of(split), logits.detach()
        scores.update(logits, label, log_probs=log_probs_of(logits) if scores.needs_probs else None)
        return loss

    def measure(self, batch: ClassificationBatch, split: Split) -> None:
        """With test-time augmentation there is no loss."""
        self.check_batch(batch, split)
        if self.inference.tta is None:
            self.shared_step(batch, split)
        else:
            probs = self.inference.probabilities(self.probabilities, batch["image"])
            self.add_unanswered((~probs.isfinite()).any(dim=1).sum())
            self.scores_of(split).update(probs, truth_of(batch, "label"), log_probs=logs_of(probs))

    # Predictions

    def decide(self, logits: Tensor) -> Tensor:
        """Logits ``(B, C)`` to class indices ``(B,)`` int64."""
        return logits.argmax(dim=1)

    def probabilities(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` uint8 RGB to probabilities ``(B, C)``."""
        logits: Tensor = self(images).float()
        return logits.softmax(dim=1)

    def predict_pictures(
        self, images: Tensor, sizes: Sequence[tuple[int, int]], inference: LabelInference | None = None
    ) -> list[LabelPrediction]:
        """The likeliest classes, and what speaks for them where ``cam`` asks for it."""
        how = inference or self.inference
        said = how.predict(self.probabilities, images)
        if not how.cam:
            return said
        labels = torch.tensor([one.label for one in said], device=images.device)
        maps = how.activations(lambda shown: self.class_activations(shown, labels), images)
        return [one._replace(cam=cam) for one, cam in zip(said, maps, strict=True)]

    def class_activations(self, images: Tensor, classes: Tensor) -> Tensor:
        """Which places of pictures ``(B, 3, H, W)`` uint8 RGB speak for a class each: see ``class_activation``."""
        return class_activation(self, self.cam_layer(images), images, classes)

    def cam_layer(self, images: Tensor) -> nn.Module:
        """The layer whose feature map ``(B, D, h, w)`` class activation maps are made of; override it to name another.

        A method ``cam_layer()`` of the network names it; otherwise it is the network's last feature map.

        Args:
            images: ``(B, 3, H, W)`` uint8 RGB, of the size that is predicted.

        Raises:
            ModelError: if the network has no feature map.
        """
        named = getattr(self.model, "cam_layer", None)
        if named is not None:
            layer: nn.Module = named()
            return layer
        size = images.shape[-2:]
        if size not in self._cam_layers:
            self._cam_layers[size] = last_feature_map(self, self.model, images)
        return self._cam_layers[size]
