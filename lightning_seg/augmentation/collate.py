"""Samples to a batch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_seg.batch import SegmentationBatch, SegmentationSample
from lightning_seg.errors import DataError


def stack_images(images: Sequence[Tensor]) -> Tensor:
    """``(3, H, W)`` views of HWC arrays to ``(B, 3, H, W)`` in channels_last, without a second copy."""
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)


def collate_segmentation(samples: Sequence[SegmentationSample]) -> SegmentationBatch:
    """See ``SegmentationBatch`` for shapes and dtypes.

    Raises:
        DataError: if pictures differ in size.
    """
    _check_sizes(samples)
    return {
        "image": stack_images([sample["image"] for sample in samples]),
        "mask": torch.stack([sample["mask"] for sample in samples]),
        "index": torch.tensor([sample["index"] for sample in samples]),
        "epoch": torch.tensor([sample["epoch"] for sample in samples]),
        "path": [sample["path"] for sample in samples],
        "original_size": torch.tensor([sample["original_size"] for sample in samples]),
    }


def _check_sizes(samples: Sequence[SegmentationSample]) -> None:
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
