"""A small training, and loggers that behave as those of packages which need not be installed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pytorch_lightning.loggers import Logger
from pytorch_lightning.loggers.logger import rank_zero_experiment  # type: ignore[attr-defined]
from pytorch_lightning.utilities import rank_zero_only

HERE = "tests.trainer.small_runs"


def write_small(root: Path, num_workers: int = 0, name: str = "small", **trainer: Any) -> Path:
    """Flowers of 32 px with the small network, 3 steps an epoch; the file lies in the working folder."""
    data = {"root": str(root), "image_size": 32, "batch_size": 6, "num_workers": num_workers, "val_fraction": 0.2}
    given = {"accelerator": "cpu", "max_epochs": 1, "enable_progress_bar": False, "enable_model_summary": False}
    config = {
        "model": {"class_path": "CNNClassifierTask"},
        "data": {"class_path": "FlowersDataModule", "init_args": data},
        "trainer": {**given, **trainer},
    }
    path = Path(f"{name}.yaml")
    path.write_text(yaml.safe_dump(config))
    return path


class _Written(Logger):
    """Writes what it is told into ``save_dir``, a line each, as services are told over the network."""

    def __init__(self, save_dir: str) -> None:
        super().__init__()
        self._save_dir, self._run = save_dir, ""

    @property
    def save_dir(self) -> str:
        return self._save_dir

    @property
    def run(self) -> str:
        """A new one when the first process asks for it."""
        if not self._run and getattr(rank_zero_only, "rank", 0) == 0:
            Path(self._save_dir).mkdir(exist_ok=True)
            self._run = f"run_{len(list(Path(self._save_dir).glob('run_*')))}"
        return self._run

    @rank_zero_only
    def tell(self, what: str, **values: Any) -> None:
        with (Path(self._save_dir) / self.run).open("a") as file:
            file.write(json.dumps({"what": what, **values}) + "\n")

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.tell("metrics", step=step, **metrics)

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        self.tell("hyperparams")


class LikeWandb(_Written):
    """As ``WandbLogger``: the name is that of the project, the version is not known before the first value."""

    def __init__(self, save_dir: str = "wandb", version: str | None = None) -> None:
        super().__init__(save_dir)
        self._version = version

    @property
    @rank_zero_experiment
    def experiment(self) -> object:
        return object()

    @property
    def name(self) -> str:
        return "lightning_logs"

    @property
    def version(self) -> str | None:
        return self._run or self._version

    @rank_zero_only
    def log_image(self, key: str, images: list[Any], step: int | None = None, **kwargs: Any) -> None:
        assert all(isinstance(image, np.ndarray) and image.dtype == np.uint8 for image in images)
        self.tell("image", key=key, step=step, shapes=[image.shape for image in images])


class LikeMlflow(_Written):
    """As ``MLFlowLogger``: a client to which every call names the run."""

    def __init__(self, save_dir: str = "mlruns") -> None:
        super().__init__(save_dir)

    @property
    @rank_zero_experiment
    def experiment(self) -> "Client":
        return Client(self)

    @property
    def name(self) -> str:
        return "0"

    @property
    def version(self) -> str:
        return self.run

    @property
    def run_id(self) -> str:
        return self.run


class Client:
    def __init__(self, logger: LikeMlflow) -> None:
        self.logger = logger

    def log_image(self, run_id: str, image: Any, artifact_file: str) -> None:
        assert run_id == self.logger.run
        assert image.dtype == np.uint8
        self.logger.tell("image", key=artifact_file, shapes=[image.shape])


def told(file: Path, what: str) -> list[dict[str, Any]]:
    """What such a logger has written about one kind of thing."""
    lines = (json.loads(line) for line in file.read_text().splitlines())
    return [line for line in lines if line["what"] == what]
