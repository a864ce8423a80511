"""Lightning's trainer, whose methods take what can be asked of validation, test and prediction.

Lightning makes the flags of a subcommand from the arguments of the trainer's method, so what stands here is what can be
typed.
"""

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytorch_lightning as pl
from docstring_parser import parse

from lightning_seg.callbacks.prediction_writer import tint_backgrounds
from lightning_seg.checkpoint_io import write_whole, write_whole_in_background
from lightning_seg.datasets.finding import asks_for_unlabelled
from lightning_seg.errors import ConfigError
from lightning_seg.inference.knobs import KINDS, about_tiles, given_of, names_of_files
from lightning_seg.plots.formats import PNG, Formats
from lightning_seg.process_tree import is_first_process
from lightning_seg.progress import is_quiet
from lightning_seg.runs import Run
from lightning_seg.stopping import at_stake
from lightning_seg.trainer.any_data import (
    check_predictable,
    pictures_in_place_of,
    shown_size,
    unlabelled_pictures,
)
from lightning_seg.trainer.processes import is_loss, loss_of
from lightning_seg.trainer.run_folder import run_folder_of, training_alone
from lightning_seg.trainer.stopped import SignalConnector, end_processes, what_is_kept

DEFAULT_EPOCHS = 20
"""Lightning's own default are 1,000."""
log = logging.getLogger(__name__)
Method = TypeVar("Method", bound=Callable[..., Any])


def _with_knobs(method: Method, without: Sequence[str] = ()) -> Method:
    """The method with the fields of ``KINDS`` in place of its ``**knobs``, for those who read its signature.

    Args:
        method: whose docstring ends in its arguments.
        without: fields that it does not take.
    """
    own = inspect.signature(method)
    taken = [one for one in own.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    knobs: dict[str, inspect.Parameter] = {}
    texts: dict[str, str] = {}
    for kind in KINDS:
        for one in inspect.signature(kind).parameters.values():
            if one.name not in without:
                knobs.setdefault(one.name, one.replace(kind=inspect.Parameter.KEYWORD_ONLY))
        texts = {one.arg_name: one.description or "" for one in parse(kind.__doc__ or "").params} | texts
    lines = [f"    {name}: {' '.join(texts[name].split())}" for name in knobs]
    method.__doc__ = "\n".join([inspect.getdoc(method) or "", *lines])
    method.__signature__ = own.replace(parameters=[*taken, *knobs.values()])  # type: ignore[attr-defined]
    return method


def _measuring(stage: Literal["validate", "test"], split: str) -> Callable[..., Any]:
    """Lightning's method of this name, with what can be asked of a measurement."""

    def measure(
        self: "RunTrainer",
        model: Any,
        datamodule: Any,
        ckpt_path: str | None = None,
        verbose: bool = True,
        weights_only: bool | None = None,
        original_size: bool = False,
        **knobs: Any,
    ) -> Any:
        with self.working(stage):
            _measure_as(model, datamodule, original_size, ckpt_path, knobs)
            own = getattr(super(RunTrainer, self), stage)
            return own(model, None, ckpt_path, verbose, datamodule, weights_only=True)

    measure.__name__ = stage
    measure.__doc__ = f"""Measure on the {split} split.

    Args:
        ckpt_path: Checkpoint to measure.
        verbose: Whether to print the values.
        weights_only: Checkpoints are never read in another way here.
        original_size: Measure at the original size of the pictures, as predict writes them; --tile implies it. A
            detector is measured against boxes."""
    return _with_knobs(measure, without=names_of_files())


class RunTrainer(pl.Trainer):
    """Writes what is of a run into the folder of the run, whatever the loggers, and runs no code of checkpoints."""

    run_folder: Path | None = None
    """Where results go; None where nothing of the run is kept, and in processes that have not been told."""
    plots: Formats = PNG
    """Formats of the plots that callbacks write."""

    def __init__(
        self,
        *,
        max_epochs: int | None = DEFAULT_EPOCHS,
        limit_train_batches: int | float | None = None,
        limit_val_batches: int | float | None = None,
        limit_test_batches: int | float | None = None,
        limit_predict_batches: int | float | None = None,
        **options: Any,
    ) -> None:
        """Lightning's arguments, and these.

        Args:
            max_epochs: Stop training once this number of epochs is reached, -1 never. Default: 20; without limit where
                max_steps, max_time or a Timer among the callbacks says when to stop.
            limit_train_batches: How much of the training data is used: 0.1 is a share, 10 are batches, 1.0 is all.
            limit_val_batches: Likewise, of the validation data.
            limit_test_batches: Likewise, of the test data.
            limit_predict_batches: Likewise, of the pictures to predict.
        """
        write_whole_in_background(options.get("plugins"))
        if is_quiet():
            options["enable_progress_bar"] = False
        # 1 is one batch and 1.0 all of them; Lightning's order of types makes 1.0 of both.
        super().__init__(
            max_epochs=max_epochs,
            limit_train_batches=limit_train_batches,
            limit_val_batches=limit_val_batches,
            limit_test_batches=limit_test_batches,
            limit_predict_batches=limit_predict_batches,
            **options,
        )
        self.continued: Run | None = None
        """The run that is trained further or applied."""
        # Lightning has no other way to leave signals alone.
        self._signal_connector = SignalConnector(self)
        write_whole(self.strategy)

    @property
    def log_dir(self) -> str | None:
        """The folder of the run, as Lightning has that of the first logger. All processes have to ask."""
        if self.run_folder is None:
            # Lightning asks the first process, too.
            return super().log_dir
        folder: str = self.strategy.broadcast(str(self.run_folder))
        return folder

    def fit(  # type: ignore[override]
        self, model: Any, datamodule: Any, ckpt_path: str | None = None, weights_only: bool | None = None
    ) -> None:
        """Train.

        Args:
            ckpt_path: Checkpoint that the training goes on from.
            weights_only: Checkpoints are never read in another way here.
        """
        folder = run_folder_of(self)
        alone = folder is not None and is_first_process()
        # No other command trains in the run folder meanwhile.
        with self.working("fit"), training_alone(folder, self.continued) if alone and folder else nullcontext():
            super().fit(model, None, None, datamodule, ckpt_path, weights_only=True)

    validate = _measuring("validate", "validation")
    test = _measuring("test", "test")

    @_with_knobs
    def predict(  # type: ignore[override]
        self,
        model: Any,
        datamodule: Any,
        ckpt_path: str | None = None,
        weights_only: bool | None = None,
        return_predictions: bool | None = None,
        images: list[str] | str | None = None,
        output: str | None = None,
        tint_background: bool = False,
        **knobs: Any,
    ) -> Any:
        """Write predicted masks, labels or boxes.

        Args:
            ckpt_path: Checkpoint that predicts.
            weights_only: Checkpoints are never read in another way here.
            return_predictions: They are written as they come, and never kept.
            images: Pictures, folders or patterns; unlabelled are those without a mask; without it the test split.
            output: Folder for what is written; without it predictions/ in the run folder or here.
            tint_background: In overlays, darken the class called background, too.
        """
        with self.working("predict"):
            tint_backgrounds(self.callbacks, tint_background)  # type: ignore[attr-defined]
            _ask(model, datamodule, ckpt_path, knobs)
            data = _pictures_for(model, datamodule, images, ckpt_path)
            # They are written as they come; kept in memory they would grow with the number of pictures.
            return super().predict(model, None, data, False, ckpt_path, weights_only=True)

    @contextmanager
    def working(self, subcommand: str) -> Iterator[None]:
        """What a signal and the loss of another process have to say meanwhile."""
        at_stake(lambda: what_is_kept(subcommand, self), lambda: end_processes(self))
        try:
            yield
        except Exception as error:
            if not is_loss(error):
                raise
            raise loss_of(error, self) from error
        if subcommand != "fit":
            at_stake(lambda: "its work is done")


def _pictures_for(model: Any, data: Any, images: list[str] | str | None, checkpoint: str | None) -> Any:
    """What is predicted: ``images``, or the test split, at the size that the model sees."""
    size = shown_size(data, checkpoint)
    shown = model.shown_size(size) if hasattr(model, "shown_size") else size
    if asks_for_unlabelled(images):
        images = unlabelled_pictures(data)
    if images is not None:
        return pictures_in_place_of(data, [images] if isinstance(images, str) else images, shown)
    check_predictable(data)
    data.predict_size = shown
    return data


def _measure_as(model: Any, data: Any, original_size: bool, checkpoint: str | None, knobs: Mapping[str, Any]) -> None:
    given = given_of(knobs)
    _warn_of_tiles(given, data, checkpoint)
    if hasattr(model, "measure_as"):
        model.measure_as(data, original_size, shown_size(data, checkpoint), **given)
    elif original_size or given:
        _refuse(model, "original_size" if original_size else next(iter(given)))


def _ask(model: Any, data: Any, checkpoint: str | None, knobs: Mapping[str, Any]) -> None:
    given = given_of(knobs)
    _warn_of_tiles(given, data, checkpoint)
    if hasattr(model, "make_inference"):
        model.inference = model.make_inference(given)
    elif given:
        _refuse(model, next(iter(given)))


def _warn_of_tiles(given: Mapping[str, Any], data: Any, checkpoint: str | None) -> None:
    size = shown_size(data, checkpoint) if given.get("tile") else None
    if size is not None:
        log.warning(about_tiles(size))


def _refuse(model: Any, name: str) -> None:
    raise ConfigError(f"{name} means nothing to {type(model).__name__}, which is no task of this package; leave it out")
