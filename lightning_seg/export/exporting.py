"""From a run to a proved file."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import torch

import lightning_seg
from lightning_seg.checkpoints import read_checkpoint
from lightning_seg.errors import ConfigError
from lightning_seg.export.drafts import Draft, TorchDraft, traced
from lightning_seg.export.half import in_half
from lightning_seg.export.pictures import Seen
from lightning_seg.export.proof import Differences, check, check_numbers, compare, several_sizes
from lightning_seg.export.quality import Loss, check_loss, loss_of
from lightning_seg.export.reference import Answer, reference_answer
from lightning_seg.export.remerging import Remerging
from lightning_seg.export.weights_draft import WeightsDraft
from lightning_seg.export.whole import Size, kind_of, whole_job
from lightning_seg.files import digest_of, replacing
from lightning_seg.images import Array
from lightning_seg.model_file import IMAGE_SIZE, IMAGES, INPUTS, OUTPUTS, THRESHOLD, ModelFile, Precision
from lightning_seg.plots.palette import object_palette, palette_of
from lightning_seg.tasks.loading import load_task

Format = Literal["onnx", "torch", "safetensors"]
ONNX = ("onnx", "onnxruntime", "onnxscript")
"""Packages of the extra ``onnx``."""
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2", "safetensors": ".safetensors"}


@dataclass(frozen=True)
class Order:
    """What kind of file is wanted.

    Raises:
        ConfigError: if format and precision do not go together.
    """

    format: Format = "onnx"
    precision: Precision = "float32"
    max_loss: float = 0.01  # in the metric of the run, where the precision is reduced

    def __post_init__(self) -> None:
        for name, kinds in (("format", Format), ("precision", Precision)):
            if getattr(self, name) not in get_args(kinds):
                raise ConfigError(f"{name} {getattr(self, name)!r} does not exist; choose {', '.join(get_args(kinds))}")
        missing = [name for name in ONNX if self.format == "onnx" and find_spec(name) is None]
        if missing:
            raise ConfigError(f"format onnx needs the package {missing[0]}; pip install 'lightning_seg[onnx]'")
        if self.format != "onnx" and self.precision == "int8":
            raise ConfigError(f"format {self.format} has no int8; give --format onnx, or --precision float16")
        if self.format == "safetensors" and self.precision != "float32":
            raise ConfigError("format safetensors holds the weights as they were trained; leave precision out")


class Source:
    """A trained task, how it answers, and what its file says of it.

    Args:
        checkpoint: of the run.
        knobs: of its inference.
        trust: modules that may be imported for its class.
        config: of the run, for its digest.
    """

    def __init__(
        self, checkpoint: Path, knobs: Mapping[str, Any], trust: Sequence[str] = (), config: Path | None = None
    ) -> None:
        self.checkpoint, self.trust, self.config = checkpoint, trust, config
        self.task: Any
        self.task, trained_at = load_task(checkpoint, trust)
        self.kind = kind_of(self.task)
        self.inference = self.task.make_inference(knobs)
        self.image_size: Size | None = self.task.shown_size(trained_at, self.inference)

    def reference(self, picture: Array) -> Answer:
        """What the run says to a picture ``(H, W, 3)``."""
        return reference_answer(self.task, self.image_size, self.inference, picture)

    @property
    def threshold(self) -> float | None:
        """That of the inference; of boxes never None."""
        given: float | None = getattr(self.inference, "threshold", None)
        return getattr(self.inference, "default_threshold", None) if given is None else given

    def _colours(self) -> tuple[tuple[int, int, int], ...]:
        """Of what predictions find, as ``predict`` draws it."""
        names = self.task.reported_names()
        palette = object_palette(len(names)) if self.kind == "boxes" else palette_of(names)
        return tuple((int(red), int(green), int(blue)) for red, green, blue in palette[: len(names)])

    def about(self, precision: Precision) -> ModelFile:
        """What the file says of itself, but for what was checked."""
        names, kind = self.task.known_class_names(), type(self.task)
        knobs = ("scales", "windows", "merge", "merge_overlap") if self.kind == "boxes" else ()
        encoding = getattr(self.task, "mask_encoding", None)
        return ModelFile(
            kind=self.kind,
            task=f"{kind.__module__}.{kind.__qualname__}",
            class_names=tuple(names),
            label_names=tuple(self.task.reported_names()),
            colors=self._colours(),
            image_size=self.image_size,
            threshold=self.threshold,
            knobs={name: getattr(self.inference, name) for name in knobs},
            mask_encoding={} if encoding is None else encoding.as_dict(),
            precision=precision,
            versions={"lightning_seg": lightning_seg.__version__, "torch": torch.__version__, "onnx": _version("onnx")},
            config_sha256=digest_of(self.config) if self.config is not None and self.config.is_file() else None,
            checkpoint_sha256=digest_of(self.checkpoint),
            epoch=int(read_checkpoint(self.checkpoint)["epoch"]),
        )


def draft_of(source: Source, order: Order, shown: Sequence[Array] = (), inference: Any = None) -> Draft:
    """The file before it is proved and written.

    Args:
        source: what is exported.
        order: as what.
        shown: pictures at the size of training, on which ranges are measured for int8.
        inference: how it predicts; None as the source does.
    """
    task = in_half(source.task) if order.precision == "float16" else deepcopy(source.task)
    if order.format == "safetensors":
        return _weights(source)
    job = whole_job(task, source.image_size, inference or source.inference)
    outputs = OUTPUTS[source.kind]
    if order.format == "torch":
        return TorchDraft(traced(job), outputs)
    # They bring libraries with them that the other formats do without.
    from lightning_seg.export.onnx_draft import OnnxDraft, as_onnx
    from lightning_seg.export.reduced import in_int8

    inputs = _further_inputs(source)
    model = as_onnx(traced(job, *inputs.values()), inputs, outputs)
    return OnnxDraft(in_int8(model, shown) if order.precision == "int8" else model)


def _weights(source: Source) -> Draft:
    def answer_of(task: Any, picture: Array) -> Answer:
        return reference_answer(task, source.image_size, source.inference, picture)

    return WeightsDraft(source.task, lambda: load_task(source.checkpoint, source.trust)[0], answer_of)


def _further_inputs(source: Source) -> dict[str, torch.Tensor]:
    """Inputs beside the pictures with their values; where pictures are shown as they are, there is no size."""
    values = {
        IMAGE_SIZE: None if source.image_size is None else torch.tensor(source.image_size),
        THRESHOLD: None if source.threshold is None else torch.tensor(source.threshold, dtype=torch.float32),
    }
    wanted = {name: values[name] for name in INPUTS[source.kind] if name != IMAGES}
    return {name: value for name, value in wanted.items() if value is not None}


@dataclass(frozen=True)
class Proved:
    """A written file."""

    path: Path
    size: int  # bytes
    about: ModelFile
    differences: Differences
    loss: Loss | None  # of a reduced precision


def export(
    source: Source,
    order: Order,
    output: Path,
    pictures: Sequence[tuple[str, Array]],
    measured: Sequence[Seen] = (),
    say: Callable[[str], None] = print,
) -> Proved:
    """Write a file that answers as the run does.

    Args:
        source: what is exported.
        order: as what.
        output: the file; it is written completely, or not at all.
        pictures: names and decoded pictures on which both are compared.
        measured: pictures of the validation split with their truth, by which a reduced precision is judged.
        say: gets a line for each thing that was checked.

    Raises:
        ExportError: if the file answers otherwise; nothing is written.
        ConfigError: if a reduced precision cannot be judged.
    """
    about = source.about(order.precision)
    draft = draft_of(source, order, [seen.shown for seen in measured])
    differences = _compared(source, order, draft, pictures)
    say(f"{len(differences.sizes)} pictures at several sizes: {differences.describe(source.kind)}")
    if order.precision == "float32":
        check(differences, source.kind)
        about = replace(about, checked=differences.as_dict())
        return _written(draft, about, output, differences, None)
    check_numbers(differences)
    if not measured:
        raise ConfigError(f"precision {order.precision} is judged by the run's validation pictures; give --data.root")
    loss = loss_of(source.task, source.kind, measured, lambda images: source.reference(images[0]), draft.answer)
    say(f"{len(measured)} pictures to validate on: {loss.describe()}")
    check_loss(loss, order.max_loss)
    about = replace(about, checked={**differences.as_dict(), "measured": len(measured), **loss.as_dict()})
    return _written(draft, about, output, differences, loss)


def _compared(source: Source, order: Order, draft: Draft, pictures: Sequence[tuple[str, Array]]) -> Differences:
    merging = None
    if source.kind == "boxes" and order.precision == "float32" and order.format != "safetensors":
        unmerged = replace(source.inference, merge="none")
        merging = Remerging(
            lambda: draft_of(source, order, inference=unmerged),
            lambda picture: reference_answer(source.task, source.image_size, unmerged, picture),
            source.inference,
        )
    batches = several_sizes(pictures)
    return compare(source.kind, batches, source.reference, draft.answer, source.threshold or 0.0, merging)


def _written(draft: Draft, about: ModelFile, output: Path, differences: Differences, loss: Loss | None) -> Proved:
    content = draft.content(about)
    with replacing(output) as file:
        file.write(content)
    return Proved(output, len(content), about, differences, loss)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
