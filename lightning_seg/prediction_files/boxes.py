"""Detected objects as files."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lightning_seg.answers import BoxAnswer, ranked
from lightning_seg.files import printable
from lightning_seg.images import Array, write_image
from lightning_seg.json_files import write_json
from lightning_seg.plots.boxes import draw_boxes, draw_heat_map
from lightning_seg.plots.palette import object_palette
from lightning_seg.prediction_files.folder import Pictured, PredictionFiles, Row
from lightning_seg.prediction_folder import BOX_FOLDERS
from lightning_seg.tables import BETWEEN, harmless_path, in_list

LISTED, PLACES = 7, 3
"""Labels in a line of the listing, and windows of each."""


class BoxFiles(PredictionFiles[BoxAnswer]):
    """The objects of every picture, and lines about the classes of its windows.

    * ``<name>.json``: ``{"image", "width", "height", "detections": [{"box": [x1, y1, x2, y2], "score", "label"}]}`` in
      pixels of the file;
    * ``boxes/<name>.jpg``: the picture with its boxes;
    * ``heat_maps/<name>/<label>.jpg``: the picture under the probabilities of each detected label;
    * ``windows/<name>/<label>.jpg``: the best box of each detected label, cut out;
    * ``predictions.csv``: number of objects, the best one, the likeliest classes of the whole picture and its windows
      at the coarsest size: probability and x1,y1,x2,y2 in pixels of the file.
    """

    folders = (*BOX_FOLDERS, "*.json")

    def columns(self) -> list[str]:
        return ["width", "height", "detections", "label", "score", "whole", "windows", "json"]

    def write(self, picture: Pictured, answer: BoxAnswer) -> Row:
        name, image, (height, width) = picture.name, picture.read(), picture.size
        labels = [self.label_names[index] for index in answer.labels.tolist()]
        found = [
            {"box": [round(side, 1) for side in box], "score": round(score, 5), "label": label}
            for box, score, label in zip(answer.boxes.tolist(), answer.scores.tolist(), labels, strict=True)
        ]
        record = {"image": picture.path, "width": width, "height": height, "detections": found}
        path = self.place(picture.path, f"{name}.json")
        write_json(path, record, flushed=False)
        captions = [printable(f"{one['label']} {one['score']:.2f}") for one in found]
        colours = object_palette(len(self.label_names))[answer.labels]
        drawn = draw_boxes(image, answer.boxes, captions, colours)
        write_image(drawn, self.place(picture.path, f"boxes/{name}.jpg"), flushed=False, quality=90)
        self._write_labels(picture, image, answer)
        best = found[0] if found else {"label": "", "score": ""}
        return {
            "width": width,
            "height": height,
            "detections": len(found),
            "label": best["label"],
            "score": best["score"],
            "whole": _listed(ranked(answer.whole, self.class_names, 3)),
            "windows": _windows(answer, self.class_names),
            "json": harmless_path(path.relative_to(self.output).as_posix()),
        }

    def _write_labels(self, picture: Pictured, image: Array, answer: BoxAnswer) -> None:
        """Files of each detected label; those of an earlier prediction may be of others and are removed."""
        # Boxes come the best first.
        best: dict[int, NDArray[np.float32]] = {}
        for index, box in zip(answer.labels.tolist(), answer.boxes, strict=True):
            best.setdefault(index, box)
        for index, box in best.items():
            file = f"{picture.name}/{self._file_of(index)}"
            drawn = draw_heat_map(image, answer.maps[index])
            write_image(drawn, self.place(picture.path, f"heat_maps/{file}"), flushed=False, quality=90)
            left, top, right, bottom = np.round(box).astype(int).tolist()
            cut = Image.fromarray(image).crop((left, top, max(right, left + 1), max(bottom, top + 1)))
            write_image(cut, self.place(picture.path, f"windows/{file}"), flushed=False, quality=90)
        for place in (self.output / kind / picture.name for kind in ("heat_maps", "windows")):
            self.remove_others(picture, place.glob("*"), [place / self._file_of(index) for index in best])

    def _file_of(self, label: int) -> str:
        return f"{self.label_names[label].replace('/', '_')}.jpg"

    def finish(self, rows: Sequence[dict[str, str]]) -> None:
        for row in rows:
            print(printable(f"{row['picture']}: {row['detections']} objects; as a whole {row['whole']}"))
            print(printable(f"    windows: {row['windows']}"))


def _listed(answers: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {100 * prob:.1f} %" for name, prob in answers)


def _windows(answer: BoxAnswer, class_names: Sequence[str]) -> str:
    """Windows by class, the best class first: ``tabby 0.62 at 384,0,832,478 0.55 at 448,0,896,478; ...``."""
    scores, classes = answer.window_probs.max(axis=1), answer.window_probs.argmax(axis=1)
    places = [",".join(map(str, box)) for box in np.round(answer.window_boxes).astype(int).tolist()]
    taken: dict[str, list[tuple[float, int]]] = {}
    for window, (score, index) in enumerate(zip(scores.tolist(), classes.tolist(), strict=True)):
        taken.setdefault(class_names[index], []).append((score, window))
    ordered: list[Any] = sorted(taken.items(), key=lambda item: max(item[1]), reverse=True)[:LISTED]
    return BETWEEN.join(
        " ".join(
            [
                in_list(name),
                *(f"{score:.2f} at {places[index]}" for score, index in sorted(windows, reverse=True)[:PLACES]),
            ]
        )
        for name, windows in ordered
    )
