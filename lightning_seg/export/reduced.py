"""ONNX files whose networks compute in whole numbers of 8 bits."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from lightning_seg.images import Array
from lightning_seg.model_file import IMAGES

QUANTIZED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operators that are quantized: those of networks, and none of the resizing."""


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    """Pictures by which the ranges of all maps are measured."""

    def __init__(self, pictures: Sequence[Array]) -> None:
        self.left: Iterator[Array] = iter(pictures)

    def get_next(self) -> dict[str, Any] | None:
        picture = next(self.left, None)
        return None if picture is None else {IMAGES: np.ascontiguousarray(picture[None])}


def in_int8(model: onnx.ModelProto, pictures: Sequence[Array]) -> onnx.ModelProto:
    """An ONNX model whose network computes in whole numbers of 8 bits, by onnxruntime's static quantization.

    Args:
        model: in float32.
        pictures: ``(H, W, 3)`` uint8, on which the ranges are measured.
    """
    level = logging.getLogger().level
    with TemporaryDirectory() as folder:
        plain, quantized = Path(folder) / "plain.onnx", Path(folder) / "quantized.onnx"
        onnx.save(model, plain)
        logging.getLogger().setLevel(logging.ERROR)
        try:
            quantize_static(
                plain,
                quantized,
                _Pictures(pictures),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(QUANTIZED),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        finally:
            logging.getLogger().setLevel(level)
        return onnx.load(quantized)
