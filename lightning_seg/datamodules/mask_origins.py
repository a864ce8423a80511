"""Where the pictures and the masks of one's own come from: mask files, or the annotations of a labelling tool."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from lightning_seg.datasets.annotated import Annotations, Chosen, read_annotations
from lightning_seg.datasets.annotated.source import relative_to
from lightning_seg.datasets.base import SegmentationDataset
from lightning_seg.datasets.image_mask_folder import ImageMaskFolderDataset
from lightning_seg.datasets.lists import read_pairs
from lightning_seg.datasets.mask_codes import MaskCodes, MaskMatch, MaskValue, check_names
from lightning_seg.datasets.names import is_there
from lightning_seg.datasets.pairs import Pair, check_patterns, find_pairs, left_beside, shorten, taking_all
from lightning_seg.errors import ConfigError
from lightning_seg.mask_encoding import MaskEncoding
from lightning_seg.numbers import count_of
from lightning_seg.synthetic.annotated import TWINS, write_annotated
from lightning_seg.synthetic.image_mask_folder import CLASSES, PATTERNS, write_image_mask_folder
from lightning_seg.synthetic.marker import FORMAT, read_marker

IMAGES, MASKS = "images/*", "masks/{stem}.png"
BEFORE = "images/*.jpg"
"""The default that older configs hold."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MaskPlaces:
    """Arguments of ``ImageMaskFolderDataModule`` about files.

    Raises:
        ConfigError: if they are impossible or contradict each other.
    """

    root: Path
    images: str
    masks: str
    pairs: str | None
    annotations: str | None

    def __post_init__(self) -> None:
        check_patterns(self.images, self.masks)
        if self.pairs is not None and not (self.images in (IMAGES, BEFORE) and self.masks == MASKS):
            raise ConfigError(f"pairs {self.pairs} lists all pictures and masks; leave images and masks out")
        if self.annotations is not None and (self.pairs is not None or self.masks != MASKS):
            raise ConfigError(f"annotations {self.annotations} stand for all masks; leave masks and pairs out")


@dataclass(frozen=True)
class Values:
    """Arguments of ``ImageMaskFolderDataModule`` about what mask files hold."""

    mask_values: Sequence[MaskValue] | None = None
    ignore_values: Sequence[MaskValue] | None = None
    match: MaskMatch = "exact"
    tolerance: float | None = None
    transparent: str | None = None


class MaskOrigin(ABC):
    """Pictures and masks of one's own."""

    class_names: tuple[str, ...]
    encoding: MaskEncoding
    have_files = True
    """Whether each picture has a mask file of its own."""
    told_by = "the column split of pairs"
    """What gives pictures their splits."""

    def __init__(self, places: MaskPlaces) -> None:
        self.places = places
        self.passed_over: list[str] = []

    @abstractmethod
    def pairs(self) -> list[Pair]:
        """All pictures; a line says which lie there and take no part."""

    @abstractmethod
    def dataset(self, pairs: Sequence[Pair], image_size: tuple[int, int] | None) -> SegmentationDataset[Any]:
        """Some of them with their masks."""

    @abstractmethod
    def unlabelled(self) -> list[Path]:
        """The pictures without a mask."""

    @abstractmethod
    def write_synthetic(self) -> None:
        """Write invented pictures of the same layout."""

    def without_mask(self, pairs: Sequence[Pair]) -> list[Pair]:
        """Those that nobody has labelled; ``unlabelled`` has their pictures, and those that take no part."""
        return [pair for pair in pairs if not is_there(pair.mask)]

    def tell_left(self, others: Sequence[Path], why: str) -> None:
        """Say once which pictures take no part."""
        if others and not self.passed_over:
            names = [relative_to(self.places.root, path) for path in others]
            are = "is" if len(others) == 1 else "are"
            log.warning("%s %s left out, %s: %s", count_of(len(others), "picture"), are, why, shorten(names))
        self.passed_over = [str(path) for path in others]


class MaskFilesOrigin(MaskOrigin):
    """A mask file for each picture."""

    def __init__(self, places: MaskPlaces, classes: Sequence[str] | None, values: Values) -> None:
        super().__init__(places)
        if classes is None:
            raise ConfigError(
                "classes: nothing says what the values in the masks are called; give their names in the order of the "
                "values, background included: --data.classes '[background, cat]'"
            )
        self.codes = MaskCodes(classes, *astuple(values))
        self.class_names = self.codes.class_names
        self.encoding = MaskEncoding(tuple(self.codes.stored_values()))

    def pairs(self) -> list[Pair]:
        root, images, masks = self.places.root, self.places.images, self.places.masks
        if self.places.pairs is not None:
            return read_pairs(root, self.places.pairs)
        pairs = find_pairs(root, images, masks)
        left = left_beside(root, images, masks, pairs)
        whole = taking_all(root, images, masks, [*(pair.image for pair in pairs), *left]) if left else None
        remedy = f"{whole!r} takes all that lie there" if whole else "list all in a file for --data.pairs"
        self.tell_left(left, f"since images {images!r} does not match them; {remedy}")
        return pairs

    def dataset(self, pairs: Sequence[Pair], image_size: tuple[int, int] | None) -> SegmentationDataset[Any]:
        return ImageMaskFolderDataset(pairs, self.codes, image_size)

    def unlabelled(self) -> list[Path]:
        return [pair.image for pair in self.without_mask(self.pairs())]

    def write_synthetic(self) -> None:
        places, values = self.places, self.codes.stored_values()
        marker = read_marker(places.root) or {}
        # Whatever else they were written with, since somebody did it on purpose.
        if [marker.get(key) for key in ("dataset", "format", "mask_values")] == ["image_mask_folder", FORMAT, values]:
            return
        images = BEFORE if places.images == IMAGES else places.images
        layouts = [layout for layout, patterns in PATTERNS.items() if patterns == (images, places.masks)]
        if not layouts or places.pairs is not None:
            raise ConfigError(
                f"source synthetic does not write images {places.images!r}, masks {places.masks!r}, pairs "
                f"{places.pairs}; use {IMAGES!r}, {MASKS!r} and no pairs"
            )
        write_image_mask_folder(places.root, layout=layouts[0], mask_values=values)


class AnnotatedOrigin(MaskOrigin):
    """The annotations of a labelling tool; they are read when they are needed, and at once where they are there."""

    def __init__(self, places: MaskPlaces, classes: Sequence[str] | None, values: Values, exists: bool) -> None:
        super().__init__(places)
        if values != Values():
            raise ConfigError(
                f"annotations {places.annotations} name the classes of objects; leave mask_values, ignore_values, "
                "mask_match, mask_tolerance and transparent out"
            )
        self.classes, self.told_by = classes, f"the splits of annotations {places.annotations}"
        self._read: tuple[Annotations, Chosen] | None = None
        if exists or read_marker(places.root):
            annotations, chosen = self._annotations()
            self.class_names, self.encoding = chosen.names, annotations.encoding(chosen)
        else:
            self.class_names = check_names(classes or CLASSES)
            self.encoding = MaskEncoding(tuple(range(len(self.class_names))))

    def _annotations(self) -> tuple[Annotations, Chosen]:
        if self._read is None:
            annotations = read_annotations(self.places.root, str(self.places.annotations), self.places.images)
            chosen = annotations.choose(self.classes)
            if chosen.left_out:
                log.warning(
                    "%s: objects of %s count as %s, since classes do not name them",
                    *(annotations.path, shorten(chosen.left_out), chosen.names[chosen.background]),
                )
            self._read = annotations, chosen
        return self._read

    def pairs(self) -> list[Pair]:
        annotations, _ = self._annotations()
        pairs, self.have_files = annotations.pairs(), annotations.have_files
        self.tell_left(annotations.unlisted(pairs), annotations.why_unlisted())
        return pairs

    def dataset(self, pairs: Sequence[Pair], image_size: tuple[int, int] | None) -> SegmentationDataset[Any]:
        annotations, chosen = self._annotations()
        found: SegmentationDataset[Any] = annotations.dataset(pairs, chosen, image_size)
        return found

    def without_mask(self, pairs: Sequence[Pair]) -> list[Pair]:
        annotations, _ = self._annotations()
        bare = set(annotations.unlabelled(pairs))
        return [pair for pair in pairs if pair.image in bare]

    def unlabelled(self) -> list[Path]:
        annotations, _ = self._annotations()
        return annotations.unlabelled(annotations.pairs())

    def write_synthetic(self) -> None:
        kinds = [kind for kind, place in TWINS.items() if place == self.places.annotations]
        if not kinds:
            raise ConfigError(
                f"source synthetic does not write annotations {self.places.annotations}; use "
                f"{', '.join(TWINS.values())}"
            )
        write_annotated(self.places.root, kinds[0])


def origin_of(places: MaskPlaces, classes: Sequence[str] | None, values: Values, exists: bool) -> MaskOrigin:
    """Mask files, or annotations where they are named.

    Args:
        places: of the files.
        classes: their names; None takes those of the annotations.
        values: what mask files hold.
        exists: whether the pictures are there already, and are not to be invented.

    Raises:
        ConfigError: if arguments are impossible.
        DataError: if annotations are missing or wrong.
    """
    if places.annotations is None:
        return MaskFilesOrigin(places, classes, values)
    return AnnotatedOrigin(places, classes, values, exists)
