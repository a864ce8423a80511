"""Weights alone, as safetensors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save
from torch import Tensor, nn

from lightning_seg.export.drafts import Draft
from lightning_seg.export.reference import Answer
from lightning_seg.images import Array
from lightning_seg.model_file import PROPERTY, ModelFile


class WeightsDraft(Draft):
    """The weights of a task by name, with what the file says of itself in its header.

    Args:
        task: trained.
        load_anew: a task of the same kind from the checkpoint.
        answer_of: what a task says to a picture.
    """

    def __init__(
        self, task: nn.Module, load_anew: Callable[[], nn.Module], answer_of: Callable[[nn.Module, Array], Answer]
    ) -> None:
        self.weights = plain_weights(task)
        self.answer_of = answer_of
        self.loaded = load_anew()
        for values in self.loaded.parameters():
            # What the file does not hold would show.
            torch.nn.init.constant_(values, float("nan"))
        self.loaded.load_state_dict(load(save(self.weights)), strict=True)

    def answer(self, images: Array) -> Mapping[str, NDArray[Any]]:
        return _joined([self.answer_of(self.loaded, picture) for picture in images])

    def content(self, about: ModelFile) -> bytes:
        return save(self.weights, {PROPERTY: about.to_json()})


def plain_weights(task: nn.Module) -> dict[str, Tensor]:
    """The state dict, as safetensors takes it: each tensor by itself, row by row."""
    return {name: values.detach().cpu().contiguous().clone() for name, values in task.state_dict().items()}


def _joined(answers: Sequence[Answer]) -> Answer:
    """Answers to single pictures as that to a batch."""
    joined = {name: np.concatenate([one[name] for one in answers]) for name in answers[0]}
    if "picture" in joined:
        joined["picture"] = np.repeat(np.arange(len(answers)), [len(one["boxes"]) for one in answers])
        joined["window_boxes"] = answers[0]["window_boxes"]
    return joined
