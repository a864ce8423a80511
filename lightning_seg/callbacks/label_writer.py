"""Predicted classes as a table and as lines."""

from collections.abc import Sequence
from pathlib import Path

from lightning_seg.batch import LabelPrediction, PictureBatch
from lightning_seg.callbacks.most_uncertain import most_uncertain, write_sheet
from lightning_seg.callbacks.prediction_writer import PredictionWriter, Row
from lightning_seg.files import printable
from lightning_seg.inference.labels import ranked

RANKS = ("label", "second", "third")


class LabelWriter(PredictionWriter):
    """Writes a row of the table for every picture, and prints "photo.jpg: sunflowers 94.7 %, daisy 3.1 %, ...".

    * ``predictions.csv``: the class (``label``) with its probability (``confidence``), relative entropy in [0, 1], the
      runners-up (``second``, ``third``, of two classes the second alone) with theirs, and ``prob/<class>`` of all;
    * ``most_uncertain.png``: the pictures of the highest entropies.

    Args:
        output: folder.
        num_uncertain: pictures on the sheet; 0 draws none.
    """

    def __init__(self, output: str | Path = "predictions", num_uncertain: int = 12) -> None:
        super().__init__(output)
        self.num_uncertain = num_uncertain

    def columns(self, class_names: Sequence[str]) -> list[str]:
        runners_up = [column for name in RANKS[1 : len(class_names)] for column in (name, f"{name}_prob")]
        return ["label", "confidence", "entropy", *runners_up, *(f"prob/{name}" for name in class_names)]

    def write_picture(
        self, batch: PictureBatch, position: int, prediction: LabelPrediction, class_names: Sequence[str]
    ) -> Row:
        row: Row = {"confidence": round(prediction.confidence, 5), "entropy": round(prediction.entropy, 5)}
        for rank, (name, prob) in zip(RANKS, ranked(prediction.probs, class_names, len(RANKS)), strict=False):
            row[rank] = name
            if rank != "label":
                row[f"{rank}_prob"] = round(prob, 5)
        probs = zip(class_names, prediction.probs.tolist(), strict=True)
        return {**row, **{f"prob/{name}": round(prob, 5) for name, prob in probs}}

    def finish(self, rows: Sequence[dict[str, str]], class_names: Sequence[str]) -> None:
        # Here and not as they come: these are the rows of all processes, and no progress bar lies between them.
        for row in rows:
            print(printable(_line(row)))
        shown = most_uncertain(rows, self.num_uncertain)
        captions = [_caption(row) for row in shown]
        write_sheet(self.output, [Path(row["picture"]) for row in shown], captions)


def _caption(row: dict[str, str]) -> str:
    return f"{printable(Path(row['picture']).name)}\n{printable(_percent(row['label'], row['confidence']))}"


def _line(row: dict[str, str]) -> str:
    answers = [_percent(row["label"], row["confidence"])]
    answers += [_percent(row[rank], row[f"{rank}_prob"]) for rank in RANKS[1:] if rank in row]
    return f"{row['picture']}: {', '.join(answers)}"


def _percent(name: str, prob: str) -> str:
    return f"{name} {100 * float(prob):.1f} %"
