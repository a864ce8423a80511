"""Predicted classes as a table and as lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning_seg.answers import LabelAnswer, ranked
from lightning_seg.files import printable
from lightning_seg.images import write_image
from lightning_seg.plots.activation import draw_activation
from lightning_seg.prediction_files.folder import Pictured, PredictionFiles, Row
from lightning_seg.prediction_files.masks import LONGEST_JPEG
from lightning_seg.prediction_files.most_uncertain import most_uncertain, write_sheet
from lightning_seg.prediction_folder import LABEL_FOLDERS
from lightning_seg.tables import harmless_path

RANKS = ("label", "second", "third")


class LabelFiles(PredictionFiles[LabelAnswer]):
    """A row of the table for every picture, and lines "photo.jpg: sunflowers 94.7 %, daisy 3.1 %, ...".

    * ``predictions.csv``: the class (``label``) with its probability (``confidence``), relative entropy in [0, 1], the
      runners-up (``second``, ``third``, of two classes the second alone) with theirs, and ``prob/<class>`` of all;
    * ``cams/<name>/<class>.jpg``, where class activation maps are asked for: the picture with the places coloured that
      speak for its class; the column ``cam`` names the file;
    * ``most_uncertain.png``: the pictures of the highest entropies.

    Args:
        output: folder.
        num_uncertain: pictures on the sheet; 0 draws none.
        options: see ``PredictionFiles``.
    """

    folders = LABEL_FOLDERS
    has_cams = False
    """Whether answers have class activation maps."""

    def __init__(self, output: str | Path = "predictions", num_uncertain: int = 12, **options: Any) -> None:
        super().__init__(output, **options)
        self.num_uncertain = num_uncertain

    def columns(self) -> list[str]:
        runners_up = [column for name in RANKS[1 : len(self.class_names)] for column in (name, f"{name}_prob")]
        probs = [f"prob/{name}" for name in self.class_names]
        return ["label", "confidence", "entropy", *runners_up, *probs, *(["cam"] if self.has_cams else [])]

    def write(self, picture: Pictured, answer: LabelAnswer) -> Row:
        row: Row = {"confidence": round(answer.confidence, 5), "entropy": round(answer.entropy, 5)}
        for rank, (name, prob) in zip(RANKS, ranked(answer.probs, self.class_names, len(RANKS)), strict=False):
            row[rank] = name
            if rank != "label":
                row[f"{rank}_prob"] = round(prob, 5)
        probs = zip(self.class_names, answer.probs.tolist(), strict=True)
        row |= {f"prob/{name}": round(prob, 5) for name, prob in probs}
        file = self._draw_cam(picture, answer)
        return row if file is None else {**row, "cam": harmless_path(file)}

    def _draw_cam(self, picture: Pictured, answer: LabelAnswer) -> str | None:
        """The file below ``output``; maps of an earlier prediction may be of another class and are removed."""
        label = self.class_names[answer.label].replace("/", "_")
        suffix = "jpg" if max(picture.size) <= LONGEST_JPEG else "png"
        file = None if answer.cam is None else f"cams/{picture.name}/{label}.{suffix}"
        if file is not None and answer.cam is not None:
            drawn = draw_activation(picture.read(), answer.cam)
            write_image(drawn, self.place(picture.path, file), flushed=False, quality=90)
        kept = [] if file is None else [self.output / file]
        self.remove_others(picture, (self.output / f"cams/{picture.name}").glob("*"), kept)
        return file

    def finish(self, rows: Sequence[dict[str, str]]) -> None:
        # Here and not as they come: these are the rows of all processes, and no progress bar lies between them.
        for row in rows:
            print(printable(_line(row)))
        shown = most_uncertain(rows, self.num_uncertain)
        captions = [_caption(row) for row in shown]
        write_sheet(self.output, [Path(row["picture"]) for row in shown], captions, formats=self.plots)


def _caption(row: dict[str, str]) -> str:
    return f"{printable(Path(row['picture']).name)}\n{printable(_percent(row['label'], row['confidence']))}"


def _line(row: dict[str, str]) -> str:
    answers = [_percent(row["label"], row["confidence"])]
    answers += [_percent(row[rank], row[f"{rank}_prob"]) for rank in RANKS[1:] if rank in row]
    return f"{row['picture']}: {', '.join(answers)}"


def _percent(name: str, prob: str) -> str:
    return f"{name} {100 * float(prob):.1f} %"
