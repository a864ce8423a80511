"""ONNX files."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch.export import ExportedProgram

from lightning_seg.export.drafts import Draft
from lightning_seg.images import Array
from lightning_seg.model_file import IMAGES, PROPERTY, ModelFile

OPSET = 20
"""Of ONNX: with it Resize can average where pictures become smaller."""


class OnnxDraft(Draft):
    """An ONNX model; inputs beside the pictures have values of their own, which the caller may replace.

    Args:
        model: with these values as initializers.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.outputs = [one.name for one in self.session.get_outputs()]

    def answer(self, images: Array, **further: Any) -> Mapping[str, NDArray[Any]]:
        values: Any = self.session.run(None, {IMAGES: images, **further})
        return dict(zip(self.outputs, values, strict=True))

    def content(self, about: ModelFile) -> bytes:
        written = onnx.ModelProto()
        written.CopyFrom(self.model)
        onnx.helper.set_model_props(written, {PROPERTY: about.to_json()})
        content: bytes = written.SerializeToString()
        return content


def as_onnx(program: ExportedProgram, inputs: Mapping[str, torch.Tensor], outputs: Sequence[str]) -> onnx.ModelProto:
    """A traced job as an ONNX model.

    Args:
        program: of ``traced``.
        inputs: those behind the pictures, with the values that they have where the caller gives none.
        outputs: their names.
    """
    with _quiet():
        exported: Any = torch.onnx.export(
            program,
            dynamo=True,
            input_names=[IMAGES, *inputs],
            output_names=list(outputs),
            opset_version=OPSET,
            verbose=False,
        )
    model: onnx.ModelProto = exported.model_proto
    for name, value in inputs.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    _name_sides(model)
    _leave_places_out(model)
    return model


def _leave_places_out(model: onnx.ModelProto) -> None:
    """torch notes at every node in which files of this machine it was written; the file may be published."""
    graphs = [model.graph]
    for function in model.functions:
        del function.metadata_props[:]
        graphs += _clean_nodes(function.node)
    while graphs:
        graph = graphs.pop()
        del graph.metadata_props[:]
        for value in (*graph.value_info, *graph.input, *graph.output, *graph.initializer):
            del value.metadata_props[:]
        graphs += _clean_nodes(graph.node)


def _clean_nodes(nodes: Sequence[onnx.NodeProto]) -> list[onnx.GraphProto]:
    """Take their notes away, and return the graphs inside of them."""
    for node in nodes:
        del node.metadata_props[:]
        node.doc_string = ""
    attributes = [one for node in nodes for one in node.attribute]
    return [*(one.g for one in attributes if one.HasField("g")), *(g for one in attributes for g in one.graphs)]


def _name_sides(model: onnx.ModelProto) -> None:
    """Names for the free sides of the pictures, in place of those of the tracing."""
    images = next(one for one in model.graph.input if one.name == IMAGES)
    names = {side.dim_param: name for side, name in zip(images.type.tensor_type.shape.dim, "NHW", strict=False)}
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for side in value.type.tensor_type.shape.dim:
            if side.dim_param in names:
                side.dim_param = names[side.dim_param]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says to its own developers."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)
