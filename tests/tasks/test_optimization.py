import io
from copy import deepcopy
from typing import Any

import pytest
import timm.optim
import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, PolynomialLR, StepLR

from lightning_seg.errors import ConfigError
from lightning_seg.tasks.optimization import (
    constant,
    cosine,
    create_optimizer,
    create_schedule,
    one_cycle,
    parameter_groups,
    poly,
)


class SmallNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.encoder_of_nothing = nn.Linear(2, 2, bias=False)
        self.head = nn.ConvTranspose2d(4, 3, 3)


def sgd(lr: float = 0.5) -> torch.optim.SGD:
    return torch.optim.SGD([nn.Parameter(torch.zeros(2, 2))], lr=lr)


def walk(schedule: LRScheduler, num_steps: int) -> list[float]:
    """The rate of each of the following steps, and the one after them."""
    rates = [float(schedule.get_last_lr()[0])]
    for _ in range(num_steps):
        schedule.optimizer.step()
        schedule.step()
        rates.append(float(schedule.get_last_lr()[0]))
    return rates


def shape_of(name: str, total_steps: int, num_steps: int, **options: Any) -> list[float]:
    return walk(create_schedule(name, sgd(), total_steps, options), num_steps)


# Shapes by hand


def test_constant_stays() -> None:
    assert [constant(0.0), constant(0.5), constant(1.0)] == [1, 1, 1]


@pytest.mark.parametrize(("progress", "factor"), [(0, 0.04), (0.15, (0.04 + 1) / 2), (0.3, 1), (0.65, 0.5), (1, 0)])
def test_one_cycle_by_hand(progress: float, factor: float) -> None:
    assert one_cycle(progress) == pytest.approx(factor, abs=1e-12)


def test_one_cycle_reads_its_options() -> None:
    factors = [one_cycle(progress, warmup=0.5, start=0.2, end=0.1) for progress in (0, 0.25, 0.5, 0.75, 1)]
    assert factors == pytest.approx([0.2, 0.6, 1, 0.55, 0.1])


@pytest.mark.parametrize(("progress", "factor"), [(0, 0), (0.02, 0.4), (0.05, 1), (0.525, 0.5), (1, 0)])
def test_cosine_by_hand(progress: float, factor: float) -> None:
    assert cosine(progress) == pytest.approx(factor, abs=1e-12)


def test_cosine_reads_its_options() -> None:
    # cos(60 degrees) = 1/2, so a third of the way leaves three quarters of the height.
    assert [cosine(progress, warmup=0, end=0.2) for progress in (0, 1 / 3, 1)] == pytest.approx([1, 0.8, 0.2])


def test_poly_by_hand() -> None:
    assert [poly(0.0), poly(0.75, power=0.5), poly(0.5, power=2), poly(1.0)] == pytest.approx([1, 0.5, 0.25, 0])
    # 2 ** -0.9
    assert poly(0.5) == pytest.approx(0.5358867)


# Schedules


def test_one_cycle_is_that_of_torch() -> None:
    # torch divides the way by its steps less one, and its warm-up ends one step early: 4 of 11 is our 3 of 10.
    expected = OneCycleLR(sgd(), max_lr=0.5, total_steps=11, pct_start=4 / 11, cycle_momentum=False)

    rates = shape_of("one_cycle", 10, 10, end=1 / 25 / 1e4)

    assert rates == pytest.approx(walk(expected, 10))
    assert max(rates) == rates[3] == 0.5


def test_poly_is_that_of_torch() -> None:
    assert shape_of("poly", 8, 8, power=0.9) == pytest.approx(walk(PolynomialLR(sgd(), 8, power=0.9), 8))


def test_cosine_falls_from_the_rate_to_zero_after_its_warmup() -> None:
    rates = shape_of("cosine", 20, 20, warmup=0.1)
    assert rates[:3] == pytest.approx([0, 0.25, 0.5])
    assert rates[11] == pytest.approx(0.25)
    assert rates[20] == pytest.approx(0)


def test_rate_behind_the_end_is_that_of_the_end() -> None:
    assert shape_of("one_cycle", 4, 6, end=0.5)[4:] == pytest.approx([0.25, 0.25, 0.25])


def test_every_group_keeps_its_own_rate() -> None:
    optimizer = torch.optim.SGD([{"params": [torch.zeros(1)], "lr": rate} for rate in (0.1, 0.01)])
    schedule = create_schedule("poly", optimizer, 4, {"power": 1})
    walk(schedule, 1)
    assert schedule.get_last_lr() == pytest.approx([0.075, 0.0075])


def test_resumed_schedule_may_have_another_length() -> None:
    first = create_schedule("poly", sgd(), 10, {"power": 1})
    assert walk(first, 5)[-1] == pytest.approx(0.25)

    second = create_schedule("poly", sgd(), 20, {"power": 1})
    second.load_state_dict(first.state_dict())

    # 6 and 7 of 20 steps are done.
    assert walk(second, 2)[1:] == pytest.approx([0.5 * 14 / 20, 0.5 * 13 / 20])


def test_state_of_a_schedule_is_plain() -> None:
    file = io.BytesIO()
    torch.save(create_schedule("one_cycle", sgd(), 10, {}).state_dict(), file)
    file.seek(0)
    assert torch.load(file, weights_only=True)["base_lrs"] == [0.5]


def test_classes_of_torch_are_schedules_too() -> None:
    schedule = create_schedule("StepLR", sgd(), 10, {"step_size": 2, "gamma": 0.1})
    assert isinstance(schedule, StepLR)
    assert walk(schedule, 4) == pytest.approx([0.5, 0.5, 0.05, 0.05, 0.005])


@pytest.mark.parametrize(
    ("name", "nearest"), [("one_cycel", "one_cycle"), ("StepLr", "StepLR"), ("CosineLR", "CosineAnnealingLR")]
)
def test_unknown_schedule_names_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(ConfigError, match=f"^schedule '{name}' does not exist; the nearest names are .*{nearest}"):
        create_schedule(name, sgd(), 10, {})


def test_base_classes_are_no_choice() -> None:
    with pytest.raises(ConfigError, match="'LRScheduler' does not exist"):
        create_schedule("LRScheduler", sgd(), 10, {})
    with pytest.raises(ConfigError, match="'Optimizer' does not exist"):
        create_optimizer("Optimizer", [{"params": [nn.Parameter(torch.zeros(2))]}], 0.1, {})


@pytest.mark.parametrize("name", ["one_cycle", "StepLR"])
def test_unknown_option_of_a_schedule_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"schedule '{name}' does not accept .*'warmpu'"):
        create_schedule(name, sgd(), 10, {"warmpu": 0.1})


# Optimisers


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("AdamW", torch.optim.AdamW),
        ("sgd", torch.optim.SGD),
        ("SGD", torch.optim.SGD),
        ("lamb", timm.optim.Lamb),
    ],
)
def test_optimizers_of_timm_and_of_torch(name: str, kind: type) -> None:
    groups = [{"params": [nn.Parameter(torch.zeros(2))], "lr": rate, "weight_decay": rate / 2} for rate in (0.1, 0.2)]

    optimizer = create_optimizer(name, groups, 0.1, {})

    assert type(optimizer) is kind
    assert [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups] == [(0.1, 0.05), (0.2, 0.1)]


@pytest.mark.parametrize("name", ["adam", "adamw", "Adam", "AdamW"])
def test_adam_in_one_pass_does_what_the_paper_says(name: str) -> None:
    weight = nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))
    optimizer = create_optimizer(name, [{"params": [weight], "weight_decay": 0.1}], 0.01, {})
    assert optimizer.param_groups[0]["fused"]
    expected = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    first, second = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for step, values in enumerate(([0.3, -0.1, 0.0], [0.1, 0.2, 1.0], [-0.5, 0.4, 0.2]), start=1):
        weight.grad = torch.tensor(values)
        optimizer.step()
        gradient = torch.tensor(values, dtype=torch.float64)
        if name.lower() == "adam":
            gradient = gradient + 0.1 * expected
        else:
            expected = expected - 0.01 * 0.1 * expected
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        expected = expected - 0.01 * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
    torch.testing.assert_close(weight.detach(), expected.float())


@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [("adamw", {"foreach": False}, None), ("Adam", {"fused": False}, False), ("sgd", {}, None)],
)
def test_a_way_that_is_chosen_stays_and_others_have_none(name: str, options: dict[str, Any], kind: object) -> None:
    optimizer = create_optimizer(name, [{"params": [nn.Parameter(torch.zeros(2))]}], 0.1, options)
    assert optimizer.param_groups[0]["fused"] is kind


def test_what_the_loop_of_torch_has_learned_goes_on_in_it() -> None:
    weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    before = torch.optim.Adam([weight], 0.1)
    weight.grad = torch.tensor([0.5, 0.1])
    before.step()
    other = nn.Parameter(weight.detach().clone())
    after = create_optimizer("adam", [{"params": [other]}], 0.1, {})
    after.load_state_dict(deepcopy(before.state_dict()))
    other.grad = weight.grad.clone()
    before.step()
    after.step()
    assert not after.param_groups[0]["fused"]
    assert torch.equal(other, weight)


def test_weights_that_are_not_float32_keep_the_way_of_torch() -> None:
    weight = nn.Parameter(torch.zeros(2, dtype=torch.bfloat16))
    assert not create_optimizer("adamw", [{"params": [weight]}], 0.1, {}).param_groups[0]["fused"]


@pytest.mark.parametrize("name", ["adamw", "AdamW"])
def test_options_reach_the_optimizer(name: str) -> None:
    groups = [{"params": [nn.Parameter(torch.zeros(2))]}]

    (group,) = create_optimizer(name, groups, 0.25, {"betas": (0.5, 0.75)}).param_groups

    assert (group["lr"], group["betas"]) == (0.25, (0.5, 0.75))


@pytest.mark.parametrize(("name", "nearest"), [("adamww", "adamw"), ("AdamWW", "AdamW"), ("lambda", "lamb")])
def test_unknown_optimizer_names_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(ConfigError, match=f"^optimizer '{name}' does not exist; the nearest names are .*{nearest}"):
        create_optimizer(name, [{"params": [nn.Parameter(torch.zeros(2))]}], 0.1, {})


@pytest.mark.parametrize("name", ["adamw", "AdamW"])
def test_unknown_option_of_an_optimizer_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"optimizer '{name}' does not accept .*'beta'"):
        create_optimizer(name, [{"params": [nn.Parameter(torch.zeros(2))]}], 0.1, {"beta": 0.9})


# Groups


def test_biases_and_norm_layers_do_not_decay_and_the_encoder_has_its_own_rate() -> None:
    net = SmallNet()
    conv, norm = net.encoder

    groups = parameter_groups(net, lr=0.1, weight_decay=0.01, encoder_lr_factor=0.5)

    found = {(group["lr"], group["weight_decay"]): [id(parameter) for parameter in group["params"]] for group in groups}
    assert len(groups) == 4
    assert found == {
        (0.05, 0.01): [id(conv.weight)],
        (0.05, 0.0): [id(conv.bias), id(norm.weight), id(norm.bias)],
        (0.1, 0.01): [id(net.encoder_of_nothing.weight), id(net.head.weight)],
        (0.1, 0.0): [id(net.head.bias)],
    }


def test_factor_of_one_leaves_one_rate() -> None:
    assert {group["lr"] for group in parameter_groups(SmallNet(), lr=0.1, weight_decay=0.0)} == {0.1}
