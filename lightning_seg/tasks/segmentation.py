"""What every segmentation task shares: steps, metrics, optimiser, freezing of the encoder."""

import logging
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from lightning_seg.batch import IGNORE_INDEX, PictureBatch, PredictedBatch, SegmentationBatch, Split
from lightning_seg.errors import ConfigError
from lightning_seg.inference.masks import MaskInference
from lightning_seg.losses import SegmentationLoss
from lightning_seg.memory import keep_freed_memory
from lightning_seg.metrics import MeanLoss, SegmentationMetrics, metric_names, summarize
from lightning_seg.models.normalization import Normalization, Normalize
from lightning_seg.models.padding import pad_to_multiple
from lightning_seg.tasks.base import Task

log = logging.getLogger(__name__)
SPLITS: tuple[Split, ...] = ("train", "val", "test")


class SegmentationTask(Task):
    """Trains a network that maps normalised pictures ``(B, 3, H, W)`` to logits ``(B, C, H, W)``.

    Logs ``<split>/loss``, ``accuracy``, ``miou``, ``mdice``, ``iou/<class>`` and ``dice/<class>`` once per epoch.

    Args:
        model: the network; its part ``encoder``, if it has one, can be frozen.
        num_classes: channels of the logits.
        class_names: for the names of metrics; None takes them from the datamodule.
        ignore_index: mask value that neither loss nor metrics count.
        normalization: what the network's weights expect, see ``Normalize``.
        freeze_encoder: train neither the encoder's weights nor its BatchNorm statistics.
        unfreeze_epoch: let the frozen encoder train from this epoch on.
        freeze_encoder_norm: keep the encoder's BatchNorm statistics also where its weights train, for small batches.
        encoder_lr_factor: rate of the encoder relative to ``lr``.
        ce_weight: weight of cross-entropy in the loss.
        dice_weight: weight of soft Dice in the loss.
        label_smoothing: share of each pixel's label that is spread over all classes.
        optimizer: any of timm or torch.optim.
        lr: learning rate.
        weight_decay: for weights, not for biases and norm layers.
        optimizer_options: further arguments of the optimiser.
        schedule: ``constant``, ``one_cycle``, ``cosine``, ``poly``, or a class of torch.optim.lr_scheduler.
        schedule_options: further arguments of the schedule.

    Raises:
        ConfigError: if a name does not exist or arguments contradict each other.
    """

    monitor = ("val/miou", "max")

    def __init__(
        self,
        model: nn.Module,
        num_classes: int,
        class_names: Sequence[str] | None = None,
        ignore_index: int = IGNORE_INDEX,
        normalization: Normalization = "imagenet",
        freeze_encoder: bool = False,
        unfreeze_epoch: int | None = None,
        freeze_encoder_norm: bool = False,
        encoder_lr_factor: float = 1.0,
        ce_weight: float = 1.0,
        dice_weight: float = 0.0,
        label_smoothing: float = 0.0,
        optimizer: str = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        optimizer_options: dict[str, Any] | None = None,
        schedule: str = "constant",
        schedule_options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore="model")
        self.class_names = None if class_names is None else tuple(class_names)
        self.normalize = Normalize(normalization)
        # Convolutions of channels_last pictures are fastest with weights laid out alike.
        self.model = model.to(memory_format=torch.channels_last)
        self.loss = SegmentationLoss(ce_weight, dice_weight, label_smoothing, ignore_index)
        # torch's ModuleDict refuses the key "train".
        self.metrics = nn.ModuleDict({f"{split}_": SegmentationMetrics(num_classes, ignore_index) for split in SPLITS})
        # Lightning's own mean over an epoch is wrong where processes see different numbers of batches.
        self.losses = nn.ModuleDict({f"{split}_": MeanLoss() for split in SPLITS})
        self.example_input_array = torch.zeros(1, 3, 128, 128, dtype=torch.uint8)
        self.inference = MaskInference()
        self._check_arguments()
        self._freeze(freeze_encoder)

    def _check_arguments(self) -> None:
        given = self.hparams
        if self.class_names is not None and len(self.class_names) != given["num_classes"]:
            raise ConfigError(f"num_classes {given['num_classes']} does not fit the class names {self.class_names}")
        if given["unfreeze_epoch"] is not None and not given["freeze_encoder"]:
            raise ConfigError(f"unfreeze_epoch {given['unfreeze_epoch']} needs freeze_encoder true")

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` uint8 RGB of any size to logits ``(B, C, H, W)``."""
        height, width = images.shape[-2:]
        logits: Tensor = self.model(pad_to_multiple(self.normalize(images), self.reduction))
        return logits[..., :height, :width]

    @property
    def reduction(self) -> int:
        """What the network's sides must be a multiple of; pictures that are not are padded."""
        return int(getattr(self.model, "reduction", 1))

    # The encoder

    def _freeze(self, frozen: bool) -> None:
        self.encoder_frozen = frozen
        if hasattr(self.model, "encoder"):
            self.model.get_submodule("encoder").requires_grad_(not frozen)
        elif frozen or self.hparams["freeze_encoder_norm"]:
            name = "freeze_encoder" if frozen else "freeze_encoder_norm"
            raise ConfigError(f"{name}: {type(self.model).__name__} has no encoder; set it false")
        # Lightning keeps the modes that it finds instead of calling train().
        self.train(self.training)

    def warn_of_random_features(self) -> None:
        """For tasks with the argument ``encoder_weights``."""
        for name in ("freeze_encoder", "freeze_encoder_norm"):
            if self.hparams[name] and self.hparams["encoder_weights"] is None:
                log.warning(
                    "%s is on and encoder_weights is null, so random features would stay; set it false, or give "
                    "weights",
                    name,
                )

    def train(self, mode: bool = True) -> Self:
        """A frozen encoder stays in eval mode, otherwise its BatchNorm statistics would drift."""
        super().train(mode)
        if self.encoder_frozen or self.hparams["freeze_encoder_norm"]:
            self.model.get_submodule("encoder").eval()
        return self

    def on_train_epoch_start(self) -> None:
        unfreeze_epoch = self.hparams["unfreeze_epoch"]
        if self.encoder_frozen and unfreeze_epoch is not None and self.current_epoch >= unfreeze_epoch:
            self._freeze(False)

    # Steps

    def setup(self, stage: str) -> None:
        self._learn_from_datamodule()
        self.class_names = self.known_class_names()
        if self.hparams["unfreeze_epoch"] is not None and self.trainer.world_size > 1:
            raise ConfigError(
                "unfreeze_epoch does not work with several processes, which synchronise only what trains from the "
                "start; set freeze_encoder false, or one device"
            )
        super().setup(stage)

    def known_class_names(self) -> tuple[str, ...]:
        """Those that were given or learned; otherwise ``class_0``, ``class_1``, ..."""
        return self.class_names or tuple(f"class_{index}" for index in range(self.hparams["num_classes"]))

    def metric_names(self) -> list[str]:
        quantities = ["loss", *metric_names(self.known_class_names())]
        return [f"{split}/{quantity}" for split in ("train", "val") for quantity in quantities]

    def _learn_from_datamodule(self) -> None:
        data = getattr(self.trainer, "datamodule", None)
        names = getattr(data, "class_names", None)
        if names is not None and len(names) != self.hparams["num_classes"]:
            raise ConfigError(
                f"the task has num_classes {self.hparams['num_classes']}, {type(data).__name__} has {len(names)}: "
                f"{', '.join(names)}; set num_classes to {len(names)}"
            )
        if names is not None and self.class_names is None:
            self.class_names = tuple(names)
            # Checkpoints must tell their class names without the datamodule.
            self.hparams["class_names"] = list(names)
        ignore_index = getattr(data, "ignore_index", self.hparams["ignore_index"])
        if ignore_index != self.hparams["ignore_index"]:
            raise ConfigError(
                f"the task has ignore_index {self.hparams['ignore_index']}, {type(data).__name__} has {ignore_index}; "
                "give the task the same"
            )
        size = getattr(data, "image_size", None)
        if size is not None:
            check_divisible(size, self.reduction)
            self.example_input_array = torch.zeros(1, 3, *size, dtype=torch.uint8)

    def on_fit_start(self) -> None:
        if self.device.type == "cpu":
            keep_freed_memory()

    def shared_step(self, batch: SegmentationBatch, split: Split) -> Tensor:
        mask = batch["mask"].long()
        logits = self(batch["image"])
        loss: Tensor = self.loss(logits, mask)
        metrics, losses = self._accumulators(split)
        metrics.update(logits.detach().argmax(dim=1), mask)
        losses.update(loss.detach(), len(mask))
        return loss

    def training_step(self, batch: SegmentationBatch, batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train")

    def validation_step(self, batch: SegmentationBatch, batch_idx: int) -> None:
        self.shared_step(batch, "val")

    def test_step(self, batch: SegmentationBatch, batch_idx: int) -> None:
        self.shared_step(batch, "test")

    def probabilities(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` uint8 RGB to probabilities ``(B, C, H, W)``."""
        logits: Tensor = self(images)
        return logits.float().softmax(dim=1)

    def predict_step(self, batch: PictureBatch, batch_idx: int) -> PredictedBatch:
        """Masks at the original sizes; ``inference`` says how."""
        images, sizes = batch["image"], batch["original_size"]
        predictions = self.inference.predict(self.probabilities, images, sizes) if len(images) else []
        return {
            "predictions": predictions,
            "path": batch["path"],
            "name": batch["name"],
            "unreadable": batch["unreadable"],
        }

    def on_train_epoch_end(self) -> None:
        self._log_metrics("train")

    def on_validation_epoch_end(self) -> None:
        self._log_metrics("val")

    def on_test_epoch_end(self) -> None:
        self._log_metrics("test")

    def _accumulators(self, split: Split) -> tuple[SegmentationMetrics, MeanLoss]:
        metrics, losses = self.metrics[f"{split}_"], self.losses[f"{split}_"]
        assert isinstance(metrics, SegmentationMetrics)
        assert isinstance(losses, MeanLoss)
        return metrics, losses

    def _log_metrics(self, split: Split) -> None:
        """Once per epoch, from counts that all processes share."""
        assert self.class_names is not None
        metrics, losses = self._accumulators(split)
        values = {"loss": losses.compute().item(), **summarize(metrics.compute(), self.class_names)}
        metrics.reset()
        losses.reset()
        for name, value in values.items():
            self.log(f"{split}/{name}", value, prog_bar=name in ("loss", "miou"), sync_dist=True)


def check_divisible(size: Sequence[int], reduction: int) -> None:
    """A network that halves its maps can only double them back if each side is a multiple of its ``reduction``.

    Raises:
        ConfigError: naming the nearest sizes that fit.
    """
    for side in size:
        if side % reduction:
            below = side // reduction * reduction
            choices = f"{below} or {below + reduction}" if below else str(reduction)
            raise ConfigError(f"image_size {side} is not divisible by {reduction}; use {choices}")
