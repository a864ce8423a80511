"""Pictures without labels, to be predicted."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch.utils.data import Dataset

from lightning_seg.batch import PictureSample, Unreadable
from lightning_seg.datasets.finding import unique_names
from lightning_seg.errors import DataError
from lightning_seg.images import read_image_at


class PictureFiles(Dataset[PictureSample | Unreadable]):
    """Reads and resizes pictures; a file that cannot be read becomes an ``Unreadable``, not an error.

    Args:
        paths: picture files.
        image_size: (height, width) of the returned pictures; None keeps their sizes.
    """

    def __init__(self, paths: Sequence[Path], image_size: tuple[int, int] | None = None) -> None:
        self.paths = list(paths)
        self.image_size = image_size
        self.names = unique_names(self.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> PictureSample | Unreadable:
        path = self.paths[index]
        try:
            image, original_size = read_image_at(path, self.image_size)
        except DataError as error:
            return Unreadable(str(path), str(error))
        return {
            "image": torch.from_numpy(image).permute(2, 0, 1),
            "path": str(path),
            "name": self.names[index],
            "original_size": original_size,
        }
