"""Pictures and masks of the user's own, one mask file per picture."""

from collections.abc import Sequence
from pathlib import Path

from lightning_seg.augmentation.seeding import SeededPipeline
from lightning_seg.datasets.base import Decoded, SegmentationDataset
from lightning_seg.datasets.mask_codes import MaskCodes
from lightning_seg.datasets.mask_files import read_stored_mask
from lightning_seg.datasets.pairs import Pair
from lightning_seg.images import Array


class ImageMaskFolderDataset(SegmentationDataset[Pair]):
    """Pictures with mask files of numbers or colours for classes.

    Args:
        pairs: as ``find_pairs`` or ``read_pairs`` return them.
        codes: numbers or colours of the classes.
        image_size: (height, width) of the returned pictures; None keeps their sizes.
        pipeline: random transforms.

    Raises:
        DataError: when a file is read, if it cannot be read or a mask holds a value of no class.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        codes: MaskCodes,
        image_size: tuple[int, int] | None = None,
        pipeline: SeededPipeline | None = None,
    ) -> None:
        self.class_names = codes.class_names
        self.codes = codes
        super().__init__(pairs, image_size, pipeline)

    def image_path(self, record: Pair) -> Path:
        return record.image

    def mask_path(self, record: Pair) -> Path:
        return record.mask

    def reading(self) -> str:
        return self.codes.fingerprint()

    def read_mask(self, record: Pair) -> Array:
        return self.decode_mask(record).mask

    def decode_mask(self, record: Pair) -> Decoded:
        stored = read_stored_mask(record.mask, lossy=self.codes.match == "nearest")
        return self.codes.decode_counting(stored, record.mask)
