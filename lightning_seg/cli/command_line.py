"""LightningCLI with one folder per run."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI

from lightning_seg.arguments import RunArguments, add_own_flags, check_flags
from lightning_seg.checkpoints import check_checkpoint, check_content, read_checkpoint
from lightning_seg.class_arguments import class_of
from lightning_seg.cli.amending import spare_dataset, spare_downloads, take_classes, take_linked
from lightning_seg.cli.division import DivisionCheck
from lightning_seg.cli.epochs import ends_otherwise, epochs_are_said
from lightning_seg.cli.going_on import FINDERS, check_unfinished, take_what_was_found
from lightning_seg.cli.linking import LINKS, check_linked, kept_classes
from lightning_seg.cli.nulls import check_nulls, naming_nulls
from lightning_seg.cli.parser import Parser
from lightning_seg.cli.places import stay_inside
from lightning_seg.cli.plain_types import register_plain_types
from lightning_seg.cli.saved_config import SaveConfig
from lightning_seg.cli.sources import describe_sources, differences, tell
from lightning_seg.datasets.finding import asks_for_unlabelled
from lightning_seg.models.weights import without_pretrained
from lightning_seg.plots.formats import PNG, parse_formats
from lightning_seg.runs import task_arguments
from lightning_seg.trainer import RunTrainer
from lightning_seg.trainer.default_callbacks import add_defaults, averaging, monitoring, prediction_writers, reporting
from lightning_seg.trainer.own_callbacks import listed, prepare
from lightning_seg.trainer.processes import Processes
from lightning_seg.trainer.run_folder import (
    FilesInRunFolder,
    Place,
    RunFolder,
    is_kept,
    remove_unused,
    run_folder,
)
from lightning_seg.trainer.run_loggers import Chosen, chosen_loggers, loggers_of, place_of
from lightning_seg.trainer.run_trainer import DEFAULT_EPOCHS

register_plain_types()
log = logging.getLogger(__name__)


class CommandLine(LightningCLI):
    """LightningCLI with one folder per run.

    Args:
        arguments: what the user typed, see ``RunArguments``.
    """

    def __init__(self, arguments: RunArguments) -> None:
        self.arguments = arguments
        self.checkpoint: str | None = None
        self.says_epochs = True
        """Whether flags or configs say how many epochs ``fit`` trains."""
        self.kept: dict[str, Any] = {}
        """Arguments of a task that keeps its classes, whatever those of the data are."""
        self.division: list[pl.Callback] = []
        """What compares the pictures with those of the run."""
        self.finders: list[pl.Callback] = []
        """Callbacks that have found their values before."""
        self.made: list[Path] = []
        Parser.typed, Parser.given = arguments.for_lightning, arguments.typed
        try:
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
                save_config_callback=SaveConfig,
                save_config_kwargs={"overwrite": arguments.run is not None},
                parser_class=Parser,
                parser_kwargs={"prog": "lightning-seg"},
                args=arguments.for_lightning,
            )
            if self.subcommand != "fit":
                # Numbers that were measured stay, also where nothing else is written.
                self.made = []
        finally:
            remove_unused(self.made)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        add_own_flags(parser)
        for name in LINKS:
            parser.link_arguments(
                f"data.{name}",
                f"model.init_args.{name}",
                lambda value, name=name: self.kept.get(name, value),
                apply_on="instantiate",
            )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        # Lightning's own warns that a typed command line stands beside these arguments.
        self.config = parser.parse_args(args)
        check_flags(self.config[self.config["subcommand"]])
        if self.config.get("fit.trainer.max_epochs") == DEFAULT_EPOCHS:
            self.says_epochs = epochs_are_said(parser, args)
        # Where Lightning finds a checkpoint now, its hyper-parameters win over typed flags.
        self.checkpoint = self.config[self.config["subcommand"]].pop("ckpt_path")

    def given(self, name: str) -> Any:
        """An argument of the subcommand, from flags, configs or its default."""
        return self.config[self.subcommand].get(name)

    def plain_config(self) -> dict[str, Any]:
        """All arguments of the subcommand, as a file would hold them."""
        subcommand = self.config["subcommand"]
        values: dict[str, Any] = yaml.safe_load(self.parser.dump(self.config, skip_none=False))[subcommand]
        return {**values, "ckpt_path": self.checkpoint}

    def before_instantiate_classes(self) -> None:
        self.config[self.subcommand]["ckpt_path"] = self.checkpoint
        data, model = self.given("data"), self.given("model")
        check_nulls("data", data)
        check_nulls("model", model, linked=LINKS)
        stored = self._stored_arguments()
        if self.arguments.run is not None and self.checkpoint is not None:
            self._compare_with_run(Path(self.checkpoint))
        if self.checkpoint is None:
            self._prepare_untrained(data, model)
        if self.subcommand == "predict" or self.given("original_size"):
            self.kept = kept_classes(model, stored, self.subcommand == "predict")
        if stored is not None:
            if not self.kept:
                take_classes(data, stored.get("class_names"))
            take_linked(model, stored, self.arguments.typed)
            images = self.given("images")
            if images is not None and not asks_for_unlabelled(images):
                spare_dataset(data, stored, images, self.arguments.typed)

    def _stored_arguments(self) -> dict[str, Any] | None:
        """Arguments of the task of a checkpoint file, which is checked first; one at an address is only checked."""
        address = self.checkpoint or ""
        if ":" in address.partition("/")[0]:
            check_content(read_checkpoint(address), address)
        if not Path(address).is_file():
            return None
        check_checkpoint(Path(address))
        return task_arguments(Path(address))

    def _compare_with_run(self, checkpoint: Path) -> None:
        given, stored, run = self.plain_config(), self.arguments.content.get("data"), self.arguments.run
        assert run is not None
        tell(describe_sources(run, checkpoint, given, self.subcommand == "fit"))
        if isinstance(stored, Mapping) and self.given("images") is None:
            self.division = [DivisionCheck(stored, given["data"])]

    def _prepare_untrained(self, data: Any, model: Any) -> None:
        spare_downloads(data, model, self.arguments.typed)
        is_ready = getattr(class_of(model), "is_ready", lambda given: False)
        if self.subcommand != "fit" and not is_ready(model.get("init_args", {})):
            log.warning("no checkpoint is given, so the network is as it was before training; give --run RUN")

    def instantiate_classes(self) -> None:
        # A checkpoint replaces all weights, so the file of the pretrained ones need not exist any more.
        restored = self.checkpoint is not None
        with without_pretrained() if restored else nullcontext(), naming_nulls(self.given("model"), self.given("data")):
            super().instantiate_classes()
        check_linked(self.arguments.typed, self.datamodule, self.kept)
        if hasattr(self.model, "on_nan"):
            self.model.on_nan = self.given("on_nan")
        if self.checkpoint is not None and self.arguments.run is None and self.subcommand != "fit":
            size = getattr(self.datamodule, "image_size", None)
            for line in differences(Path(self.checkpoint), self.model.hparams, size):
                log.warning(line)

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        given = self.config_init[self.subcommand]["trainer"]
        given["callbacks"] = listed(given["callbacks"])
        if self.arguments.run is not None and self.subcommand != "fit":
            tell(stay_inside(given, self.arguments.typed, self._own_folder, self._predictions))
        chosen = chosen_loggers(given["logger"], self.given("trainer")["logger"])
        folder = self._run_folder(given, chosen)
        if not self.says_epochs and ends_otherwise(given):
            # Also in the config of the run.
            self.config["fit.trainer.max_epochs"] = kwargs["max_epochs"] = None
        averages = self.given("ema"), self.given("swa")
        average = averaging(given["callbacks"], *averages) if self.subcommand == "fit" else []
        if given["fast_dev_run"]:
            kwargs["callbacks"] = [*given["callbacks"], *average]
        else:
            loggers = loggers_of(folder.path, chosen, self.subcommand == "fit") if folder else []
            kwargs["callbacks"] = self._callbacks(given, average, folder is not None, bool(loggers))
            kwargs |= {} if given["barebones"] else {"logger": loggers}
        # What was only tested is no run, and testing a run must not replace the config it was trained with.
        if self.subcommand != "fit" or folder is None:
            self.save_config_callback = None
        trainer = super().instantiate_trainer(**kwargs)
        assert isinstance(trainer, RunTrainer)
        trainer.run_folder = folder.path if folder and folder.is_known else None
        trainer.continued = self.arguments.run
        plots = self.given("plots")
        trainer.plots = PNG if plots is None else parse_formats(plots)
        return trainer

    @property
    def _own_folder(self) -> Path:
        """Of the run, or the working folder: a run of the hub lies where nobody looks."""
        run = self.arguments.run
        return run.folder if run and run.address is None else Path()

    @property
    def _predictions(self) -> Path:
        output = self.given("output") if self.subcommand == "predict" else None
        return self._own_folder / "predictions" if output is None else Path(output).expanduser()

    def _run_folder(self, given: Any, chosen: Sequence[Chosen] | None) -> RunFolder | None:
        """None where nothing of the run is kept."""
        asked = self.given("run_folder")
        if self.subcommand == "predict" or not is_kept(given, asked):
            return None
        configs = self.given("config") or []
        name = Path(str(configs[0])).stem if configs else type(self.model).__name__
        usual = Place(Path(given["default_root_dir"] or "runs").expanduser() / name, None)
        folder = run_folder(asked, self.arguments.run, place_of(chosen) or usual)
        self.made = folder.made
        return folder

    def _callbacks(self, given: Any, average: Sequence[pl.Callback], has_folder: bool, logs: bool) -> list[pl.Callback]:
        own = given["callbacks"]
        config = self.plain_config() if logs else {}
        defaults = [] if given["barebones"] else reporting(self.subcommand, self.model, given, has_folder, logs, config)
        if self.subcommand == "predict":
            defaults += prediction_writers(self.model, self._predictions, own)
        if self.subcommand == "fit":
            defaults += monitoring(self.model, self.datamodule, given, self.given("early_stopping"))
        prepare(own, self.model)
        if self.checkpoint is not None:
            self.finders = [callback for callback in own if isinstance(callback, FINDERS)]
            own = [callback for callback in own if callback not in self.finders]
        # The average comes behind those that draw by it.
        return add_defaults(own, [*defaults, *average, *self.division, FilesInRunFolder(), Processes()])

    def before_fit(self) -> None:
        run, checkpoint, epochs = self.arguments.run, self.checkpoint, self.given("trainer")["max_epochs"]
        if not self.says_epochs and epochs is not None:
            tell([f"trainer.max_epochs {epochs}, since nothing says how long to train"])
        if checkpoint is not None:
            take_what_was_found(self.finders, Path(checkpoint), self.model, self.datamodule, self.arguments.typed)
        if run is not None and checkpoint is not None:
            check_unfinished(run, Path(checkpoint), self.trainer.max_epochs)
