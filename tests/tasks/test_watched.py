"""Training that goes wrong says so, with any trainer."""

import subprocess
import sys
from collections.abc import Callable
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from pytorch_lightning.plugins import MixedPrecision
from pytorch_lightning.tuner.tuning import Tuner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.errors import ConfigError, ModelError, TrainingError, WeightsError
from lightning_seg.predictor import Predictor
from lightning_seg.tasks.classification import ClassificationTask
from lightning_seg.tasks.segmentation import SegmentationTask
from lightning_seg.tasks.sliding_detector import SlidingDetectorTask

IMAGE = torch.arange(3 * 8 * 8, dtype=torch.uint8).view(3, 8, 8)


class Pixels(nn.Module):
    """A linear function of each pixel, normalised; of the whole picture where it gives labels."""

    def __init__(self, num_classes: int, gives_labels: bool = False) -> None:
        super().__init__()
        self.layer, self.norm = nn.Conv2d(3, num_classes, 1), nn.BatchNorm2d(num_classes)
        self.gives_labels = gives_labels
        self.breaks_at = -1
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += self.training
        logits: Tensor = self.norm(self.layer(images))
        if self.training and self.calls - 1 == self.breaks_at:
            logits = logits * nan
        return _per_picture(logits) if self.gives_labels else logits


def _per_picture(logits: Tensor) -> Tensor:
    return logits.mean(dim=(2, 3))


def samples(task: pl.LightningModule, number: int, value: int | None = None) -> DataLoader[Any]:
    """Pictures of two classes in turn, or all of one mask value."""
    made: Any = []
    for index in range(number):
        truth = index % 2 if value is None else value
        one = {"image": (IMAGE + 10 * index).to(torch.uint8), "index": index}
        is_classifier = isinstance(task, ClassificationTask)
        made.append({**one, **({"label": truth} if is_classifier else {"mask": torch.full((8, 8), truth).byte()})})
    return DataLoader(made, batch_size=2)


CountReads = Callable[[Callable[[], object]], int]
KINDS = ("several logits", "one logit", "labels")


def make(kind: str = "several logits", **options: Any) -> Any:
    torch.manual_seed(0)
    options = {"normalization": "unit", "optimizer": "SGD", "lr": 0.01, **options}
    if kind == "labels":
        return ClassificationTask(Pixels(2, True), 2, **options)
    return SegmentationTask(Pixels(1 if kind == "one logit" else 2), 1 if kind == "one logit" else 2, **options)


def trainer(folder: Path, **options: Any) -> pl.Trainer:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "logger": False}
    return pl.Trainer(default_root_dir=folder, **{"max_epochs": 2, **quiet, **options})


def fit(task: Any, folder: Path, number: int = 8, val: int | None = None, **options: Any) -> pl.Trainer:
    one = trainer(folder, **options)
    one.fit(task, samples(task, number), samples(task, 4, val))
    return one


def checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.ckpt"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_that_is_no_number_ends_the_training_and_nothing_is_saved(kind: str, tmp_path: Path) -> None:
    task = make(kind)
    task.model.breaks_at = 1

    with pytest.raises(TrainingError) as caught:
        fit(task, tmp_path)

    assert "the training loss is no number (NaN or infinite) since step 1 of epoch 0; give a lower" in str(caught.value)
    assert "nothing was saved yet" in str(caught.value)
    assert caught.value.exit_code == 1
    assert not checkpoints(tmp_path)


def test_what_was_good_stays_and_is_named(tmp_path: Path) -> None:
    task = make()
    # Four steps an epoch.
    task.model.breaks_at = 5
    keep = ModelCheckpoint(tmp_path, "newest")

    with pytest.raises(TrainingError, match=r"since step 5 of epoch 1.*nothing of it was saved, .* keeps newest\.ckpt"):
        fit(task, tmp_path, callbacks=[keep])

    assert torch.load(tmp_path / "newest.ckpt", weights_only=True)["global_step"] == 4


def test_it_is_read_every_few_steps(tmp_path: Path) -> None:
    task = make()
    task.model.breaks_at = 1

    with pytest.raises(TrainingError):
        fit(task, tmp_path, number=24, log_every_n_steps=3)

    assert task.model.calls == 3


class Infinite(pl.Callback):
    """Puts infinite numbers where training with its own batches' statistics does not meet them."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step:
            pl_module.model.norm.running_var.fill_(inf)


def test_weights_that_are_no_numbers_end_it_although_the_loss_is_one(tmp_path: Path) -> None:
    task = make()

    with pytest.raises(TrainingError, match=r"1 of 6 tensors hold no numbers .* the first is model\.norm\.running_var"):
        fit(task, tmp_path, callbacks=[Infinite(1)])

    assert not checkpoints(tmp_path)


def test_they_end_it_before_a_checkpoint_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    keep = ModelCheckpoint(tmp_path, "step_{step}", every_n_train_steps=1, save_top_k=-1, auto_insert_metric_name=False)

    with pytest.raises(TrainingError):
        fit(make(), tmp_path, callbacks=[Infinite(1), keep])

    assert [path.name for path in checkpoints(tmp_path)] == ["step_1.ckpt"]


def test_warn_says_it_once_and_goes_on_to_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    task = make()
    task.on_nan = "warn"
    task.model.breaks_at = 1
    best = ModelCheckpoint(tmp_path, "best", monitor="val/miou", mode="max")
    newest = ModelCheckpoint(tmp_path, "newest")

    done = fit(task, tmp_path, max_epochs=4, callbacks=[best, newest])

    assert done.current_epoch == 4
    assert [path.name for path in checkpoints(tmp_path)] == ["newest.ckpt"]
    assert sum("the training loss is no number" in line for line in caplog.messages) == 1
    assert sum("tensors hold no numbers" in line for line in caplog.messages) == 1
    assert not [line for line in caplog.messages if "on_nan" in line]


class BrokenValidation(pl.Callback):
    """Breaks the network while it validates in some epochs."""

    def __init__(self, *epochs: int, value: float = nan) -> None:
        self.epochs, self.value = epochs, value

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if trainer.current_epoch in self.epochs and not trainer.sanity_checking:
            pl_module.normalize.shift += self.value

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        pl_module.normalize.shift.zero_()


def test_a_validation_loss_that_is_no_number_ends_it(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"val/loss is nan, while the weights are numbers, in epoch 1; give"):
        fit(make(), tmp_path, callbacks=[BrokenValidation(1)])


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("monitor", ["val/loss", "val/miou"])
def test_the_best_checkpoint_is_never_made_of_what_is_no_number(mode: str, monitor: str, tmp_path: Path) -> None:
    task = make()
    task.on_nan = "warn"
    best = ModelCheckpoint(tmp_path, "best_{epoch}", monitor=monitor, mode=mode, save_top_k=-1)

    # Also the first one, which Lightning takes for the best whatever it is.
    fit(task, tmp_path, max_epochs=3, callbacks=[best, BrokenValidation(0, 2)])

    assert [path.name for path in checkpoints(tmp_path)] == ["best_epoch=1.ckpt"]
    assert best.best_model_score is not None
    assert best.best_model_score.isfinite()


class Logs(SegmentationTask):
    """Logs a value that is no number although all is well."""

    value = inf

    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        self.log("val/own", torch.tensor(self.value))


@pytest.mark.parametrize("value", [inf, -inf, nan])
def test_a_monitored_value_that_is_no_number_chooses_nothing(
    value: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = Logs(Pixels(2), 2, normalization="unit")
    task.value, task.on_nan = value, "warn"

    best = ModelCheckpoint(tmp_path, "best", monitor="val/own", mode="max")
    fit(task, tmp_path, callbacks=[best])

    assert not checkpoints(tmp_path)
    assert [
        line
        for line in caplog.messages
        if "val/own is" in line and "the best checkpoint cannot be chosen by it" in line
    ]
    task = Logs(Pixels(2), 2, normalization="unit")
    task.value = value
    with pytest.raises(TrainingError, match="val/own is"):
        fit(task, tmp_path, callbacks=[ModelCheckpoint(tmp_path, "best", monitor="val/own", mode="max")])


def test_a_validation_split_that_is_ignored_throughout(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(TrainingError, match=r"no picture of the validation split counts, since every pixel .* 255"):
        fit(make(), tmp_path, val=IGNORE_INDEX)
    assert not checkpoints(tmp_path)

    task = make("one logit")
    task.on_nan = "warn"
    monitors = [
        ModelCheckpoint(tmp_path, "best", monitor="val/miou", mode="max"),
        ModelCheckpoint(tmp_path, "lowest", monitor="val/loss"),
        EarlyStopping("val/loss", check_finite=False, patience=5),
    ]
    done = fit(task, tmp_path, val=IGNORE_INDEX, callbacks=monitors)

    assert not checkpoints(tmp_path)
    measured = {name: value.item() for name, value in done.callback_metrics.items() if name.startswith("val/")}
    assert {"val/loss", "val/miou", "val/average_precision", "val/best_threshold"} <= measured.keys()
    # Nothing that was not measured has a value.
    assert not [name for name, value in measured.items() if value == value]
    assert sum("no picture of the validation split counts" in line for line in caplog.messages) == 1


def test_ignored_pictures_do_not_dilute_the_loss(tmp_path: Path) -> None:
    """The mean over the pictures that count: a batch in which none does weighs nothing."""
    task = make()
    task.on_nan = "warn"
    counted: Any = samples(task, 2).dataset
    ignored: Any = samples(task, 4, IGNORE_INDEX).dataset
    both: Any = [*counted, *ignored]
    tester = trainer(tmp_path)

    alone = tester.validate(task, DataLoader(counted, batch_size=2), verbose=False)[0]["val/loss"]
    among = tester.validate(task, DataLoader(both, batch_size=2), verbose=False)[0]["val/loss"]

    assert alone > 0
    assert among == pytest.approx(alone, rel=1e-6)


def test_single_batches_may_be_ignored_but_not_an_epoch(tmp_path: Path) -> None:
    task = make()
    counted: Any = samples(task, 2).dataset
    ignored: Any = samples(task, 2, IGNORE_INDEX).dataset
    mixed: Any = [*counted, *ignored]
    trainer(tmp_path, max_epochs=1).fit(task, DataLoader(mixed, batch_size=2), samples(task, 2))

    with pytest.raises(TrainingError, match=r"no picture of the training split counts.*nothing can be learned"):
        trainer(tmp_path, max_epochs=1).fit(make(), samples(task, 4, IGNORE_INDEX), samples(task, 2))


def test_a_test_split_that_is_ignored_measures_nothing(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no picture of the test split counts.*nothing is measured"):
        trainer(tmp_path).test(make(), samples(make(), 2, IGNORE_INDEX), verbose=False)


class Constant(nn.Module):
    """Says class 1 to everything; trains nothing that would change it."""

    def __init__(self, gives_labels: bool) -> None:
        super().__init__()
        self.scale, self.gives_labels = nn.Parameter(torch.ones(())), gives_labels

    def forward(self, images: Tensor) -> Tensor:
        logits = torch.stack([0 * images[:, 0], 1 + 0 * images[:, 0]], dim=1) * self.scale
        return _per_picture(logits) if self.gives_labels else logits


@pytest.mark.parametrize("gives_labels", [False, True])
@pytest.mark.parametrize(("epochs", "times"), [(2, "the last 2 validations"), (5, "the last 3 validations")])
def test_the_same_answer_to_everything_is_said_once(
    gives_labels: bool, epochs: int, times: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kind: Any = ClassificationTask if gives_labels else SegmentationTask
    task = kind(Constant(gives_labels), 2, normalization="unit", class_names=["cat", "dog"], lr=1e-30)

    fit(task, tmp_path, max_epochs=epochs)

    (line,) = [line for line in caplog.messages if "everything is predicted as" in line]
    assert line.startswith(f"in {times} everything is predicted as dog, though more classes are true")


def test_the_same_answer_is_right_where_nothing_else_is_true(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    task = SegmentationTask(Constant(False), 2, normalization="unit", lr=1e-30)

    fit(task, tmp_path, val=1, max_epochs=4)

    assert not [line for line in caplog.messages if "everything is predicted as" in line]


def test_a_test_with_one_answer_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    task = SegmentationTask(Constant(False), 2, normalization="unit")

    trainer(tmp_path).test(task, samples(task, 4), verbose=False)

    assert [line for line in caplog.messages if line.startswith("in the test split everything is predicted as class_1")]


def test_weights_from_before_are_refused_before_anything_is_computed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Any:
        task = make()
        task.model.layer.weight.data[0] = nan
        return task

    problem = r"the weights: 1 of 6 tensors hold no numbers .* the first is model\.layer\.weight"
    loader = samples(broken(), 4)
    for run in (
        lambda task: trainer(tmp_path, num_sanity_val_steps=0).fit(task, loader, loader),
        lambda task: trainer(tmp_path).validate(task, loader, verbose=False),
        lambda task: trainer(tmp_path).test(task, loader, verbose=False),
        lambda task: trainer(tmp_path).predict(task, loader),
    ):
        with pytest.raises(WeightsError, match=problem):
            run(broken())
    task = broken()
    task.on_nan = "warn"
    (values,) = trainer(tmp_path).test(task, loader, verbose=False)
    assert values["test/loss"] != values["test/loss"]
    assert [line for line in caplog.messages if "1 of 6 tensors" in line]


def test_an_answer_that_is_no_number_is_refused_by_the_predictor() -> None:
    task = make("labels")
    task.normalize.shift += inf

    with pytest.raises(ModelError, match="the network's answer to the picture is no number"):
        Predictor(task, device="cpu")(IMAGE.permute(1, 2, 0).numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_views_without_numbers_are_no_measurement(kind: str, tmp_path: Path) -> None:
    """With test-time augmentation there is no loss that would show it."""
    task = make(kind)
    task.normalize.shift += inf
    task.inference = task.make_inference({"tta": "hflip"})

    with pytest.raises(TrainingError, match="the network's answer to 4 pictures of the test split is no number"):
        trainer(tmp_path).test(task, samples(task, 4), verbose=False)


@pytest.mark.parametrize("kind", KINDS)
def test_no_step_waits_for_the_device(kind: str, tmp_path: Path, count_reads: CountReads) -> None:
    def reads(number: int, every: int) -> int:
        task = make(kind)
        options: dict[str, Any] = {"max_epochs": 1, "log_every_n_steps": every, "enable_checkpointing": False}
        return count_reads(lambda: fit(task, tmp_path, number, **options))

    few = reads(8, 50)
    # 4 steps and 20 steps.
    assert reads(40, 50) == few
    assert reads(40, 5) == few + 20 // 5


def test_infinite_gradients_of_a_left_out_step_are_usual(tmp_path: Path) -> None:
    """The scaler of 16-bit training finds its scale by steps that it leaves out."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120)
    task = make(lr=1e-3)

    done = fit(task, tmp_path, precision=None, plugins=[MixedPrecision("16-mixed", "cpu", scaler=scaler)])

    assert done.current_epoch == 2
    assert scaler.get_scale() < 2.0**120
    assert checkpoints(tmp_path)


def test_the_search_for_a_learning_rate_may_break_the_loss(tmp_path: Path) -> None:
    task = make()
    task.model.breaks_at = 15

    found = Tuner(trainer(tmp_path)).lr_find(
        task, samples(task, 40), samples(task, 4), num_training=30, update_attr=False
    )

    assert found is not None
    assert not torch.tensor(found.results["loss"]).isfinite().all()


def test_another_word_for_what_follows_is_refused(tmp_path: Path) -> None:
    task = make()
    task.on_nan = "ignore"

    with pytest.raises(ConfigError, match="on_nan 'ignore' does not exist; choose stop or warn"):
        fit(task, tmp_path)


def test_what_follows_is_no_part_of_a_checkpoint(tmp_path: Path) -> None:
    task = make()
    task.on_nan = "warn"
    fit(task, tmp_path, callbacks=[ModelCheckpoint(tmp_path, "newest")])

    assert "on_nan" not in str(torch.load(tmp_path / "newest.ckpt", weights_only=True).keys())
    assert "on_nan" not in torch.load(tmp_path / "newest.ckpt", weights_only=True)["hyper_parameters"]


def test_a_checkpoint_of_the_error_itself_is_not_written_either(tmp_path: Path) -> None:
    task = make()
    task.model.breaks_at = 1

    with pytest.raises(TrainingError, match="the training loss is no number"):
        fit(task, tmp_path, callbacks=[ModelCheckpoint(tmp_path, "newest", save_on_exception=True)])

    assert not checkpoints(tmp_path)


def test_averaged_weights_are_looked_at_before_they_are_written(tmp_path: Path) -> None:
    class Average(EMAWeightAveraging):
        """Its average goes wrong, and what is trained does not."""

        def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
            super().on_train_epoch_end(trainer, pl_module)
            assert self._average_model is not None
            for parameter in self._average_model.parameters():
                parameter.data.fill_(nan)

    sound = tmp_path / "sound"
    fit(make(), sound, callbacks=[EMAWeightAveraging(), ModelCheckpoint(sound, "newest")])
    assert len(checkpoints(sound)) == 1

    with pytest.raises(TrainingError, match="the weights hold no numbers"):
        fit(make(), tmp_path / "broken", max_epochs=1, callbacks=[Average(), ModelCheckpoint(tmp_path, "newest")])
    assert not checkpoints(tmp_path / "broken")


def test_boxes_without_numbers_are_no_answer() -> None:
    task = SlidingDetectorTask("test_resnet", None, 2, window=64).eval()
    images, size = torch.zeros(1, 3, 128, 128, dtype=torch.uint8), [(128, 128)]
    with torch.no_grad():
        assert task.predict_pictures(images, size)[0].is_number
        task.normalize.shift += nan
        (found,) = task.predict_pictures(images, size)

    # No window reaches the threshold, as if there were nothing in the picture.
    assert len(found.boxes) == 0
    assert not found.is_number


BROKEN_ALONE = """
import sys
from pathlib import Path

import pytorch_lightning as pl
import torch

sys.path.insert(0, sys.argv[1])
from test_watched import fit, make

kind = sys.argv[2]


class OneBreaks(pl.Callback):
    def on_before_backward(self, trainer, module, loss):
        if trainer.global_rank == 1 and kind == "loss" and trainer.global_step == 3:
            module._losses.add(loss * torch.nan, 3)

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if trainer.global_rank == 1 and kind == "weights" and trainer.global_step == 4:
            module.model.norm.running_var.fill_(torch.inf)


fit(make(), Path(sys.argv[3]), 16, devices=2, strategy="ddp", callbacks=[OneBreaks()])
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["loss", "weights"])
def test_what_one_process_finds_ends_both(kind: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(BROKEN_ALONE)
    command = [sys.executable, str(script), str(Path(__file__).parent), kind, str(tmp_path / "run")]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 1
    assert {f"[rank{rank}]: lightning_seg.errors.TrainingError" in done.stderr for rank in (0, 1)} == {True}
    assert not checkpoints(tmp_path)
