"""A network as one safetensors file: its weights by name, and a JSON header from which its checkpoint is made again.

The file holds no code and no pickle, and other programs read it: ``safetensors.torch.load_file``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

import lightning_seg
from lightning_seg.checkpoints import CHECKPOINT_KEY, HYPER_PARAMETERS, check_checkpoint
from lightning_seg.errors import ConfigError, one_line
from lightning_seg.files import digest_of, replacing
from lightning_seg.hub.private_paths import without_paths

KEY = "lightning_seg_run"
"""Of the header's JSON text; that of exported files is another one. Beside it stands ``format: pt``, for others."""
FORMAT = 1
LARGEST = 2**20
"""Characters of the JSON text; that of 1,000 classes has about 30,000."""
OF_LIGHTNING = ("epoch", "global_step", "pytorch-lightning_version", "hparams_name")
OF_TASK = ("task", "image_size", "batch_size", "class_names_of_data", "mask_encoding")


def write_weights(checkpoint: Path, path: Path) -> None:
    """Write the weights of a checkpoint, and what loads them, without places of this machine.

    Raises:
        ConfigError: if the file is no checkpoint of this library.
    """
    check_checkpoint(checkpoint)
    content = torch.load(checkpoint, "cpu", weights_only=True)
    if not isinstance(content.get(CHECKPOINT_KEY), Mapping):
        raise ConfigError(f"{checkpoint}: not a checkpoint that lightning_seg has trained; give a run or its .ckpt")
    # Neither shared memory nor channels_last can be stored.
    weights = {name: value.contiguous().clone() for name, value in content["state_dict"].items()}
    metadata = {"format": "pt", KEY: json.dumps(_header(content, checkpoint), allow_nan=False)}
    with replacing(path) as file:
        file.write(save(weights, metadata))


def _header(content: Mapping[str, Any], checkpoint: Path) -> dict[str, Any]:
    own = content[CHECKPOINT_KEY]
    return {
        "format": FORMAT,
        **{name: content[name] for name in OF_LIGHTNING if name in content},
        HYPER_PARAMETERS: without_paths(dict(content.get(HYPER_PARAMETERS) or {})),
        CHECKPOINT_KEY: {name: own[name] for name in OF_TASK if name in own},
        "averaged": "averaging_state" in content,
        "checkpoint_sha256": digest_of(checkpoint),
        "versions": {"lightning_seg": lightning_seg.__version__, "torch": torch.__version__},
    }


def write_checkpoint(weights: Path, path: Path, source: str) -> str | None:
    """Make the checkpoint of such a file again, which may come from anywhere; it holds plain values alone.

    Args:
        weights: the file.
        path: of the checkpoint.
        source: what messages call the file.

    Returns:
        The digest of the checkpoint that was published, if the file tells it.

    Raises:
        ConfigError: if it is no such file.
    """
    state, header = _read(weights, source)
    content = {
        **{name: header[name] for name in OF_LIGHTNING if name in header},
        "state_dict": state,
        HYPER_PARAMETERS: header.get(HYPER_PARAMETERS),
        CHECKPOINT_KEY: header.get(CHECKPOINT_KEY),
    }
    with replacing(path) as file:
        torch.save(content, file)
    try:
        check_checkpoint(path)
    except ConfigError as error:
        path.unlink()
        raise ConfigError(str(error).replace(str(path), source)) from error
    published = header.get("checkpoint_sha256")
    return published if isinstance(published, str) else None


def _read(path: Path, source: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    remedy = "give a repository that lightning-seg push has made"
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(KEY, "")
            if not text:
                raise ValueError(f"its header has no {KEY}")
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
        header = json.loads(text) if len(text) < LARGEST else None
    # Of a file that was cut off, and of deep nesting.
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: no weights of lightning_seg ({one_line(error)[:200]}); {remedy}") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ConfigError(f"{source}: its header is none of format {FORMAT} of lightning_seg; {remedy}")
    return state, header
