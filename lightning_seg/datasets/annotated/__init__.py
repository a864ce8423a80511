"""Masks from the annotation files of labelling tools: COCO, YOLO, LabelMe and Pascal VOC."""

from pathlib import Path

from lightning_seg.datasets.annotated.coco import CocoMasks
from lightning_seg.datasets.annotated.labelme import LabelMeMasks
from lightning_seg.datasets.annotated.shapes import AnnotationError
from lightning_seg.datasets.annotated.source import Annotations, Chosen, DrawnMasks
from lightning_seg.datasets.annotated.voc import MASKS, VocMasks
from lightning_seg.datasets.annotated.yolo import YoloMasks
from lightning_seg.errors import DataError

__all__ = ["AnnotationError", "Annotations", "Chosen", "DrawnMasks", "read_annotations"]
KINDS = (
    "a .json file (COCO), a .yaml file (YOLO), a folder of .json files (LabelMe), or a folder with SegmentationClass "
    "(VOC)"
)


def read_annotations(root: Path, given: str, images: str) -> Annotations:
    """The annotations of a dataset, in the layout that their file or folder has.

    Args:
        root: folder of the dataset.
        given: file or folder, relative to it.
        images: pattern of the pictures.

    Raises:
        DataError: if nothing is there, it is of no known layout, or it is wrong.
    """
    path = root / given
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; give --data.annotations {KINDS}, relative to --data.root")
    if path.is_dir():
        if (path / MASKS).is_dir():
            return VocMasks(root, path, images)
        if next(path.glob("*.json"), None) is not None:
            return LabelMeMasks(root, path, images)
    elif path.suffix.lower() in (".yaml", ".yml"):
        return YoloMasks(root, path, images)
    elif path.suffix.lower() == ".json":
        return CocoMasks(root, path, images)
    raise DataError(f"{path}: no annotations of a known layout; give --data.annotations {KINDS}")
