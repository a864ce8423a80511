"""Nothing in a step waits for the device: seen without one, on tensors that have a shape and a device but no numbers.

What asks such a tensor for a number, or makes something whose shape depends on numbers, is an error there. Every such
question lets the host wait for a CUDA device. tests/test_gpu.py asks torch the same on a card.
"""

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torchmetrics import Metric

from lightning_seg import CNNClassifierTask, MobileNetV2UNetTask, SlidingDetectorTask, TimmClassifierTask, UNetTask
from lightning_seg.tasks.optimization import create_optimizer, parameter_groups
from lightning_seg.tasks.supervised import SupervisedTask

WAITS = (DataDependentOutputException, DynamicOutputShapeException)
ATEN = torch.ops.aten


class NoNumbersFromTheHost(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Python numbers that become a tensor are copied to the device, from memory that is not pinned."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in (ATEN.lift_fresh, ATEN.lift):
            raise AssertionError("numbers of the host are copied to the device")
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket is ATEN._to_copy:
            assert result.device == args[0].device, f"a copy from {args[0].device} to {result.device}"
        return result


def pets() -> SupervisedTask:
    return MobileNetV2UNetTask(encoder_weights=None, freeze_encoder=False, freeze_encoder_norm=True, dice_weight=1.0)


def carvana() -> SupervisedTask:
    return UNetTask(width=4, depth=2, dice_weight=1.0)


def flowers() -> SupervisedTask:
    return CNNClassifierTask(image_size=32, dropout=0.2)


def dogs() -> SupervisedTask:
    return TimmClassifierTask("resnet50", None, num_classes=12, label_smoothing=0.1)


def detector() -> SupervisedTask:
    return SlidingDetectorTask("mobilenet_v2", None, num_classes=12, freeze_encoder=False)


TASKS = [pets, carvana, flowers, dogs, detector]


def batch_for(task: SupervisedTask, mixed: bool = False) -> dict[str, Any]:
    """Pictures and what is true of them."""
    side = 224 if isinstance(task, SlidingDetectorTask) else 32
    images = torch.zeros(4, 3, side, side, dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    batch: dict[str, Any] = {"image": images}
    if isinstance(task, MobileNetV2UNetTask | UNetTask):
        batch["mask"] = torch.zeros(4, side, side, dtype=torch.uint8)
        if mixed:
            batch |= {"mask_b": torch.zeros_like(batch["mask"]), "lam": torch.ones(4)}
    elif mixed:
        batch["label"] = torch.zeros(4, task.hparams["num_classes"])
    else:
        batch["label"] = torch.zeros(4, dtype=torch.int64)
    return batch


def empty(tensor: Tensor) -> Tensor:
    """Without numbers, on the device of the context."""
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)


def without_numbers(task: SupervisedTask) -> SupervisedTask:
    """Weights, buffers and what metrics count, of the shapes that they had."""
    for module in task.modules():
        for name, parameter in module.named_parameters(recurse=False):
            module._parameters[name] = nn.Parameter(empty(parameter), parameter.requires_grad)
        for name, buffer in module.named_buffers(recurse=False):
            module._buffers[name] = empty(buffer)
        states = module.metric_state if isinstance(module, Metric) else {}
        for name, value in states.items():
            assert isinstance(value, Tensor)
            setattr(module, name, empty(value))
    return task


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("make", TASKS)
def test_no_step_asks_for_a_number(make: Callable[[], SupervisedTask], mixed: bool) -> None:
    task = make()
    with FakeTensorMode(), torch.device("cuda"):
        batch = batch_for(without_numbers(task), mixed)
        with NoNumbersFromTheHost():
            loss = task.training_step(batch, 0)
            task._losses.add(loss, 1)
            assert loss.device.type == "cuda"
            task.eval()
            task.validation_step(batch if not mixed else batch_for(task), 0)


@pytest.mark.parametrize("make", TASKS)
def test_neither_backward_nor_the_optimiser_asks_for_a_number(make: Callable[[], SupervisedTask]) -> None:
    """Where they are computed makes no difference; without a driver torch takes nothing but the host for it."""
    task = make()
    with FakeTensorMode():
        without_numbers(task)
        groups = parameter_groups(task.model, 0.1, 0.01, 0.1)
        optimizer = create_optimizer("adamw", groups, 0.1, {}, fused=True)
        for _ in range(2):
            loss = task.training_step(batch_for(task), 0)
            with NoNumbersFromTheHost():
                loss.backward()  # type: ignore[no-untyped-call]
                norm = torch.nn.utils.clip_grad_norm_(task.parameters(), 1.0)
            assert isinstance(norm, FakeTensor)
            optimizer.step()
        trained = [weight for group in optimizer.param_groups for weight in group["params"] if weight.requires_grad]
        assert trained
        assert all(weight.grad is not None and "exp_avg" in optimizer.state[weight] for weight in trained)


@pytest.mark.parametrize("weights", [[1.0, 2.0, 3.0], [0.5] * 5])
def test_class_weights_are_on_the_device_before_a_step_needs_them(weights: list[float]) -> None:
    task = UNetTask(3, 4, 2, class_weights=weights) if len(weights) == 3 else flowers_with(weights)
    with FakeTensorMode(), torch.device("cuda"):
        batch = batch_for(without_numbers(task))
        with NoNumbersFromTheHost():
            loss = task.training_step(batch, 0)
        assert (loss.device.type, loss.shape) == ("cuda", ())


def flowers_with(weights: list[float]) -> SupervisedTask:
    return CNNClassifierTask(image_size=32, class_weights=weights)


@pytest.mark.parametrize(
    "ask",
    [
        lambda values: values.sum().item(),
        lambda values: bool(values.any()),
        lambda values: values[values > 0],
        lambda values: values.nonzero(),
        lambda values: values.bincount(minlength=9),
        lambda values: values.tolist(),
    ],
)
def test_the_check_sees_a_question(ask: Callable[[Tensor], Any]) -> None:
    with FakeTensorMode(), torch.device("cuda"), pytest.raises(WAITS):
        ask(torch.zeros(9, dtype=torch.int64))


def test_the_check_sees_numbers_of_the_host() -> None:
    with FakeTensorMode(), torch.device("cuda"):
        values = torch.zeros(9)
        with NoNumbersFromTheHost():
            for ask in (lambda: torch.tensor([1.0, 2.0]), lambda: values.new_tensor(3), values.cpu):
                with pytest.raises(AssertionError, match=r"copied to the device|a copy from"):
                    ask()  # type: ignore[no-untyped-call]
