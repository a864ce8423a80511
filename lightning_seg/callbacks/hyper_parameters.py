"""The arguments of a run in TensorBoard's tab HParams."""

import json
from collections.abc import Mapping
from inspect import signature
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger


class HyperParameters(pl.Callback):
    """Writes the arguments of a training to TensorBoard, one row in HParams for each run.

    TensorBoard takes the metrics of a row from the curves of the same run, so those of its newest validation and test
    stand beside the arguments. A continued run keeps its row, with the arguments that it began with.

    Args:
        config: of the run, as its file holds it; None takes the arguments of the module alone.
    """

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self.config = config or {}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        # Not before it is needed: it takes most of a second to import.
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        # What the data has told the module stands in no file.
        learned = {f"model.{name}": value for name, value in pl_module.hparams.items()}
        values = plain_values({"model": type(pl_module).__name__, **arguments_of(self.config), **learned})
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                # Without a name TensorBoard takes that of the run; equal arguments would share a row.
                logger.experiment.file_writer.add_summary(hparams_pb(values, trial_id=""))


def arguments_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a config by the names that are typed, such as ``data.batch_size``; the trainer's but defaults."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        inner = _inner(name, value)
        # A class is told by its name, beside its arguments.
        if not isinstance(value, Mapping) or "class_path" in value:
            found[name] = value
        found |= {f"{name}.{key}": one for key, one in inner.items()}
    return found


def _inner(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    if "class_path" in value:
        return value.get("init_args") or {}
    usual = signature(pl.Trainer).parameters if name == "trainer" else {}
    return {key: one for key, one in value.items() if key not in usual or one != usual[key].default}


def plain_values(arguments: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """What TensorBoard takes: numbers, and texts for what is none; without arguments that are not set."""
    empty = (type(None), list, tuple, dict)
    return {name: _plain(value) for name, value in arguments.items() if not isinstance(value, empty) or value}


def _plain(value: Any) -> bool | int | float | str:
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("class_path"), str):
        return str(value["class_path"]).rpartition(".")[2]
    if isinstance(value, list | tuple):
        return ", ".join(str(_plain(one)) for one in value)
    return json.dumps(value, default=str)
