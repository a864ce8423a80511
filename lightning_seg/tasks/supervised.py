"""Base of the tasks on labelled pictures: the network and its encoder, class names, the three stages, logging."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch import Tensor, nn

from lightning_seg.checkpoints import CHECKPOINT_KEY
from lightning_seg.errors import ConfigError
from lightning_seg.metrics.split_losses import is_loss
from lightning_seg.models.freezing import Freezing, describe_random_features
from lightning_seg.models.normalization import Normalization, Normalize
from lightning_seg.numbers import check_number
from lightning_seg.signatures import hide_options
from lightning_seg.tasks.class_names import ClassNames
from lightning_seg.tasks.counting import CountingTask
from lightning_seg.tasks.looking import picture_size
from lightning_seg.tasks.optimization import check_names
from lightning_seg.tasks.processes import check_unfreezing, synchronise_what_trains

log = logging.getLogger(__name__)
NAMES_OF_DATA = "class_names_of_data"
"""Key of a checkpoint: whether class names are those of the dataset."""


class SupervisedTask(CountingTask):
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
        layer_decay: rate of each layer of the encoder relative to the one behind it, for pretrained ones, such as 0.9.
        optimizer: an optimiser of timm or torch.optim.
        lr: learning rate.
        weight_decay: of weights, not of biases and norm layers.
        optimizer_options: further arguments of the optimiser.
        schedule: ``constant``, ``one_cycle``, ``cosine``, ``poly``, ``swa``, or a class of torch.optim.lr_scheduler.
        schedule_options: further arguments of the schedule.
        monitor: metric that chooses the best checkpoint: the lowest of a loss, the highest of any other; None takes the
            task's own.

    Raises:
        ConfigError: if a name does not exist or arguments contradict each other.
    """

    _hparams_initial: dict[str, Any]
    leaves_normalization = False
    """Whether the normalization depends on the weights, since the user gave none."""

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
        layer_decay: float = 1.0,
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
        monitor = monitor or self.default_monitor
        self.monitor = monitor, "min" if is_loss(monitor) else "max"
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
        check_number("layer_decay", given["layer_decay"], 0.9, positive=True, most=1)
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
