"""``config.yaml`` of a run."""

from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
from jsonargparse import Namespace
from pytorch_lightning.cli import LightningArgumentParser, SaveConfigCallback

from lightning_seg.files import replace_text


class Text(NamedTuple):
    """Stands for the parser of a config, which cannot be sent to another process."""

    text: str

    def save(self, config: Namespace, path: str, **options: Any) -> None:
        """As a file that is whole, or the previous one."""
        replace_text(Path(path), self.text)


class SaveConfig(SaveConfigCallback):
    """Lightning's, without folder and checkpoint of the run: the file describes a fresh one.

    Written once training begins, so that a fit that fails before leaves the config of a continued run as it is, and no
    folder that looks like a run.
    """

    def __init__(self, parser: LightningArgumentParser, config: Namespace, *args: Any, **kwargs: Any) -> None:
        config = config.clone()
        config["ckpt_path"] = config["run_folder"] = None
        # RunArguments has taken their values.
        config.pop("run", None)
        config.pop("trust_config", None)
        stand_in: Any = Text(parser.dump(config, skip_none=False))
        super().__init__(stand_in, Namespace(), *args, **kwargs)  # type: ignore[no-untyped-call]

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Nothing yet."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().setup(trainer, pl_module, "fit")
