"""Stacking samples to a batch."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.utils.data import default_collate

from lightning_seg.batch import (
    ClassificationBatch,
    ClassificationSample,
    LabelledBatch,
    LabelledSample,
    ObjectBatch,
    ObjectSample,
    PictureBatch,
    PictureSample,
    SegmentationBatch,
    SegmentationSample,
    Unreadable,
)
from lightning_seg.errors import DataError


def stack_images(images: Sequence[Tensor]) -> Tensor:
    """``(3, H, W)`` views of HWC arrays to ``(B, 3, H, W)`` in channels_last, without a second copy."""
    if len(images) == 1:
        # A large picture is not worth a copy.
        return images[0].unsqueeze(0)
    return _stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    """``torch.stack``; in a loader process directly into shared memory, which saves a copy."""
    stacked: Tensor = default_collate(list(tensors))
    return stacked


def collate_segmentation(samples: Sequence[SegmentationSample]) -> SegmentationBatch:
    """See ``SegmentationBatch`` for shapes and dtypes.

    Raises:
        DataError: if pictures differ in size.
    """
    return {**_collate(samples), "mask": _stack([sample["mask"] for sample in samples])}


def collate_classification(samples: Sequence[ClassificationSample]) -> ClassificationBatch:
    """See ``ClassificationBatch``; labels are class indices.

    Raises:
        DataError: if pictures differ in size.
    """
    labels = torch.tensor([sample["label"] for sample in samples])
    batch = cast(ClassificationBatch, {**_collate(samples), "label": labels})
    if all("boxes" in sample for sample in samples):
        batch["boxes"] = [sample["boxes"] for sample in samples]
        batch["box_labels"] = [sample["box_labels"] for sample in samples]
    return batch


def collate_objects(samples: Sequence[ObjectSample]) -> ObjectBatch:
    """See ``ObjectBatch``; pictures have any number of boxes each.

    Raises:
        DataError: if pictures differ in size.
    """
    boxes, labels = [sample["boxes"] for sample in samples], [sample["box_labels"] for sample in samples]
    return {**_collate(samples), "boxes": boxes, "box_labels": labels}


def _collate(samples: Sequence[LabelledSample]) -> LabelledBatch:
    """The keys that all kinds of samples have."""
    _check_sizes(samples)
    return {
        "image": stack_images([sample["image"] for sample in samples]),
        "index": torch.tensor([sample["index"] for sample in samples]),
        "epoch": torch.tensor([sample["epoch"] for sample in samples]),
        "path": [sample["path"] for sample in samples],
        "original_size": torch.tensor([sample["original_size"] for sample in samples]),
    }


def collate_pictures(samples: Sequence[PictureSample | Unreadable]) -> PictureBatch:
    """See ``PictureBatch``; a batch may have no readable picture."""
    pictures = [sample for sample in samples if not isinstance(sample, Unreadable)]
    images = [picture["image"] for picture in pictures]
    return {
        "image": stack_images(images) if images else torch.empty(0, 3, 1, 1, dtype=torch.uint8),
        "path": [picture["path"] for picture in pictures],
        "name": [picture["name"] for picture in pictures],
        "original_size": [picture["original_size"] for picture in pictures],
        "unreadable": [sample for sample in samples if isinstance(sample, Unreadable)],
        "files": [sample.path if isinstance(sample, Unreadable) else sample["path"] for sample in samples],
    }


def _check_sizes(samples: Sequence[LabelledSample]) -> None:
    first = samples[0]
    for sample in samples:
        if sample["image"].shape != first["image"].shape:
            sizes = ", ".join(f"{one['path']} {_size(one['image'])}" for one in (first, sample))
            raise DataError(
                f"pictures of one batch differ in size: {sizes}; set image_size, batch_size 1, or a pipeline that "
                "crops to one size"
            )


def _size(image: Tensor) -> str:
    return f"{image.shape[-1]}x{image.shape[-2]}"
