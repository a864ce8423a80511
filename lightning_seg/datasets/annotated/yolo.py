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
from lightning_seg.datasets.names import Files, is_there, same
from lightning_seg.datasets.pairs import Pair
from lightning_seg.datasets.text_lines import read_lines
from lightning_seg.errors import ConfigError, DataError, one_line
from lightning_seg.spelling import spellings
from lightning_seg.yaml_files import read_texts, read_yaml

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
            content, texts = read_yaml(path), read_texts(path)
        except (ConfigError, OSError) as error:
            raise DataError(
                f"{path}: cannot be read as YAML of YOLO ({one_line(error)[:200]}); give another file"
            ) from error
        self.content: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
        self.names = _names(texts.get("names") if self.content else None, path)
        self.base = _spelt(path.parent, str(self.content.get("path") or "."))
        self.base = self.base if self.base.is_dir() else path.parent

    def labels(self) -> list[str]:
        return list(self.names.values())

    def pairs(self) -> list[Pair]:
        splits: list[Split] = [split for split in get_args(Split) if self.content.get(split)]
        pairs: dict[str, Pair] = {}
        files = Files(Path())
        for split in splits:
            for image in self._pictures(split):
                name, file = relative_to(self.root, image), files.find(str(_labels_of(image)))
                if name in pairs:
                    raise DataError(f"{self.path}: {name} is in {pairs[name].split} and in {split}; take it out of one")
                # A picture without a file has no object, as YOLO has it.
                there = file if is_there(file) else self.path
                pairs[name] = Pair(name, image, there, None if splits == ["train"] else split)
        if not pairs:
            raise DataError(
                f"{self.path}: train, val and test name no picture; write train: images/train, for instance"
            )
        self._refuse_nothing(sorted(pairs.values()))
        return sorted(pairs.values())

    def _refuse_nothing(self, pairs: Sequence[Pair]) -> None:
        if len(self.unlabelled(pairs)) == len(pairs):
            raise DataError(
                f"{self.path}: none of {len(pairs)} pictures has a file of labels, the first would be "
                f"{_labels_of(pairs[0].image)}; restore them: {LABELS} lies beside {IMAGES}, with the same folders"
            )

    def unlabelled(self, pairs: Sequence[Pair]) -> list[Path]:
        """Those without a text file."""
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
            places = Files(self.base), Files(place.parent)
            for line in map(str.strip, read_lines(place, f"correct {split} in {self.path}")):
                if line:
                    yield next(
                        (one for one in (files.find(line) for files in places) if is_there(one)), self.base / line
                    )

    def _place(self, entry: str) -> Path:
        """Some exports say ``../train/images`` of what lies beside the file."""
        given = ((self.base, entry), (self.path.parent, entry), (self.path.parent, entry.removeprefix("../")))
        places = [_spelt(folder, name) for folder, name in given]
        return next((place for place in places if place.exists()), places[0])


def _spelt(folder: Path, name: str) -> Path:
    """With accents and slashes as on the disk, if it is there."""
    names = [*spellings(name), *spellings(name.replace("\\", "/"))]
    return next((folder / one for one in names if (folder / one).exists()), folder / name)


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
        names = {int(number): same(name) for number, name in numbered}
    except (TypeError, ValueError):
        names = {}
    if not names or isinstance(given, str):
        raise DataError(f"{path}: names are no names of classes; write names: [cat, dog], or a name for each number")
    return names
