"""The overrides that help a training, through the command line: what each of them does, not only that it runs."""

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_seg import CNNClassifierTask, FlowersDataModule
from lightning_seg.__main__ import main
from lightning_seg.callbacks import StochasticWeightAverage
from lightning_seg.tasks.resuming import TRAINED
from tests.survival import resuming
from tests.trainer.small_runs import write_small

HERE = "tests.test_training_help"
STEADY = ["--model.optimizer", "SGD", "--model.schedule", "constant", "--data.augment", "false"]
NEARLY_NONE = ["--model.lr", "1e-30"]
"""A rate that changes no weight."""


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fit(root: Path, *words: str, **trainer: Any) -> Path:
    """Three batches of six flowers an epoch, and the folder of their run."""
    config = write_small(root, **trainer)
    assert main(["fit", "--config", str(config), *words, *STEADY]) == 0
    return max(Path("runs/small").iterdir(), key=lambda path: int(path.name.removeprefix("version_")))


def content(run: Path, name: str = "last") -> dict[str, Any]:
    found: dict[str, Any] = torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)
    return found


def metrics(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return found


def override(name: str) -> list[str]:
    return ["--config", f"overrides/{name}"]


def test_accumulated_batches_make_the_step_of_a_large_one(flowers_root: Path) -> None:
    # Three batches of six, of which four would make a step, against one of the same eighteen pictures.
    accumulated = content(fit(flowers_root, *override("accumulate"), max_epochs=2))
    large = content(fit(flowers_root, "--data.batch_size", "18", max_epochs=2))
    assert accumulated["global_step"] == large["global_step"] == 2
    for name, value in large["state_dict"].items():
        assert torch.allclose(value, accumulated["state_dict"][name], rtol=1e-4, atol=1e-6), name


def vector_of(module: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


class Moves(pl.Callback):
    """How far each step moves the weights, over the rate of SGD: the norm of the gradient."""

    norms: ClassVar[list[float]] = []

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.before = vector_of(pl_module)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        moved = vector_of(pl_module) - self.before
        Moves.norms.append(moved.norm().item() / pl_module.hparams["lr"])


def test_clipped_gradients_are_at_most_one_long(flowers_root: Path) -> None:
    Moves.norms = []
    callbacks = [{"class_path": f"{HERE}.Moves"}]
    words = ["--model.lr", "0.5", "--model.class_path", f"{HERE}.Steep"]
    fit(flowers_root, *words, callbacks=callbacks)
    assert len(Moves.norms) == 3
    assert min(Moves.norms[:1]) > 2
    Moves.norms = []
    fit(flowers_root, *words, *override("clip"), callbacks=callbacks)
    assert Moves.norms[0] == pytest.approx(1, rel=1e-3)
    assert max(Moves.norms) <= 1.001


class Steep(CNNClassifierTask):
    """A loss with long gradients."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return 20 * super().training_step(batch, batch_idx)


def test_each_layer_has_its_rate(flowers_root: Path) -> None:
    run = fit(flowers_root, *override("layer_decay"), "--model.lr", "0.1", "--model.encoder_lr_factor", "0.5")
    (state,) = content(run)["optimizer_states"]
    names = [name for name in content(run)["state_dict"] if name.startswith("model.")]
    # Three convolutions, then what is behind the encoder; weights and biases alike.
    assert [name for name in names if name.endswith("weight")] == [
        *(f"model.encoder.{place}.weight" for place in (0, 3, 6)),
        *(f"model.head.{place}.weight" for place in (0, 2)),
    ]
    rates = [group["lr"] for group in state["param_groups"]]
    by_hand = [0.1 * 0.5 * 0.9**3, 0.1 * 0.5 * 0.9**2, 0.1 * 0.5 * 0.9, 0.1]
    assert rates == pytest.approx([rate for rate in by_hand for _ in ("weight", "bias")])
    # What was trained without cannot be gone on with in the same groups, and is said.
    assert main(["fit", "--run", str(run), "--model.layer_decay", "0.8", "--trainer.max_epochs", "2"]) == 0
    rates = [group["lr"] for group in content(run)["optimizer_states"][0]["param_groups"]]
    assert rates[::2] == pytest.approx([0.05 * 0.8**3, 0.05 * 0.8**2, 0.05 * 0.8, 0.1])


def test_layers_that_get_rates_later_let_the_optimiser_start_anew(
    flowers_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = fit(flowers_root, "--model.lr", "0.1")
    assert main(["fit", "--run", str(run), "--model.layer_decay", "0.5", "--trainer.max_epochs", "2"]) == 0
    assert "the optimiser starts anew: its state in the checkpoint belongs to layer_decay 1.0" in caplog.text
    rates = {group["lr"] for group in content(run)["optimizer_states"][0]["param_groups"]}
    assert rates == {0.1, 0.05, 0.025, 0.0125}


class Scored(pl.LightningModule):
    """Its score is best after the third epoch; its weight tells how many epochs it has trained."""

    monitor = ("score", "max")
    scores = (0.1, 0.2, 0.9, 0.3, 0.8, 0.2, 0.4, 0.3, 0.1, 0.95)

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.0))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return -self.weight

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        if not self.trainer.sanity_checking:
            self.log("score", torch.tensor(self.scores[self.current_epoch]), batch_size=1)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.log("epochs", self.weight, batch_size=1)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=1 / 3)


def test_it_stops_five_validations_after_the_best_which_is_tested(flowers_root: Path) -> None:
    config = write_small(flowers_root, max_epochs=10)
    words = ["--config", str(config), "--model", f"{HERE}.Scored"]
    assert main(["fit", *words, *override("early_stopping")]) == 0
    run = Path("runs/small/version_0")
    # Epochs 0 to 2, and five that are not better.
    assert content(run)["epoch"] == 7
    assert metrics(run)["stopped_early"] == 8
    assert content(run, "best")["epoch"] == 2
    assert main(["test", "--run", "runs/small", "--trust_config"]) == 0
    assert metrics(run)["epochs"] == pytest.approx(3)


def answers(run: Path, root: Path, split: str) -> tuple[Tensor, Tensor]:
    """Logits and labels of a split, by the network of a checkpoint."""
    data = FlowersDataModule(root, image_size=32, batch_size=6, num_workers=0, val_fraction=0.2, augment=False)
    data.setup("fit")
    task = CNNClassifierTask.load_from_checkpoint(run / "checkpoints" / "last.ckpt").eval()
    loader = data.train_dataloader() if split == "train" else data.val_dataloader()
    batches = list(loader)
    with torch.no_grad():
        logits = torch.cat([task(batch["image"]) for batch in batches])
    return logits, torch.cat([batch["label"] for batch in batches])


class Sure(CNNClassifierTask):
    """Its random answers are far from equal."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.model.head[2].weight.data.mul_(30)  # type: ignore[index, union-attr]


def test_smoothed_labels_are_trained_on_and_not_measured_by(flowers_root: Path) -> None:
    run = fit(flowers_root, *override("label_smoothing"), *NEARLY_NONE, "--model.class_path", f"{HERE}.Sure")
    found = metrics(run)
    logits, labels = answers(run, flowers_root, "train")
    logs = logits.log_softmax(dim=1)
    true = -logs[torch.arange(len(labels)), labels]
    # Nine tenths of the label, and a fiftieth of each of the five classes.
    by_hand = (0.9 * true - 0.02 * logs.sum(dim=1)).mean().item()
    assert found["train/loss"] == pytest.approx(by_hand, rel=1e-4)
    assert by_hand != pytest.approx(true.mean().item(), rel=0.01)
    logits, labels = answers(run, flowers_root, "val")
    assert found["val/loss"] == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-4)
    before = {name: found[name] for name in ("val/loss", "val/ece")}
    assert main(["validate", "--run", str(run), "--model.label_smoothing", "0", "--trust_config"]) == 0
    assert {name: metrics(run)[name] for name in before} == pytest.approx(before, rel=1e-5)


def test_the_last_weights_are_the_mean_of_the_last_epochs(
    flowers_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    every = {"class_path": "ModelCheckpoint", "init_args": {"filename": "{epoch}", "save_top_k": -1}}
    run = fit(flowers_root, *override("swa"), "--swa", "0.5", "--model.lr", "0.1", max_epochs=4, callbacks=[every])
    held = [content(run, f"epoch={epoch}") for epoch in range(4)]
    assert [TRAINED in one for one in held] == [False, False, True, True]
    for name, value in content(run)["state_dict"].items():
        trained = [one[TRAINED][name] for one in held[2:]]
        assert torch.allclose(value, sum(trained) / 2, atol=1e-7), name
        assert not name.endswith("weight") or not torch.equal(value, trained[1])
    assert metrics(run)["swa"] == 0.5
    # What was validated is what the checkpoint holds.
    validated = metrics(run)["val/loss"]
    assert main(["validate", "--run", str(run), "--ckpt_path", str(run / "checkpoints" / "last.ckpt")]) == 0
    assert metrics(run)["val/loss"] == pytest.approx(validated, rel=1e-5)
    capsys.readouterr()
    assert main(["fit", "--run", str(run), "--swa", "null", "--trainer.max_epochs", "5"]) == 0
    assert "swa null instead of 0.5" in capsys.readouterr().out
    assert metrics(run)["swa"] is None


def test_two_ways_of_averaging_are_one_line(flowers_root: Path, mistake: Any) -> None:
    words = ["fit", "--config", str(write_small(flowers_root)), "--swa", "0.5"]
    assert "ema 0.9 and swa 0.5 exclude each other; give one of them" in mistake([*words, "--ema", "0.9"])
    given = {"class_path": "StochasticWeightAveraging", "init_args": {"swa_lrs": 0.1}}
    words = ["fit", "--config", str(write_small(flowers_root, callbacks=[given])), "--swa", "0.5"]
    assert "swa and StochasticWeightAveraging among trainer.callbacks" in mistake(words)


# Schedules under accumulation


FALLING: dict[str, Any] = {"schedule": "poly", "schedule_options": {"power": 1.0}, "optimizer": "SGD", "lr": 1.0}


class Whole(FlowersDataModule):
    """Keeps its last batch where it is smaller."""

    def train_dataloader(self) -> Any:
        loader: Any = super().train_dataloader()
        loader.batch_sampler.drop_last = vars(loader)["drop_last"] = False
        return loader


class Rates(pl.Callback):
    """The rate of each step, and what the schedule says in the end."""

    def __init__(self) -> None:
        self.steps: list[float] = []

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Any, optimizer: Any) -> None:
        self.steps.append(optimizer.param_groups[0]["lr"])

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.end = trainer.optimizers[0].param_groups[0]["lr"]


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize(
    ("batch_size", "drops", "accumulated", "per_epoch"),
    [
        # 20 pictures: 6 batches of 3, three steps of two.
        (3, True, 2, 3),
        # The last step is of two batches among four, and of one among five.
        (3, True, 4, 2),
        (3, True, 5, 2),
        # A seventh batch of two pictures, which is kept, makes a step by itself.
        (3, False, 2, 4),
        (3, False, 3, 3),
    ],
)
def test_a_schedule_ends_with_the_last_step(
    flowers_root: Path, tmp_path: Path, batch_size: int, drops: bool, accumulated: int, per_epoch: int, num_workers: int
) -> None:
    def trained(ckpt: Path | None = None) -> Rates:
        rates = Rates()
        kind = FlowersDataModule if drops else Whole
        data = kind(flowers_root, image_size=32, batch_size=batch_size, num_workers=num_workers, val_fraction=0.2)
        every = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1)
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=2,
            accumulate_grad_batches=accumulated,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            limit_val_batches=0,
            callbacks=[rates, every],
        )
        trainer.fit(CNNClassifierTask(num_classes=5, image_size=(32, 32), **FALLING), data, ckpt_path=ckpt)
        return rates

    whole, total = trained(), 2 * per_epoch
    assert whole.steps == pytest.approx([1 - step / total for step in range(total)])
    assert whole.end == 0
    # In the middle of the second epoch.
    resumed = trained(tmp_path / f"step={per_epoch + 1}.ckpt")
    assert resumed.steps == pytest.approx(whole.steps[per_epoch + 1 :])
    assert resumed.end == 0


@pytest.mark.parametrize("num_workers", [0, 2])
def test_all_together_go_on_in_the_middle_of_an_epoch(flowers_root: Path, tmp_path: Path, num_workers: int) -> None:
    task: dict[str, Any] = {"layer_decay": 0.8, "label_smoothing": 0.1, "schedule": "swa"}
    given: dict[str, Any] = {"accumulate_grad_batches": 3, "gradient_clip_val": 0.1, "max_epochs": 2}

    def averages() -> dict[str, Any]:
        return {**given, "callbacks": [StochasticWeightAverage(0.0)]}

    whole = resuming.fit(flowers_root, save_to=tmp_path, task=task, trainer=averages())
    # Steps after 3, 6, 9 and 10 batches: the second one of the second epoch.
    path = tmp_path / "batch_step=6.ckpt"
    resumed = resuming.fit(flowers_root, path, task=task, trainer=averages(), num_workers=num_workers)
    assert resumed.seen == whole.seen[2 * 16 :]
    resuming.assert_same_weights(resumed, whole)
