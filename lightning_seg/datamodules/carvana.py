"""Carvana as a datamodule."""

from pathlib import Path
from typing import Any, Literal, Unpack

from lightning_seg.batch import Split
from lightning_seg.datamodules.base import SegmentationDataModule
from lightning_seg.datamodules.options import Loading
from lightning_seg.datamodules.split_plan import PURPOSES
from lightning_seg.datamodules.splits import check_fractions, draw_splits
from lightning_seg.datasets.base import SegmentationDataset
from lightning_seg.datasets.carvana import FETCH, CarvanaDataset, CarvanaRecord, read_list
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.mask_encoding import MaskEncoding
from lightning_seg.synthetic.carvana import write_carvana
from lightning_seg.synthetic.marker import holds_synthetic


class CarvanaDataModule(SegmentationDataModule):
    """Studio photos of cars from 16 sides, with masks of two classes for a model with one logit.

    Kaggle's test photos have no masks, so all three splits are drawn from ``train``.

    Source: https://www.kaggle.com/c/carvana-image-masking-challenge (competition terms).

    Args:
        root: folder with Kaggle's ``train``, ``train_masks`` and ``train_masks.csv``.
        split_by: ``car`` keeps all photos of a car in one split; ``image`` splits single photos, as the tutorial does,
            so that tested cars were also trained on.
        val_fraction: share of the photos to validate on; with 0 the last epoch counts as the best.
        test_fraction: share of the photos to test on; 0 leaves none.
        image_size: side, or (height, width), of the photos for the model; None keeps their sizes.
        batch_size: pictures per step and process.
        options: see ``SegmentationDataModule``.

    Raises:
        ConfigError: if an argument has an impossible value, or a download is asked for.
        DataError: if files are missing, when a stage begins.
    """

    class_names = CarvanaDataset.class_names
    default_pipeline = "flip_shift_hue"
    mask_encoding = MaskEncoding((0, 1), ("#000000", "#ffffff"))

    dividing = (*SegmentationDataModule.dividing, "test_fraction", "split_by")

    def __init__(
        self,
        root: str | Path,
        split_by: Literal["car", "image"] = "car",
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
        image_size: int | tuple[int, int] | None = 256,
        batch_size: int = 4,
        **options: Unpack[Loading],
    ) -> None:
        super().__init__(root, image_size=image_size, batch_size=batch_size, val_fraction=val_fraction, **options)
        if split_by not in ("car", "image"):
            raise ConfigError(f"split_by {split_by!r} does not exist; choose car or image")
        if self.download:
            raise ConfigError(f"download true: these photos cannot be fetched for you. {FETCH}, into {self.root}")
        check_fractions(val_fraction, test_fraction)
        self.split_by = split_by
        self.test_fraction = test_fraction

    @property
    def num_classes(self) -> int:
        """Logits per pixel."""
        return 1

    @property
    def validates(self) -> bool:
        return self.val_fraction > 0

    def download_missing(self) -> None:
        """Nothing to do: the constructor refuses ``download``."""

    def write_synthetic(self) -> None:
        if not holds_synthetic(self.root, "carvana"):
            write_carvana(self.root)

    def group(self, record: CarvanaRecord) -> str:
        """The car, whatever ``split_by`` is."""
        return record.car

    def make_train_val(self) -> tuple[SegmentationDataset[Any], SegmentationDataset[Any] | None]:
        train, *val = self._parts("train", "val") if self.validates else self._parts("train")
        return train, val[0] if val else None

    def make_test(self) -> SegmentationDataset[Any]:
        return self._parts("test")[0]

    def keepable(self) -> list[SegmentationDataset[Any]]:
        # Those to test on are others then; where they are missing now, nobody minds.
        return [self.datasets["train"].over(read_list(self.root))]

    def _parts(self, *splits: Split) -> list[SegmentationDataset[Any]]:
        """The photos of splits, from one reading of the list."""
        records = read_list(self.root)
        groups = [record.car if self.split_by == "car" else record.stem for record in records]
        fractions: dict[Split, float] = {"test": self.test_fraction, "val": self.val_fraction}
        parts = draw_splits(["train"] * len(groups), groups, fractions, self.seed)
        for split in splits:
            if not parts[split]:
                raise DataError(
                    f"{self.root}: no pictures to {PURPOSES[split]} on; train with a --data.{split}_fraction above 0"
                )
        chosen = [[records[index] for index in parts[split]] for split in splits]
        return [CarvanaDataset(self.root, self.image_size, records=part) for part in chosen]
