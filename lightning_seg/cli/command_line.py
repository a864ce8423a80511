"""LightningCLI with one folder per run."""

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from jsonargparse import Namespace
from pytorch_lightning.callbacks import BatchSizeFinder, LearningRateFinder
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities import rank_zero_only

from lightning_seg.arguments import TRUST, OneLineErrors, RunArguments
from lightning_seg.callbacks import PredictionWriter, RunRecord
from lightning_seg.callbacks.epoch_record import complete
from lightning_seg.checkpoint_io import write_whole, write_whole_in_background
from lightning_seg.checkpoints import check_checkpoint, check_content, read_checkpoint
from lightning_seg.cli.amending import LINKS, spare_dataset, spare_downloads, take_classes
from lightning_seg.cli.default_callbacks import add_defaults, monitoring, prediction_writer, reporting
from lightning_seg.cli.nulls import check_nulls
from lightning_seg.cli.own_callbacks import listed, prepare
from lightning_seg.cli.plain_types import register_plain_types
from lightning_seg.cli.processes import Processes, is_loss, loss_of
from lightning_seg.cli.run_folder import Place, RunFolder, is_kept, remove_unused, run_folder, training_alone
from lightning_seg.cli.run_loggers import Chosen, chosen_loggers, loggers_of, place_of
from lightning_seg.cli.run_trainer import FilesInRunFolder, RunTrainer, run_folder_of
from lightning_seg.cli.saved_config import SaveConfig
from lightning_seg.cli.sources import check_division, describe_sources, differences
from lightning_seg.cli.stopped import SignalConnector, end_processes, what_is_kept
from lightning_seg.datamodules.pictures import PicturesDataModule
from lightning_seg.errors import ConfigError
from lightning_seg.files import printable
from lightning_seg.inference.boxes import BoxInference
from lightning_seg.inference.masks import MaskInference
from lightning_seg.models.imagenet import IMAGENET_CLASSES
from lightning_seg.models.weights import without_pretrained
from lightning_seg.process_tree import is_first_process
from lightning_seg.runs import callback_state, epochs_ended, task_arguments, values_found
from lightning_seg.stopping import at_stake
from lightning_seg.tasks.classification import ClassificationTask
from lightning_seg.tasks.sliding_detector import SlidingDetectorTask
from lightning_seg.tasks.supervised import SupervisedTask
from lightning_seg.tasks.watched import OnNaN, WatchedModule

register_plain_types()
log = logging.getLogger(__name__)
FINDERS = (BatchSizeFinder, LearningRateFinder)


class Parser(OneLineErrors, LightningArgumentParser):
    """Lightning's parser, whose errors are one line and which does not guess what an unfinished flag means."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})


class CommandLine(LightningCLI):
    """LightningCLI with one folder per run.

    Args:
        arguments: what the user typed, see ``RunArguments``.
    """

    def __init__(self, arguments: RunArguments) -> None:
        self.arguments = arguments
        self.finders: list[pl.Callback] = []
        """Callbacks that have found their values before."""
        Parser.typed = arguments.for_lightning
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
            seed_everything_default=0,
            trainer_class=RunTrainer,
            save_config_callback=SaveConfig,
            save_config_kwargs={"overwrite": arguments.run is not None},
            parser_class=Parser,
            parser_kwargs={"prog": "lightning-seg"},
            args=arguments.for_lightning,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            "--early_stopping",
            type=int | None,
            default=None,
            help="Stop when the task's monitored metric has not improved for this many validations.",
        )
        parser.add_argument(
            "--on_nan",
            type=OnNaN,
            default="stop",
            help="Where losses or weights are no numbers any more, or nothing of a split counts: stop by an error, or "
            "warn, and go on without a best checkpoint.",
        )
        parser.add_argument(
            "--run_folder",
            type=str | None,
            default=None,
            help="Folder of a new run, instead of the next runs/NAME/version_N.",
        )
        parser.add_argument(
            "--run",
            type=str | None,
            default=None,
            help="A run folder, runs/NAME for its newest run, or a checkpoint: its config, and its last checkpoint for "
            "fit, its best one otherwise. What is typed wins.",
        )
        parser.add_argument(
            TRUST,
            type=bool,
            default=False,
            help="Build whatever the config of --run names. Without it, validate, test and predict build classes of "
            "this package, of Lightning and of Albumentations, and those that are typed.",
        )
        _read_whole_numbers_first(parser)
        for name in LINKS:
            parser.link_arguments(f"data.{name}", f"model.init_args.{name}", self._linked(name), "instantiate")

    def _linked(self, name: str) -> Callable[[Any], Any]:
        """What the task gets for an argument that the datamodule has, too."""

        def from_data(value: Any) -> Any:
            return self._own_classes().get(name, value)

        return from_data

    def _own_classes(self) -> dict[str, Any]:
        """Of a detector that is measured against boxes, or predicts: its classes need not be those of the data."""
        measures = self.subcommand in ("validate", "test") and self._get(self.config, "original_size")
        if not ((measures or self.subcommand == "predict") and self._detects()):
            return {}
        checkpoint = self._get(self.config, "ckpt_path")
        if checkpoint is not None and Path(checkpoint).is_file():
            stored = task_arguments(Path(checkpoint))
        else:
            stored = self._get(self.config, "model")["init_args"]
            if self.subcommand != "predict" and stored.get("weights") is None:
                # It knows nothing yet, so it may as well be asked for the classes of the data.
                return {}
        return {name: stored[name] for name in ("num_classes", "class_names") if name in stored}

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **kwargs: Any) -> LightningArgumentParser:
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        if subcommand in ("validate", "test"):
            parser.add_argument(
                "--original_size",
                type=bool,
                default=False,
                help="Measure at the original size of the pictures, as predict writes them; --tile implies it. A "
                "detector is measured against boxes.",
            )
            parser.add_class_arguments(MaskInference, skip={"keep_probs"})
            parser.add_class_arguments(BoxInference, skip={field.name for field in fields(MaskInference)})
        if subcommand == "predict":
            parser.add_argument(
                "--images",
                type=str,
                nargs="+",
                default=None,
                help="Pictures, folders of pictures or quoted patterns; without it the test split of the data.",
            )
            parser.add_argument(
                "--output",
                type=str | None,
                default=None,
                help="Folder for what is written; without it predictions/ in the run folder or here.",
            )
            parser.add_class_arguments(MaskInference)
            parser.add_class_arguments(BoxInference, skip={field.name for field in fields(MaskInference)})
        return parser

    def _run_subcommand(self, subcommand: str) -> None:
        at_stake(lambda: what_is_kept(subcommand, self.trainer), lambda: end_processes(self.trainer))
        try:
            self._run_alone(subcommand)
        except Exception as error:
            if not is_loss(error):
                raise
            raise loss_of(error, self.trainer) from error
        if subcommand != "fit":
            at_stake(lambda: "its work is done")

    def _run_alone(self, subcommand: str) -> None:
        """No second ``fit`` works in the run folder meanwhile."""
        folder = run_folder_of(self.trainer)
        alone = subcommand == "fit" and folder is not None and is_first_process()
        with training_alone(folder, self.arguments.run) if alone and folder is not None else nullcontext():
            super()._run_subcommand(subcommand)
        if subcommand != "fit":
            # Numbers that were measured stay, also where nothing else is written.
            self.made = []

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        # Lightning's own warns that a typed command line stands beside these arguments.
        self.config = parser.parse_args(args)
        seed = self.config.get(f"{self.config['subcommand']}.seed_everything")
        if type(seed) is int and not 0 <= seed < 2**32:
            raise ConfigError(f"seed_everything {seed} must be between 0 and {2**32 - 1}")

    def _parse_ckpt_path(self) -> None:
        """Lightning lets hyper-parameters of the checkpoint win over typed flags; here they do not."""

    def before_instantiate_classes(self) -> None:
        self._refuse_flags()
        address = str(self._get(self.config, "ckpt_path") or "")
        if ":" in address.partition("/")[0]:
            # What lies at an address is checked as a file is.
            check_content(read_checkpoint(address), address)
        checkpoint = Path(address)
        data, model = self._get(self.config, "data"), self._get(self.config, "model")
        for section, config in (("data", data), ("model", model)):
            check_nulls(section, config["class_path"], config.get("init_args", {}))
        if checkpoint.is_file():
            check_checkpoint(checkpoint)
        self._compare_with_run(checkpoint)
        if checkpoint.is_file():
            self._amend(data, model, task_arguments(checkpoint))
        # What was only tested is no run, and testing a run must not replace the config it was trained with.
        if self.subcommand != "fit":
            self.save_config_callback = None
        if self._get(self.config, "ckpt_path") is None:
            spare_downloads(data, model, self.arguments.for_lightning)
            if self.subcommand != "fit" and not self._is_pretrained():
                log.warning("no checkpoint is given, so the network is as it was before training; give --run RUN")

    def _refuse_flags(self) -> None:
        """What a config may hold and is not meant to."""
        if self._get(self.config, "run") is not None:
            raise ConfigError("run stands in a config; type --run RUN instead")
        if self._get(self.config, "weights_only") is False:
            raise ConfigError("weights_only false: such a checkpoint could run code; leave it out, or use a script")

    def _amend(self, data: Namespace, model: Namespace, stored: dict[str, Any]) -> None:
        """The config, by what the checkpoint tells of its task."""
        if not self._own_classes():
            take_classes(data, stored.get("class_names"))
        images = self._get(self.config, "images")
        if self.subcommand == "predict" and images is not None:
            for name in LINKS:
                if self._is_typed_for_task(name) and name in stored:
                    raise ConfigError(f"model.{name} is taken from the checkpoint, {stored[name]}; leave it out")
            spare_dataset(data, model, stored, images)

    def _is_pretrained(self) -> bool:
        """Whether a detector can do without training: its weights know ImageNet's classes."""
        given = self._get(self.config, "model").get("init_args", {})
        knows_imagenet = given.get("weights") is not None and given.get("num_classes") == len(IMAGENET_CLASSES)
        return self._detects() and knows_imagenet

    def _detects(self) -> bool:
        return str(self._get(self.config, "model").get("class_path")).endswith(".SlidingDetectorTask")

    def _compare_with_run(self, checkpoint: Path) -> None:
        run = self.arguments.run
        if run is None or self._get(self.config, "ckpt_path") is None:
            return
        dumped = self._parser(self.subcommand).dump(self.config[self.subcommand], skip_none=False)
        given = yaml.safe_load(dumped)
        self._print_sources(describe_sources(run, checkpoint, given, self.subcommand == "fit"))
        if self.subcommand != "predict" or self._get(self.config, "images") is None:
            check_division(run, given, "test" if self.subcommand in ("test", "predict") else "val")

    @rank_zero_only
    def _print_sources(self, lines: list[str]) -> None:
        print("\n".join(map(printable, lines)), flush=True)

    def instantiate_classes(self) -> None:
        # A checkpoint replaces all weights, so the file of the pretrained ones need not exist any more.
        restored = self._get(self.config, "ckpt_path") is not None
        with without_pretrained() if restored else nullcontext():
            super().instantiate_classes()
        self._check_linked()
        if isinstance(self.model, WatchedModule):
            self.model.on_nan = self._get(self.config, "on_nan")
        if restored and self.arguments.run is None and self.subcommand != "fit":
            size = getattr(self.datamodule, "image_size", None)
            for line in differences(Path(self._get(self.config, "ckpt_path")), self.model.hparams, size):
                log.warning(line)

    def _check_linked(self) -> None:
        """What the datamodule tells the task cannot be typed for the task as well."""
        own = self._own_classes()
        for name in LINKS:
            if self._is_typed_for_task(name) and hasattr(self.datamodule, name) and name not in own:
                value = getattr(self.datamodule, name)
                instead = f"--data.{name}" if name == "image_size" else "another --data"
                raise ConfigError(f"model.{name} is taken from the data, {value}; leave it out, or give {instead}")

    def _is_typed_for_task(self, name: str) -> bool:
        return self._is_typed("model", name)

    def _is_typed(self, section: str, name: str) -> bool:
        typed = (word.partition("=")[0].replace(".init_args.", ".") for word in self.arguments.for_lightning)
        return f"--{section}.{name}" in typed

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        given = self._get(self.config_init, "trainer")
        given["callbacks"] = listed(given["callbacks"])
        chosen = chosen_loggers(given["logger"], self._get(self.config, "trainer")["logger"])
        folder = self._run_folder(given, chosen)
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
        write_whole(trainer.strategy)
        trainer._signal_connector = SignalConnector(trainer)
        return trainer

    def _run_folder(self, given: Any, chosen: Sequence[Chosen] | None) -> RunFolder | None:
        """None where nothing of the run is kept."""
        asked, run = self._get(self.config, "run_folder"), self.arguments.run
        if self.subcommand == "predict" or not is_kept(given, asked):
            return None
        configs = self._get(self.config, "config") or []
        name = Path(str(configs[0])).stem if configs else type(self.model).__name__
        usual = Place(Path(given["default_root_dir"] or "runs").expanduser() / name, None)
        folder = run_folder(asked, run, place_of(chosen) or usual)
        self.made = folder.made
        return folder

    def _callbacks(self, given: Any, has_folder: bool, logs: bool) -> list[pl.Callback]:
        defaults = [] if given["barebones"] else reporting(self.subcommand, self.model, given, has_folder, logs)
        if self.subcommand == "predict":
            defaults.append(prediction_writer(self.model, self._output()))
        if self.subcommand == "fit" and isinstance(self.model, SupervisedTask):
            patience = self._get(self.config, "early_stopping")
            defaults += monitoring(self.model, self.datamodule, given, patience)
        own = given["callbacks"]
        prepare(own, self.model)
        if self._get(self.config, "ckpt_path") is not None:
            self.finders = [callback for callback in own if isinstance(callback, FINDERS)]
            own = [callback for callback in own if callback not in self.finders]
        return add_defaults(own, [*defaults, FilesInRunFolder(), Processes()])

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        kwargs = super()._prepare_subcommand_kwargs(subcommand)
        # Left to itself, Lightning reads what lies at an address in a way that runs code.
        kwargs |= {"weights_only": True} if "weights_only" in kwargs else {}
        if subcommand == "predict":
            # They are written as they come; kept in memory they would grow with the number of pictures.
            kwargs["return_predictions"] = False
        return kwargs

    def _output(self) -> Path:
        """Where predictions are written."""
        output, run = self._get(self.config, "output"), self.arguments.run
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

    def _set_inference(self) -> None:
        """From the knobs of inference, which are no arguments of the task."""
        knobs = {field.name: field for kind in (BoxInference, MaskInference) for field in fields(kind)}
        values = {field: self._get(self.config, name) for name, field in knobs.items()}
        given = {field.name: value for field, value in values.items() if value not in (None, field.default)}
        if isinstance(self.model, SupervisedTask):
            self.model.inference = self.model.make_inference(given)
        else:
            self.model.inference = MaskInference(**given)
        for name in ("overlap", "tile_batch"):
            if name in given and "tile" not in given:
                raise ConfigError(f"{name} {given[name]} is of tiles; give --tile, too, for instance --tile 512")

    def before_validate(self) -> None:
        self._measure_as_predicted()

    def before_test(self) -> None:
        self._measure_as_predicted()

    def _measure_as_predicted(self) -> None:
        self._set_inference()
        tile, original_size = (self._get(self.config, name) for name in ("tile", "original_size"))
        labels_only = isinstance(self.model, ClassificationTask) and not isinstance(self.model, SlidingDetectorTask)
        if original_size and labels_only:
            raise ConfigError(f"original_size is for masks, and {type(self.model).__name__} gives labels; leave it out")
        self._warn_of_tiles()
        if tile or original_size:
            self.model.at_original_size = True
            if tile or isinstance(self.model, SlidingDetectorTask):
                self.datamodule.read_original_sizes()
            else:
                self.model.shown_size = self.datamodule.image_size
                self.datamodule.read_original_sizes(self.model.shown_size)

    def _warn_of_tiles(self) -> None:
        size = self.datamodule.image_size
        if self._get(self.config, "tile") and size is not None:
            log.warning(
                "tile: this run has seen whole pictures at %dx%d pixels; tiles show them at their own size, where "
                "things look larger, so the answer is good only if the two are alike",
                size[1],
                size[0],
            )

    def before_predict(self) -> None:
        self._set_inference()
        self._warn_of_tiles()
        # Tiles are cut from pictures as they are.
        whole = self._get(self.config, "tile") or isinstance(self.model, SlidingDetectorTask)
        size = None if whole else self.datamodule.image_size
        images = self._get(self.config, "images")
        if images is None:
            self.datamodule.predict_size = size
        else:
            data = self.datamodule
            self.datamodule = PicturesDataModule(images, size, data.batch_size, data.num_workers)

    def before_fit(self) -> None:
        checkpoint, epochs = self._get(self.config, "ckpt_path"), self.trainer.max_epochs
        if self.finders and checkpoint is not None:
            self._take_what_was_found(Path(checkpoint))
        if self.arguments.run is None or checkpoint is None or epochs is None or epochs < 0:
            return
        done = epochs_ended(Path(checkpoint))
        if done >= epochs:
            self._complete_record(Path(checkpoint))
            raise ConfigError(
                f"{self.arguments.run.folder} has trained {done} epochs of {epochs}; to go on, give more, for instance "
                f"--trainer.max_epochs {done + 10}"
            )

    def _take_what_was_found(self, checkpoint: Path) -> None:
        """A batch size and a rate that were searched for once are not searched for again."""
        found = values_found(checkpoint)
        kinds = {"batch_size": (BatchSizeFinder, self.datamodule), "lr": (LearningRateFinder, self.model.hparams)}
        for name, (finder, holder) in kinds.items():
            section = "data" if name == "batch_size" else "model"
            searched = any(isinstance(one, finder) for one in self.finders)
            if not searched or found.get(name) is None or self._is_typed(section, name):
                continue
            print(f"{checkpoint}: {section}.{name} {found[name]}, as {finder.__name__} has found it", flush=True)
            if name == "lr":
                holder[name] = found[name]
            else:
                setattr(holder, name, found[name])

    def _complete_record(self, checkpoint: Path) -> None:
        """What a process that ended behind its last checkpoint has not written any more."""
        run, record = self.arguments.run, callback_state(checkpoint, RunRecord.__qualname__)
        if run is not None and record and is_first_process():
            complete(run.folder, record)


def _read_whole_numbers_first(parser: LightningArgumentParser) -> None:
    """``limit_train_batches 1`` is one batch and 1.0 all of them; Lightning's order of types makes 1.0 of both."""
    for action in parser._actions:
        if action.dest.startswith("trainer.limit_"):
            action._typehint = int | float | None  # type: ignore[attr-defined]
