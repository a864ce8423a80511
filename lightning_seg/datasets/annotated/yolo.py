"""Outlines in the layout of YOLO: a text file for each picture, and one YAML file for all.

A line is ``CLASS X1 Y1 X2 Y2 X3 Y3 ...``, coordinates as shares of the picture's width and height. The YAML has
``path``, ``train``, ``val``, ``test`` and ``names``; a picture without a text file holds no object.

Layout: https://docs.ultralytics.com/datasets/segment/
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from lightning_seg.batch import Split
from lightning_seg.datasets.annotated.shapes import LEAST, AnnotationError, Shape
from lightning_seg.datasets.annotated.source import DrawnAnnotations, relative_to
from lightning_seg.datasets.finding import looks_like_picture
from lightning_seg.datasets.names import is_file, is_there
from lightning_seg.datasets.pairs import Pair
from lightning_seg.datasets.text_lines import read_lines
from lightning_seg.errors import ConfigError, DataError, one_line
from lightning_seg.yaml_files import read_yaml

IMAGES, LABELS = "images", "labels"
"""Folders that differ between a picture's path and its labels'."""
BEYOND = 0.02
"""Shares of the picture by which rounded outlines may leave it."""


class YoloMasks(DrawnAnnotations):
    """A YAML file whose ``train``, ``val`` and ``test`` name folders of pictures, or lists of them.

    Without ``val`` and ``test``, splits are drawn.
    """

    kind = "yolo"

    def __init__(self, root: Path, path: Path, images: str) -> None:
        super().__init__(root, path, images)
        try:
            content = read_yaml(path)
        except (ConfigError, OSError) as error:
            raise DataError(
                f"{path}: cannot be read as YAML of YOLO ({one_line(error)[:200]}); give another file"
            ) from error
        self.content: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
        self.names = _names(self.content.get("names"), path)
        self.base = path.parent / str(self.content.get("path") or ".")
        self.base = self.base if self.base.is_dir() else path.parent

    def labels(self) -> list[str]:
        return list(self.names.values())

    def pairs(self) -> list[Pair]:
        splits: list[Split] = [split for split in get_args(Split) if self.content.get(split)]
        pairs: dict[str, Pair] = {}
        for split in splits:
            for image in self._pictures(split):
                name, file = relative_to(self.root, image), _labels_of(image)
                if name in pairs:
                    raise DataError(f"{self.path}: {name} is in {pairs[name].split} and in {split}; take it out of one")
                # A picture without a file has no object.
                there = file if is_there(file) else self.path
                pairs[name] = Pair(name, image, there, None if splits == ["train"] else split)
        if not pairs:
            raise DataError(
                f"{self.path}: train, val and test name no picture; write train: images/train, for instance"
            )
        return sorted(pairs.values())

    def unlabelled(self, pairs: Sequence[Pair]) -> list[Path]:
        return [pair.image for pair in pairs if pair.mask == self.path]

    def shapes(self, pair: Pair, size: tuple[int, int]) -> list[Shape]:
        if pair.mask == self.path:
            return []
        lines = enumerate(read_lines(pair.mask, "restore the file"), 1)
        return [self._shape(line.split(), f"line {number}", pair.mask, size) for number, line in lines if line.strip()]

    def _shape(self, words: Sequence[str], where: str, path: Path, size: tuple[int, int]) -> Shape:
        try:
            index, numbers = int(words[0]), [float(word) for word in words[1:]]
        except ValueError:
            raise AnnotationError(f"{path}: {where} is no class number with coordinates; correct it") from None
        if index not in self.names:
            raise AnnotationError(
                f"{path}: {where} has class {index}, which names of {self.path} do not have; add it there"
            )
        if len(numbers) < LEAST:
            raise AnnotationError(
                f"{path}: {where} has {len(numbers)} numbers behind its class, which is a box and no outline; export "
                "outlines (segmentation)"
            )
        if wrong := [number for number in numbers if not -BEYOND <= number <= 1 + BEYOND]:
            raise AnnotationError(
                f"{path}: {where} has {wrong[0]:g}, and YOLO's coordinates are shares of the picture from 0 to 1; "
                "divide x by its width and y by its height"
            )
        height, width = size
        scaled = [number * side for number, side in zip(numbers, (width, height) * len(numbers), strict=False)]
        return Shape(self.names[index], where, [scaled])

    def _pictures(self, split: Split) -> Iterator[Path]:
        given = self.content[split]
        for entry in given if isinstance(given, list) else [given]:
            place = self._place(str(entry))
            if place.is_dir():
                yield from sorted(file for file in place.rglob("*") if looks_like_picture(file))
                continue
            for line in read_lines(place, f"correct {split} in {self.path}"):
                if line.strip():
                    yield next(
                        (one for one in (self.base / line, place.parent / line) if is_file(one)), self.base / line
                    )

    def _place(self, entry: str) -> Path:
        """Some exports say ``../train/images`` of what lies beside the file."""
        places = (self.base / entry, self.path.parent / entry, self.path.parent / entry.removeprefix("../"))
        return next((place for place in places if place.exists()), places[0])


def _labels_of(image: Path) -> Path:
    """``images/train/a.jpg`` has ``labels/train/a.txt``."""
    parts = list(image.parts)
    for number in range(len(parts) - 2, -1, -1):
        if parts[number] == IMAGES:
            parts[number] = LABELS
            break
    return Path(*parts).with_suffix(".txt")


def _names(given: Any, path: Path) -> dict[int, str]:
    try:
        numbered = given.items() if isinstance(given, Mapping) else enumerate(given)
        names = {int(number): str(name) for number, name in numbered}
    except (TypeError, ValueError):
        names = {}
    if not names or isinstance(given, str):
        raise DataError(f"{path}: names are no names of classes; write names: [cat, dog], or a name for each number")
    return names
