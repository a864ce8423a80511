"""Base of the tasks on labelled pictures: the network and its encoder, class names, the three stages, logging."""

import logging
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Protocol, Self, cast

import torch
from torch import Tensor, nn

from lightning_seg.batch import PictureBatch, PredictedBatch, Split
from lightning_seg.checkpoints import CHECKPOINT_KEY
from lightning_seg.errors import ConfigError
from lightning_seg.losses.summed import Summed
from lightning_seg.memory import keep_freed_memory
from lightning_seg.metrics import MeanLoss
from lightning_seg.models.normalization import Normalization, Normalize
from lightning_seg.numbers import check_number
from lightning_seg.tasks.base import Task
from lightning_seg.tasks.optimization import check_names
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
    inference: Any
    """Settings of predictions; validation and test measure them."""
    default_monitor: str
    curves: tuple[str, ...]
    """Quantities of the training curves."""

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
        self._verdicts = Verdicts()
        self._unanswered = torch.zeros((), dtype=torch.int64)
        self.class_names = None if class_names is None else tuple(class_names)
        self._has_names_of_data = False
        """Whether class names are those of the dataset, not the user's words for them."""
        self.monitor = _direction(monitor or self.default_monitor)
        self.normalize = Normalize(normalization)
        # Convolutions of channels_last pictures are fastest with weights laid out alike.
        self.model = model.to(memory_format=torch.channels_last)
        self.example_input_array = torch.zeros(1, 3, 128, 128, dtype=torch.uint8)
        self._check_arguments()
        self._freeze(freeze_encoder)

    def _check_arguments(self) -> None:
        given = self.hparams
        check_number("lr", given["lr"], 0.001, positive=True)
        check_number("weight_decay", given["weight_decay"], 0.01)
        check_number("encoder_lr_factor", given["encoder_lr_factor"], 0.1)
        check_names(given["optimizer"], given["schedule"])
        if given["num_classes"] < 1:
            raise ConfigError(f"num_classes {given['num_classes']} is too small; give 1 or more")
        if self.class_names is not None and len(self.class_names) not in self._numbers_of_names():
            raise ConfigError(f"num_classes {given['num_classes']} does not fit the class names {self.class_names}")
        if given["unfreeze_epoch"] is not None and not given["freeze_encoder"]:
            raise ConfigError(f"unfreeze_epoch {given['unfreeze_epoch']} needs freeze_encoder true")
        if given["unfreeze_epoch"] is not None:
            check_number("unfreeze_epoch", given["unfreeze_epoch"], 3)

    def _numbers_of_names(self) -> tuple[int, ...]:
        """Possible numbers of class names: one logit tells two classes apart."""
        num_classes: int = self.hparams["num_classes"]
        return (2, 1) if num_classes == 1 else (num_classes,)

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

    def warn_of_random_features(self, weights: str = "encoder_weights") -> None:
        """Warn of frozen random features, in tasks with an argument for pretrained weights."""
        for name in ("freeze_encoder", "freeze_encoder_norm"):
            if self.hparams[name] and self.hparams[weights] is None:
                log.warning(
                    "%s is on and %s is null, so random features would stay; set it false, or give weights",
                    name,
                    weights,
                )
        if self.hparams["encoder_lr_factor"] < 1 and self.hparams[weights] is None:
            log.warning(
                "encoder_lr_factor is %s and %s is null, so random features would learn slowly; set it 1, or give "
                "weights",
                self.hparams["encoder_lr_factor"],
                weights,
            )

    def train(self, mode: bool = True) -> Self:
        """A frozen encoder stays in eval mode; otherwise its BatchNorm statistics would drift."""
        super().train(mode)
        if self.encoder_frozen or self.hparams["freeze_encoder_norm"]:
            self.model.get_submodule("encoder").eval()
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
            self._freeze(False)
            synchronise_what_trains(self.trainer)

    @classmethod
    def load_from_checkpoint(cls, *args: Any, **kwargs: Any) -> Self:
        """As Lightning's. Other ``class_names`` are other words for the learned classes."""
        task: Self = super().load_from_checkpoint(*args, **kwargs)
        task._has_names_of_data = task._has_names_of_data and "class_names" not in kwargs
        return task

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint[CHECKPOINT_KEY][NAMES_OF_DATA] = self._has_names_of_data

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Normalization and class names that were not given come from the checkpoint. Classes must be the same.

        Raises:
            ConfigError: if the data has other classes than the checkpoint, or in another order.
        """
        super().on_load_checkpoint(checkpoint)
        arguments = checkpoint.get("hyper_parameters", {})
        if arguments.get("class_names"):
            of_data = checkpoint.get(CHECKPOINT_KEY, {}).get(NAMES_OF_DATA, True)
            self._take_class_names(arguments["class_names"], of_data)
        stored = arguments.get("normalization")
        if self.leaves_normalization and stored is not None:
            # Checkpoints store the first, loggers the second.
            self.hparams["normalization"] = self._hparams_initial["normalization"] = stored
            self.normalize = Normalize(stored).to(self.device)

    def _take_class_names(self, learned: Sequence[str], of_data: bool) -> None:
        """Takes a checkpoint's names; a user's own words, not ``of_data``, cannot be compared."""
        known = self.hparams["class_names"]
        if known and self._trainer is not None and of_data and self._has_names_of_data:
            check_class_names(learned, known)
        if not known:
            self.class_names = tuple(learned)
            self.hparams["class_names"] = list(learned)
        if not known or self._trainer is None:
            self._has_names_of_data = of_data

    # What the datamodule tells

    def setup(self, stage: str) -> None:
        self._learn_from_datamodule()
        self.class_names = self.known_class_names()
        if self.hparams["unfreeze_epoch"] is not None:
            check_unfreezing(self.trainer)
        super().setup(stage)

    def known_class_names(self) -> tuple[str, ...]:
        """The given or learned names; otherwise ``class_0``, ``class_1``, ..."""
        return self.class_names or tuple(f"class_{index}" for index in range(self._numbers_of_names()[0]))

    def _learn_from_datamodule(self) -> None:
        data = getattr(self.trainer, "datamodule", None)
        names = getattr(data, "class_names", None)
        if names is not None and len(names) not in self._numbers_of_names():
            raise ConfigError(
                f"the task has num_classes {self.hparams['num_classes']}, {type(data).__name__} has {len(names)}: "
                f"{', '.join(names)}; set num_classes to {len(names)}"
            )
        if names is not None and self.class_names is not None and self._has_names_of_data:
            check_class_names(self.class_names, names, "; to train on others, give load_from_checkpoint class_names")
        if names is not None and self.class_names is None:
            self.class_names = tuple(names)
            # Checkpoints must tell their class names without the datamodule.
            self.hparams["class_names"] = list(names)
        if names is not None:
            self._has_names_of_data = tuple(names) == self.class_names
        size = getattr(data, "image_size", None)
        if size is not None:
            self.check_picture_size(size)
            self.example_input_array = torch.zeros(1, 3, *size, dtype=torch.uint8)

    def check_picture_size(self, size: Sequence[int]) -> None:
        """Raises ConfigError if the network cannot take pictures of this (height, width)."""

    # What is counted

    def count(self, parts: Mapping[str, float], scores: Mapping[Split, nn.Module]) -> None:
        """Set up the counts of the loss, whose parts have these weights, and of each split these ``Scores``."""
        # torch's ModuleDict refuses the key "train".
        self.losses = nn.ModuleDict({f"{split}_": Losses(parts) for split in SPLITS})
        self.scores = nn.ModuleDict({f"{split}_": kept for split, kept in scores.items()})

    def losses_of(self, split: Split) -> "Losses":
        losses = self.losses[f"{split}_"]
        assert isinstance(losses, Losses)
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
        return split

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
    def predict_pictures(self, images: Tensor, sizes: Sequence[tuple[int, int]]) -> list[Any]:
        """Predictions for pictures ``(B, 3, H, W)`` uint8 with these original (height, width)."""

    def predict_step(self, batch: PictureBatch, batch_idx: int) -> PredictedBatch[Any]:
        images = batch["image"]
        return {
            "predictions": self.predict_pictures(images, batch["original_size"]) if len(images) else [],
            "path": batch["path"],
            "name": batch["name"],
            "unreadable": batch["unreadable"],
        }


class Losses(nn.ModuleDict):
    """The mean of a loss over a split, and of its parts, if there are several.

    Args:
        parts: the weight of each part.
    """

    def __init__(self, parts: Mapping[str, float]) -> None:
        super().__init__({name: MeanLoss() for name in parts})
        self.weights = dict(parts)

    @property
    def names(self) -> list[str]:
        """All possible names of ``take``."""
        return ["loss", *(self.weights if len(self.weights) > 1 else ())]

    def add(self, sums: Mapping[str, Summed], num_pictures: int, num_counted: Tensor | int) -> None:
        """Adds the losses of a batch, by part."""
        for name, loss in self.items():
            assert isinstance(loss, MeanLoss)
            loss.update(sums[name].total.detach(), sums[name].weight.detach(), num_pictures, num_counted)

    def take(self) -> dict[str, float]:
        """The means; counting begins anew. Empty where no process has counted anything."""
        # All processes ask for all of them, whatever they have seen.
        counted: dict[str, float] = {}
        for name, loss in self.items():
            assert isinstance(loss, MeanLoss)
            value = loss.compute()
            loss.reset()
            counted |= {} if value is None else {name: value}
        if not counted:
            return {}
        total = sum(self.weights[name] * value for name, value in counted.items())
        return {"loss": total, **(counted if len(counted) > 1 else {})}


def truth_of(batch: Mapping[str, Any], key: str) -> Tensor:
    """The true masks or labels of a batch.

    Raises:
        ConfigError: if the datamodule is for another kind of task.
    """
    if key not in batch:
        raise ConfigError(
            f"the task learns from a {key} per picture, the batches hold {', '.join(batch)}; give a task and a "
            "datamodule of one kind"
        )
    truth: Tensor = batch[key]
    return truth


def check_class_names(learned: Sequence[str], names: Sequence[str], otherwise: str = "") -> None:
    """Raises ConfigError if classes are not the learned ones of a checkpoint, in the same order.

    Args:
        learned: names of the checkpoint.
        names: the other names.
        otherwise: end of the message.
    """
    if tuple(learned) == tuple(names):
        return
    missing = [name for name in learned if name not in names]
    added = [name for name in names if name not in learned]
    parts = [f"{word} {', '.join(found)}" for word, found in (("without", missing), ("with", added)) if found]
    raise ConfigError(
        f"the classes are not those of the checkpoint, but {' and '.join(parts) or 'in another order'}, so that labels "
        f"would be wrong; give the classes that it was trained with: {', '.join(learned)}{otherwise}"
    )


def _direction(monitor: str) -> tuple[str, str]:
    return monitor, "min" if monitor.endswith(LOWER_IS_BETTER) else "max"
