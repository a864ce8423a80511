"""What a file or folder of annotations has to tell, whatever its format."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.datasets.annotated.shapes import Shape, draw_mask
from lightning_seg.datasets.base import SegmentationDataset
from lightning_seg.datasets.finding import looks_like_picture
from lightning_seg.datasets.mask_codes import check_names
from lightning_seg.datasets.pairs import Pair
from lightning_seg.errors import ConfigError
from lightning_seg.images import Array, read_header
from lightning_seg.mask_encoding import MaskEncoding
from lightning_seg.spelling import BACKGROUND, BACKGROUNDS, NO_OBJECT, is_one_of

IGNORED = "__ignore__"
"""LabelMe's label of what counts nowhere."""


class Chosen(NamedTuple):
    """Classes, and which label stands for which."""

    names: tuple[str, ...]
    background: int
    indices: dict[str, int]  # by label
    left_out: tuple[str, ...]  # labels that count as background


class Annotations(ABC):
    """Annotations of pictures.

    Args:
        root: folder of the dataset.
        path: of the annotations.
        images: pattern of the pictures, relative to ``root``.

    Raises:
        DataError: if files are missing or wrong.
    """

    kind: ClassVar[str]
    have_files: ClassVar[bool] = False
    """Whether each picture has a mask file of its own."""

    def __init__(self, root: Path, path: Path, images: str) -> None:
        self.root, self.path, self.images = root, path, images

    @abstractmethod
    def labels(self) -> list[str]:
        """The labels of objects, in their order, each in the one spelling of ``same``."""

    @abstractmethod
    def pairs(self) -> list[Pair]:
        """The pictures that are annotated, sorted by name, each with the file that tells of it."""

    @abstractmethod
    def dataset(self, pairs: Sequence[Pair], chosen: Chosen, image_size: tuple[int, int] | None) -> Any:
        """The pictures with their masks."""

    def encoding(self, chosen: Chosen) -> MaskEncoding:
        """What masks are written in that are to be trained on again."""
        return MaskEncoding(tuple(range(len(chosen.names))))

    def choose(self, classes: Sequence[str] | None) -> Chosen:
        """The classes that are asked for, or all, with the background as the first.

        Raises:
            ConfigError: if a class is no label.
        """
        labels = self.labels()
        empties = [label for label in labels if is_one_of(label, BACKGROUNDS)]
        objects = [label for label in labels if label not in (*empties, IGNORED)]
        names = check_names([BACKGROUND, *objects] if classes is None else classes)
        rest = [name for name in names if name not in objects]
        empty = next((name for name in rest if is_one_of(name, NO_OBJECT)), None)
        if unknown := [name for name in rest if name != empty]:
            raise ConfigError(
                f"classes: {self.path} has no label {unknown[0]}; it has {', '.join(objects)}; give --data.classes "
                f"null for all of them, and call what is no object {BACKGROUND}"
            )
        if empty is None:
            raise ConfigError(
                f"classes {', '.join(names)}: all are labels of {self.path}, and none stands for what is no object; "
                f"add {BACKGROUND}"
            )
        background = names.index(empty)
        indices = {label: names.index(label) for label in objects if label in names}
        indices |= dict.fromkeys((*BACKGROUNDS, *empties), background) | {IGNORED: IGNORE_INDEX}
        return Chosen(names, background, indices, tuple(label for label in objects if label not in names))

    def unlabelled(self, pairs: Sequence[Pair]) -> list[Path]:
        """The pictures that nobody has annotated yet."""
        return self.unlisted(pairs)

    def why_unlisted(self) -> str:
        """Why pictures beside the others take no part."""
        return f"since {self.path} tells nothing of them"

    def unlisted(self, pairs: Sequence[Pair]) -> list[Path]:
        """The pictures beside those that take part."""
        known, folders = {pair.image for pair in pairs}, {pair.image.parent for pair in pairs}
        beside = (path for folder in folders for path in folder.iterdir())
        return sorted(path for path in beside if path not in known and looks_like_picture(path))


class DrawnAnnotations(Annotations):
    """Annotations of which masks are drawn."""

    @abstractmethod
    def shapes(self, pair: Pair, size: tuple[int, int]) -> list[Shape]:
        """The objects of a picture of this (height, width), in the order of the file.

        Raises:
            AnnotationError: if the file is wrong.
        """

    def dataset(self, pairs: Sequence[Pair], chosen: Chosen, image_size: tuple[int, int] | None) -> "DrawnMasks":
        return DrawnMasks(pairs, self, chosen, image_size)


class DrawnMasks(SegmentationDataset[Pair]):
    """Pictures with masks that are drawn from annotations, see ``draw_mask``.

    Args:
        pairs: of ``annotations``.
        annotations: what tells of the objects.
        chosen: the classes.
        image_size: (height, width) of the returned pictures; None keeps their sizes.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        annotations: DrawnAnnotations,
        chosen: Chosen,
        image_size: tuple[int, int] | None = None,
    ) -> None:
        self.class_names, self.annotations, self.chosen = chosen.names, annotations, chosen
        super().__init__(pairs, image_size)

    def image_path(self, record: Pair) -> Path:
        return record.image

    def mask_path(self, record: Pair) -> Path:
        return record.mask

    def reading(self) -> str:
        return str((self.annotations.kind, self.annotations.labels(), self.chosen))

    def read_mask(self, record: Pair) -> Array:
        size = read_header(record.image).size
        shapes = self.annotations.shapes(record, size)
        return draw_mask(shapes, size, self.chosen.indices, self.chosen.background, record.mask)


def relative_to(root: Path, path: Path) -> str:
    """The name of a picture: relative to the root with slashes, absolute where it lies elsewhere."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
