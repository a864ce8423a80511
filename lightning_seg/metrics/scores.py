"""Scores of one split, besides its losses."""

from collections.abc import Mapping
from typing import Any, TypeVar

from torch import Tensor, nn

from lightning_seg.metrics.likelihood import Likelihood
from lightning_seg.metrics.parts import MetricPart
from lightning_seg.metrics.picture_scores import PictureScores

P = TypeVar("P", bound=MetricPart)


class SplitScores(nn.Module):
    """Parts that count the same pictures.

    Args:
        parts: by the name under which a checkpoint of a started epoch keeps the counts of each.
    """

    def __init__(self, parts: Mapping[str, MetricPart]) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.picture_scores: PictureScores | None = None
        """If wanted, gets what is known of each picture."""

    @property
    def parts(self) -> list[MetricPart]:
        return [part for part in self.children() if isinstance(part, MetricPart)]

    def part(self, kind: type[P]) -> P | None:
        """The first of this kind."""
        return next((part for part in self.parts if isinstance(part, kind)), None)

    @property
    def of_pictures(self) -> MetricPart | None:
        """The first part that has a score for each picture."""
        return next((part for part in self.parts if part.picture_quantity is not None), None)

    @property
    def needs_probs(self) -> bool:
        """Whether ``update`` has a use for probabilities."""
        return self.picture_scores is not None

    def update(self, *counted: Any, log_probs: Tensor | None = None, likelihood: Likelihood | None = None) -> None:
        """Count a batch.

        Args:
            counted: what the parts of this kind of task take.
            log_probs: logarithms of the probabilities of all classes ``(B, C, ...)``, where anybody ``needs_probs``.
            likelihood: in their place, of pictures whose probabilities are never in memory as a whole.
        """
        for part in self.parts:
            part.update(*counted)
        scoring = self.of_pictures
        if self.picture_scores is not None and scoring is not None:
            told = scoring.tell_pictures(*counted, log_probs=log_probs)
            self.picture_scores.add(told if likelihood is None else told._replace(likelihood=likelihood))
