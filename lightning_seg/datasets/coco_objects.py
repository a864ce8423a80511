"""Whole pictures with boxes in the layout of COCO: a JSON file of annotations and a folder of pictures."""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_seg.batch import LabelledSample, ObjectSample
from lightning_seg.datasets.base import PictureDataset
from lightning_seg.datasets.box_sides import as_sides, is_flat
from lightning_seg.datasets.listed_files import check_listed
from lightning_seg.datasets.names import Files, is_file, same
from lightning_seg.errors import DataError
from lightning_seg.images import Array

log = logging.getLogger(__name__)
Sides = NDArray[np.float32]
"""x1, y1, x2, y2."""


class ScenePicture(NamedTuple):
    """A picture and its objects."""

    image: Path
    boxes: NDArray[np.float32]  # (N, 4): x1, y1, x2, y2 in pixels of the file
    labels: NDArray[np.int64]  # (N,)


class Scenes(NamedTuple):
    """Pictures in the order of the file, and the names of their labels."""

    class_names: tuple[str, ...]
    pictures: list[ScenePicture]
    num_flat: int  # boxes without width or height, which are left out


class CocoObjectsDataset(PictureDataset[ScenePicture, ObjectSample]):
    """Whole pictures with their objects. Boxes are in pixels of the files, also where pictures are resized.

    Layout: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014; https://cocodataset.org/#format-data

    Args:
        annotations: the JSON file.
        images: folder that its file names are relative to.
        categories: names of the classes to use, in the order of their labels; None takes all, ordered by their id.
        image_size: (height, width) of the returned pictures; None keeps their sizes.

    Raises:
        DataError: if files are missing or wrong, at construction; if a picture cannot be read, when it is read.
    """

    def __init__(
        self,
        annotations: str | Path,
        images: str | Path,
        categories: Sequence[str] | None = None,
        image_size: tuple[int, int] | None = None,
    ) -> None:
        self.class_names, pictures, num_flat = read_scenes(Path(annotations), Path(images), categories)
        if num_flat:
            log.warning("%s: %d boxes without width or height are left out", annotations, num_flat)
        super().__init__(pictures, image_size)

    def image_path(self, record: ScenePicture) -> Path:
        return record.image

    def _label(self, sample: LabelledSample, record: ScenePicture, mask: Array | None) -> ObjectSample:
        objects = {"boxes": torch.from_numpy(record.boxes), "box_labels": torch.from_numpy(record.labels)}
        return cast(ObjectSample, {**sample, **objects})


def read_scenes(annotations: Path, images: Path, categories: Sequence[str] | None = None) -> Scenes:
    """The content of an annotation file.

    Boxes around crowds (``iscrowd``) are left out, since they are no single objects, and so are boxes without width or
    height, of which COCO's own files have a few.

    Raises:
        DataError: naming the file and the entry, if the file is no annotation file, a picture is missing, a class does
            not exist, or a box is invalid or of no picture or category.
    """
    content = _read(annotations)
    try:
        files = {one["id"]: str(one["file_name"]) for one in content["images"]}
        names = {one["id"]: same(str(one["name"])) for one in sorted(content["categories"], key=lambda one: one["id"])}
        twice = [name for name, times in Counter(names.values()).items() if times > 1]
        if twice:
            raise DataError(f"{annotations}: two categories are called {twice[0]}; give each a name of its own")
        class_names = _chosen(annotations, list(names.values()), categories)
        found: dict[Any, list[tuple[Sides, int]]] = {picture: [] for picture in files}
        num_flat = 0
        for picture, category, box in _objects(annotations, content["annotations"], files, names):
            if names[category] in class_names:
                if is_flat(box):
                    num_flat += 1
                else:
                    found[picture].append((box, class_names.index(names[category])))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _no_coco(annotations, f"{type(error).__name__}: {error}") from error
    below = Files(images)
    paths = {name: below.find(name) for name in files.values()}
    present = {name for name, path in paths.items() if is_file(path)}
    check_listed(images, list(files.values()), present, None, "restore them, or name their folder with --data.images")
    if not files:
        raise DataError(f"{annotations}: the file names no picture; give another one with --data.annotations")
    return Scenes(class_names, [_picture(paths[name], found[key]) for key, name in files.items()], num_flat)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; give the folder with --data.root and the file in it with --data.annotations, or "
            "try --data.source synthetic"
        ) from None
    # Of deep nesting.
    except (OSError, ValueError, RecursionError) as error:
        raise _no_coco(path, error) from error


def _no_coco(path: Path, reason: object) -> DataError:
    shown = " ".join(str(reason).split())[:200]
    return DataError(
        f"{path}: no file of COCO's boxes, with images, annotations and categories ({shown}); give another one with "
        "--data.annotations"
    )


def _chosen(path: Path, names: Sequence[str], categories: Sequence[str] | None) -> tuple[str, ...]:
    chosen = names if categories is None else [same(name) for name in categories]
    for name in chosen:
        if name not in names:
            raise DataError(f"{path}: there is no category {name}; it has {', '.join(names)}")
    return tuple(chosen)


def _objects(
    path: Path, annotations: Any, files: dict[Any, str], names: dict[Any, str]
) -> Iterator[tuple[Any, Any, Sides]]:
    """Picture, category and box as x1, y1, x2, y2 of every object."""
    for one in annotations:
        if one.get("iscrowd", 0):
            continue
        where = f"{path}: annotation {one.get('id')}"
        for key, known in (("image_id", files), ("category_id", names)):
            if one[key] not in known:
                raise DataError(f"{where} has {key} {one[key]}, which is not in the file; take it out")
        box = _sides(one["bbox"])
        if box is None:
            raise DataError(f"{where} has {one['bbox']}, which is no box; take it out")
        yield one["image_id"], one["category_id"], box


def _sides(given: Any) -> Sides | None:
    """Sides from left, top, width and height; None if they are no box."""
    if not isinstance(given, list):
        return None
    x, y, width, height = map(float, given)
    return as_sides([x, y, x + width, y + height]) if width >= 0 and height >= 0 else None


def _picture(path: Path, objects: Sequence[tuple[Sides, int]]) -> ScenePicture:
    boxes = np.array([box for box, _ in objects], np.float32).reshape(-1, 4)
    return ScenePicture(path, boxes, np.array([label for _, label in objects], np.int64))
