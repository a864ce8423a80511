"""Base of the tasks on labelled pictures: the network and its encoder, class names, the three stages, logging."""

import logging
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any, ClassVar, Protocol, Self, cast

import torch
from torch import Tensor, nn

from lightning_seg.batch import (
    BoxPrediction,
    LabelPrediction,
    MaskPrediction,
    PredictedBatch,
    Split,
)
from lightning_seg.checkpoints import CHECKPOINT_KEY
from lightning_seg.errors import ConfigError
from lightning_seg.measuring import Measuring
from lightning_seg.memory import keep_freed_memory
from lightning_seg.metrics.split_losses import SplitLosses
from lightning_seg.models.freezing import Freezing, describe_random_features
from lightning_seg.models.normalization import Normalization, Normalize
from lightning_seg.numbers import check_number
from lightning_seg.signatures import hide_options
from lightning_seg.tasks.base import Task
from lightning_seg.tasks.class_names import ClassNames
from lightning_seg.tasks.looking import picture_size
from lightning_seg.tasks.optimization import check_names
from lightning_seg.tasks.pictures import picture_batch
from lightning_seg.tasks.processes import check_unfreezing, synchronise_what_trains
from lightning_seg.tasks.verdicts import Verdicts

log = logging.getLogger(__name__)
SPLITS: tuple[Split, ...] = ("train", "val", "test")
NAMES_OF_DATA = "class_names_of_data"
"""Key of a checkpoint: whether class names are those of the dataset."""
LOWER_IS_BETTER = ("loss", "cross_entropy")


class Scores(Protocol):
    """The counts of a split, besides losses."""

    def take(self, class_names: Sequence[str]) -> dict[str, float]: ...

    def names(self, class_names: Sequence[str]) -> list[str]: ...


class SupervisedTask(Task):
    """Trains a network whose first layer normalises pictures; a subclass defines its predictions and its loss.

    Args:
        model: the network; its part ``encoder``, if it has one, can be frozen.
        num_classes: number of logits; 1 stands for two classes that one logit tells apart.
        class_names: for the names of metrics; None takes them from the datamodule.
        normalization: what the network's weights expect, see ``Normalize``.
        freeze_encoder: train neither the encoder's weights nor its BatchNorm statistics.
        unfreeze_epoch: let the frozen encoder train from this epoch on.
        freeze_encoder_norm: keep the encoder's BatchNorm statistics also where its weights train, for small batches.
        encoder_lr_factor: rate of the encoder relative to ``lr``.
        optimizer: an optimiser of timm or torch.optim.
        lr: learning rate.
        weight_decay: of weights, not of biases and norm layers.
        optimizer_options: further arguments of the optimiser.
        schedule: ``constant``, ``one_cycle``, ``cosine``, ``poly``, or a class of torch.optim.lr_scheduler.
        schedule_options: further arguments of the schedule.
        monitor: metric that chooses the best checkpoint: the lowest of a loss, the highest of any other; None takes the
            task's own.

    Raises:
        ConfigError: if a name does not exist or arguments contradict each other.
    """

    _hparams_initial: dict[str, Any]
    leaves_normalization = False
    """Whether the normalization depends on the weights, since the user gave none."""
    prediction: ClassVar[type[MaskPrediction] | type[LabelPrediction] | type[BoxPrediction]]
    """The kind of its answers, which decides about what is written and drawn of them."""
    inference: Any
    """How predictions are made, a frozen dataclass; validation and test measure what it makes."""
    measuring = Measuring()
    """What validation and test compare; see ``measure_as``."""
    default_monitor: str
    curves: tuple[str, ...]
    """Quantities of the training curves."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        hide_options(cls)

    def __init__(
        self,
        model: nn.Module,
        num_classes: int,
        class_names: Sequence[str] | None = None,
        normalization: Normalization = "imagenet",
        freeze_encoder: bool = False,
        unfreeze_epoch: int | None = None,
        freeze_encoder_norm: bool = False,
        encoder_lr_factor: float = 1.0,
        optimizer: str = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        optimizer_options: dict[str, Any] | None = None,
        schedule: str = "constant",
        schedule_options: dict[str, Any] | None = None,
        monitor: str | None = None,
    ) -> None:
        super().__init__()
        # Of all constructors on the way here.
        self.save_hyperparameters(ignore="model")
        self._leave_networks_out()
        self._verdicts = Verdicts()
        self._unanswered = torch.zeros((), dtype=torch.int64)
        self.monitor = _direction(monitor or self.default_monitor)
        self.normalize = Normalize(normalization)
        # Convolutions of channels_last pictures are fastest with weights laid out alike.
        self.model = model.to(memory_format=torch.channels_last)
        self.example_input_array = torch.zeros(1, 3, 128, 128, dtype=torch.uint8)
        self._check_arguments()
        self.freezing = Freezing(self.model, freeze_encoder, freeze_encoder_norm)
        # Lightning keeps the modes that it finds instead of calling train().
        self.train(self.training)

    def _leave_networks_out(self) -> None:
        """Arguments of one's own that are networks: checkpoints hold their weights, and plain values."""
        for name in [name for name, value in self.hparams.items() if isinstance(value, nn.Module)]:
            # Checkpoints store the first, loggers the second.
            del self.hparams[name], self._hparams_initial[name]

    def _check_arguments(self) -> None:
        given = self.hparams
        check_number("lr", given["lr"], 0.001, positive=True)
        check_number("weight_decay", given["weight_decay"], 0.01)
        check_number("encoder_lr_factor", given["encoder_lr_factor"], 0.1)
        check_names(given["optimizer"], given["schedule"])
        if given["num_classes"] < 1:
            raise ConfigError(f"num_classes {given['num_classes']} is too small; give 1 or more")
        self.classes = ClassNames(given["class_names"], given["num_classes"])
        if given["unfreeze_epoch"] is not None and not given["freeze_encoder"]:
            raise ConfigError(f"unfreeze_epoch {given['unfreeze_epoch']} needs freeze_encoder true")
        if given["unfreeze_epoch"] is not None:
            check_number("unfreeze_epoch", given["unfreeze_epoch"], 3)

    # The encoder

    @property
    def encoder_frozen(self) -> bool:
        """Whether the encoder's weights stay as they are for now."""
        return self.freezing.encoder

    def warn_of_random_features(self, weights: str = "encoder_weights") -> None:
        """Warn of frozen random features, in tasks with an argument for pretrained weights."""
        if self.hparams[weights] is None:
            settings = (self.hparams[name] for name in ("freeze_encoder", "freeze_encoder_norm", "encoder_lr_factor"))
            for line in describe_random_features(weights, *settings):
                log.warning(line)

    def train(self, mode: bool = True) -> Self:
        """As torch's; a frozen encoder stays in eval mode."""
        super().train(mode)
        self.freezing.keep_modes()
        return self

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Eval mode without gradients; afterwards every module has its former mode."""
        training = {module: module.training for module in self.modules()}
        self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            for module, mode in training.items():
                module.training = mode

    def on_train_start(self) -> None:
        super().on_train_start()
        # Of an epoch that goes on from its middle Lightning announces no start.
        self._unfreeze_when_due()

    def on_train_epoch_start(self) -> None:
        self._unfreeze_when_due()

    def _unfreeze_when_due(self) -> None:
        unfreeze_epoch = self.hparams["unfreeze_epoch"]
        if self.encoder_frozen and unfreeze_epoch is not None and self.current_epoch >= unfreeze_epoch:
            self.freezing.end()
            # Lightning keeps the modes that it finds instead of calling train().
            self.train(self.training)
            synchronise_what_trains(self.trainer)

    # Classes

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Those that were given or learned; None as long as there are none."""
        return self.classes.names

    def known_class_names(self) -> tuple[str, ...]:
        """The given or learned names; otherwise ``class_0``, ``class_1``, ..."""
        return self.classes.known

    def reported_names(self) -> tuple[str, ...]:
        """What its predictions call what they have found."""
        return self.known_class_names()

    @classmethod
    def keeps_its_classes(cls, given: Mapping[str, Any], is_trained: bool, predicts: bool) -> bool:
        """Whether it is applied to data of other classes than it has: to predict, or measured at the original size.

        Args:
            given: its arguments.
            is_trained: whether there is a checkpoint.
            predicts: it predicts, and is not measured.
        """
        return False

    @classmethod
    def is_ready(cls, given: Mapping[str, Any]) -> bool:
        """Whether with these arguments it answers without any training here."""
        return False

    @classmethod
    def load_from_checkpoint(cls, *args: Any, **kwargs: Any) -> Self:
        """As Lightning's. Other ``class_names`` are other words for the learned classes."""
        task: Self = super().load_from_checkpoint(*args, **kwargs)
        task.classes.are_of_data = task.classes.are_of_data and "class_names" not in kwargs
        return task

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint[CHECKPOINT_KEY][NAMES_OF_DATA] = self.classes.are_of_data

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Normalization and class names that were not given come from the checkpoint. Classes must be the same.

        Raises:
            ConfigError: if the data has other classes than the checkpoint, or in another order.
        """
        super().on_load_checkpoint(checkpoint)
        arguments = checkpoint.get("hyper_parameters", {})
        if arguments.get("class_names"):
            of_data = checkpoint.get(CHECKPOINT_KEY, {}).get(NAMES_OF_DATA, True)
            self.classes.meet_checkpoint(arguments["class_names"], of_data, self._trainer is not None)
            self._remember_names()
        stored = arguments.get("normalization")
        if self.leaves_normalization and stored is not None:
            # Checkpoints store the first, loggers the second.
            self.hparams["normalization"] = self._hparams_initial["normalization"] = stored
            self.normalize = Normalize(stored).to(self.device)

    def _remember_names(self) -> None:
        """Checkpoints must tell their class names without the datamodule."""
        if not self.hparams["class_names"] and self.class_names is not None:
            self.hparams["class_names"] = list(self.class_names)

    # What the datamodule tells

    def setup(self, stage: str) -> None:
        self.learn_from(getattr(self.trainer, "datamodule", None))
        if self.hparams["unfreeze_epoch"] is not None:
            check_unfreezing(self.trainer)
        super().setup(stage)

    def learn_from(self, data: Any) -> None:
        """The classes and the picture size of a datamodule, as far as there is one, and it tells them.

        Raises:
            ConfigError: if they do not fit the network, or are others than those that it has learned.
        """
        names, size = getattr(data, "class_names", None), picture_size(data)
        if names is not None:
            self.classes.meet_data(names, type(data).__name__)
            self._remember_names()
        if size is not None:
            self.check_picture_size(size)
            self.example_input_array = torch.zeros(1, 3, *size, dtype=torch.uint8)
        elif self.trainer.state.fn == "fit":
            self._check_example()

    def _check_example(self) -> None:
        """Without a word from the data, whether the network takes the example that summary and graph are made of."""
        example = self.example_input_array
        try:
            with self.evaluating():
                self(example.to(self.device) if isinstance(example, Tensor) else example)
        # Networks refuse by errors of all kinds.
        except Exception:
            self.example_input_array = None

    def check_picture_size(self, size: Sequence[int]) -> None:
        """Raises ConfigError if the network cannot take pictures of this (height, width)."""

    # What is counted

    def replace_loss(self, loss: Any) -> None:
        """Train by a loss of one's own, called in the constructor of a subclass; its parts are counted and logged.

        Args:
            loss: derives from the loss of this kind of task, and knows the weight of each part.
        """
        self.loss = loss
        self.losses = nn.ModuleDict({f"{split}_": SplitLosses(loss.weights) for split in SPLITS})

    def count(self, parts: Mapping[str, float], scores: Mapping[Split, nn.Module]) -> None:
        """Set up the counts of the loss, whose parts have these weights, and of each split these ``Scores``."""
        # torch's ModuleDict refuses the key "train".
        self.losses = nn.ModuleDict({f"{split}_": SplitLosses(parts) for split in SPLITS})
        self.scores = nn.ModuleDict({f"{split}_": kept for split, kept in scores.items()})

    def losses_of(self, split: Split) -> SplitLosses:
        losses = self.losses[f"{split}_"]
        assert isinstance(losses, SplitLosses)
        return losses

    def scores_of(self, split: Split) -> Scores:
        return cast(Scores, self.scores[f"{split}_"])

    def metric_names(self) -> list[str]:
        names = self.known_class_names()
        return [
            f"{split}/{name}"
            for split in SPLITS[:2]
            for name in (*self.losses_of(split).names, *self.scores_of(split).names(names))
        ]

    # Stages

    def on_fit_start(self) -> None:
        super().on_fit_start()
        self._verdicts = Verdicts()
        if self.device.type == "cpu":
            keep_freed_memory()

    @abstractmethod
    def shared_step(self, batch: Any, split: Split) -> Tensor:
        """The loss of a batch, which also counts for the split."""

    def measure(self, batch: Any, split: Split) -> None:
        """Measures a batch in validation and test."""
        self.shared_step(batch, split)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train")

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.measure(batch, "val")

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.measure(batch, "test")

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        self._log_values("train")

    def on_validation_epoch_end(self) -> None:
        self._log_values("val")

    def on_test_epoch_end(self) -> None:
        self._log_values("test")

    def on_train_end(self) -> None:
        self._verdicts.end(self)

    def _log_values(self, split: Split) -> None:
        """Once per epoch, from counts that all processes share."""
        shown = ("loss", *self.default_monitor.split("/")[1:])
        values, num_unanswered = self.split_values(split), self._take_unanswered()
        losses = {name: values[name] for name in self.losses_of(split).names if name in values}
        if split == "train" and not losses:
            # All batches came before a resume, from a checkpoint that does not tell what they counted.
            return
        # It looks at a few batches only.
        if not self.trainer.sanity_checking:
            self._verdicts.judge(self, split, losses, self.counted_pairs(split), num_unanswered)
        for name, value in values.items():
            self.log(f"{self.log_name(split)}/{name}", value, prog_bar=name in shown, sync_dist=True)

    def split_values(self, split: Split) -> dict[str, float]:
        """The values of an epoch by name; counting begins anew."""
        # Counters that were made in inference mode, as validate has it, could not be added to by a later fit.
        with torch.inference_mode(False):
            return {**self.losses_of(split).take(), **self.scores_of(split).take(self.known_class_names())}

    def counted_pairs(self, split: Split) -> Tensor | None:
        """``[true, predicted]`` of the last epoch, on the CPU; None if the task has no such counts."""
        return None

    def why_nothing_counts(self) -> str:
        """The reason why a split has no counted picture."""
        return "it has none"

    def add_unanswered(self, pictures: Tensor | int) -> None:
        """Count predictions that are NaN, where no loss would show it."""
        self._unanswered = self._unanswered.to(self.device) + pictures

    def _take_unanswered(self) -> int:
        """Their number in all processes; counting begins anew."""
        counted = self.trainer.strategy.reduce(self._unanswered.to(self.device), reduce_op="sum")
        self._unanswered = torch.zeros((), dtype=torch.int64)
        return int(counted)

    def log_name(self, split: Split) -> str:
        """First part of the names of a split's metrics."""
        return self.measuring.log_name(split)

    # How it is measured

    @property
    def at_original_size(self) -> bool:
        """Whether validation and test compare at the size of the files."""
        return self.measuring.original_size

    @at_original_size.setter
    def at_original_size(self, value: bool) -> None:
        self.measuring = replace(self.measuring, original_size=value)

    def measure_as(
        self, data: Any, original_size: bool = False, trained_at: tuple[int, int] | None = None, **knobs: Any
    ) -> None:
        """Let validation and test measure what ``predict`` with these knobs makes; called before both.

        Args:
            data: the datamodule that they will have.
            original_size: compare at the size of the files; tiles do so anyway.
            trained_at: (height, width) of the pictures of its training; None takes ``image_size`` of the data.
            knobs: see ``make_inference``.

        Raises:
            ConfigError: if the task has no such knob, or nothing that could be compared so, or the data cannot give it.
        """
        self.inference = self.make_inference(knobs)
        self.measuring = self.how_to_measure(original_size, trained_at or picture_size(data))
        if hasattr(data, "measure_as"):
            data.measure_as(self.measuring)
        elif self.measuring.original_size:
            raise ConfigError(
                f"{type(data).__name__} has no measure_as(measuring), by which --original_size and --tile ask for "
                "pictures and masks as their files are; leave both out, or add it"
            )

    def how_to_measure(self, original_size: bool, trained_at: tuple[int, int] | None) -> Measuring:
        """With the ``inference`` that it has; arguments as for ``measure_as``.

        Raises:
            ConfigError: if it gives nothing that has the size of a file.
        """
        if original_size:
            raise ConfigError(f"original_size is for masks, and {type(self).__name__} gives labels; leave it out")
        return Measuring()

    def shown_size(self, trained_at: tuple[int, int] | None, inference: Any | None = None) -> tuple[int, int] | None:
        """(height, width) at which it sees pictures that it predicts; None sees them as they are.

        Args:
            trained_at: what it was trained at.
            inference: how it predicts; None is its own.
        """
        return trained_at

    # Predictions

    def make_inference(self, given: Mapping[str, Any]) -> Any:
        """The settings ``inference`` of this kind of task with these values.

        Raises:
            ConfigError: if it has no such setting, or a value is impossible.
        """
        kind = type(self.inference)
        knobs = [field.name for field in fields(kind)]
        for name in given:
            if name not in knobs:
                raise ConfigError(f"{name} means nothing to {type(self).__name__}, which takes {', '.join(knobs)}")
        return kind(**given)

    @abstractmethod
    def predict_pictures(
        self, images: Tensor, sizes: Sequence[tuple[int, int]], inference: Any | None = None
    ) -> list[Any]:
        """What ``predict`` says: a ``prediction`` for each picture.

        Args:
            images: ``(B, 3, H, W)`` uint8 RGB.
            sizes: (height, width) of each original picture.
            inference: how; None is its own.
        """

    def predict_step(self, batch: Any, batch_idx: int) -> PredictedBatch[Any]:
        """What ``predict`` says to a ``PictureBatch``, or to any dict with ``image``, see ``picture_batch``."""
        pictures = picture_batch(batch, batch_idx, self.global_rank)
        images = pictures["image"]
        return {
            "predictions": self.predict_pictures(images, pictures["original_size"]) if len(images) else [],
            "path": pictures["path"],
            "name": pictures["name"],
            "unreadable": pictures["unreadable"],
        }


def _direction(monitor: str) -> tuple[str, str]:
    return monitor, "min" if monitor.endswith(LOWER_IS_BETTER) else "max"
