"""What TensorBoard shows of runs: arguments, rates and tests, read back by its own readers."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups
from torch import nn

from lightning_seg.__main__ import main
from lightning_seg.arguments.own_flags import check_flags
from lightning_seg.callbacks.hyper_parameters import arguments_of, plain_values
from lightning_seg.callbacks.learning_rates import LearningRates, rates_of
from lightning_seg.callbacks.measured_step import newest_step
from lightning_seg.cli.sources import describe_sources
from lightning_seg.commands.compare import formats_of
from lightning_seg.errors import ConfigError
from lightning_seg.models.mobilenetv2_unet import MobileNetV2UNet
from lightning_seg.runs import find_run
from lightning_seg.tasks.optimization import parameter_groups
from tests.trainer.small_runs import write_small

STEPS = 3
"""Of an epoch."""


@pytest.fixture(scope="module")
def runs(flowers_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs in one folder; the second is continued, validated and tested."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("tensorboard")
        patch.chdir(folder)
        config = write_small(flowers_root)
        assert main(["fit", "--config", str(config)]) == 0
        own = ["--seed_everything", "7", "--model.encoder_lr_factor", "0.5", "--trainer.gradient_clip_val", "1"]
        assert (
            main(["fit", "--config", str(config), *own, "--trainer.log_every_n_steps", "1", "--plots", "svg,pdf"]) == 0
        )
        assert main(["fit", "--run", "runs/small/version_1", "--trainer.max_epochs", "2"]) == 0
        assert main(["test", "--run", "runs/small/version_1/checkpoints/last.ckpt"]) == 0
        return folder / "runs" / "small"


def rows_of(folder: Path) -> dict[str, Any]:
    """What the tab HParams shows: rows by the name of the run."""
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(folder))
    context = backend_context.Context(TBContext(data_provider=provider, logdir=str(folder)))
    request = api_pb2.ListSessionGroupsRequest(slice_size=100, include_metrics=True, allowed_statuses=[0, 1, 2, 3])
    found = list_session_groups.Handler(RequestContext(), context, "", request).run().session_groups
    assert all(len(group.sessions) == 1 for group in found)
    assert len({group.name for group in found}) == len(found)
    return {group.name: group for group in found}


def values_in(row: Any) -> dict[str, Any]:
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in row.hparams.items()}


def curves_of(run: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(run))
    events.Reload()
    return {name: [(one.step, one.value) for one in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_each_run_has_one_row_with_its_arguments(runs: Path) -> None:
    rows = rows_of(runs)
    assert set(rows) == {"version_0", "version_1"}
    first, second = (values_in(rows[name]) for name in sorted(rows))
    given = {
        "model": "CNNClassifierTask",
        "model.lr": 0.001,
        "model.optimizer": "adam",
        "model.class_names": "daisy, dandelion, roses, sunflowers, tulips",
        "data": "FlowersDataModule",
        "data.batch_size": 6,
        "data.image_size": 32,
        "seed_everything": 0,
        "trainer.max_epochs": 1,
    }
    assert first.items() >= given.items()
    assert second.items() >= {**given, "seed_everything": 7, "model.encoder_lr_factor": 0.5}.items()
    # Of the trainer what is not as always; nothing that is not set.
    assert (second["trainer.gradient_clip_val"], "trainer.gradient_clip_val" in first) == (1, False)
    assert "model.optimizer_options" not in first


def test_rows_have_what_was_measured_and_no_placeholder(runs: Path) -> None:
    for name, row in rows_of(runs).items():
        values = {metric.name.tag: (metric.value, metric.training_step) for metric in row.metric_values}
        with (runs / name / "metrics.csv").open(newline="") as file:
            logged = [float(one["val/accuracy"]) for one in csv.DictReader(file) if one["val/accuracy"]]
        assert values["val/accuracy"][0] == pytest.approx(logged[-1])
        assert {"train/loss", "val/loss"} <= values.keys()
        assert "hp_metric" not in values
        assert ("test/accuracy" in values) == (name == "version_1")


def test_one_run_alone_has_its_row(runs: Path) -> None:
    (row,) = rows_of(runs / "version_1").values()
    assert values_in(row)["seed_everything"] == 7


def test_a_logger_of_lightning_has_no_placeholder_either(
    flowers_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    logger = {"class_path": "TensorBoardLogger", "init_args": {"save_dir": "logs"}}
    assert main(["fit", "--config", str(write_small(flowers_root, logger=logger))]) == 0
    (row,) = rows_of(tmp_path / "logs").values()
    assert {"val/accuracy"} < {metric.name.tag for metric in row.metric_values}
    assert "hp_metric" not in {metric.name.tag for metric in row.metric_values}


def test_arguments_are_called_as_they_are_typed() -> None:
    config = {
        "seed_everything": 1,
        "model": {"class_path": "own.Net", "init_args": {"lr": 0.1, "sizes": [1, 2], "options": {"a": 1}}},
        "data": {"class_path": "own.Data", "init_args": {"seed": 3, "mixing": None, "names": []}},
        "trainer": {"max_epochs": 2, "max_steps": -1, "callbacks": [{"class_path": "a.Timer", "init_args": {}}]},
    }
    assert plain_values(arguments_of(config)) == {
        "seed_everything": 1,
        "model": "Net",
        "model.lr": 0.1,
        "model.sizes": "1, 2",
        "model.options": '{"a": 1}',
        "data": "Data",
        "data.seed": 3,
        "trainer.max_epochs": 2,
        "trainer.callbacks": "Timer",
    }


# Rates


class Falling(pl.LightningModule):
    """Whose rate is halved after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        loss: torch.Tensor = self.layer(batch).sum()
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.log("val/loss", self.layer(batch).sum())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), 1.0)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def test_rates_are_logged_at_every_step_that_is_logged(runs: Path) -> None:
    # 50 steps lie between two logged ones, and an epoch has three: its last one is logged with the epoch.
    first = curves_of(runs / "version_0")
    ((step, rate),) = first["lr"]
    assert step == STEPS - 1
    assert rate == pytest.approx(0.001)
    assert {step for step, _ in first["train/loss"]} == {STEPS - 1}
    second = curves_of(runs / "version_1")
    assert [step for step, _ in second["lr/encoder"]] == [step for step, _ in second["lr/head"]] == list(range(6))
    assert second["lr/encoder"][0][1] == pytest.approx(0.5 * second["lr/head"][0][1])
    assert not [name for name in {*first, *second} if "pg" in name or name.startswith("lr-")]


def test_the_table_has_the_same_rates(runs: Path) -> None:
    with (runs / "version_1" / "metrics.csv").open(newline="") as file:
        rows = [(int(row["step"]), float(row["lr/encoder"])) for row in csv.DictReader(file) if row["lr/encoder"]]
    np.testing.assert_allclose(rows, curves_of(runs / "version_1")["lr/encoder"], rtol=1e-6)


def told(optimizers: Sequence[torch.optim.Optimizer], names: dict[nn.Parameter, str]) -> dict[str, float]:
    """What is logged of their rates as they are."""
    values = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    return rates_of(optimizers, values, names)


def rates(network: nn.Module, factor: float) -> dict[str, float]:
    groups = parameter_groups(network, 0.01, 0.1, factor)
    names = {parameter: f"model.{name}" for name, parameter in network.named_parameters()}
    return told([torch.optim.SGD(groups, 0.01)], names)


def test_parts_of_a_network_have_their_names() -> None:
    network = MobileNetV2UNet(num_classes=2)
    assert rates(network, 1.0) == {"lr": 0.01}
    assert rates(network, 0.1) == {"lr/encoder": pytest.approx(0.001), "lr/decoder": 0.01}


def test_layers_with_rates_of_their_own_are_told_by_their_names() -> None:
    network = nn.ModuleDict({"encoder": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), "head": nn.Linear(2, 2)})
    names = {parameter: f"model.{name}" for name, parameter in network.named_parameters()}
    groups: list[dict[str, Any]] = [
        {"params": parameters, "lr": rate}
        for rate, module in ((0.1, network["encoder"][0]), (0.2, network["encoder"][1]), (0.3, network["head"]))  # type: ignore[index]
        for parameters in module.parameters()
    ]
    assert told([torch.optim.SGD(groups)], names) == {"lr/encoder.0": 0.1, "lr/encoder.1": 0.2, "lr/head": 0.3}


def test_layers_of_several_modules_are_told_by_their_first_parameter() -> None:
    """As those of a vision transformer, whose last layer holds the norm behind the blocks."""
    parts = ("cls_token", "patch.weight", "blocks.0.weight", "blocks.1.weight", "norm.weight")
    named = [*(f"model.encoder.{part}" for part in parts), "model.head.weight"]
    names = {nn.Parameter(torch.zeros(1)): name for name in named}
    token, patch, first, last, norm, head = names
    layers = (([token, patch], 0.1), ([first], 0.2), ([last, norm], 0.3), ([head], 0.4))
    optimizer = torch.optim.SGD([{"params": parameters, "lr": rate} for parameters, rate in layers])
    expected = {"lr/encoder.cls_token": 0.1, "lr/encoder.blocks.0": 0.2, "lr/encoder.blocks.1": 0.3}
    assert told([optimizer], names) == {**expected, "lr/head": 0.4}


def test_names_of_groups_and_several_optimizers_are_told() -> None:
    one, other = nn.Linear(2, 2), nn.Linear(2, 2)
    groups: list[dict[str, Any]] = [
        {"params": one.parameters(), "name": "body"},
        {"params": other.parameters(), "lr": 3.0},
    ]
    named = torch.optim.SGD(groups, 1.0)
    names = {
        parameter: f"{part}.{name}"
        for part, module in (("one", one), ("other", other))
        for name, parameter in module.named_parameters()
    }
    assert told([named], names) == {"lr/body": 1.0, "lr/other": 3.0}
    both = [torch.optim.SGD(one.parameters(), 1.0), torch.optim.Adam(other.parameters(), 2.0)]
    assert told(both, names) == {"lr/SGD": 1.0, "lr/Adam": 2.0}
    # Two of one class, and groups of one part that step differently.
    again = [torch.optim.SGD(one.parameters(), 1.0), torch.optim.SGD(other.parameters(), 2.0)]
    assert told(again, names) == {"lr/SGD": 1.0, "lr/SGD-2": 2.0}


@pytest.mark.parametrize(("accumulated", "every", "steps"), [(1, 2, [1, 2, 3, 4]), (2, 1, [0, 1, 2]), (1, 50, [2, 4])])
def test_rates_of_cut_epochs_and_halves_are_logged_once(
    accumulated: int, every: int, steps: list[int], tmp_path: Path
) -> None:
    """Eight batches an epoch, validated after three of them; the training ends after five steps, or three of two."""
    logger = CSVLogger(tmp_path, "", "")
    trainer = pl.Trainer(
        logger=logger,
        accelerator="cpu",
        max_steps=5 if accumulated == 1 else 3,
        accumulate_grad_batches=accumulated,
        val_check_interval=3,
        log_every_n_steps=every,
        callbacks=[LearningRates()],
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    loader: Any = torch.utils.data.DataLoader(torch.ones(8, 1))  # type: ignore[arg-type]
    trainer.fit(Falling(), loader, loader)
    with (tmp_path / "metrics.csv").open(newline="") as file:
        logged = [(int(row["step"]), float(row["lr"])) for row in csv.DictReader(file) if row["lr"]]
    # The rate of a step is the one that it was made with.
    assert logged == [(step, 0.5**step) for step in steps]


# Plots


def test_formats_that_replace_those_of_a_run_are_told(runs: Path) -> None:
    run = find_run(runs / "version_1")
    *_, line = describe_sources(run, run.checkpoint("best"), {"plots": "png"}, continues=False)
    assert "plots png instead of svg,pdf" in line


def test_all_plots_of_a_run_have_the_formats_that_were_asked_for(runs: Path) -> None:
    """The second run was continued and tested without the flag, which stands in its config."""
    drawn = {"curves", "confusion_matrix_val", *(f"samples/epoch_{epoch:03d}" for epoch in range(3))}
    tested = {"confusion_matrix_test", "reliability_test", "errors_test"}
    found = {str(path.relative_to(runs / "version_1")) for path in (runs / "version_1").rglob("*")}
    plots = {name for name in found if Path(name).suffix in (".png", ".svg", ".pdf")}
    assert plots == {f"{name}.{kind}" for name in drawn | tested for kind in ("svg", "pdf")}
    found = {str(path.relative_to(runs / "version_0")) for path in (runs / "version_0").rglob("*")}
    assert {name for name in found if Path(name).suffix in (".png", ".svg", ".pdf")} == {
        *("curves.png", "confusion_matrix_val.png", "samples/epoch_000.png", "samples/epoch_001.png")
    }


def test_curves_of_a_run_have_the_unit_of_its_loss(runs: Path) -> None:
    text = (runs / "version_1" / "curves.svg").read_text()
    assert ">loss (nats)</text>" in text
    assert ">accuracy (0 to 1)</text>" in text
    assert ">epochs</text>" in text


def test_formats_that_do_not_exist_are_refused_and_those_of_variants_added_up() -> None:
    with pytest.raises(ConfigError, match="plots gif: 'gif' is no format of a plot; give png, svg or pdf"):
        check_flags({"plots": "gif"})
    assert formats_of([{"plots": "svg"}, {"plots": None}, {"plots": "svg,pdf"}, {}]) == ("svg", "png", "pdf")
    assert formats_of([{"plots": "svg"}] * 2) == ("svg",)


# Tests


def test_a_test_stands_at_the_step_of_its_checkpoint(runs: Path) -> None:
    curves = curves_of(runs / "version_1")
    assert [step for step, _ in curves["test/accuracy"]] == [2 * STEPS - 1]
    assert curves["val/accuracy"][-1][0] == 2 * STEPS - 1
    # The curve of epochs does not fall back either.
    assert {value for step, value in curves["epoch"] if step == 2 * STEPS - 1} == {1.0}
    assert {path.name for path in runs.iterdir()} == {"version_0", "version_1"}
    with (runs / "version_1" / "metrics.csv").open(newline="") as file:
        assert [row["step"] for row in csv.DictReader(file) if row["test/accuracy"]] == [str(2 * STEPS - 1)]


def test_pictures_of_a_test_stand_there_too(runs: Path) -> None:
    events = EventAccumulator(str(runs / "version_1"))
    events.Reload()
    steps = {name: [one.step for one in events.Images(name)] for name in events.Tags()["images"]}
    assert steps["confusion_matrix/test"] == [2 * STEPS - 1]
    assert steps["confusion_matrix/val"] == [STEPS - 1, 2 * STEPS - 1]


@pytest.mark.parametrize(
    ("done", "counted", "newest"),
    [
        pytest.param(12, 11, 11, id="after a validation"),
        pytest.param(12, 12, 11, id="after an epoch"),
        pytest.param(24, 11, 11, id="of two optimisers"),
        pytest.param(12, None, 11, id="without loops"),
        pytest.param(0, 0, None, id="before training"),
    ],
)
def test_the_newest_step_of_a_checkpoint(done: int, counted: int | None, newest: int | None) -> None:
    loops = {} if counted is None else {"fit_loop": {"epoch_loop.state_dict": {"_batches_that_stepped": counted}}}
    assert newest_step({"global_step": done, "loops": loops}) == newest
    assert newest_step({"state_dict": {}}) is None
