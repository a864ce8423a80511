"""Whole pictures with boxes in the layout of COCO: a JSON file of annotations and a folder of pictures."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_seg.batch import LabelledSample, ObjectSample
from lightning_seg.datasets.base import PictureDataset
from lightning_seg.datasets.box_sides import is_flat
from lightning_seg.datasets.coco_annotations import Annotations, LeftOut, Sides
from lightning_seg.datasets.listed_files import check_listed
from lightning_seg.datasets.names import Files, is_there, same
from lightning_seg.errors import DataError
from lightning_seg.images import Array

log = logging.getLogger(__name__)


class ScenePicture(NamedTuple):
    """A picture and its objects."""

    image: Path
    boxes: NDArray[np.float32]  # (N, 4): x1, y1, x2, y2 in pixels of the file
    labels: NDArray[np.int64]  # (N,)


class Scenes(NamedTuple):
    """Pictures in the order of the file, and the names of their labels."""

    class_names: tuple[str, ...]
    pictures: list[ScenePicture]
    left_out: LeftOut


class CocoObjectsDataset(PictureDataset[ScenePicture, ObjectSample]):
    """Whole pictures with their objects. Boxes are in pixels of the files, also where pictures are resized.

    Layout: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014; https://cocodataset.org/#format-data

    ``left_out`` holds how many annotations are no objects.

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
        self.class_names, pictures, self.left_out = read_scenes(Path(annotations), Path(images), categories)
        if empty := self.left_out.describe():
            log.warning("%s: left out are %s", annotations, empty)
        super().__init__(pictures, image_size)

    def image_path(self, record: ScenePicture) -> Path:
        return record.image

    def _label(self, sample: LabelledSample, record: ScenePicture, mask: Array | None) -> ObjectSample:
        objects = {"boxes": torch.from_numpy(record.boxes), "box_labels": torch.from_numpy(record.labels)}
        return cast(ObjectSample, {**sample, **objects})


def read_scenes(annotations: Path, images: Path, categories: Sequence[str] | None = None) -> Scenes:
    """The content of an annotation file.

    Boxes around crowds (``iscrowd``) are left out, since they are no single objects, and so is what has no box, or one
    without width or height. All are counted.

    Raises:
        DataError: naming the file and the entry, if the file is no annotation file, a picture is missing, a class does
            not exist, or a box is invalid or of no picture or category.
    """
    content = Annotations(annotations)
    if not content.files:
        raise DataError(f"{annotations}: the file names no picture; give another one with --data.annotations")
    class_names = _chosen(annotations, list(content.names.values()), categories)
    below = Files(images)
    paths = {name: below.find(name) for name in content.files.values()}
    present = {name for name, path in paths.items() if is_there(path)}
    remedy = "restore them, or name their folder with --data.images"
    check_listed(images, list(content.files.values()), present, None, remedy)
    objects, left_out = _sort_out(content, class_names)
    pictures = [_picture(paths[name], objects[key]) for key, name in content.files.items()]
    return Scenes(class_names, pictures, left_out)


def _chosen(path: Path, names: Sequence[str], categories: Sequence[str] | None) -> tuple[str, ...]:
    chosen = names if categories is None else [same(name) for name in categories]
    for name in chosen:
        if name not in names:
            raise DataError(f"{path}: there is no category {name}; it has {', '.join(names)}")
    return tuple(chosen)


def _sort_out(content: Annotations, class_names: Sequence[str]) -> tuple[dict[str, list[tuple[Sides, int]]], LeftOut]:
    """Boxes and labels by picture, and how many annotations are none."""
    objects: dict[str, list[tuple[Sides, int]]] = {picture: [] for picture in content.files}
    counts: Counter[str] = Counter()
    for one in content.found:
        if one.category not in class_names:
            continue
        if one.is_crowd:
            counts["crowds"] += 1
        elif one.box is None:
            counts["without_box"] += 1
        elif is_flat(one.box):
            counts["flat"] += 1
        else:
            objects[one.image].append((one.box, class_names.index(one.category)))
    return objects, LeftOut(**counts)


def _picture(path: Path, objects: Sequence[tuple[Sides, int]]) -> ScenePicture:
    boxes = np.array([box for box, _ in objects], np.float32).reshape(-1, 4)
    return ScenePicture(path, boxes, np.array([label for _, label in objects], np.int64))
