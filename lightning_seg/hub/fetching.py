"""Runs from the Hugging Face hub, as folders that look like those that ``fit`` writes. Nothing of them runs code."""

import logging
import os
import re
import shutil
from pathlib import Path

import yaml
from huggingface_hub import snapshot_download
from huggingface_hub.utils.tqdm import disable_progress_bars

from lightning_seg.errors import ConfigError
from lightning_seg.files import digest_of, replacing, replacing_folder
from lightning_seg.hub.address import Address, in_one_line
from lightning_seg.hub.private_paths import left_out, published_config
from lightning_seg.hub.weights_file import write_checkpoint
from lightning_seg.locks import taking_turns
from lightning_seg.progress import is_quiet
from lightning_seg.yaml_files import read_yaml

log = logging.getLogger(__name__)
WEIGHTS, CONFIG = "model.safetensors", "config.yaml"
NUMBERS = ("metrics.json", "metrics.csv")
"""Everything that is taken of a repository."""
DIGEST = re.compile("[0-9a-f]{64}")
CACHE_DIR = "LIGHTNING_SEG_CACHE_DIR"


def fetch_run(address: Address) -> Path:
    """The folder of a published run: its config, numbers, and ``checkpoints/best.ckpt`` made of its weights.

    The hub is asked each time which commit a name means; without a network the newest that was fetched is taken.

    Raises:
        DownloadError: if it cannot be fetched.
        ConfigError: if the repository holds no run.
    """
    if is_quiet():
        disable_progress_bars()
    with in_one_line(address):
        snapshot = Path(
            snapshot_download(address.repository, revision=address.revision, allow_patterns=[WEIGHTS, CONFIG, *NUMBERS])
        )
    for name in (WEIGHTS, CONFIG):
        if not (snapshot / name).is_file():
            raise ConfigError(f"{address}: no {name} there; give a repository that lightning-seg push has made")
    folder = _cache() / address.repository.replace("/", "--") / snapshot.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with taking_turns(folder.with_name(f".{folder.name}.lock")):
        if not (folder / CONFIG).is_file():
            _make(folder, snapshot, address)
    return folder


def _make(folder: Path, snapshot: Path, address: Address) -> None:
    with replacing_folder(folder) as partial:
        checkpoints = partial / "checkpoints"
        checkpoints.mkdir()
        best = checkpoints / "best.ckpt"
        published = write_checkpoint(snapshot / WEIGHTS, best, f"{address}/{WEIGHTS}")
        _write_config(snapshot / CONFIG, partial / CONFIG, f"{address}/{CONFIG}")
        for name in NUMBERS:
            if (snapshot / name).is_file():
                shutil.copyfile(snapshot / name, partial / name)
        if published is not None and DIGEST.fullmatch(published):
            _rename_digest(partial / NUMBERS[0], published, digest_of(best))


def _write_config(source: Path, path: Path, shown: str) -> None:
    """What ``push`` publishes of a config, and no more: nothing in it says where to write."""
    try:
        content = read_yaml(source)
    except ConfigError as error:
        raise ConfigError(str(error).replace(str(source), shown)) from error
    if not isinstance(content, dict):
        raise ConfigError(f"{shown}: no config of a run; give a repository that lightning-seg push has made")
    if left := left_out(content):
        log.warning("%s: left out %s, which push does not publish", shown, ", ".join(left))
    with replacing(path, "w") as file:
        yaml.safe_dump(published_config(content), file, sort_keys=False)


def _rename_digest(record: Path, published: str, made: str) -> None:
    """The record tells what was tested by the digest of a file, and the one with the same weights is another here."""
    if record.is_file():
        # Text of a stranger, which need not be JSON.
        record.write_bytes(record.read_bytes().replace(published.encode(), made.encode()))


def _cache() -> Path:
    given = os.environ.get(CACHE_DIR)
    return Path(given).expanduser() / "hub" if given else Path.home() / ".cache" / "lightning_seg" / "hub"
