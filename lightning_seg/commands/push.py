"""``lightning-seg push``: a run on the Hugging Face hub."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from lightning_seg.card import card_of
from lightning_seg.errors import ConfigError
from lightning_seg.hub.address import Address, is_address
from lightning_seg.hub.fetching import CONFIG, NUMBERS, WEIGHTS
from lightning_seg.hub.private_paths import published_config
from lightning_seg.hub.publishing import PUBLISHED, publish
from lightning_seg.hub.weights_file import write_weights
from lightning_seg.json_files import write_json
from lightning_seg.run_files import RECORD_FILE, read_record, without_results
from lightning_seg.runs import Run, find_run
from lightning_seg.stopping import at_stake
from lightning_seg.yaml_files import read_yaml


def push(
    run: str | None = None,
    repo: str | None = None,
    private: bool | None = None,
    file: str | None = None,
    license: str | None = None,  # noqa: A002
) -> None:
    """Publish a run on the Hugging Face hub: its card, weights (safetensors), config and metrics, in one commit.

    Nothing of it holds folder names of this machine. Files of an earlier push that this one has not are removed. Others
    apply it with --run hf://OWNER/NAME.

    Args:
        run: A run folder, runs/NAME for its newest run, or a checkpoint.
        repo: Name of the repository, OWNER/NAME, and @BRANCH for another branch than main; both are made if missing.
        private: Make a new repository that you alone see; without it what your account says.
        file: An exported file to publish beside it, model.onnx.
        license: The hub's short name of a license for the weights, such as mit or cc-by-4.0.
    """
    if run is None or repo is None:
        raise ConfigError("a run and its place are needed; give --run RUN --repo OWNER/NAME")
    if is_address(run):
        raise ConfigError(f"run {run}: it is on the hub already; give the folder of a run")
    address, found = Address.of(repo), find_run(run)
    exported = [] if file is None else [_existing(file)]
    with TemporaryDirectory() as place:
        _gather(found, Path(place), address, exported, license)
        at_stake(lambda: f"{address} has all of the files now or none; the same command publishes them")
        page = publish(Path(place), address, private)
    print(page)


def _existing(file: str) -> Path:
    path = Path(file).expanduser()
    if not path.is_file():
        raise ConfigError(f"file {file}: no such file; give the one that lightning-seg export has written")
    if path.name in (WEIGHTS, CONFIG, *NUMBERS, PUBLISHED, "README.md"):
        raise ConfigError(f"file {file}: the run has a {path.name} of its own there; give it another name")
    return path


def _gather(run: Run, folder: Path, address: Address, exported: list[Path], license: str | None) -> None:  # noqa: A002
    """Everything that is published."""
    write_weights(run.checkpoint("best"), folder / WEIGHTS)
    (folder / CONFIG).write_text(yaml.safe_dump(published_config(read_yaml(run.config)), sort_keys=False))
    numbers = [run.folder / name for name in NUMBERS if (run.folder / name).is_file()] if run.is_best else []
    if not run.is_best:
        # Takes the place of those of an earlier push.
        write_json(folder / RECORD_FILE, without_results(read_record(run.folder)))
    for path in (*numbers, *exported):
        shutil.copyfile(path, folder / path.name)
    card = card_of(run, license, address, exported)
    (folder / "README.md").write_text(str(card), encoding="utf-8")
