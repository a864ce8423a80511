"""Parts of the metrics name their values once: what can be monitored is what is measured."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lightning_seg.batch import BoxPrediction
from lightning_seg.metrics import MetricPart, SegmentationMetrics, SplitScores
from lightning_seg.metrics.classification import ClassCounts
from lightning_seg.metrics.detection import CentreScores, DetectionScores
from lightning_seg.metrics.parts import Values
from lightning_seg.metrics.pictures import PictureMetrics
from lightning_seg.metrics.split_losses import SplitLosses, is_loss
from lightning_seg.metrics.thresholds import ThresholdCounts

BOTH = torch.tensor([[[0, 1]]])
MASKS = (BOTH, BOTH, torch.tensor([[[0.1, 0.9]]]))
LABELS = (torch.eye(6), torch.full((6, 6), 1 / 6))
DOG, PLACE = torch.tensor([1]), torch.tensor([[0.0, 0, 9, 9]])
SEEN = BoxPrediction(PLACE, torch.ones(1), DOG, torch.ones(2, 1, 1), torch.empty(0), torch.empty(0), torch.empty(0))
OBJECT = (SEEN, PLACE, DOG, (20, 20))
PARTS: dict[str, tuple[MetricPart, tuple[object, ...], Sequence[str]]] = {
    "pixels": (SegmentationMetrics(2), MASKS, ("ground", "car")),
    "pictures": (PictureMetrics(2), MASKS, ("ground", "car")),
    "thresholds": (ThresholdCounts(), MASKS, ("ground", "car")),
    "labels": (ClassCounts(6, may_mix=True), LABELS, "abcdef"),
    "boxes": (DetectionScores(), OBJECT, ("cat", "dog")),
    "centre": (CentreScores(), OBJECT, ("cat", "dog")),
}


PAGE = Path(__file__).parents[2] / "docs" / "losses_and_metrics.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="a built distribution has no pages")
@pytest.mark.parametrize("kind", PARTS)
def test_the_page_tells_every_quantity(kind: str) -> None:
    part, _, class_names = PARTS[kind]
    for name in part.names(class_names):
        quantity = name.partition("/")[0].removeprefix("mean_")
        assert re.search(rf"^\|.*`(val_full/)?{quantity}\b.*`", PAGE.read_text(), re.MULTILINE), quantity


@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_names_are_known_before_anything_is_counted_and_are_those_of_the_values(kind: str) -> None:
    part, counted, class_names = PARTS[kind]
    before = part.names(class_names)
    part.update(*counted)
    values = part.take(class_names)
    assert values, "something is measured"
    absent = {"map_30/cat", "map_50/cat"} if kind == "boxes" else set()
    assert set(before) - set(values) == absent
    assert [name for name in before if name in values] == list(values)
    assert part.names(class_names) == before


def test_names_ask_no_other_process() -> None:
    part = SegmentationMetrics(2)
    part.distributed_available_fn = lambda: True
    part.dist_sync_fn = lambda mine, group: pytest.fail("another process was asked")
    assert part.names(("ground", "car"))[:3] == ["accuracy", "miou", "mdice"]


class Coverage(MetricPart):
    """The share of pixels that are called foreground."""

    higher_is_better = False
    called: Tensor
    pixels: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("called", "pixels"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, mask: Tensor, foreground: Tensor | None = None) -> None:
        self.called += (prediction == 1).sum()
        self.pixels += prediction.numel()

    def values(self, class_names: Sequence[str]) -> Values:
        return {"coverage": (self.called / self.pixels).item()}


def test_a_part_of_ones_own_counts_beside_the_others() -> None:
    scores = SplitScores({"pixels": SegmentationMetrics(2), "coverage": Coverage()})
    scores.update(torch.tensor([[[0, 1, 1, 1]]]), torch.tensor([[[0, 0, 1, 1]]]))
    scores.update(torch.tensor([[[0, 0, 0, 0]]]), torch.tensor([[[0, 0, 1, 1]]]))
    pixels, coverage = scores.parts
    assert coverage.take(()) == {"coverage": 3 / 8}
    # 3 of 4 and 2 of 4 are right.
    assert pixels.take(("ground", "disc"))["accuracy"] == 5 / 8
    assert scores.part(Coverage) is coverage
    assert scores.part(ClassCounts) is None


def test_a_loss_of_several_parts_names_them_and_a_single_one_is_the_loss() -> None:
    several, single = SplitLosses({"cross_entropy": 1.0, "size": 0.5}), SplitLosses({"cross_entropy": 1.0})
    assert several.names() == ["loss", "cross_entropy", "size"]
    assert single.names() == ["loss"]
    four, six = (torch.tensor(4.0), torch.tensor(2.0)), (torch.tensor(6.0), torch.tensor(2.0))
    several.add({"cross_entropy": four, "size": six}, 2, 2)
    single.add({"cross_entropy": four}, 2, 2)
    assert several.take() == {"loss": 2 + 0.5 * 3, "cross_entropy": 2, "size": 3}
    assert single.take() == {"loss": 2}


def test_losses_that_no_part_gives_are_known_by_their_names() -> None:
    assert [is_loss(name) for name in ("val/my_loss", "val/cross_entropy", "val/miou")] == [True, True, False]
