"""Checks of a batch (``lightning_seg/batch.py``), said in one line where it is something else.

A look asks the device for numbers, so tasks look at the first batch of each stage alone.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_seg.errors import ConfigError, DataError

IMAGE = "(B, 3, H, W) uint8"
SHOWN = 6
"""Values or keys in a message."""
LONGEST = 40
"""Letters of a value in a message."""


def keys_of(batch: Any, split: str, truth: str | None = None) -> Mapping[str, Any]:
    """The batch, which is a dict with pictures.

    Args:
        batch: what a loader gives.
        split: for the message.
        truth: the key of what is true of the pictures.

    Raises:
        DataError: if it is none.
    """
    wanted = f"{{'image': image, '{truth}': {truth}}}" if truth else "{'image': image}"
    if not isinstance(batch, Mapping):
        raise DataError(
            f"a {split} batch is {described(batch)}, and tasks of this package read dicts; let the dataset return "
            f"{wanted}"
        )
    if "image" not in batch:
        raise DataError(f"a {split} batch holds {listed(batch)}, and no image; let the dataset return {wanted}")
    return batch


def truth_of(batch: Mapping[str, Any], key: str) -> Tensor:
    """What is true of the pictures of a batch.

    Raises:
        ConfigError: if the datamodule is for another kind of task.
    """
    if key not in batch:
        raise ConfigError(
            f"the task learns from a {key} per picture, the batches hold {', '.join(map(str, batch))}; give a task and "
            "a datamodule of one kind"
        )
    truth: Tensor = batch[key]
    return truth


# Pictures


def check_image(batch: Mapping[str, Any], split: str) -> tuple[int, int]:
    """The pictures of a batch: uint8 RGB, as the first layer of every task expects them.

    Returns:
        Their (height, width).

    Raises:
        DataError: naming layout, dtype or range.
    """
    image = tensor_of(batch, "image", split, IMAGE)
    problem = _layout_problem(image) or _dtype_problem(image)
    if problem:
        raise DataError(f"image of a {split} batch is {described(image)}{problem}")
    return image.shape[-2], image.shape[-1]


def _layout_problem(image: Tensor) -> str:
    if image.ndim == 4 and image.shape[1] == 3:
        return "" if image.numel() else ": it holds no picture; leave empty batches out of the loader"
    hints = {
        (3, 3): ", one picture without a batch; give image.unsqueeze(0), or a batch_size",
        (4, 1): ", grey pictures; give their channel three times: image.expand(-1, 3, -1, -1)",
        (4, 4): ", of four channels; give the first three: image[:, :3]",
    }
    if image.ndim == 4 and image.shape[-1] == 3:
        return f", channels last; give {IMAGE}: image.permute(0, 3, 1, 2)"
    return hints.get((image.ndim, image.shape[-3] if image.ndim > 2 else 0), f"; give {IMAGE}")


def _dtype_problem(image: Tensor) -> str:
    if image.dtype == torch.uint8:
        return ""
    low, high = image.min().item(), image.max().item()
    values = f" with values from {low:.4g} to {high:.4g}; "
    if image.dtype == torch.bool or not 0 <= low <= high <= 255:
        return f"{values}give pictures as their files hold them, uint8 from 0 to 255: the task normalises them itself"
    if not image.is_floating_point():
        return f"{values}give uint8: image.to(torch.uint8)"
    if high <= 1:
        return (
            f"{values}the task divides by 255 and normalises itself, so give uint8 from 0 to 255: (image * "
            "255).round().to(torch.uint8), or leave the step that scales out"
        )
    return f"{values}give uint8: image.round().to(torch.uint8)"


# In words


def described(value: Any) -> str:
    """What something is, in a few words."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"a numpy array {value.dtype} {value.shape}"
    if isinstance(value, list | tuple):
        parts = [*(described(one) for one in islice(value, 3)), *(["..."] if len(value) > 3 else [])]
        return f"a {type(value).__name__} of {len(value)}" + (f" ({', '.join(parts)})" if parts else "")
    if isinstance(value, int | float | str) or value is None:
        text = repr(value)
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return f"of type {type(value).__name__}"


def tensor_of(batch: Mapping[str, Any], key: str, split: str, wanted: str) -> Tensor:
    """What a batch holds under a key. Raises DataError if it is no tensor."""
    value = batch[key]
    if not isinstance(value, Tensor):
        raise DataError(
            f"{key} of a {split} batch is {described(value)}; give a tensor {wanted}, as torch's default collate_fn "
            "stacks tensors of samples"
        )
    return value


def listed(values: Any) -> str:
    """The first of them."""
    shown = [str(value) for value in islice(values, SHOWN)]
    return ", ".join(shown) + (", ..." if len(list(values)) > SHOWN else "") or "nothing"
