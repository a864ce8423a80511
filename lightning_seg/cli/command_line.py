"""LightningCLI with one folder per run."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from jsonargparse import Namespace
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities import rank_zero_only

from lightning_seg.arguments import ABSENT, RunArguments
from lightning_seg.callbacks import PredictionWriter
from lightning_seg.checkpoint_io import write_whole_in_background
from lightning_seg.checkpoints import check_checkpoint, check_content, read_checkpoint
from lightning_seg.cli.amending import LINKS, spare_dataset, spare_downloads, take_classes, take_linked
from lightning_seg.cli.any_data import shown_size
from lightning_seg.cli.default_callbacks import add_defaults, monitoring, prediction_writers, reporting
from lightning_seg.cli.division import DivisionCheck
from lightning_seg.cli.epochs import DEFAULT_EPOCHS, describe_epochs, ends_otherwise, epochs_are_said
from lightning_seg.cli.flags import Parser, add_own_flags
from lightning_seg.cli.going_on import FINDERS, complete_record, take_what_was_found
from lightning_seg.cli.nulls import check_nulls
from lightning_seg.cli.own_callbacks import listed, prepare
from lightning_seg.cli.plain_types import register_plain_types
from lightning_seg.cli.processes import Processes
from lightning_seg.cli.run_folder import (
    FilesInRunFolder,
    Place,
    RunFolder,
    is_kept,
    remove_unused,
    run_folder,
    run_folder_of,
)
from lightning_seg.cli.run_loggers import Chosen, chosen_loggers, loggers_of, place_of
from lightning_seg.cli.run_trainer import RunTrainer
from lightning_seg.cli.saved_config import SaveConfig
from lightning_seg.cli.signatures import class_of
from lightning_seg.cli.sources import describe_sources, differences
from lightning_seg.datamodules.base import DataModule
from lightning_seg.errors import ConfigError, UserError
from lightning_seg.files import printable
from lightning_seg.models.weights import without_pretrained
from lightning_seg.runs import epochs_ended, task_arguments
from lightning_seg.tasks.watched import WatchedModule

register_plain_types()
log = logging.getLogger(__name__)


class CommandLine(LightningCLI):
    """LightningCLI with one folder per run.

    Args:
        arguments: what the user typed, see ``RunArguments``.
    """

    def __init__(self, arguments: RunArguments) -> None:
        self.arguments = arguments
        self.division: list[pl.Callback] = []
        """What compares the pictures with those of the run."""
        self.says_epochs = True
        """Whether flags or configs say how many epochs ``fit`` trains."""
        self.finders: list[pl.Callback] = []
        """Callbacks that have found their values before."""
        Parser.typed, Parser.given = arguments.for_lightning, arguments.typed
        self.made: list[Path] = []
        try:
            self._run_all()
        finally:
            remove_unused(self.made)

    def _run_all(self) -> None:
        arguments = self.arguments
        super().__init__(
            pl.LightningModule,
            pl.LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            # A checkpoint stores what the task's constructor received, so it loads without this command line.
            load_from_checkpoint_support=False,
            trainer_class=RunTrainer,
            seed_everything_default=0,
            trainer_defaults={"max_epochs": DEFAULT_EPOCHS},
            save_config_callback=SaveConfig,
            save_config_kwargs={"overwrite": arguments.run is not None},
            parser_class=Parser,
            parser_kwargs={"prog": "lightning-seg"},
            args=arguments.for_lightning,
        )
        if self.subcommand != "fit":
            # Numbers that were measured stay, also where nothing else is written.
            self.made = []

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        add_own_flags(parser)
        describe_epochs(parser)
        for name in LINKS:
            parser.link_arguments(f"data.{name}", f"model.init_args.{name}", self._linked(name), "instantiate")

    def _linked(self, name: str) -> Callable[[Any], Any]:
        """The task's value of an argument that the datamodule has, too."""

        def from_data(value: Any) -> Any:
            return self._own_classes().get(name, value)

        return from_data

    def _own_classes(self) -> dict[str, Any]:
        """Of a task that keeps its classes, whatever those of the data are."""
        predicts = self.subcommand == "predict"
        if not predicts and not self._given("original_size"):
            return {}
        checkpoint = Path(self._given("ckpt_path") or "")
        stored = task_arguments(checkpoint) if checkpoint.is_file() else self._given("model").get("init_args", {})
        keeps = getattr(class_of(self._given("model")), "keeps_its_classes", None)
        if keeps is None or not keeps(stored, checkpoint.is_file(), predicts):
            return {}
        return {name: stored[name] for name in ("num_classes", "class_names") if name in stored}

    def _given(self, name: str, built: bool = False) -> Any:
        """An argument of the subcommand, from flags, configs or its default; ``built`` as an object."""
        config = self.config_init if built else self.config
        return config[self.subcommand].get(name)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        # Lightning's own warns that a typed command line stands beside these arguments.
        self.config = parser.parse_args(args)
        seed = self.config.get(f"{self.config['subcommand']}.seed_everything")
        if type(seed) is int and not 0 <= seed < 2**32:
            raise ConfigError(f"seed_everything {seed} must be between 0 and {2**32 - 1}")
        if self.config.get("fit.trainer.max_epochs") == DEFAULT_EPOCHS:
            self.says_epochs = epochs_are_said(parser, args, "fit")

    def _parse_ckpt_path(self) -> None:
        """Lightning would let hyper-parameters of the checkpoint win over typed flags; here they do not."""

    def before_instantiate_classes(self) -> None:
        self._refuse_flags()
        address = str(self._given("ckpt_path") or "")
        if ":" in address.partition("/")[0]:
            # What lies at an address is checked as a file is.
            check_content(read_checkpoint(address), address)
        checkpoint = Path(address)
        data, model = self._given("data"), self._given("model")
        check_nulls("data", data["class_path"], data.get("init_args", {}))
        check_nulls("model", model["class_path"], model.get("init_args", {}), linked=LINKS)
        if checkpoint.is_file():
            check_checkpoint(checkpoint)
        self._compare_with_run(checkpoint)
        if checkpoint.is_file():
            self._amend(data, model, task_arguments(checkpoint))
        # What was only tested is no run, and testing a run must not replace the config it was trained with.
        if self.subcommand != "fit":
            self.save_config_callback = None
        if self._given("ckpt_path") is None:
            spare_downloads(data, model, self.arguments.for_lightning)
            if self.subcommand != "fit" and not self._is_ready():
                log.warning("no checkpoint is given, so the network is as it was before training; give --run RUN")

    def _refuse_flags(self) -> None:
        """Refuses flags that a config may not hold."""
        if self._given("run") is not None:
            raise ConfigError("run stands in a config; type --run RUN instead")
        if self._given("weights_only") is False:
            raise ConfigError("weights_only false: such a checkpoint could run code; leave it out, or use a script")

    def _amend(self, data: Namespace, model: Namespace, stored: dict[str, Any]) -> None:
        """Changes the config by what the checkpoint tells about its task."""
        if not self._own_classes():
            take_classes(data, stored.get("class_names"))
        said = self.arguments.typed
        take_linked(model, {name: one for name, one in stored.items() if said.value("model", name) is ABSENT})
        images = self._given("images")
        if self.subcommand == "predict" and images is not None:
            for name in LINKS:
                given = self.arguments.typed.value("model", name)
                if (
                    given is not ABSENT
                    and name in stored
                    and _comparable(given, name) != _comparable(stored[name], name)
                ):
                    raise ConfigError(f"model.{name} is taken from the checkpoint, {stored[name]}; leave it out")
            spare_dataset(data, stored, images)

    def _is_ready(self) -> bool:
        """Whether the task answers without any training here."""
        model = self._given("model")
        ready = getattr(class_of(model), "is_ready", None)
        return ready is not None and ready(model.get("init_args", {}))

    def _compare_with_run(self, checkpoint: Path) -> None:
        run = self.arguments.run
        if run is None or self._given("ckpt_path") is None:
            return
        given = self.plain_config(str(self.subcommand))
        self._print_sources(describe_sources(run, checkpoint, given, self.subcommand == "fit"))
        stored = self.arguments.content.get("data")
        predicts_others = self.subcommand == "predict" and self._given("images") is not None
        if isinstance(stored, Mapping) and not predicts_others:
            self.division = [DivisionCheck(stored, given["data"])]

    def plain_config(self, subcommand: str) -> dict[str, Any]:
        """All its arguments, as a file would hold them."""
        values: dict[str, Any] = yaml.safe_load(self.parser.dump(self.config, skip_none=False))[subcommand]
        return values

    @rank_zero_only
    def _print_sources(self, lines: list[str]) -> None:
        print("\n".join(map(printable, lines)), flush=True)

    def instantiate_classes(self) -> None:
        # A checkpoint replaces all weights, so the file of the pretrained ones need not exist any more.
        restored = self._given("ckpt_path") is not None
        with without_pretrained() if restored else nullcontext(), self._naming_what_is_missing():
            super().instantiate_classes()
        self._check_linked()
        if isinstance(self.model, WatchedModule):
            self.model.on_nan = self._given("on_nan")
        if restored and self.arguments.run is None and self.subcommand != "fit":
            size = getattr(self.datamodule, "image_size", None)
            for line in differences(Path(self._given("ckpt_path")), self.model.hparams, size):
                log.warning(line)

    @contextmanager
    def _naming_what_is_missing(self) -> Iterator[None]:
        """A task needs what the data usually says, and the user's own data does not say it."""
        model, data = self._given("model"), class_of(self._given("data"))
        try:
            yield
        except Exception as error:
            tells = isinstance(data, type) and (
                issubclass(data, DataModule) or any(hasattr(data, name) for name in LINKS)
            )
            if not tells and not isinstance(error, UserError):
                check_nulls("model", model["class_path"], model.get("init_args", {}))
            raise

    def _check_linked(self) -> None:
        """What the datamodule tells the task is not what a config or a flag says."""
        own = self._own_classes()
        for name in LINKS:
            given, value = self.arguments.typed.value("model", name), getattr(self.datamodule, name, ABSENT)
            if ABSENT in (given, value) or name in own or _comparable(given, name) == _comparable(value, name):
                continue
            instead = f"--data.{name}" if name == "image_size" else "another --data"
            raise ConfigError(
                f"model.{name} {given} is not {value}, which the data says; leave it out, or give {instead}"
            )

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        given = self._given("trainer", built=True)
        given["callbacks"] = listed(given["callbacks"])
        chosen = chosen_loggers(given["logger"], self._given("trainer")["logger"])
        folder = self._run_folder(given, chosen)
        kwargs |= self._epochs(given)
        if not given["fast_dev_run"]:
            loggers = loggers_of(folder.path, chosen, self.subcommand == "fit") if folder else []
            kwargs["callbacks"] = self._callbacks(given, folder is not None, bool(loggers))
            kwargs |= {} if given["barebones"] else {"logger": loggers}
        # Where nothing of the run is kept, there is no folder to save it in.
        self.save_config_callback = self.save_config_callback if folder else None
        write_whole_in_background(given["plugins"])
        trainer = super().instantiate_trainer(**kwargs)
        assert isinstance(trainer, RunTrainer)
        trainer.run_folder = folder.path if folder and folder.is_known else None
        trainer.continued = self.arguments.run
        return trainer

    def _epochs(self, given: Any) -> dict[str, Any]:
        """The trainer's ``max_epochs`` where nobody says it, and something else may end the training."""
        if self.says_epochs or not ends_otherwise(given):
            return {}
        # Also in the config of the run.
        self.config["fit.trainer.max_epochs"] = None
        return {"max_epochs": None}

    def _run_folder(self, given: Any, chosen: Sequence[Chosen] | None) -> RunFolder | None:
        """None where nothing of the run is kept."""
        asked, run = self._given("run_folder"), self.arguments.run
        if self.subcommand == "predict" or not is_kept(given, asked):
            return None
        configs = self._given("config") or []
        name = Path(str(configs[0])).stem if configs else type(self.model).__name__
        usual = Place(Path(given["default_root_dir"] or "runs").expanduser() / name, None)
        folder = run_folder(asked, run, place_of(chosen) or usual)
        self.made = folder.made
        return folder

    def _callbacks(self, given: Any, has_folder: bool, logs: bool) -> list[pl.Callback]:
        defaults = [] if given["barebones"] else reporting(self.subcommand, self.model, given, has_folder, logs)
        if self.subcommand == "predict":
            defaults += prediction_writers(self.model, self._output(), given["callbacks"])
        if self.subcommand == "fit":
            patience = self._given("early_stopping")
            defaults += monitoring(self.model, self.datamodule, given, patience)
        own = given["callbacks"]
        prepare(own, self.model)
        if self._given("ckpt_path") is not None:
            self.finders = [callback for callback in own if isinstance(callback, FINDERS)]
            own = [callback for callback in own if callback not in self.finders]
        return add_defaults(own, [*defaults, *self.division, FilesInRunFolder(), Processes()])

    def _output(self) -> Path:
        """Folder of the predictions."""
        output, run = self._given("output"), self.arguments.run
        if output is not None:
            return Path(output).expanduser()
        return run.folder / "predictions" if run else Path("predictions")

    def written_to(self) -> Path | str | None:
        """The folder with the results, as far as this process knows it, and if anything was written."""
        if self.subcommand == "predict":
            return next((writer.output for writer in self._writers()), None)
        folder = run_folder_of(self.trainer)
        return folder if folder is not None and folder.is_dir() else None

    def num_unreadable(self) -> int:
        return sum(writer.num_unreadable for writer in self._writers())

    def _writers(self) -> list[PredictionWriter]:
        callbacks: list[pl.Callback] = self.trainer.callbacks  # type: ignore[attr-defined]
        return [callback for callback in callbacks if isinstance(callback, PredictionWriter)]

    def before_validate(self) -> None:
        self._warn_of_tiles()

    def before_test(self) -> None:
        self._warn_of_tiles()

    def before_predict(self) -> None:
        self._warn_of_tiles()

    def _warn_of_tiles(self) -> None:
        size = shown_size(self.datamodule, self._given("ckpt_path"))
        if self._given("tile") and size is not None:
            log.warning(
                "tile: this run has seen whole pictures at %dx%d pixels; tiles show them at their own size, where "
                "things look larger, so the answer is good only if the two are alike",
                size[1],
                size[0],
            )

    def before_fit(self) -> None:
        if not self.says_epochs and self.trainer.max_epochs == DEFAULT_EPOCHS:
            self._print_sources([f"trainer.max_epochs {DEFAULT_EPOCHS}, since nothing says how long to train"])
        checkpoint, epochs = self._given("ckpt_path"), self.trainer.max_epochs
        if self.finders and checkpoint is not None:
            take_what_was_found(self.finders, Path(checkpoint), self.model, self.datamodule, self.arguments.typed)
        if self.arguments.run is None or checkpoint is None or epochs is None or epochs < 0:
            return
        done = epochs_ended(Path(checkpoint))
        if done >= epochs:
            complete_record(self.arguments.run, Path(checkpoint))
            raise ConfigError(
                f"{self.arguments.run.folder} has trained {done} epochs of {epochs}; to go on, give more, for instance "
                f"--trainer.max_epochs {done + 10}"
            )


def _comparable(value: Any, name: str) -> Any:
    """Comparable, however it is written."""
    if name == "image_size" and isinstance(value, int):
        return [value, value]
    return list(value) if isinstance(value, list | tuple) else value
