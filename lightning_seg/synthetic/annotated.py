"""The invented pictures of ``image_mask_folder`` as labelling tools would write them: COCO, YOLO, LabelMe, Pascal VOC.

Layouts: see the modules of ``datasets/annotated``, which read them. Every tenth picture holds no object. COCO has
outlines, and run lengths as numbers and as text, and a crowd in the second picture; VOC has borders that count nowhere.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco

from lightning_seg.errors import ConfigError
from lightning_seg.images import Array
from lightning_seg.progress import counted
from lightning_seg.synthetic.image_mask_folder import CLASSES, MASK_COLOURS, VIEWS, draw_scene
from lightning_seg.synthetic.marker import ensure_synthetic

Tool = Literal["coco", "yolo", "labelme", "voc"]
TWINS: dict[Tool, str] = {"coco": "annotations.json", "yolo": "data.yaml", "labelme": "labelme", "voc": "VOC"}
"""The datamodule's ``annotations``."""
EMPTY = 10
CROWD, CROWD_SIDE = 1, 16
"""The picture with a crowd, and its side in pixels, from the upper left corner."""
BORDER, IGNORED = "#e0e0c0", 255
VALIDATED = 5
"""One of so many pictures is on VOC's and YOLO's list for validation."""


class Thing(NamedTuple):
    """A connected object."""

    label: int  # index of its class
    pixels: NDArray[np.bool_]  # (H, W)
    outline: list[float]  # x1, y1, x2, y2, ... along the edges of its pixels


class Drawn(NamedTuple):
    """A picture and what is on it."""

    number: int
    stem: str
    image: Array
    classes: Array  # (H, W)
    things: list[Thing]


def write_annotated(root: str | Path, tool: Tool = "coco", num_pictures: int = 40, seed: int = 0) -> None:
    """Writes synthetic pictures with annotations to ``root``, unless it already holds the same ones.

    Args:
        root: folder for the dataset.
        tool: whose layout: coco, yolo, labelme or voc.
        num_pictures: number of pictures.
        seed: of the draws.

    Raises:
        ConfigError: an argument is impossible.
        DataError: ``root`` holds other files.
    """
    if tool not in TWINS:
        raise ConfigError(f"tool {tool!r} does not exist; use {', '.join(TWINS)}")
    if num_pictures < 1 or seed < 0:
        raise ConfigError(f"num_pictures {num_pictures}, seed {seed}: use 1 or more pictures and a seed of 0 or more")

    def write(folder: Path) -> None:
        place = folder / IMAGES_OF[tool]
        pictures = [_draw(number, seed) for number in counted(range(num_pictures), "writing", num_pictures)]
        for one in pictures:
            target = place / _part(one.number) if tool == "yolo" else place
            target.mkdir(parents=True, exist_ok=True)
            Image.fromarray(one.image).save(target / f"{one.stem}.jpg", quality=92)
        WRITERS[tool](folder, pictures)

    ensure_synthetic(root, "annotated_masks", write, {"tool": tool, "num_pictures": num_pictures, "seed": seed})


def reading_flags(tool: Tool, **others: object) -> list[str]:
    """Flags with which ``configs/own_data.yaml`` reads these pictures."""
    return ["--data.annotations", TWINS[tool]]


def _draw(number: int, seed: int) -> Drawn:
    stem = f"scene{number // VIEWS:03}_{number % VIEWS}"
    image, classes = draw_scene((seed, number), len(CLASSES))
    if number % EMPTY == EMPTY - 1:
        image, classes = np.full_like(image, image.mean(axis=(0, 1)).astype(np.uint8)), np.zeros_like(classes)
    return Drawn(number, stem, image, classes, list(_things(classes)))


def _things(classes: Array) -> Sequence[Thing]:
    found = []
    for index in range(1, len(CLASSES)):
        parts, labels = cv2.connectedComponents((classes == index).astype(np.uint8), connectivity=4)
        found += [Thing(index, labels == part, _outline(labels == part)) for part in range(1, parts)]
    return found


def _outline(pixels: NDArray[np.bool_]) -> list[float]:
    # Twice as large, so that both sides of a pixel can be told apart.
    large = np.repeat(np.repeat(pixels.astype(np.uint8), 2, axis=0), 2, axis=1)
    (contour, *_), _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline: list[float] = np.ceil(contour.reshape(-1) / 2).tolist()
    return outline


def _part(number: int) -> str:
    return "val" if number % VALIDATED == 0 else "train"


def _write_coco(folder: Path, pictures: Sequence[Drawn]) -> None:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for one in pictures:
        height, width = one.classes.shape
        images.append({"id": one.number + 1, "file_name": f"{one.stem}.jpg", "width": width, "height": height})
        things: list[tuple[Thing, int]] = [(thing, 0) for thing in one.things]
        if one.number == CROWD:
            corner = np.zeros(one.classes.shape, np.bool_)
            corner[:CROWD_SIDE, :CROWD_SIDE] = True
            things.append((Thing(1, corner, []), 1))
        for thing, is_crowd in things:
            number = len(annotations) + 1
            packed = coco.encode(np.asfortranarray(thing.pixels, np.uint8))
            told = {"segmentation": _segmentation(thing, packed, number), "iscrowd": is_crowd}
            told |= {"area": float(coco.area(packed)), "bbox": coco.toBbox(packed).tolist()}
            annotations.append({"id": number, "image_id": one.number + 1, "category_id": thing.label, **told})
    categories = [{"id": index, "name": name, "supercategory": "shape"} for index, name in enumerate(CLASSES) if index]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / TWINS["coco"]).write_text(json.dumps(content) + "\n")


def _segmentation(thing: Thing, packed: dict[str, Any], number: int) -> Any:
    """An outline, run lengths as numbers or as text, in turn; crowds have run lengths."""
    if number % 3 == 0 and thing.outline:
        return [thing.outline]
    if number % 3 == 1:
        return {"size": packed["size"], "counts": packed["counts"].decode()}
    column = np.concatenate([[0], thing.pixels.ravel(order="F").astype(np.int8), [-1]])
    changes = np.flatnonzero(np.diff(column))
    return {"size": packed["size"], "counts": np.diff(np.concatenate([[0], changes])).tolist()}


def _write_yolo(folder: Path, pictures: Sequence[Drawn]) -> None:
    for one in pictures:
        height, width = one.classes.shape
        lines = []
        for thing in one.things:
            shares = [
                f"{value / side:.6f}"
                for value, side in zip(thing.outline, (width, height) * len(thing.outline), strict=False)
            ]
            lines.append(" ".join([str(thing.label - 1), *shares]))
        if lines:
            path = folder / "labels" / _part(one.number) / f"{one.stem}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n")
    names = "".join(f"  {index - 1}: {name}\n" for index, name in enumerate(CLASSES) if index)
    (folder / TWINS["yolo"]).write_text(f"path: .\ntrain: images/train\nval: images/val\nnames:\n{names}")


def _write_labelme(folder: Path, pictures: Sequence[Drawn]) -> None:
    (folder / TWINS["labelme"]).mkdir()
    for one in pictures:
        shapes: list[dict[str, Any]] = [
            {
                "label": CLASSES[thing.label],
                "points": np.array(thing.outline).reshape(-1, 2).tolist(),
                "group_id": None,
                "shape_type": "polygon",
                "flags": {},
            }
            for thing in one.things
        ]
        content: dict[str, Any] = {
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": f"../images/{one.stem}.jpg",
        }
        content |= {"imageData": None, "imageHeight": one.classes.shape[0], "imageWidth": one.classes.shape[1]}
        (folder / TWINS["labelme"] / f"{one.stem}.json").write_text(json.dumps(content) + "\n")


def _write_voc(folder: Path, pictures: Sequence[Drawn]) -> None:
    place = folder / TWINS["voc"]
    for name in ("SegmentationClass", "ImageSets/Segmentation"):
        (place / name).mkdir(parents=True)
    palette = np.zeros((256, 3), np.uint8)
    for index, colour in [*enumerate(MASK_COLOURS), (IGNORED, BORDER)]:
        palette[index] = list(bytes.fromhex(colour.removeprefix("#")))
    for one in pictures:
        edges = cv2.dilate(one.classes, np.ones((3, 3), np.uint8)) != cv2.erode(one.classes, np.ones((3, 3), np.uint8))
        mask = Image.fromarray(np.where(edges, np.uint8(IGNORED), one.classes))
        mask.putpalette(palette.tobytes())
        mask.save(place / "SegmentationClass" / f"{one.stem}.png")
    for split in ("train", "val"):
        names = [one.stem for one in pictures if _part(one.number) == split]
        (place / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
    lines = [f"{name}:{','.join(map(str, palette[index]))}::" for index, name in enumerate(CLASSES)]
    (place / "labelmap.txt").write_text("# label:color_rgb:parts:actions\n" + "\n".join(lines) + "\n")


IMAGES_OF: dict[Tool, str] = {"coco": "images", "yolo": "images", "labelme": "images", "voc": "VOC/JPEGImages"}
WRITERS: dict[Tool, Callable[[Path, Sequence[Drawn]], None]] = {
    "coco": _write_coco,
    "yolo": _write_yolo,
    "labelme": _write_labelme,
    "voc": _write_voc,
}
