"""The pictures of findings, small: with boxes, with masks laid over them, duplicates side by side."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from lightning_seg.datasets.base import SegmentationDataset
from lightning_seg.datasets.facts import mask_name
from lightning_seg.datasets.objects import box_labels_of, boxes_of, labels_of
from lightning_seg.datasets.threads import as_they_come
from lightning_seg.doctor.findings import Finding, Shown
from lightning_seg.doctor.subject import Pictures, Subject
from lightning_seg.errors import DataError
from lightning_seg.images import Array, read_header, read_image_at, read_upright, resize_mask
from lightning_seg.pages.embedding import embedded, fitted_size
from lightning_seg.plots.boxes import draw_boxes
from lightning_seg.plots.palette import class_palette, object_palette
from lightning_seg.plots.previews import Cell, lay_over
from lightning_seg.progress import counted

SIDE = 176
"""Pixels of the longer side of a small picture."""
FIRST = 10
"""Files, or sets of files, of a finding that are shown."""
SIDE_BY_SIDE = 4
MAX_BYTES = 10 * 2**20
"""Of all pictures together, as they stand in the page."""


class Panel(NamedTuple):
    """A small picture, or why there is none."""

    what: str  # it shows
    file: str
    reason: str = ""  # why there is no picture
    source: str = ""  # the picture as a data: address
    size: tuple[int, int] = (0, 0)  # (width, height) at which it is shown
    enlarged: bool = False  # shown larger than it is, pixel by pixel


class Exhibit(NamedTuple):
    """What is shown of a file, or of a pair of them."""

    files: tuple[str, ...]
    notes: tuple[str, ...]  # where each belongs: its split and classes
    caption: str
    panels: tuple[Panel, ...]


class Question(NamedTuple):
    """What is to be shown."""

    files: tuple[str, ...]
    caption: str
    with_masks: bool


class _Place(NamedTuple):
    """Where a file belongs."""

    split: str
    dataset: Pictures
    record: Any
    is_mask: bool


def exhibits_of(subject: Subject, findings: Sequence[Finding]) -> list[list[Exhibit]]:
    """What is shown of each finding; when they would become more than MAX_BYTES, the rest have no pictures."""
    asked = [(number, one) for number, finding in enumerate(findings) for one in questions_of(finding)]
    places = _places(subject, {file for _, question in asked for file in question.files})
    exhibits: list[list[Exhibit]] = [[] for _ in findings]
    room = MAX_BYTES
    with closing(as_they_come(lambda one: _exhibit(one[1], places), asked)) as made:
        for (number, _), exhibit in zip(asked, counted(made, "drawing", len(asked)), strict=True):
            room -= sum(len(panel.source) for panel in exhibit.panels)
            if room < 0:
                break
            exhibits[number].append(exhibit)
    return exhibits


def questions_of(finding: Finding) -> list[Question]:
    """The first files of a finding, or what it wants to be shown."""
    shown = finding.shown or Shown([[file] for file in finding.files[:FIRST]])
    captions = [*shown.captions[:FIRST], *repeat("", FIRST)]
    return [
        Question(tuple(files[:SIDE_BY_SIDE]), captions[index], shown.masks)
        for index, files in enumerate(shown.sets[:FIRST])
    ]


def _places(subject: Subject, wanted: set[str]) -> dict[str, _Place]:
    """Of those files that are pictures or masks of the dataset."""
    places: dict[str, _Place] = {}
    for split, dataset in subject.splits.items():
        for record in dataset.records:
            names = [(str(dataset.image_path(record)), False)]
            if isinstance(dataset, SegmentationDataset):
                names.append((mask_name(dataset, record), True))
            for name, is_mask in names:
                if name in wanted:
                    places.setdefault(name, _Place(split, dataset, record, is_mask))
    return places


def _exhibit(question: Question, places: Mapping[str, _Place]) -> Exhibit:
    found = [(file, places.get(file)) for file in question.files]
    notes = tuple("" if place is None else _note(place) for _, place in found)
    panels = tuple(panel for file, place in found for panel in _panels(file, place, question.with_masks))
    return Exhibit(question.files, notes, question.caption, panels)


def _note(place: _Place) -> str:
    classes = [place.dataset.class_names[index] for index in dict.fromkeys(labels_of(place.dataset, place.record))]
    return ", ".join([place.split, *classes])


def _panels(file: str, place: _Place | None, with_masks: bool) -> Iterator[Panel]:
    if place is None:
        # Lists and annotations are no pictures.
        if Path(file).suffix.lower() in Image.registered_extensions():
            yield _drawn("picture", file, lambda: _small(Path(file)))
        return
    path = place.dataset.image_path(place.record)
    yield _drawn("picture", str(path), lambda: _with_boxes(_small(path), path, place))
    if isinstance(place.dataset, SegmentationDataset) and (place.is_mask or with_masks):
        yield _mask_panel(place.dataset, place.record)


def _mask_panel(dataset: SegmentationDataset[Any], record: Any) -> Panel:
    """The mask laid over its picture; what cannot lie there as it is stored."""
    path, file = dataset.image_path(record), Path(mask_name(dataset, record))
    try:
        mask = dataset.read_mask(record)
        if mask.shape == read_header(path).size:
            laid_over = partial(_laid_over, path, mask, dataset.class_names)
            return _drawn("mask laid over its picture", str(file), laid_over)
    # What it says is told by the finding.
    except DataError:
        pass
    return _drawn("mask as it is stored, every value in a colour of its own", str(file), partial(_as_stored, file))


def _laid_over(path: Path, mask: Array, class_names: Sequence[str]) -> Array:
    """The picture tinted, with outlines in full colour."""
    image = _small(path)
    shown = torch.from_numpy(resize_mask(mask, image.shape[:2]))
    for masks in ("tint", "outline"):
        image = lay_over(Cell(torch.from_numpy(image.copy()).permute(2, 0, 1), "", shown), class_names, masks)
    return image


def _as_stored(file: Path) -> Array:
    stored = np.asarray(read_upright(file))
    small = fitted_size(stored.shape[:2], SIDE)
    rows, columns = (np.arange(want) * side // want for want, side in zip(small, stored.shape, strict=False))
    pixels = stored[np.ix_(rows, columns)]
    if pixels.ndim == 3 and pixels.shape[2] >= 3:
        return np.ascontiguousarray(pixels[..., :3])
    values, numbers = np.unique(pixels if pixels.ndim == 2 else pixels[..., 0], return_inverse=True)
    return class_palette(len(values))[numbers.reshape(small)]


def _with_boxes(image: Array, path: Path, place: _Place) -> Array:
    boxes = boxes_of(place.dataset, place.record)
    if not len(boxes):
        return image
    height, width = read_header(path).size
    scale = np.array([image.shape[1] / width, image.shape[0] / height] * 2, np.float32)
    palette = object_palette(len(place.dataset.class_names))
    labels = box_labels_of(place.dataset, place.record)
    return np.asarray(draw_boxes(image, torch.from_numpy(boxes * scale), [""] * len(boxes), palette[labels]))


def _small(path: Path) -> Array:
    return read_image_at(path, fitted_size(read_header(path).size, SIDE)).pixels


def _drawn(what: str, file: str, draw: Callable[[], Array]) -> Panel:
    """A panel with what is drawn, or with the reason why it cannot be."""
    try:
        pixels = draw()
    except DataError as error:
        return Panel(what, file, reason=str(error))
    return Panel(what, file, "", *embedded(pixels, SIDE))
