"""Tiny exported models, made by hand: the contract of ``lightning_seg/model_file.py`` without a training or torch.

The network is one 3 x 3 convolution of the picture / 255 and a softmax, so that it can be computed elsewhere, too.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lightning_seg.model_file import PROPERTY, ModelFile

pytest.importorskip("onnx", reason="needs pip install lightning_seg[onnx]")
pytest.importorskip("onnxruntime", reason="needs pip install lightning_seg[onnx]")
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64, UINT8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8
COLORS = ((31, 119, 180), (255, 127, 14), (44, 160, 44))
NAMES = ("sky", "road", "car")


def weights(num_classes: int) -> NDArray[np.float32]:
    """``(C, 3, 3, 3)``; large, so that all classes occur."""
    return np.random.default_rng(5).normal(0, 2, (num_classes, 3, 3, 3)).astype(np.float32)


def about(kind: Any, **changes: Any) -> ModelFile:
    content: dict[str, Any] = {
        "kind": kind,
        "task": "tests.Convolution",
        "class_names": NAMES,
        "label_names": NAMES,
        "colors": COLORS,
        "image_size": None if kind == "boxes" else (24, 32),
        "knobs": {"scales": [2.0, 3.0], "windows": "all", "merge": "fusion", "merge_overlap": 0.35}
        if kind == "boxes"
        else {},
    }
    return ModelFile(**{**content, **changes})


def write_masks(path: Path, **changes: Any) -> Path:
    told = about("masks", **changes)
    nodes = [
        *_network(told, to_own_size=True),
        _node("ArgMax", ["probs"], "class", axis=1, keepdims=0),
        helper.make_node("Cast", ["class"], ["mask"], to=UINT8),
        _node("ReduceMax", ["probs", "one"], "best", keepdims=0),
        _node("ReduceMean", ["best", "planes"], "confidence", keepdims=0),
        *_entropy(),
        _node("ReduceMean", ["relative", "planes"], "entropy", keepdims=0),
    ]
    outputs = [
        _value("mask", UINT8, ["N", "H", "W"]),
        _value("probs", FLOAT, ["N", len(told.class_names), "H", "W"]),
    ]
    return _write(path, told, nodes, outputs, planes=[1, 2])


def write_labels(path: Path, **changes: Any) -> Path:
    """The mean over the picture of what masks have."""
    told = about("labels", **changes)
    nodes = [
        *_network(told, to_own_size=False),
        _node("ReduceMean", ["maps", "planes"], "probs", keepdims=0),
        _node("ArgMax", ["probs"], "label", axis=1, keepdims=0),
        _node("ReduceMax", ["probs", "one"], "confidence", keepdims=0),
        *_entropy(),
        helper.make_node("Identity", ["relative"], ["entropy"]),
    ]
    outputs = [_value("label", INT64, ["N"]), _value("probs", FLOAT, ["N", len(told.class_names)])]
    return _write(path, told, nodes, outputs, planes=[2, 3])


BOXES = np.array([[1, 2, 11, 12], [3.5, 4.5, 20.25, 15], [0, 0, 8, 8]], np.float32)
SCORES = np.array([0.9, 0.6, 0.3], np.float32)


def write_boxes(path: Path, **changes: Any) -> Path:
    """Three objects whose scores are fixed, of which those above ``threshold`` come out."""
    told = about("boxes", **changes)
    rng = np.random.default_rng(0)
    constants = {
        "all_boxes": BOXES,
        "all_scores": SCORES,
        "all_labels": np.array([2, 0, 1]),
        "all_picture": np.zeros(3, np.int64),
        "all_maps": rng.random((1, 3, 4, 5), np.float32),
        "all_whole": np.array([[0.2, 0.7, 0.1]], np.float32),
        "all_window_probs": np.array([[[0.2, 0.7, 0.1], [0.6, 0.3, 0.1]]], np.float32),
        "all_window_boxes": np.array([[0, 0, 8, 8], [4, 0, 12, 8]], np.float32),
        "threshold": np.array(0.5, np.float32),
    }
    found = ("boxes", "scores", "labels", "picture")
    others = ("maps", "whole", "window_probs", "window_boxes")
    nodes = [
        _node("GreaterOrEqual", ["all_scores", "threshold"], "found"),
        *(_node("Compress", [f"all_{name}", "found"], name, axis=0) for name in found),
        *(_node("Identity", [f"all_{name}"], name) for name in others),
    ]
    outputs = [
        _value("picture", INT64, ["M"]),
        _value("boxes", FLOAT, ["M", 4]),
        _value("scores", FLOAT, ["M"]),
        _value("labels", INT64, ["M"]),
        *(_value(name, FLOAT, None) for name in others),
    ]
    images = _value("images", UINT8, ["N", "H", "W", 3])
    return _save(path, told, nodes, [images, _value("threshold", FLOAT, [])], outputs, constants)


def _network(told: ModelFile, to_own_size: bool) -> list[onnx.NodeProto]:
    """From ``images`` to probabilities: ``probs`` at the size of the pictures, or ``maps`` at that of the network."""
    resize = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=FLOAT),
        _node("Transpose", ["floats"], "colours", perm=[0, 3, 1, 2]),
        _node("Mul", ["colours", "scale"], "unit"),
        _node("Shape", ["unit"], "own", start=2),
        _node("Shape", ["unit"], "number", start=0, end=1),
        _node("Concat", ["number", "three", "image_size"], "shown_size", axis=0),
        _node("Resize", ["unit", "", "", "shown_size"], "shown", **resize),
        _node("Conv", ["shown", "weight"], "logits", pads=[1, 1, 1, 1]),
        _node("Softmax", ["logits"], "maps", axis=1),
    ]
    if to_own_size:
        nodes += [
            _node("Concat", ["number", "classes", "own"], "own_size", axis=0),
            _node("Resize", ["maps", "", "", "own_size"], "probs", **resize),
        ]
    return nodes


def _entropy() -> list[onnx.NodeProto]:
    return [
        _node("Log", ["probs"], "logs"),
        _node("Mul", ["probs", "logs"], "products"),
        _node("ReduceSum", ["products", "one"], "summed", keepdims=0),
        _node("Mul", ["summed", "of_most"], "relative"),
    ]


def _write(path: Path, told: ModelFile, nodes: list[onnx.NodeProto], outputs: list[Any], planes: Sequence[int]) -> Path:
    number = len(told.class_names)
    constants = {
        "image_size": np.array(told.image_size or (24, 32)),
        "scale": np.array(1 / 255, np.float32),
        "weight": weights(number),
        "three": np.array([3]),
        "classes": np.array([number]),
        "one": np.array([1]),
        "planes": np.array(planes),
        "of_most": np.array(-1 / np.log(max(2, number)), np.float32),
    }
    inputs = [_value("images", UINT8, ["N", "H", "W", 3]), _value("image_size", INT64, [2])]
    outputs += [_value("confidence", FLOAT, ["N"]), _value("entropy", FLOAT, ["N"])]
    return _save(path, told, nodes, inputs, outputs, constants)


def _save(
    path: Path,
    told: ModelFile,
    nodes: list[onnx.NodeProto],
    inputs: list[Any],
    outputs: list[Any],
    constants: dict[str, NDArray[Any]],
) -> Path:
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    entry = model.metadata_props.add()
    entry.key, entry.value = PROPERTY, told.to_json()
    onnx.save(model, path)
    return path


def _node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, list(inputs), [output], **attributes)


def _value(name: str, kind: int, shape: Any) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


WRITERS = {"masks": write_masks, "labels": write_labels, "boxes": write_boxes}
