"""Pretrained weights of a network or a part of it, from a file or a published address."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path, PurePosixPath
from pickle import UnpicklingError
from typing import Any
from urllib.parse import urlparse

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import WeightsEnum

from lightning_seg.checkpoints import refused_call
from lightning_seg.errors import DownloadError, WeightsError, one_line
from lightning_seg.transfer import Published, transfer

_wanted: ContextVar[bool] = ContextVar("pretrained_weights_wanted", default=True)


@contextmanager
def without_pretrained() -> Iterator[None]:
    """Networks built inside do not read pretrained weights, because a checkpoint will replace them."""
    token = _wanted.set(False)
    try:
        yield
    finally:
        _wanted.reset(token)


def pretrained_wanted() -> bool:
    """Whether pretrained weights are read here, see ``without_pretrained``."""
    return _wanted.get()


def load_pretrained(
    part: nn.Module, weights: str | Path | None, published: WeightsEnum, argument: str = "encoder_weights"
) -> None:
    """Fill ``part`` with the entries of the same names; other entries are ignored.

    Args:
        part: the encoder or network to fill.
        weights: ``imagenet`` for the published weights, a file with a state dict, or None to do nothing.
        published: address of ``imagenet``, checked by the hash in its name.
        argument: of the task, which chooses the weights, for errors.

    Raises:
        WeightsError: if the file cannot be read, or an entry is missing or has another shape.
        DownloadError: if the published file cannot be fetched.
    """
    if weights is None or not pretrained_wanted():
        return
    state = _download(published, argument) if weights == "imagenet" else read_state_dict(Path(weights))
    fill(part, state, weights, "torchvision")


def fill(part: nn.Module, state: Mapping[str, Tensor], weights: str | Path, library: str) -> None:
    """Copy the entries of the same names, which must all be there; other entries are ignored.

    Args:
        part: the encoder or network to fill.
        state: names to tensors.
        weights: where they come from, for errors.
        library: whose layout is needed, for errors.

    Raises:
        WeightsError: if an entry is missing or has another shape.
    """
    own = part.state_dict()
    missing = [name for name in own if name not in state]
    other = [name for name in own if name in state and state[name].shape != own[name].shape]
    if missing or other:
        problem = f"lacks {len(missing)} entries of it" if missing else f"has other shapes for {len(other)}"
        raise WeightsError(
            f"{weights}: these are weights of another network than {type(part).__name__}: the file {problem}, the "
            f"first is {(missing or other)[0]}; give a file in {library}'s layout, or null for random weights"
        )
    part.load_state_dict({name: state[name] for name in own})


def read_state_dict(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a ``.pth`` or ``.safetensors`` file.

    Raises:
        WeightsError: if the file is missing or holds something else.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file; give a file, 'imagenet' or null")
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    # torch.load answers a broken file with errors of many kinds.
    except Exception as error:
        raise WeightsError(
            f"{path}: torch.load cannot read tensors from it ({type(error).__name__}){refused_call(error)}; give a "
            "file with a state dict"
        ) from error
    if not isinstance(state, Mapping) or not all(map(_is_entry, state.items())):
        raise WeightsError(f"{path}: expected a state dict, names to tensors; save model.state_dict() into it")
    return state


def _is_entry(entry: tuple[Any, Any]) -> bool:
    """Whether it is a name with a tensor that is completely stored."""
    name, value = entry
    return isinstance(name, str) and isinstance(value, Tensor) and value.layout is torch.strided


def published_file(url: str, argument: str) -> Path:
    """The local copy of a published weights file, in torch's folder; downloaded if missing.

    Args:
        url: its last part may hold the first digits of the SHA-256: ``mobilenet_v2-7ebf99e0.pth``.
        argument: of the task, which chooses the weights, for errors.

    Raises:
        DownloadError: if it cannot be fetched, or differs from its checksum.
    """
    name = PurePosixPath(urlparse(url).path).name
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not path.is_file():
        digits = re.search(r"-([0-9a-f]{8,64})\.", name)
        transfer(Published(url, digits[1] if digits else ""), path, _elsewhere(argument))
    return path


def _elsewhere(argument: str) -> str:
    return f"give a local copy with --model.{argument} FILE, or null to start from random weights"


def _download(published: WeightsEnum, argument: str) -> Mapping[str, Tensor]:
    path = published_file(published.url, argument)
    try:
        state: Mapping[str, Tensor] = torch.load(path, "cpu", weights_only=True)
        return state
    # Of a file that an earlier version left behind, or somebody put there.
    except (OSError, RuntimeError, UnpicklingError, EOFError) as error:
        raise DownloadError(
            f"{path}: no weights can be read from it ({one_line(error)}); remove it, or {_elsewhere(argument)}"
        ) from error
