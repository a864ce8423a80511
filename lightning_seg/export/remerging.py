"""The task's own merging of the windows that a file has found."""

from collections.abc import Callable
from functools import cached_property

import torch

from lightning_seg.export.drafts import Draft
from lightning_seg.export.proof import row_of
from lightning_seg.export.reference import Answer
from lightning_seg.images import Array
from lightning_seg.inference.boxes import BoxInference
from lightning_seg.inference.merging import Boxes, merge_boxes


class Remerging:
    """See ``proof.Merging``.

    Args:
        make_unmerged: the same file that merges nothing; made when it is first asked.
        unmerged_reference: the task that merges nothing, of a picture ``(H, W, 3)``.
        inference: of the task.
    """

    def __init__(
        self,
        make_unmerged: Callable[[], Draft],
        unmerged_reference: Callable[[Array], Answer],
        inference: BoxInference,
    ) -> None:
        self.make_unmerged, self.unmerged_reference, self.inference = make_unmerged, unmerged_reference, inference

    @cached_property
    def unmerged(self) -> Draft:
        return self.make_unmerged()

    def windows(self, images: Array, row: int) -> tuple[Answer, Answer]:
        return self.unmerged_reference(images[row]), row_of("boxes", self.unmerged.answer(images), row)

    def merged(self, images: Array, row: int) -> Answer:
        windows = row_of("boxes", self.unmerged.answer(images), row)
        found = Boxes(*(torch.from_numpy(windows[name]) for name in ("boxes", "scores", "labels")))
        merged = merge_boxes(found, self.inference.merge, self.inference.merge_overlap)
        return {name: values.numpy() for name, values in merged._asdict().items()}
