"""Reads every mask once before training, so that a wrong one is found at the start and not in the third epoch."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.datasets.image_mask_folder import ImageMaskFolderDataset
from lightning_seg.datasets.mask_codes import StrayValueError
from lightning_seg.datasets.pairs import Pair
from lightning_seg.datasets.threads import in_threads
from lightning_seg.errors import DataError
from lightning_seg.images import read_header, read_image


class Finding(NamedTuple):
    """The classes in a mask, or what is wrong with it."""

    occurs: NDArray[np.bool_]  # (256,) by class index
    problem: DataError | None = None


def inspect_masks(dataset: ImageMaskFolderDataset) -> NDArray[np.bool_]:
    """Which class indices occur, ``(256,)``.

    Raises:
        DataError: naming the first wrong mask, and how many more there are.
    """
    findings = in_threads(lambda pair: _check(dataset, pair), dataset.records)
    problems = [finding.problem for finding in findings if finding.problem]
    if problems:
        first = problems[0]
        good = len(findings) - len(problems)
        said = first.among_good if good and isinstance(first, StrayValueError) else str(first)
        more = f"; {len(problems) - 1} more of {len(findings)} masks cannot be used" if problems[1:] else ""
        raise DataError(f"{said}{more}") from first
    occurs: NDArray[np.bool_] = np.any([finding.occurs for finding in findings], axis=0)
    return occurs


def _check(dataset: ImageMaskFolderDataset, pair: Pair) -> Finding:
    try:
        mask = dataset.read_mask(pair)
        _check_size(pair, (mask.shape[0], mask.shape[1]))
    except DataError as error:
        return Finding(np.zeros(256, np.bool_), error)
    return Finding(np.bincount(mask.ravel(), minlength=256) > 0)


def _check_size(pair: Pair, size: tuple[int, int]) -> None:
    header = read_header(pair.image)
    if header.size == size:
        return
    # The header does not show a tag that is stored behind the pixels.
    height, width = read_image(pair.image).shape[:2]
    if (height, width) != size:
        turned = _explain_turns(header.orientation, read_header(pair.mask).orientation)
        raise DataError(
            f"{pair.mask}: the mask is {size[1]}x{size[0]} pixels and its picture {pair.image} {width}x{height}"
            f"{turned}; replace one of the two"
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


def missing_classes(dataset: ImageMaskFolderDataset, occurs: NDArray[np.bool_]) -> list[str]:
    """The classes without a pixel.

    Raises:
        DataError: if at most one class has pixels, since 255 is ignored although nobody said so.
    """
    codes, classes = dataset.codes, np.flatnonzero(occurs[:IGNORE_INDEX]).tolist()
    if codes.ignores_unasked and occurs[IGNORE_INDEX] and len(classes) < 2:
        held = " and ".join([*(str(codes.values[index]) for index in classes), "255"])
        values = [codes.values[index] if index in classes else 255 for index in range(2)]
        remedy = f"give mask_values {values}" if len(codes.values) == 2 and classes else "name it in mask_values"
        raise DataError(
            f"the masks to train on hold {held} alone, and 255 belongs to no class; {remedy}, or ignore_values [255] "
            "if it is to be ignored"
        )
    return [name for index, name in enumerate(codes.class_names) if not occurs[index]]
