"""What a model says to one photo, as pictures, numbers and files."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from lightning_seg.app.controls import described
from lightning_seg.app.sources import Source
from lightning_seg.errors import DataError, one_line
from lightning_seg.explaining import explain
from lightning_seg.files import printable
from lightning_seg.images import write_image
from lightning_seg.json_files import write_json
from lightning_seg.plots.boxes import draw_boxes
from lightning_seg.plots.overlay import draw_classes
from lightning_seg.plots.palette import object_palette, palette_of
from lightning_seg.prediction_files.masks import LONGEST_JPEG, write_mask
from lightning_seg.predictor import ClassifiedPicture, DetectedPicture, SegmentedPicture

TOP = 5


class Answer(NamedTuple):
    """The prediction for one photo, and how it was made."""

    said: SegmentedPicture | ClassifiedPicture | DetectedPicture
    seconds: float
    name: str  # of the file, without suffix
    source: str
    options: dict[str, Any]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        height, width = self.said.image.shape[:2]
        return height, width


class Files(NamedTuple):
    """What can be downloaded."""

    overlay: Path
    mask: Path | None  # of masks alone
    json: Path


class LegendEntry(NamedTuple):
    """A class with its colour."""

    name: str
    colour: tuple[int, int, int]

    @property
    def hex(self) -> str:
        return "#{:02x}{:02x}{:02x}".format(*self.colour)


def answer(source: Source, picture: str | Path, options: Mapping[str, Any], name: str | None = None) -> Answer:
    """Ask a model about a file.

    Args:
        source: the model.
        picture: the file.
        options: settings that differ from their defaults.
        name: how the photo is called; None takes that of the file.

    Raises:
        DataError: if it is no picture that can be read.
        ConfigError: if a setting is impossible.
        ModelError: if the network cannot take it, or its answer is no number.
    """
    start = perf_counter()
    said = source.ask(picture, options)
    return Answer(said, perf_counter() - start, Path(name or picture).stem, source.name, dict(options))


def why_not(error: Exception, picture: str | Path, name: str) -> str:
    """The reason for which a photo was not answered, in one line that calls it as the user does."""
    line = explain(error) or f"{type(error).__name__}: {one_line(error)}"
    if isinstance(error, DataError):
        line = line.replace("; replace the file", "; give another photo")
    return printable(line.replace(str(picture), name))


def legend_of(names: Sequence[str], of_boxes: bool = False) -> list[LegendEntry]:
    """Classes with the colours that they have everywhere."""
    palette = object_palette(len(names)) if of_boxes else palette_of(names)
    colours = palette[: len(names)].tolist()
    return [LegendEntry(name, (red, green, blue)) for name, (red, green, blue) in zip(names, colours, strict=True)]


def draw(said: Any, shown: Collection[str] | None = None, opacity: float = 0.5) -> Image.Image:
    """The photo with what was found in it laid over it; that of a classifier is the photo itself.

    Args:
        said: the prediction.
        shown: names of the classes to show; None shows all but the background.
        opacity: of masks, from 0 to 1.
    """
    if isinstance(said, SegmentedPicture):
        names = said.class_names
        hidden = [index for index, name in enumerate(names) if shown is not None and name not in shown]
        return draw_classes(said.image, said.mask, names, opacity, shown is not None, hidden)
    if isinstance(said, DetectedPicture):
        return _draw_boxes(said, shown)
    return Image.fromarray(said.image)


def summary_of(answer: Answer) -> str:
    """One line: what was found, and the time that it took."""
    height, width = answer.size
    with_ = f" with {described(answer.options)}" if answer.options else ""
    return printable(f"{_found(answer.said)}. {width} x {height} pixels in {_seconds(answer.seconds)}{with_}.")


def record_of(answer: Answer) -> dict[str, Any]:
    """All that was said, as plain values."""
    height, width = answer.size
    options = {name: list(value) if isinstance(value, tuple) else value for name, value in answer.options.items()}
    return {
        "picture": answer.name,
        "width": width,
        "height": height,
        "model": answer.source,
        "options": options,
        "seconds": round(answer.seconds, 4),
        **_details(answer.said),
    }


def write_files(answer: Answer, folder: Path, overlay: Image.Image) -> Files:
    """Write what can be downloaded: the overlay as it is shown, the mask as ``predict`` writes it, all as JSON."""
    suffix = "jpg" if max(overlay.size) <= LONGEST_JPEG else "png"
    name = printable(answer.name)[:80] or "photo"
    files = Files(
        folder / f"{name}_overlay.{suffix}",
        folder / f"{name}_mask.png" if isinstance(answer.said, SegmentedPicture) else None,
        folder / f"{name}.json",
    )
    write_image(overlay, files.overlay, flushed=False, quality=90)
    if isinstance(answer.said, SegmentedPicture):
        write_mask(folder / f"{name}_mask.png", answer.said.mask, palette_of(answer.said.class_names))
    write_json(files.json, record_of(answer), flushed=False)
    return files


def shares_of(said: SegmentedPicture) -> dict[str, float]:
    """Share of the pixels of every class."""
    pixels = np.bincount(said.mask.ravel(), minlength=len(said.class_names)).tolist()
    return {name: count / said.mask.size for name, count in zip(said.class_names, pixels, strict=False)}


def _draw_boxes(said: DetectedPicture, shown: Collection[str] | None) -> Image.Image:
    names = list(said.heat_maps)
    kept = [index for index, label in enumerate(said.labels) if shown is None or label in shown]
    colours = object_palette(len(names))[[names.index(said.labels[index]) for index in kept]]
    captions = [printable(f"{said.labels[index]} {said.scores[index]:.2f}") for index in kept]
    return draw_boxes(said.image, said.boxes[kept], captions, colours)


def _found(said: Any) -> str:
    if isinstance(said, SegmentedPicture):
        there = sorted(((share, name) for name, share in shares_of(said).items() if share > 0), reverse=True)
        areas = ", ".join(f"{name} {100 * share:.1f} %" for share, name in there[:TOP])
        return f"{areas}; mean confidence {said.confidence:.2f}"
    if isinstance(said, DetectedPicture):
        counts = {label: said.labels.count(label) for label in dict.fromkeys(said.labels)}
        return ", ".join(f"{count} {label}" for label, count in counts.items()) or "Nothing found"
    return f"{said.label}, probability {said.confidence:.2f}"


def _details(said: Any) -> dict[str, Any]:
    if isinstance(said, SegmentedPicture):
        shares = {name: round(share, 5) for name, share in shares_of(said).items()}
        return {"confidence": round(said.confidence, 5), "entropy": round(said.entropy, 5), "shares": shares}
    if isinstance(said, DetectedPicture):
        each = zip(said.boxes.tolist(), said.scores, said.labels, strict=True)
        found = [
            {"box": [round(side, 1) for side in box], "score": round(score, 5), "label": label}
            for box, score, label in each
        ]
        return {"detections": found}
    probs = {name: round(prob, 6) for name, prob in said.probs.items()}
    return {
        "label": said.label,
        "confidence": round(said.confidence, 5),
        "entropy": round(said.entropy, 5),
        "probs": probs,
    }


def _seconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
