"""Files before they are written: what they answer, and their bytes."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.export import Dim, ExportedProgram

from lightning_seg.images import Array
from lightning_seg.model_file import PROPERTY, ModelFile

EXAMPLE = (2, 101, 90, 3)
"""Shape of the pictures that are traced; all but the last number are free afterwards."""


class Draft(ABC):
    """An exported model in memory."""

    @abstractmethod
    def answer(self, images: Array) -> Mapping[str, NDArray[Any]]:
        """Outputs by name, of pictures ``(N, H, W, 3)`` uint8, as those get them who load the file."""

    @abstractmethod
    def content(self, about: ModelFile) -> bytes:
        """The bytes of the file that says this of itself."""


def traced(job: nn.Module, *further: torch.Tensor) -> ExportedProgram:
    """A job as a graph, for pictures of any number and size.

    Args:
        job: see ``whole_job``.
        further: values of its other inputs.
    """
    free = {0: Dim.DYNAMIC, 1: Dim.DYNAMIC, 2: Dim.DYNAMIC}
    images = torch.randint(0, 256, EXAMPLE, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        program = torch.export.export(
            job.eval(), (images, *further), dynamic_shapes=(free, *(None for _ in further)), strict=False
        )
    _leave_places_out(program)
    return program


def _leave_places_out(program: ExportedProgram) -> None:
    """torch notes at every node in which files of this machine it was written; the file may be published."""
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)


class TorchDraft(Draft):
    """An archive of ``torch.export``: ``torch.export.load(file).module()(images)`` gives the outputs in their order.

    Args:
        program: of ``traced``.
        outputs: their names.
    """

    def __init__(self, program: ExportedProgram, outputs: Sequence[str]) -> None:
        self.program, self.outputs = program, outputs
        self.loaded: Any = torch.export.load(BytesIO(self._saved({}))).module()

    def answer(self, images: Array) -> Mapping[str, NDArray[Any]]:
        with torch.inference_mode():
            values = self.loaded(torch.from_numpy(np.ascontiguousarray(images)))
        return {name: value.numpy() for name, value in zip(self.outputs, values, strict=True)}

    def content(self, about: ModelFile) -> bytes:
        return self._saved({PROPERTY: about.to_json()})

    def _saved(self, texts: dict[str, Any]) -> bytes:
        file = BytesIO()
        with warnings.catch_warnings():
            # It tells its own developers which of several equal tensors it has kept.
            warnings.simplefilter("ignore")
            torch.export.save(self.program, file, extra_files=texts)
        return file.getvalue()
