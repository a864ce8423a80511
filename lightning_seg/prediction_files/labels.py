"""Predicted classes as a table and as lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning_seg.answers import LabelAnswer, ranked
from lightning_seg.files import printable
from lightning_seg.prediction_files.folder import Pictured, PredictionFiles, Row
from lightning_seg.prediction_files.most_uncertain import most_uncertain, write_sheet

RANKS = ("label", "second", "third")


class LabelFiles(PredictionFiles[LabelAnswer]):
    """A row of the table for every picture, and lines "photo.jpg: sunflowers 94.7 %, daisy 3.1 %, ...".

    * ``predictions.csv``: the class (``label``) with its probability (``confidence``), relative entropy in [0, 1], the
      runners-up (``second``, ``third``, of two classes the second alone) with theirs, and ``prob/<class>`` of all;
    * ``most_uncertain.png``: the pictures of the highest entropies.

    Args:
        output: folder.
        num_uncertain: pictures on the sheet; 0 draws none.
        options: see ``PredictionFiles``.
    """

    def __init__(self, output: str | Path = "predictions", num_uncertain: int = 12, **options: Any) -> None:
        super().__init__(output, **options)
        self.num_uncertain = num_uncertain

    def columns(self) -> list[str]:
        runners_up = [column for name in RANKS[1 : len(self.class_names)] for column in (name, f"{name}_prob")]
        return ["label", "confidence", "entropy", *runners_up, *(f"prob/{name}" for name in self.class_names)]

    def write(self, picture: Pictured, answer: LabelAnswer) -> Row:
        row: Row = {"confidence": round(answer.confidence, 5), "entropy": round(answer.entropy, 5)}
        for rank, (name, prob) in zip(RANKS, ranked(answer.probs, self.class_names, len(RANKS)), strict=False):
            row[rank] = name
            if rank != "label":
                row[f"{rank}_prob"] = round(prob, 5)
        probs = zip(self.class_names, answer.probs.tolist(), strict=True)
        return {**row, **{f"prob/{name}": round(prob, 5) for name, prob in probs}}

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
