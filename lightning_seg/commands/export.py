"""``lightning-seg export``: a run as one file that is the whole job."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl

from lightning_seg.arguments import Asked
from lightning_seg.commands.data_flags import keep_data
from lightning_seg.datasets.finding import find_pictures
from lightning_seg.errors import ConfigError
from lightning_seg.export import Format, Order, Source
from lightning_seg.export import export as write_proved
from lightning_seg.export.exporting import SUFFIXES
from lightning_seg.export.pictures import Seen, spread, validation_pictures
from lightning_seg.images import Array, read_image
from lightning_seg.inference.knobs import Merge
from lightning_seg.numbers import check_number
from lightning_seg.runs import find_run

KNOBS = ("threshold", "scales", "windows", "merge", "merge_overlap")
"""Arguments that are settings of the inference, fixed in the file."""
PROVED_ON = 8


def export(
    data: pl.LightningDataModule | None = None,
    run: str | None = None,
    output: str | None = None,
    format: Format = "onnx",  # noqa: A002
    precision: Literal["float32", "float16"] = "float32",
    quantize: Literal["int8"] | None = None,
    max_loss: float = 0.01,
    images: list[str] | str | None = None,
    pictures: int = 200,
    trust: list[str] | None = None,
    threshold: float | None = None,
    scales: list[float] | None = None,
    windows: str | None = None,
    merge: Merge | None = None,
    merge_overlap: float | None = None,
) -> None:
    """Write a run as one file that is the whole job: pictures of any size in; masks, labels or boxes out.

    The file is run on pictures of the run's validation split, at several sizes, and its answers are compared with those
    of the run. A file that answers otherwise is not written. See docs/export.md.

    Args:
        data: Class of the data, if it is not that of the run.
        run: Run to export: its folder, runs/pets for the newest one, or a checkpoint.
        output: File to write; without it model.onnx, model.pt2 or model.safetensors.
        format: onnx for onnxruntime, torch for an archive of torch.export, safetensors for weights alone.
        precision: Of the network: float32, or float16 for half the size.
        quantize: int8 lets the network of an onnx file compute in whole numbers, for a quarter of the size.
        max_loss: The most that a reduced precision may lose in the metric of the run, for instance 0.01 of accuracy.
        images: Pictures to compare on in place of the validation split: files, folders or quoted patterns.
        pictures: The most pictures of the validation split to measure a reduced precision on.
        trust: Modules of your own that may be imported for the class of the run, for instance my_code.
        threshold: Of masks with two classes and of boxes, as for predict.
        scales: Of boxes, as for predict.
        windows: Of boxes, as for predict.
        merge: Of boxes, as for predict.
        merge_overlap: Of boxes, as for predict.
    """
    given = {name: value for name, value in locals().items() if name in KNOBS and value is not None}
    if run is None:
        raise ConfigError("there is no run; give --run runs/pets, or another folder that fit has written")
    check_number("max_loss", max_loss, 0.01)
    check_number("pictures", pictures, 200, positive=True)
    if quantize is not None and precision != "float32":
        raise ConfigError(f"precision {precision} and quantize {quantize} exclude each other; give one of them")
    order = Order(format, quantize or precision, max_loss)
    if images is not None and order.precision != "float32":
        raise ConfigError(
            f"images: {order.precision} is judged by the run's validation pictures and their truth; leave it out"
        )
    path = _checked_output(output, order)
    found = find_run(run)
    source = Source(found.checkpoint("best"), given, trust or (), found.config)
    seen = _validation(data, source, order, pictures, images)
    compared = _given(images) if images is not None else [(one.name, one.decoded()) for one in spread(seen, PROVED_ON)]
    written = write_proved(source, order, path, compared, seen)
    print(f"{written.path} ({written.size / 1e6:.1f} MB)")


def _validation(
    data: pl.LightningDataModule | None, source: Source, order: Order, number: int, images: Any
) -> list[Seen]:
    if images is not None:
        return []
    if data is None:
        raise ConfigError("the run has no data section; give --images, or --data CLASS")
    most = PROVED_ON if order.precision == "float32" else number
    return validation_pictures(data, source.task.truth, most)


def _given(images: list[str] | str) -> list[tuple[str, Array]]:
    files = find_pictures([images] if isinstance(images, str) else images)
    return [(str(path), read_image(path)) for path in files[:PROVED_ON]]


def _checked_output(output: str | None, order: Order) -> Path:
    suffix = SUFFIXES[order.format]
    path = Path(output or f"model{suffix}")
    if path.suffix != suffix:
        raise ConfigError(f"output {path}: {order.format} files end in {suffix}; give {path.with_suffix(suffix)}")
    if path.is_dir():
        raise ConfigError(f"output {path}: is a folder; give a file, for instance {path / f'model{suffix}'}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"output {path}: cannot be written ({error.strerror}); give another place") from error
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"output {path}: its folder cannot be written; give another place")
    return path


def prepare_flags(flags: Sequence[str]) -> list[str]:
    """The run, with its data section; the other flags are the command's own."""
    asked = Asked.of(flags)
    # Other pictures do without the data of the run, which need not be there.
    kept = keep_data(flags, says_what_is_left=False) if asked.images is None else list(asked.rest)
    # As one value: the parser takes one word for a list.
    kept += [] if asked.images is None else [f"--images={json.dumps(asked.images)}"]
    return [*kept, *(word for run in asked.runs[-1:] for word in ("--run", run))]
