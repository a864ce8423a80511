"""The whole job as one function, before it becomes a file, against prediction."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lightning_seg import (
    CNNClassifierTask,
    MobileNetV2UNetTask,
    SlidingDetectorTask,
    SmpTask,
    TimmClassifierTask,
    UNetTask,
)
from lightning_seg.batch import BoxPrediction
from lightning_seg.errors import ConfigError
from lightning_seg.export.drafts import traced
from lightning_seg.export.onnx_draft import OnnxDraft, as_onnx
from lightning_seg.export.proof import Differences, compare, several_sizes
from lightning_seg.export.reference import reference_answer
from lightning_seg.export.remerging import Remerging
from lightning_seg.export.whole import kind_of, whole_job
from lightning_seg.images import Array
from lightning_seg.model_file import OUTPUTS, Kind

PLAIN: dict[str, Any] = {"freeze_encoder": False}
TASKS: dict[str, tuple[Any, tuple[int, int] | None]] = {
    "mobilenet": (lambda: MobileNetV2UNetTask(num_classes=3, encoder_weights=None, **PLAIN), (32, 64)),
    "unet": (lambda: UNetTask(num_classes=1, width=4, depth=2), (20, 24)),
    "unet at its own size": (lambda: UNetTask(num_classes=3, width=4, depth=2), None),
    "smp": (lambda: SmpTask(arch="fpn", encoder_name="resnet18", encoder_weights=None, num_classes=3), (64, 32)),
    "cnn": (lambda: CNNClassifierTask(num_classes=5, image_size=(40, 40)), (40, 40)),
    "timm": (lambda: TimmClassifierTask(arch="resnet18", weights=None, num_classes=5), (64, 48)),
    "detector": (
        lambda: SlidingDetectorTask(backbone="resnet18", weights=None, num_classes=3, window=64, background="class_2"),
        None,
    ),
}


LARGE: dict[str, tuple[Any, tuple[int, int] | None]] = {
    "deeplabv3plus": (
        lambda: SmpTask(arch="deeplabv3plus", encoder_name="resnet18", encoder_weights=None, num_classes=3),
        (64, 64),
    ),
    "unet of smp with mobilenet": (
        lambda: SmpTask(arch="unet", encoder_name="mobilenet_v2", encoder_weights=None, num_classes=1),
        (64, 64),
    ),
    "convnext": (lambda: TimmClassifierTask(arch="convnext_atto", weights=None, num_classes=5), (64, 64)),
    "vgg16": (lambda: SlidingDetectorTask(backbone="vgg16", weights="numpy:0", freeze_encoder=False), None),
}
"""What takes longer."""


def pictures() -> list[tuple[str, Array]]:
    generator = np.random.default_rng(0)
    return [(f"{n}", generator.integers(0, 256, (70 + 9 * n, 111, 3), dtype=np.uint8)) for n in range(4)]


ALL = TASKS | LARGE


def made(name: str) -> Any:
    torch.manual_seed(0)
    task = ALL[name][0]().eval()
    # The answers of a network that has learned nothing are all alike.
    for norm in (module for module in task.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        assert norm.running_var is not None
        norm.running_var.uniform_(0.3, 0.6)
    task.inference = task.make_inference({"threshold": 0.3} if task.prediction is BoxPrediction else {})
    return task


def compared(name: str, task: Any, draft_of: Callable[[nn.Module], Any]) -> Differences:
    kind, size, shown = kind_of(task), ALL[name][1], several_sizes(pictures())

    def draft(inference: Any) -> Any:
        return draft_of(whole_job(task, size, inference).eval())

    merging = None
    if kind == "boxes":
        unmerged = replace(task.inference, merge="none")
        merging = Remerging(
            lambda: draft(unmerged), lambda picture: reference_answer(task, size, unmerged, picture), task.inference
        )
    answer = draft(task.inference).answer
    return compare(
        kind, shown, lambda picture: reference_answer(task, size, task.inference, picture), answer, 0.3, merging
    )


@dataclass
class Untraced:
    """The job as it is, in place of a file."""

    kind: Kind
    job: nn.Module

    def answer(self, images: Array) -> dict[str, Any]:
        with torch.inference_mode():
            values = self.job(torch.from_numpy(images))
        return dict(zip(OUTPUTS[self.kind], (value.numpy() for value in values), strict=True))


@pytest.mark.parametrize("name", TASKS)
def test_it_answers_as_prediction_does_at_any_size(name: str) -> None:
    task = made(name)
    found = compared(name, task, partial(Untraced, kind_of(task)))
    assert found.is_small, found.describe(kind_of(task))
    assert found.pictures == 4 + 4 + 1 + 3


@pytest.mark.slow
@pytest.mark.parametrize("name", [*TASKS, *LARGE])
def test_as_onnx_it_answers_as_prediction_does_at_any_size(name: str) -> None:
    task, size = made(name), ALL[name][1]
    outputs = OUTPUTS[kind_of(task)]
    further = {"image_size": torch.tensor(size)} if size is not None and kind_of(task) == "masks" else {}
    found = compared(name, task, lambda job: OnnxDraft(as_onnx(traced(job, *further.values()), further, outputs)))
    assert found.is_small, found.describe(kind_of(task))
    assert found.pictures == 4 + 4 + 1 + 3


@pytest.mark.parametrize("merge", ["fusion", "nms", "none"])
def test_a_picture_without_objects_has_none(merge: Any) -> None:
    """As ONNX, whose threshold can be given with the pictures."""
    task = made("detector")
    job = whole_job(task, None, replace(task.inference, merge=merge))
    further = {"threshold": torch.tensor(0.3)}
    draft = OnnxDraft(as_onnx(traced(job, *further.values()), further, OUTPUTS["boxes"]))
    images = np.stack([pictures()[0][1]] * 2)
    given = draft.answer(images, threshold=np.array(2.0, np.float32))
    assert [given[name].shape for name in ("picture", "boxes", "scores", "labels")] == [(0,), (0, 4), (0,), (0,)]
    assert len(draft.answer(images)["boxes"]) > 0


def test_another_size_can_be_asked_for() -> None:
    task = UNetTask(num_classes=3, width=4, depth=2).eval()
    job, picture = whole_job(task, (16, 16), task.inference), pictures()[0][1]
    wanted = reference_answer(task, (24, 40), task.inference, picture)
    with torch.inference_mode():
        mask, probs, *_ = job(torch.from_numpy(picture[None]), torch.tensor([24, 40]))
    assert np.array_equal(mask.numpy(), wanted["mask"])
    np.testing.assert_allclose(probs.numpy(), wanted["probs"], atol=1e-5)


def test_a_threshold_is_kept() -> None:
    task = UNetTask(num_classes=1, width=4, depth=2).eval()
    inference, picture = task.make_inference({"threshold": 0.9}), pictures()[0][1]
    wanted = reference_answer(task, (16, 16), inference, picture)
    with torch.inference_mode():
        mask, probs, confidence, _ = whole_job(task, (16, 16), inference)(torch.from_numpy(picture[None]))
    assert np.array_equal(mask.numpy(), wanted["mask"])
    assert np.array_equal(mask[0].numpy(), (probs[0, 1] >= 0.9).numpy())
    np.testing.assert_allclose(confidence.numpy(), wanted["confidence"], atol=1e-5)


def test_what_is_no_task_of_masks_labels_or_boxes_is_refused() -> None:
    with pytest.raises(ConfigError, match="Linear gives neither masks nor labels nor boxes"):
        whole_job(torch.nn.Linear(1, 1), None, None)


def test_single_windows_cannot_be_exported() -> None:
    task = TASKS["detector"][0]()
    with pytest.raises(ConfigError, match="detector crops cannot be exported"):
        whole_job(task, None, task.make_inference({"detector": "crops"}))
