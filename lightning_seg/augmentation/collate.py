"""Samples to a batch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_seg.batch import SegmentationBatch, SegmentationSample


def stack_images(images: Sequence[Tensor]) -> Tensor:
    """``(3, H, W)`` views of HWC arrays to ``(B, 3, H, W)`` in channels_last, without a second copy."""
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)


def collate_segmentation(samples: Sequence[SegmentationSample]) -> SegmentationBatch:
    """See ``SegmentationBatch`` for shapes and dtypes."""
    return {
        "image": stack_images([sample["image"] for sample in samples]),
        "mask": torch.stack([sample["mask"] for sample in samples]),
        "index": torch.tensor([sample["index"] for sample in samples]),
        "epoch": torch.tensor([sample["epoch"] for sample in samples]),
        "path": [sample["path"] for sample in samples],
        "original_size": torch.tensor([sample["original_size"] for sample in samples]),
    }
