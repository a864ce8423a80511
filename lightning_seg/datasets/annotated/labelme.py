"""Shapes in the layout of LabelMe: a JSON file for each picture, which it names.

``shapes`` have ``label``, ``points`` in pixels of the upright picture, and ``shape_type``: of two points a rectangle's
are opposite corners, and a circle's its centre and a point on it; a mask is a PNG in base64 that begins at the first.
``_background_`` is the background, and ``__ignore__`` counts nowhere.

Layout: https://github.com/wkentaro/labelme, labelme/utils/shape.py and examples/semantic_segmentation
"""

import base64
import json
import math
import os
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lightning_seg.datasets.annotated.shapes import AnnotationError, Shape, Size
from lightning_seg.datasets.annotated.source import DrawnAnnotations, relative_to
from lightning_seg.datasets.names import Files, is_there, same
from lightning_seg.datasets.pairs import Pair
from lightning_seg.datasets.wildcards import fixed_part
from lightning_seg.errors import DataError, one_line

AREAS = ("polygon", "rectangle", "circle", "mask")
"""Types of shapes that have an area."""


class LabelMeMasks(DrawnAnnotations):
    """A folder of JSON files; one without shapes says that there is nothing but background."""

    kind = "labelme"

    def __init__(self, root: Path, path: Path, images: str) -> None:
        super().__init__(root, path, images)
        self._named: dict[Path, str] = {}
        labels: set[str] = set()
        for file in sorted(path.glob("*.json")):
            content = _read(file)
            self._named[file] = content["imagePath"]
            labels.update(same(shape["label"]) for shape in content["shapes"])
        self._labels = sorted(labels)

    def labels(self) -> list[str]:
        return self._labels

    def pairs(self) -> list[Pair]:
        pairs: dict[Path, Pair] = {}
        for file, name in self._named.items():
            image = self._image(file, name)
            if image in pairs:
                raise DataError(f"{file} and {pairs[image].mask} annotate {image}; remove one of them")
            pairs[image] = Pair(relative_to(self.root, image), image, file)
        return sorted(pairs.values())

    def shapes(self, pair: Pair, size: Size) -> list[Shape]:
        # Not what was read at first, since a file may have been corrected.
        content = _read(pair.mask)
        told = content.get("imageHeight"), content.get("imageWidth")
        if None not in told and not _is_size(told, size):
            raise AnnotationError(
                f"{pair.mask}: the picture has {told[1]}x{told[0]} pixels there, and {pair.image} "
                f"{size[1]}x{size[0]}; give the picture that was annotated"
            )
        return [_shape(one, f"shape {number}", pair.mask, size) for number, one in enumerate(content["shapes"], 1)]

    def _image(self, file: Path, name: str) -> Path:
        """As the file says it, which may come from another system; or by that name in the folder of the pictures."""
        name = name.replace("\\", "/")
        below = self.root / fixed_part(PurePosixPath(self.images))
        places = (Files(file.parent).find(name), Files(below).find(PurePosixPath(name).name))
        found = next((place for place in places if is_there(place)), None)
        if found is None:
            raise DataError(
                f"{file}: no picture {places[0]}, and none of its name in {below}; restore it, or name the folder with "
                "--data.images 'FOLDER/*'"
            )
        # Without what leads up and down again, and relative if the root is: splits are drawn by names.
        return Path(os.path.normpath(found))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
        whole = content["shapes"], content["imagePath"]
        if not isinstance(whole[0], list) or not all(isinstance(shape["label"], str) for shape in whole[0]):
            raise ValueError("its shapes have no labels")
        if not isinstance(whole[1], str) or not whole[1]:
            raise ValueError("its imagePath is no name of a file")
    # Of deep nesting.
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise AnnotationError(
            f"{path}: no file of LabelMe, with shapes and imagePath ({type(error).__name__}: {one_line(error)[:100]}); "
            "export it again, or take it out of the folder"
        ) from error
    return dict(content)


def _is_size(told: tuple[Any, Any], size: Size) -> bool:
    """Some programs write numbers as text."""
    try:
        return (float(told[0]), float(told[1])) == size
    except (TypeError, ValueError, OverflowError):
        return False


def _shape(one: dict[str, Any], where: str, path: Path, size: Size) -> Shape:
    label, kind, where = same(one["label"]), one.get("shape_type") or "polygon", f"{where} ({one['label'][:40]})"
    if kind not in AREAS:
        raise AnnotationError(
            f"{path}: {where} is a {str(kind)[:20]}, which has no area; draw a polygon, or take it out"
        )
    try:
        points = [(float(x), float(y)) for x, y in one["points"]]
        if not all(math.isfinite(number) for point in points for number in point):
            raise ValueError
        if kind == "polygon":
            return Shape(label, where, [[number for point in points for number in point]])
        first, second = points
    except (KeyError, TypeError, ValueError):
        raise AnnotationError(f"{path}: {where} has points that are none of a {kind}; draw it again") from None
    if kind == "rectangle":
        (x1, y1), (x2, y2) = first, second
        return Shape(label, where, [[x1, y1, x2, y1, x2, y2, x1, y2]])
    pixels = (
        _circle(first, math.dist(first, second), size) if kind == "circle" else _mask(one, first, size, path, where)
    )
    return Shape(label, where, pixels=pixels)


def _circle(centre: tuple[float, float], radius: float, size: Size) -> NDArray[np.bool_]:
    """The pixels whose middle is in it."""
    rows, columns = np.ogrid[: size[0], : size[1]]
    inside: NDArray[np.bool_] = np.hypot(columns + 0.5 - centre[0], rows + 0.5 - centre[1]) <= radius
    return inside


def _mask(one: dict[str, Any], corner: tuple[float, float], size: Size, path: Path, where: str) -> NDArray[np.bool_]:
    try:
        with Image.open(BytesIO(base64.b64decode(one["mask"], validate=True)), formats=["PNG"]) as picture:
            if picture.width > size[1] or picture.height > size[0]:
                raise ValueError(f"{picture.width}x{picture.height} pixels")
            part = np.asarray(picture.convert("L")) > 0
    # Pillow answers broken files with errors of every kind.
    except Exception as error:
        raise AnnotationError(
            f"{path}: {where} has a mask that is no PNG within its picture ({one_line(error)[:100]}); draw it again"
        ) from error
    pixels = np.zeros(size, np.bool_)
    x, y = (round(number) for number in corner)
    if not (0 <= x <= size[1] - part.shape[1] and 0 <= y <= size[0] - part.shape[0]):
        raise AnnotationError(f"{path}: {where} has a mask that leaves its picture; draw it again")
    pixels[y : y + part.shape[0], x : x + part.shape[1]] = part
    return pixels
