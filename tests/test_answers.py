"""What a model has said, as arrays."""

import numpy as np
import torch

from lightning_seg.answers import BoxAnswer, ranked
from lightning_seg.batch import BoxPrediction, LabelPrediction, MaskPrediction


def test_classes_in_their_order() -> None:
    probs = np.array([0.25, 0.625, 0.125], np.float32)
    assert ranked(probs, "abc", 2) == [("b", 0.625), ("a", 0.25)]
    assert len(ranked(probs, "abc", 5)) == 3
    assert ranked([0.25, 0.25, 0.25], "abc", 2) == [("a", 0.25), ("b", 0.25)]


def test_predictions_as_arrays() -> None:
    mask = MaskPrediction(torch.tensor([[1, 2]], dtype=torch.uint8), 0.5, 0.25, None).as_arrays()
    assert (mask.mask.tolist(), mask.confidence, mask.entropy, mask.probs) == ([[1, 2]], 0.5, 0.25, None)
    label = LabelPrediction(torch.tensor([0.25, 0.75]), 1, 0.75, 0.8).as_arrays()
    assert (label.probs.tolist(), label.label) == ([0.25, 0.75], 1)
    boxes = BoxPrediction(*(torch.full((1,), float(number)) for number in range(7))).as_arrays()
    assert [value.tolist() for value in boxes] == [[float(number)] for number in range(7)]


def test_an_answer_that_is_no_number_says_so() -> None:
    fine = BoxAnswer(*(np.zeros(2, np.float32) for _ in range(7)))  # type: ignore[arg-type]
    assert fine.is_number
    assert not fine._replace(whole=np.array([0.5, np.nan], np.float32)).is_number
    assert not LabelPrediction(torch.tensor([torch.inf, 0]), 0, 1.0, 0.0).as_arrays().is_number
