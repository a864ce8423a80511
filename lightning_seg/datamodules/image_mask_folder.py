"""The user's own pictures and masks as a datamodule."""

import logging
from pathlib import Path
from typing import Any, Unpack

from lightning_seg.batch import Split
from lightning_seg.datamodules.base import SegmentationDataModule
from lightning_seg.datamodules.file_checks import SPLITS_OF, Unreadable, check_choice
from lightning_seg.datamodules.mask_origins import IMAGES, MASKS, MaskPlaces, Values, origin_of
from lightning_seg.datamodules.options import SizedLoading
from lightning_seg.datamodules.slow_checks import says_when_slow
from lightning_seg.datamodules.split_plan import DEFAULT_FRACTION, PURPOSES, SplitPlan
from lightning_seg.datasets.base import SegmentationDataset
from lightning_seg.datasets.cache_folders import folder_of_caches
from lightning_seg.datasets.fact_store import opened_store
from lightning_seg.datasets.mask_checks import inspect_masks, missing_classes
from lightning_seg.datasets.mask_codes import MaskMatch
from lightning_seg.datasets.pairs import Pair
from lightning_seg.errors import ConfigError, DataError

log = logging.getLogger(__name__)


class ImageMaskFolderDataModule(SegmentationDataModule):
    """Your own pictures, each with a mask file of numbers or colours for classes.

    Paths are relative to ``root``. Files are read when the first stage begins.

    Args:
        root: folder of the dataset.
        classes: their names; None takes those of ``annotations``, and the background before them.
        images: which files are pictures; ``*`` stands for any part of a name, ``**`` for any folders. A pattern that
            ends in ``*`` takes what has the suffix of a picture.
        masks: path of a picture's mask: ``{stem}`` is the picture's name without suffix, ``{name}`` the same with
            suffix, ``{dir}`` the folders below the fixed part of ``images``.
        pairs: CSV file with the columns image, mask and, if wanted, split (train, val or test), in place of both.
        annotations: in place of mask files, what a labelling tool has written: a .json file of COCO, a .yaml file of
            YOLO, a folder of .json files of LabelMe, or a folder in the layout of Pascal VOC. Smaller objects cover
            larger ones.
        mask_values: what masks hold for each class: numbers, "#rrggbb" or [red, green, blue]; None is 0, 1, 2, ...
        ignore_values: values that neither loss nor metrics count; 255 is one of them if it belongs to no class.
        transparent: class of the transparent pixels of masks, or ``ignore``; None refuses masks with an alpha channel
            that is not opaque.
        val_fraction: share of all pictures to validate on.
        test_fraction: share of all pictures to test on; 0 leaves none.
        val_list: text file of the pictures to validate on, a stem, file name or path per line.
        test_list: likewise.
        train_list: likewise; without it, pictures in no list are for training.
        group: regular expression that finds a group's name in the stem, or in the path without suffix if it has a
            slash: the whole match, or its first part in parentheses. A group is never divided.
        check_masks: read every mask once before the first step.
        mask_match: ``exact`` refuses masks that hold values of no class; ``nearest`` takes the nearest class for them,
            as for edges that were smoothed, and says for how many pixels; see ``MaskCodes``.
        mask_tolerance: the largest difference of numbers, or distance of colours, that ``nearest`` bridges.
        unlabelled: ``error`` refuses pictures without a mask; ``skip`` trains without them. A picture without a text
            file of YOLO holds nothing but background; with ``skip`` nobody has labelled it yet.
        options: see ``SegmentationDataModule``.

    Raises:
        ConfigError: if arguments are impossible or contradict each other.
        DataError: if files are missing or masks are wrong, when a stage begins.
    """

    dividing = (*SegmentationDataModule.dividing, "test_fraction", "val_list", "test_list", "train_list", "group")
    listing = ("images", "masks", "pairs", "annotations", "unlabelled")
    deciding = (
        *SegmentationDataModule.deciding,
        *("classes", "mask_values", "ignore_values", "mask_match", "mask_tolerance", "transparent"),
    )
    takes_class_names = True

    def __init__(
        self,
        root: str | Path,
        classes: list[str | int] | None = None,
        images: str = IMAGES,
        masks: str = MASKS,
        pairs: str | None = None,
        annotations: str | None = None,
        mask_values: list[int | str | list[int]] | None = None,
        ignore_values: list[int | str | list[int]] | None = None,
        transparent: str | None = None,
        val_fraction: float = DEFAULT_FRACTION,
        test_fraction: float = DEFAULT_FRACTION,
        val_list: str | None = None,
        test_list: str | None = None,
        train_list: str | None = None,
        group: str | None = None,
        check_masks: bool = True,
        mask_match: MaskMatch = "exact",
        mask_tolerance: float | None = None,
        unlabelled: Unreadable = "error",
        **options: Unpack[SizedLoading],
    ) -> None:
        super().__init__(root, val_fraction=val_fraction, **options)
        if self.download:
            raise ConfigError("download true: your own pictures have no address; put them into root")
        names = None if classes is None else [str(name) for name in classes]
        self.origin = origin_of(
            MaskPlaces(self.root, images, masks, pairs, annotations),
            names,
            Values(mask_values, ignore_values, mask_match, mask_tolerance, transparent),
            exists=self.source == "real",
        )
        self.class_names, self.mask_encoding = self.origin.class_names, self.origin.encoding
        lists: dict[Split, str | None] = {"train": train_list, "val": val_list, "test": test_list}
        given = {split: file for split, file in lists.items() if file is not None}
        self.plan = SplitPlan(val_fraction, test_fraction, given, group, self.seed)
        self.check_masks = check_masks
        self.unlabelled = check_choice("unlabelled", unlabelled)
        self._is_asked_to_skip = unlabelled == "skip"
        self._checked: set[str] = set()
        self._splits: dict[Split, list[Pair]] | None = None

    def download_missing(self) -> None:
        """Nothing to do: the constructor refuses ``download``."""

    def write_synthetic(self) -> None:
        self.origin.write_synthetic()

    def group(self, record: Pair) -> str:
        return self.plan.groups_of([record.name])[0]

    def setup(self, stage: str) -> None:
        super().setup(stage)
        for split in SPLITS_OF.get(stage, ()):
            if self.check_masks and split not in self._checked:
                self._check(split)
                self._checked.add(split)

    def _check(self, split: str) -> None:
        dataset = self.datasets[split]
        place = folder_of_caches(self.root, self.cache_dir)
        with says_when_slow(f"{len(dataset)} masks", "check_masks"), opened_store(place, self.root) as store:
            occurs = inspect_masks(dataset, store.masks(dataset))
        missing = missing_classes(dataset, occurs) if split == "train" else []
        if missing:
            log.warning("no mask to train on holds %s", ", ".join(missing))

    def make_train_val(self) -> tuple[SegmentationDataset[Any], SegmentationDataset[Any]]:
        return self._dataset("train"), self._dataset("val")

    def make_test(self) -> SegmentationDataset[Any]:
        return self._dataset("test")

    def keepable(self) -> list[SegmentationDataset[Any]]:
        # Where no split is listed, other pictures are tested on then.
        drawn = [] if self._splits is None or self.plan.is_listed(self._splits["train"]) else self._splits["test"]
        return [self.datasets["train"].over(drawn)]

    def _dataset(self, split: Split) -> SegmentationDataset[Any]:
        if self._splits is None:
            pairs = self._find_pairs()
            self._splits = self.plan.divide(self.root, pairs, self.origin.have_files, self.origin.told_by)
        if not self._splits[split]:
            raise DataError(
                f"{self.root}: no pictures to {PURPOSES[split]} on; give --data.{split}_list, lines of split {split} "
                f"in --data.pairs or, without either, train with a --data.{split}_fraction above 0"
            )
        return self.origin.dataset(self._splits[split], self.image_size)

    def _find_pairs(self) -> list[Pair]:
        pairs = self.origin.pairs()
        self.passed_over = self.origin.passed_over
        bare = self.origin.without_mask(pairs) if self._skips_unlabelled() else []
        if not bare:
            return pairs
        if len(bare) == len(pairs):
            raise DataError(f"{self.root}: none of {len(pairs)} pictures has a mask; the first would be {bare[0].mask}")
        log.warning("unlabelled skip: %d of %d pictures have no mask", len(bare), len(pairs))
        self.file_checks.leave_out("unlabelled", [str(pair.image) for pair in bare])
        left = set(bare)
        return [pair for pair in pairs if pair not in left]

    def _skips_unlabelled(self) -> bool:
        # Whoever looks at all files sets it. But without a file for each mask a picture that has none holds nothing,
        # and is refused by nobody.
        return self.unlabelled == "skip" if self.origin.have_files else self._is_asked_to_skip

    def unlabelled_pictures(self) -> list[Path]:
        """The pictures that have no mask yet, for ``predict --images unlabelled``.

        Raises:
            DataError: if all have one, or files are missing.
        """
        found = self.origin.unlabelled()
        if not found:
            raise DataError(f"{self.root}: all pictures have a mask; give other pictures with --images")
        return found
