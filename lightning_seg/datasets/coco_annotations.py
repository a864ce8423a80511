"""Annotation files in the layout of COCO: ids, names and boxes, checked.

Layout: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014; https://cocodataset.org/#format-data
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_seg.datasets.box_sides import as_sides, is_flat
from lightning_seg.errors import DataError
from lightning_seg.numbers import count_of
from lightning_seg.spelling import fault_of_names, same

Sides = NDArray[np.float32]
"""x1, y1, x2, y2."""


class LeftOut(NamedTuple):
    """Numbers of annotations of the chosen classes that are no single object with a box."""

    flat: int = 0  # boxes without width or height, of which COCO's own files have a few
    without_box: int = 0  # no bbox, or an empty one
    crowds: int = 0  # around several objects (iscrowd)

    def describe(self) -> str:
        """Those that are empty; crowds are as they have to be."""
        flat = f"{count_of(self.flat, 'box')} without width or height" if self.flat else ""
        without_box = f"{count_of(self.without_box, 'annotation')} without bbox" if self.without_box else ""
        return " and ".join(filter(None, (flat, without_box)))


class Found(NamedTuple):
    """An object, or an annotation that is none."""

    image: str
    category: str  # its name
    box: Sides | None
    is_crowd: bool
    name: str = ""  # its id
    segmentation: Any = None  # where masks are asked for, as it stands in the file


class Annotations:
    """What an annotation file says. Ids are text here, since some files have numbers and some have strings.

    Args:
        path: the JSON file.
        with_masks: keep what tells the pixels of objects, which takes much memory.

    Raises:
        DataError: naming the file and the entry, if it is no annotation file, an id or a name stands twice, a box is
            none or belongs to nothing, or all boxes lie within 0 and 1.
    """

    def __init__(self, path: Path, with_masks: bool = False) -> None:
        self.path, self.with_masks = path, with_masks
        wanted = "masks" if with_masks else "boxes"
        content = _read(path, wanted)
        try:
            self.files = {key: str(one["file_name"]) for key, one in self._by_id(content, "images").items()}
            self.sizes = {key: _size(one) for key, one in self._by_id(content, "images").items()}
            categories = sorted(self._by_id(content, "categories").items(), key=lambda item: _order(item[0]))
            self.names = {key: same(str(one["name"])) for key, one in categories}
            self._refuse_twice("categories are called", self.names.values(), "a name")
            if fault := fault_of_names([*self.names.values()]):
                raise DataError(f"{path}: a category {fault}")
            self._refuse_twice("images are the file", map(same, self.files.values()), "a file")
            listed = content["annotations"]
            self._refuse_twice("annotations have the id", (_id(one["id"]) for one in listed if "id" in one), "an id")
            self.found = list(self._objects(listed))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise no_coco(path, f"{type(error).__name__}: {error}", wanted, content) from error
        self._refuse_shares()

    def _by_id(self, content: Any, part: str) -> dict[str, Any]:
        ids = [_id(one["id"]) for one in content[part]]
        self._refuse_twice(f"{part} have the id", ids, "an id")
        return dict(zip(ids, content[part], strict=True))

    def _refuse_twice(self, what: str, names: Iterable[str], kind: str) -> None:
        twice = [name for name, times in Counter(names).items() if times > 1]
        if twice:
            raise DataError(f"{self.path}: two {what} {twice[0]}; give each {kind} of its own")

    def _objects(self, annotations: Iterable[Any]) -> Iterator[Found]:
        for one in annotations:
            where = f"{self.path}: annotation {one.get('id')}"
            known: Mapping[str, Mapping[str, str]] = {"image_id": self.files, "category_id": self.names}
            for key, values in known.items():
                if _id(one[key]) not in values:
                    raise DataError(f"{where} has {key} {one[key]}, which is not in the file; take it out")
            given = one.get("bbox")
            box = None if given in (None, []) else _sides(given)
            if box is None and given not in (None, []):
                raise DataError(f"{where} has {given}, which is no box; take it out")
            told = one.get("segmentation") if self.with_masks else None
            picture, category = _id(one["image_id"]), self.names[_id(one["category_id"])]
            yield Found(picture, category, box, bool(one.get("iscrowd", 0)), str(one.get("id"))[:40], told)

    def _refuse_shares(self) -> None:
        boxes = [one.box for one in self.found if one.box is not None]
        whole = [box for box in boxes if not is_flat(box)]
        if whole and all(box.min() >= 0 and box.max() <= 1 for box in boxes):
            x1, y1, x2, y2 = whole[0].tolist()
            raise DataError(
                f"{self.path}: all {len(boxes)} boxes lie within 0 and 1, such as {x1:g}, {y1:g} to {x2:g}, {y2:g}, as "
                "if they were shares of the picture; COCO's are pixels: multiply them by its width and height"
            )


def no_coco(path: Path, reason: object, wanted: str, content: Any = None) -> DataError:
    """The error for a file of another kind."""
    shown, remedy = " ".join(str(reason).split())[:200], "give another one with --data.annotations"
    if wanted == "masks" and isinstance(content, dict) and {"shapes", "imagePath"} <= content.keys():
        remedy = "it is one of LabelMe's, which are read together: give their folder with --data.annotations"
    return DataError(f"{path}: no file of COCO's {wanted}, with images, annotations and categories ({shown}); {remedy}")


def _read(path: Path, wanted: str) -> Any:
    try:
        # Bytes, since json finds out whether they are UTF-8 or UTF-16, with or without a byte order mark.
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; give the folder with --data.root and the file in it with --data.annotations, or "
            "try --data.source synthetic"
        ) from None
    # Of deep nesting.
    except (OSError, ValueError, RecursionError) as error:
        raise no_coco(path, error, wanted) from error


def _id(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{value!r} is no id")


def _size(one: Mapping[str, Any]) -> tuple[int, int] | None:
    """(height, width), where a picture's entry tells it."""
    height, width = one.get("height"), one.get("width")
    return (height, width) if isinstance(height, int) and isinstance(width, int) and height > 0 < width else None


def _order(key: str) -> tuple[bool, int, str]:
    """Numbers by their value, then texts."""
    is_number = key.removeprefix("-").isdecimal()
    return not is_number, int(key) if is_number else 0, key


def _sides(given: Any) -> Sides | None:
    """Sides from left, top, width and height; None if they are no box."""
    if not isinstance(given, list):
        return None
    x, y, width, height = map(float, given)
    is_box = all(map(math.isfinite, (x, y, width, height))) and width >= 0 and height >= 0
    return as_sides([x, y, x + width, y + height]) if is_box else None
