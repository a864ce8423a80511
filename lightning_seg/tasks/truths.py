"""Checks of the truth in a batch: masks, labels, boxes; said in one line where they are something else."""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lightning_seg.errors import DataError
from lightning_seg.tasks.batches import described, listed, tensor_of, truth_of

log = logging.getLogger(__name__)
# Masks


def check_masks(
    batch: Mapping[str, Any], split: str, num_classes: int, ignore_index: int, of_image: bool = True
) -> None:
    """The masks of a batch: class indices ``(B, H, W)``, as uint8 or another whole number.

    Args:
        batch: has pictures that are as they should be.
        split: for the message.
        num_classes: how many there are, two where one logit tells them apart.
        ignore_index: the value of pixels that do not count.
        of_image: whether masks have the size of the pictures.

    Raises:
        DataError: naming layout, dtype or values.
        ConfigError: if there are none.
    """
    for key in ("mask", *(["mask_b"] if "mask_b" in batch else [])):
        truth_of(batch, key)
        mask = tensor_of(batch, key, split, "(B, H, W) uint8")
        size = batch["image"].shape[-2:] if of_image else mask.shape[-2:]
        problem = _shape_problem(mask, num_classes, (len(batch["image"]), *size)) or _value_problem(
            mask, num_classes, ignore_index
        )
        if problem:
            raise DataError(f"{key} of a {split} batch {problem}")
    if ("mask_b" in batch) != ("lam" in batch):
        raise DataError(f"a {split} batch has one of mask_b and lam; Mixup needs both, and without it give neither")


def _shape_problem(mask: Tensor, num_classes: int, expected: tuple[int, ...]) -> str:
    is_float = mask.is_floating_point() or mask.is_complex()
    wanted = "; give class indices (B, H, W) as uint8"
    if mask.ndim == 4:
        return f"is {described(mask)}{wanted}{_channel_hint(mask, num_classes)}"
    if is_float:
        values = f" with values from {mask.min().item():.4g} to {mask.max().item():.4g}" if mask.numel() else ""
        return f"is {described(mask)}{values}{wanted}, and let no transform scale them, as ToTensor does"
    if tuple(mask.shape) != expected:
        return f"is {described(mask)}, and its pictures ask for {expected}; give one class index per pixel"
    return ""


def _channel_hint(mask: Tensor, num_classes: int) -> str:
    for dim in (1, 3):
        if mask.shape[dim] == 1:
            return f": mask.squeeze({dim}).to(torch.uint8)"
        if mask.shape[dim] == num_classes:
            return f": mask.argmax(dim={dim}).to(torch.uint8)"
    return ""


def _value_problem(mask: Tensor, num_classes: int, ignore_index: int) -> str:
    # Counting is several times faster than the sorting of unique.
    counted = mask.flatten().bincount().nonzero() if mask.dtype == torch.uint8 else torch.unique(mask)
    found = [int(value) for value in counted.flatten().tolist()]
    foreign = [value for value in found if not 0 <= value < num_classes and value != ignore_index]
    if foreign:
        return (
            f"holds {listed(foreign)}, values of no class: the task has {num_classes}, 0 to {num_classes - 1}, and "
            f"leaves {ignore_index} out; number the classes from 0, set num_classes, or give {ignore_index} where "
            "nothing counts"
        )
    if num_classes == 2 and found == [0, 255] and ignore_index == 255:
        log.warning(
            "masks of the first batch hold 0 and 255 alone, and 255 does not count, so one class is left; if 255 is a "
            "class, give 1 in its place"
        )
    return ""


# Labels


def check_labels(batch: Mapping[str, Any], split: str, num_classes: int) -> None:
    """The labels of a batch: class indices ``(B,)`` int64, or shares of classes ``(B, C)`` whose rows sum to 1.

    Args:
        batch: has pictures that are as they should be.
        split: for the message.
        num_classes: how many there are.

    Raises:
        DataError: naming layout, dtype or values.
        ConfigError: if there are none.
    """
    truth_of(batch, "label")
    label = tensor_of(batch, "label", split, "(B,) int64")
    number = len(batch["image"])
    if label.is_floating_point() and label.ndim == 2:
        problem = _share_problem(label, (number, num_classes))
    else:
        problem = _index_problem(label, number, num_classes)
    if problem:
        raise DataError(f"label of a {split} batch {problem}")


def _share_problem(label: Tensor, expected: tuple[int, int]) -> str:
    if tuple(label.shape) != expected:
        return f"is {described(label)}, and shares of classes are {expected} here; give class indices (B,) int64"
    # bf16 keeps two to three digits.
    if bool((label < 0).any()) or not bool(((label.float().sum(dim=1) - 1).abs() < 0.02).all()):
        return (
            f"is {described(label)}, whose rows are no shares of classes: at least 0 and 1 in sum; give shares, or "
            "class indices (B,) int64"
        )
    return ""


def _index_problem(label: Tensor, number: int, num_classes: int) -> str:
    hint = ": label.argmax(dim=1)" if label.ndim == 2 and label.shape[1] == num_classes else ""
    hint = ": label.squeeze(1)" if label.ndim == 2 and label.shape[1] == 1 else hint
    if tuple(label.shape) != (number,):
        return f"is {described(label)} for {number} pictures; give class indices (B,) int64{hint}"
    if label.dtype != torch.int64:
        return f"is {described(label)}; give class indices (B,) int64: label.long()"
    foreign = [value for value in torch.unique(label).tolist() if not 0 <= value < num_classes]
    if foreign:
        return (
            f"holds {listed(foreign)}, of no class: the task has {num_classes}, 0 to {num_classes - 1}; number the "
            "classes from 0, or set num_classes"
        )
    return ""


# Boxes


def check_boxes(batch: Mapping[str, Any], split: str) -> None:
    """What a detector is measured against: ``boxes``, ``box_labels`` and ``original_size``, one of each per picture.

    Raises:
        DataError: naming what is missing, or that their numbers differ.
    """
    for key in ("boxes", "box_labels", "original_size"):
        if key not in batch:
            raise DataError(
                f"a {split} batch holds {listed(batch)}, and no {key}, with which a detector is measured; give "
                "datasets with boxes, or leave --original_size out"
            )
        if len(batch[key]) != len(batch["image"]):
            raise DataError(
                f"{key} of a {split} batch is {described(batch[key])} for {len(batch['image'])} pictures; give one of "
                "each per picture"
            )
