"""Facts about the files of a dataset, found out by reading each of them once."""

import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.datasets.annotated.shapes import AnnotationError
from lightning_seg.datasets.base import SegmentationDataset
from lightning_seg.datasets.mask_files import ValueKindError
from lightning_seg.datasets.names import is_file
from lightning_seg.datasets.stray_values import StrayValueError
from lightning_seg.errors import DataError
from lightning_seg.images import Array, read_header, read_image, read_image_at
from lightning_seg.images.condition import condition_of

SEEN_AT = (256, 256)
"""(height, width) at which pictures are looked at: JPEG files are then decoded at a small scale, yet to their end."""
LEAST_AREA = 16
"""Pixels of a part of a mask that is more than a speck, as a slipped brush or the edge of two classes leaves it."""


class PictureFacts(NamedTuple):
    """What a picture file holds. Where it cannot be read, ``problem`` is the line that says why, and sizes are 0."""

    path: str
    problem: str
    cause: str  # one of CAUSES; empty where it can be read
    format: str
    mode: str
    height: int  # of the upright picture, in pixels
    width: int
    traits: str  # names of images.condition.TRAITS, with spaces between
    mean: float  # of the grey values, 0 to 1
    sums: str  # mean of red, green, blue and of their squares, 0 to 1, with spaces between
    digest: str | None = None  # SHA-256 of the file; None where nobody asked for it
    look: int | None = None  # perceptual hash of 64 bits, as a signed number


CAUSES = ("missing", "no_file", "empty", "cut", "pages", "deep", "unreadable")
"""Why a picture cannot be read: nothing there, a pipe or a link to nothing or the like, no bytes, bytes missing at its
end, several pages, more than 8 bits, other."""


class MaskFacts(NamedTuple):
    """What a mask file holds, with the picture it belongs to."""

    path: str
    problem: str
    cause: str  # one of MASK_CAUSES; empty where it can be used
    among_good: str  # the problem, if all other masks can be used
    height: int
    width: int
    counts: str  # pixels of each class, with spaces between
    ignored: int  # pixels that are not counted
    decided: int  # pixels of no class's value, which the nearest class was taken for
    smallest: str = ""
    """Short side of the smallest connected part of each class but specks, as share of the mask's; 1 where it has none.
    Empty where nobody asked for it.
    """
    strays: str = ""  # values of no class, as ``stray_values.Strays.to_text`` writes them


MASK_CAUSES = ("missing", "size", "value", "kind", "annotation", "unreadable")
"""Why a mask cannot be used: no file, another size than its picture, a value of no class, colours for numbers or the
reverse, a wrong annotation, other."""


def look_at_picture(path: Path, closely: bool = False) -> PictureFacts:
    """Read one picture file to its end.

    Args:
        path: of the file.
        closely: also what tells duplicates: the digest of its bytes, and a perceptual hash (Zauner, "Implementation
            and benchmarking of perceptual image hash functions", 2010; computed by ImageHash).
    """
    condition = condition_of(path)
    told = (condition.format, condition.mode)
    traits = " ".join(condition.traits)
    try:
        pixels, (height, width) = read_image_at(path, SEEN_AT)
    except DataError as error:
        cause = _cause(path, condition.traits, str(error))
        return PictureFacts(str(path), str(error), cause, *told, *condition.size, traits, 0.0, "")
    means, deviations = (values.ravel() / 255 for values in cv2.meanStdDev(pixels))
    sums = " ".join(f"{value:.6f}" for value in (*means, *(means**2 + deviations**2)))
    facts = PictureFacts(str(path), "", "", *told, height, width, traits, float(means.mean()), sums)
    return facts._replace(digest=_digest(path), look=_perceptual_hash(pixels)) if closely else facts


def _cause(path: Path, traits: tuple[str, ...], message: str) -> str:
    if not is_file(path):
        return "no_file" if os.path.lexists(path) else "missing"
    if path.stat().st_size == 0:
        return "empty"
    if "pages" in traits or "deep" in traits:
        return "pages" if "pages" in traits else "deep"
    # Pillow's words for a file that ends too early.
    return "cut" if "truncated" in message.lower() or "unexpected end" in message.lower() else "unreadable"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _perceptual_hash(pixels: Array) -> int:
    # Not before it is needed: it brings large libraries with it.
    import imagehash
    from PIL import Image

    bits = imagehash.phash(Image.fromarray(pixels)).hash
    return int.from_bytes(np.packbits(bits.ravel()).tobytes(), "big", signed=True)


def look_at_mask(dataset: SegmentationDataset[Any], record: Any, closely: bool = False) -> MaskFacts:
    """Read one mask, and compare its size with that of its picture's header.

    Args:
        dataset: of the mask.
        record: whose mask.
        closely: also measure the connected parts of each class.
    """
    path = mask_name(dataset, record)
    try:
        mask, decided = dataset.decode_mask(record)
        check_same_size(dataset, record, (mask.shape[0], mask.shape[1]))
    except DataError as error:
        cause, among_good = _mask_cause(error, path), getattr(error, "among_good", str(error))
        strays = error.strays.to_text() if isinstance(error, StrayValueError) else ""
        return MaskFacts(path, str(error), cause, among_good, 0, 0, "", 0, 0, strays=strays)
    counts = np.bincount(mask.ravel(), minlength=256)
    classes = range(len(dataset.class_names))
    told = " ".join(str(counts[index]) for index in classes)
    height, width = mask.shape
    facts = MaskFacts(path, "", "", "", height, width, told, int(counts[IGNORE_INDEX]), decided)
    if not closely:
        return facts
    shares = (_smallest(mask, index) if counts[index] else 1 for index in classes)
    return facts._replace(smallest=" ".join(f"{share:.4f}" for share in shares))


def mask_name(dataset: SegmentationDataset[Any], record: Any) -> str:
    """The mask file of a record, or its picture where the dataset does not say which file holds its mask."""
    try:
        return str(dataset.mask_path(record))
    except DataError:
        return f"mask of {dataset.image_path(record)}"


class SizeError(DataError):
    """A mask has another size than its picture."""


def _mask_cause(error: DataError, path: str) -> str:
    if isinstance(error, SizeError):
        return "size"
    for kind, cause in ((AnnotationError, "annotation"), (ValueKindError, "kind")):
        if isinstance(error, kind):
            return cause
    if hasattr(error, "among_good"):
        return "value"
    return "unreadable" if os.path.lexists(path) else "missing"


def _smallest(mask: Array, index: int) -> float:
    """Short side of the smallest connected part of a class, as share of the short side of the mask; specks count only
    where there is nothing else.
    """
    _, _, stats, _ = cv2.connectedComponentsWithStats((mask == index).astype(np.uint8), connectivity=8)
    parts = stats[1:]
    large = parts[parts[:, cv2.CC_STAT_AREA] >= LEAST_AREA]
    parts = large if len(large) else parts
    sides = np.minimum(parts[:, cv2.CC_STAT_WIDTH], parts[:, cv2.CC_STAT_HEIGHT])
    return float(sides.min() / min(mask.shape))


def check_same_size(dataset: SegmentationDataset[Any], record: Any, size: tuple[int, int]) -> None:
    """Compares the (height, width) of a mask with its picture.

    Raises:
        SizeError: if they differ.
        DataError: if the picture cannot be read.
    """
    image = dataset.image_path(record)
    header = read_header(image)
    if header.size == size:
        return
    # The header does not show a tag that is stored behind the pixels.
    height, width = read_image(image).shape[:2]
    if (height, width) != size:
        mask = mask_name(dataset, record)
        turned = _explain_turns(header.orientation, read_header(mask).orientation) if Path(mask).is_file() else ""
        raise SizeError(
            f"{mask}: the mask is {size[1]}x{size[0]} pixels and its picture {image} {width}x{height}{turned}; replace "
            "one of the two"
        )


def _explain_turns(picture: int, mask: int) -> str:
    """EXIF orientations as a likely cause of different sizes."""
    if picture == mask:
        return ""
    if mask == 1:
        return f"; EXIF orientation {picture} turns the picture, not the mask"
    if picture == 1:
        return f"; EXIF orientation {mask} turns the mask, not the picture"
    return f"; EXIF orientation {picture} turns the picture, {mask} the mask"
