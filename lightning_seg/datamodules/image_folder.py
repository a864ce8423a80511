"""The user's own labelled pictures as a datamodule."""

import logging
from pathlib import Path
from typing import Unpack

from lightning_seg.batch import Split
from lightning_seg.datamodules.labelled import LabelledDataModule
from lightning_seg.datamodules.options import BatchedLoading
from lightning_seg.datamodules.split_plan import DEFAULT_FRACTION
from lightning_seg.datamodules.splits import check_groups, compile_group, find_groups
from lightning_seg.datasets.image_folder import ImageFolderDataset
from lightning_seg.datasets.labelled import LabelledDataset, LabelledPicture
from lightning_seg.datasets.names import same
from lightning_seg.datasets.pairs import shorten
from lightning_seg.errors import ConfigError
from lightning_seg.synthetic.blossoms import KINDS
from lightning_seg.synthetic.flowers import write_flowers
from lightning_seg.synthetic.marker import holds_synthetic

log = logging.getLogger(__name__)
SYNTHETIC_CLASSES = tuple(kind.name for kind in KINDS)


class ImageFolderDataModule(LabelledDataModule):
    """Your own labelled pictures: a folder for each class, or a list.

    Folders are ``<class>/*``, or ``train/<class>/*`` and optionally the same in ``val`` and ``test``. Without any
    split, from folders or from a column ``split``, test and validation pictures are drawn; if only ``val`` is missing,
    validation pictures are drawn from the training pictures.

    Args:
        root: folder of the dataset.
        labels: CSV file with the columns image, label and, if wanted, split (train, val or test), in place of folders;
            it and the pictures are relative to ``root``.
        classes: their names in the order of the labels; None takes those of the folders or the list. If given, the
            datamodule can be built without the pictures.
        val_fraction: share of each class to validate on, of the pictures that are not for testing; with 0 the last
            epoch counts as the best.
        test_fraction: share of each class to test on; 0 leaves none.
        group: regular expression that finds a group's name in the stem, or in the path without suffix if it has a
            slash: the whole match, or its first part in parentheses. A group is never divided.
        image_size: side, or (height, width), of the pictures for the model; None keeps their sizes.
        options: see ``DataModule``.

    Raises:
        ConfigError: if arguments are impossible or contradict each other.
        DataError: if folders, files or classes are missing; at construction, or with ``classes`` when a stage begins.

    Examples:
        >>> for name in ("cat", "dog"):
        ...     Path("own", name).mkdir(parents=True)
        ...     for number in range(3):
        ...         Image.new("RGB", (8, 8)).save(f"own/{name}/{number}.png")
        >>> data = ImageFolderDataModule("own", image_size=8, batch_size=2, num_workers=0)
        >>> data.setup("fit")
        >>> data.class_names
        ('cat', 'dog')
        >>> next(iter(data.train_dataloader()))["image"].shape
        torch.Size([2, 3, 8, 8])
    """

    dividing = (*LabelledDataModule.dividing, "group")
    listing = ("labels",)
    deciding = (*LabelledDataModule.deciding, "classes")
    takes_class_names = True

    def __init__(
        self,
        root: str | Path,
        labels: str | None = None,
        classes: list[str | int] | None = None,
        val_fraction: float = DEFAULT_FRACTION,
        test_fraction: float = DEFAULT_FRACTION,
        group: str | None = None,
        image_size: int | tuple[int, int] | None = 224,
        **options: Unpack[BatchedLoading],
    ) -> None:
        super().__init__(root, val_fraction, test_fraction, image_size=image_size, **options)
        # A class called 1 is typed as a number.
        self.labels, self.classes = labels, None if classes is None else [same(str(name)) for name in classes]
        self._has_named = False
        self.pattern = None if group is None else compile_group(group)
        self._check_sources()
        # What is there already is read: a task asks for the classes before anything is written.
        unwritten = self.source == "synthetic" and not holds_synthetic(self.root, "flowers")
        names = SYNTHETIC_CLASSES if unwritten and classes is None else self.classes
        self.class_names = self.read_pictures().class_names if names is None else tuple(names)

    def _check_sources(self) -> None:
        if self.download:
            raise ConfigError("download true: your own pictures have no address; put them into root")
        if self.source == "synthetic" and (self.labels, self.classes) != (None, None):
            raise ConfigError("source synthetic writes flowers in folders of classes; leave labels and classes out")
        if self.classes is not None and (len(self.classes) < 2 or len(set(self.classes)) < len(self.classes)):
            raise ConfigError(f"classes {self.classes} must be two different names or more, or null for what is found")

    @property
    def validates(self) -> bool:
        return self.val_fraction > 0 or any(picture.split == "val" for picture in self.read_pictures().records)

    def download_missing(self) -> None:
        """Nothing to do: the constructor refuses ``download``."""

    def write_synthetic(self) -> None:
        if not holds_synthetic(self.root, "flowers"):
            write_flowers(self.root)

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if not self._has_named and self._all is not None:
            self._name_others(self._all)
            self._has_named = True

    def _name_others(self, pictures: LabelledDataset) -> None:
        """Log the files in the folders that are no pictures of a class."""
        self.passed_over = [str(self.root / name) for name in pictures.left_out]
        if lost := [name for name in pictures.left_out if not (self.root / name).exists()]:
            log.warning("%s: links to nothing are left out, and what they stood for: %s", self.root, shorten(lost))
        if pictures.left_out:
            log.warning(
                "%s: %d files or folders are left out, since pictures lie directly in the folders of classes, have the "
                "suffix of one and are not written by predict: %s",
                self.root,
                len(pictures.left_out),
                shorten(sorted(pictures.left_out)),
            )

    def read_pictures(self) -> LabelledDataset:
        return ImageFolderDataset(self.root, self.labels, self.classes, self.image_size)

    def group(self, picture: LabelledPicture) -> str:
        return picture.name if self.pattern is None else find_groups([picture.name], self.pattern)[0]

    def remedy(self, split: Split, pictures: list[LabelledPicture]) -> str:
        """Splits that are given in part are not drawn, except for validation pictures."""
        if split == "val" or all(picture.split is None for picture in pictures):
            return super().remedy(split, pictures)
        if self.labels is not None:
            return f"write {split} into the column split of {self.labels}, for pictures that no run has trained on"
        return f"put some into {split}/, beside train/"

    def _divide(self, pictures: list[LabelledPicture]) -> dict[Split, list[int]]:
        given = {picture.split for picture in pictures}
        if given != {None}:
            where = (
                "the folders train/, val/ and test/" if self.labels is None else f"the column split of {self.labels}"
            )
            self._refuse("test", self.test_fraction, where)
            if "val" in given:
                self._refuse("val", self.val_fraction, where)
        parts = super()._divide(pictures)
        check_groups(parts, [self.group(picture) for picture in pictures], [picture.name for picture in pictures])
        return parts

    def _refuse(self, split: Split, fraction: float, where: str) -> None:
        if fraction not in (0, DEFAULT_FRACTION):
            raise ConfigError(f"{split}_fraction {fraction} and {where} contradict each other; leave one of them out")
