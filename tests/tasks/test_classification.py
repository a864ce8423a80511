import logging
from math import e, log
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_seg import CNNClassifierTask
from lightning_seg.batch import ClassificationBatch, PictureBatch, Unreadable
from lightning_seg.errors import ConfigError
from lightning_seg.tasks.class_weights import balanced_weights
from lightning_seg.tasks.classification import ClassificationTask

NAMES = ("red", "green", "blue")


class Channels(nn.Module):
    """Logits are the means of the three channels, times a factor that can learn."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        return self.factor * images.mean(dim=(2, 3))


def make_task(**options: Any) -> ClassificationTask:
    return ClassificationTask(**{"model": Channels(), "num_classes": 3, "normalization": "unit", **options})


def picture(*colour: float, side: int = 4) -> Tensor:
    """``(3, side, side)`` of one colour, 1 being full."""
    values = (255 * torch.tensor(colour)).round().to(torch.uint8)
    return values.view(3, 1, 1).expand(3, side, side).contiguous()


def batch_of(pictures: list[Tensor], label: Tensor) -> ClassificationBatch:
    return {
        "image": torch.stack(pictures),
        "label": label,
        "index": torch.arange(len(pictures)),
        "epoch": torch.zeros(len(pictures), dtype=torch.int64),
        "path": [f"{number}.jpg" for number in range(len(pictures))],
        "original_size": torch.tensor([[4, 4]] * len(pictures)),
    }


def three_colours(label: Tensor) -> ClassificationBatch:
    return batch_of([picture(1, 0, 0), picture(0, 1, 0), picture(0, 0, 1)], label)


def loader(*batches: ClassificationBatch) -> DataLoader[Any]:
    return DataLoader(list(batches), batch_size=None)  # type: ignore[arg-type]


def make_trainer(max_epochs: int = 1, **options: Any) -> pl.Trainer:
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    return pl.Trainer(accelerator="cpu", **{"max_epochs": max_epochs, **quiet, **options})


class Colours(pl.LightningDataModule):
    """Noisy pictures, in each of which one channel is brighter."""

    class_names: tuple[str, ...]

    def __init__(self, side: int = 16, class_names: tuple[str, ...] = NAMES, soft: bool = False) -> None:
        super().__init__()
        self.class_names, self.image_size, self.soft = class_names, (side, side), soft
        self.counts: list[list[int]] = []

    def count_class_samples(self) -> list[int]:
        self.counts.append([10, 40, 50])
        return self.counts[-1]

    def _batch(self, seed: int) -> ClassificationBatch:
        generator = torch.Generator().manual_seed(seed)
        label = torch.randint(0, 3, (8,), generator=generator)
        images = torch.randint(0, 160, (8, 3, *self.image_size), generator=generator)
        images[torch.arange(8), label] += 60
        soft = 0.8 * nn.functional.one_hot(label, 3).float() + 0.2 / 3
        return batch_of(list(images.to(torch.uint8)), soft if self.soft and seed < 100 else label)

    def train_dataloader(self) -> DataLoader[Any]:
        return loader(*(self._batch(seed) for seed in range(4)))

    def val_dataloader(self) -> DataLoader[Any]:
        return loader(self._batch(100), self._batch(101))

    def test_dataloader(self) -> DataLoader[Any]:
        return loader(self._batch(200))


# The loss and what is measured


def test_loss_and_metrics_by_hand() -> None:
    task = make_task(class_names=NAMES)
    # Each picture has a logit of 1 for its own colour and 0 for the other two; the last is called green and is red.
    loss = task.shared_step(three_colours(torch.tensor([0, 0, 2])), "val")

    total = torch.tensor([1.0, 0, 0]).exp().sum().log().item()
    assert loss.item() == pytest.approx((total - 1 + total - 0 + total - 1) / 3)
    # red: 1 right, 2 true, 1 predicted; green: 0 right; blue: all right.
    expected = {"loss": loss.item(), "accuracy": 2 / 3, "macro_f1": (2 / 3 + 0 + 1) / 3}
    # All are sure by the same probability, e / (e + 2).
    expected["ece"] = 2 / 3 - e / (e + 2)
    assert task.split_values("val") == pytest.approx(expected)


def test_mixed_labels_by_hand() -> None:
    task = make_task(label_smoothing=0.1)
    label = torch.tensor([[0.75, 0.25, 0.0], [0.6, 0.4, 0.0], [0.0, 0.0, 1.0]])

    loss = task.shared_step(three_colours(label), "train")

    total = torch.tensor([1.0, 0, 0]).exp().sum().log().item()
    hit = [0.75, 0.4, 1.0]
    assert loss.item() == pytest.approx(sum(total - (0.9 * share + 0.1 / 3) for share in hit) / 3, rel=1e-5)
    values = task.split_values("train")
    assert values["accuracy"] == pytest.approx(2 / 3)
    # The last is not mixed.
    assert values["soft_accuracy"] == pytest.approx(sum(hit[:2]) / 2)


@pytest.mark.parametrize("soft", [False, True])
def test_soft_accuracy_is_logged_where_labels_were_shares(soft: bool) -> None:
    trainer = make_trainer()
    trainer.fit(make_task(), Colours(soft=soft))
    names = {"loss", "accuracy", "macro_f1"}
    expected = {f"{split}/{name}" for split in ("train", "val") for name in names}
    expected.add("val/ece")
    assert set(trainer.callback_metrics) == expected | ({"train/soft_accuracy"} if soft else set())


def test_what_is_logged_can_be_monitored() -> None:
    task = CNNClassifierTask(num_classes=7, image_size=16)
    names = ["loss", "accuracy", "macro_f1", "top5_accuracy"]
    train, val = ([f"{split}/{name}" for name in names] for split in ("train", "val"))
    assert task.metric_names() == [*train, "train/soft_accuracy", *val, "val/ece"]
    assert task.monitor == ("val/accuracy", "max")
    assert make_task(monitor="val/loss").monitor == ("val/loss", "min")
    assert task.curves == ("accuracy", "loss")


def test_training_learns_the_colours() -> None:
    torch.manual_seed(0)
    task, trainer = CNNClassifierTask(num_classes=3, image_size=16, lr=3e-3), make_trainer(max_epochs=6)
    trainer.fit(task, Colours())
    (tested,) = trainer.test(task, Colours(), verbose=False)
    assert tested["test/accuracy"] >= 0.9
    assert task.class_names == NAMES


def test_what_was_validated_can_be_trained() -> None:
    """Counters that begin anew in Lightning's inference mode must still count outside of it."""
    task, trainer = make_task(), make_trainer()
    (before,) = trainer.validate(task, Colours(), verbose=False)
    trainer.fit(task, Colours())
    assert before.keys() <= trainer.callback_metrics.keys()


# Arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 1}, "num_classes 1 is too small; give 2 or more"),
        ({"class_names": ["a", "b"]}, "num_classes 3 does not fit the class names"),
        ({"class_weights": [1.0, 2.0]}, "must be 3 numbers of at least 0, not all 0, or auto"),
        ({"label_smoothing": 2.0}, "label_smoothing 2.0 must lie between 0 and 1"),
        ({"freeze_encoder": True}, "freeze_encoder: Channels has no encoder"),
    ],
)
def test_impossible_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_task(**options)


def test_datamodule_with_other_classes_is_refused() -> None:
    with pytest.raises(ConfigError, match="num_classes 3, Colours has 2: red, green; set num_classes to 2"):
        make_trainer().fit(make_task(), Colours(class_names=("red", "green")))


def test_batches_with_masks_are_refused() -> None:
    batch: Any = three_colours(torch.tensor([0, 1, 2]))
    batch["mask"] = batch.pop("label")
    with pytest.raises(ConfigError, match="the task learns from a label per picture, the batches hold image, index, "):
        make_trainer().test(make_task(), loader(batch), verbose=False)


# Class weights


def test_class_weights_are_counted_once_and_stored(tmp_path: Path) -> None:
    data = Colours()
    task, trainer = CNNClassifierTask(num_classes=3, image_size=16, class_weights="auto"), make_trainer()
    trainer.fit(task, data)
    trainer.save_checkpoint(tmp_path / "task.ckpt")

    # 100 / (3 * 10) and so on.
    expected = [3.333333, 0.833333, 0.666667]
    assert len(data.counts) == 1
    assert task.hparams["class_weights"] == expected
    loaded = CNNClassifierTask.load_from_checkpoint(tmp_path / "task.ckpt", map_location="cpu")
    assert loaded.loss.class_weights is not None
    assert loaded.loss.class_weights.tolist() == pytest.approx(expected)
    assert loaded.class_names == NAMES


def test_class_weights_need_a_datamodule_that_counts(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match="auto needs a datamodule that can count its pictures; give numbers"):
        make_trainer().fit(make_task(class_weights="auto"), loader(three_colours(torch.tensor([0, 1, 2]))))
    with caplog.at_level(logging.WARNING, logger="lightning_seg"):
        balanced_weights([1, 0, 1], NAMES, "picture")
    assert "no training picture shows green" in caplog.messages[-1]


def test_weights_weigh_the_loss() -> None:
    task = make_task(class_weights=[1.0, 0.0, 3.0])
    loss = task.shared_step(three_colours(torch.tensor([0, 1, 2])), "train")
    total = torch.tensor([1.0, 0, 0]).exp().sum().log().item()
    assert loss.item() == pytest.approx(total - 1)
    loss = task.shared_step(three_colours(torch.tensor([0, 0, 2])), "train")
    assert loss.item() == pytest.approx((1 * (total - 1) + 1 * total + 3 * (total - 1)) / 5)


# Predictions


def pictures_to_predict(*pictures: Tensor) -> PictureBatch:
    return {
        "image": torch.stack(pictures) if pictures else torch.empty(0, 3, 1, 1, dtype=torch.uint8),
        "path": [f"{number}.jpg" for number in range(len(pictures))],
        "name": [str(number) for number in range(len(pictures))],
        "original_size": [(4, 4)] * len(pictures),
        "unreadable": [Unreadable("x.jpg", "x.jpg: broken")],
        "files": ["0.jpg", "x.jpg", "1.jpg"],
    }


def test_predictions_by_hand() -> None:
    task = make_task()
    with torch.no_grad():
        # Full red has a logit of ln 8, so its probability is 8 of 10.
        task.model.factor.copy_(torch.tensor(log(8)))  # type: ignore[operator]
        answer = task.predict_step(pictures_to_predict(picture(0, 0, 0), picture(1, 0, 0)), 0)

    grey, red = answer["predictions"]
    torch.testing.assert_close(red.probs, torch.tensor([0.8, 0.1, 0.1]))
    assert (red.label, red.confidence) == (0, pytest.approx(0.8))
    assert red.entropy == pytest.approx(-(0.8 * log(0.8) + 0.2 * log(0.1)) / log(3))
    assert grey.confidence == pytest.approx(1 / 3)
    assert grey.entropy == pytest.approx(1)
    assert (answer["path"], answer["unreadable"]) == (["0.jpg", "1.jpg"], [("x.jpg", "x.jpg: broken")])


def test_a_batch_without_any_readable_picture_gives_no_prediction() -> None:
    assert make_task().predict_step(pictures_to_predict(), 0)["predictions"] == []


class LeftHalf(nn.Module):
    """Logits are the means of the channels over the left half."""

    def forward(self, images: Tensor) -> Tensor:
        return 10 * images[..., : images.shape[-1] // 2].mean(dim=(2, 3))


def test_test_time_augmentation_is_measured_too() -> None:
    """The left is red and the right is fully green: mirrored, green is surer than red was."""
    image = torch.cat([picture(0.2, 0, 0)[..., :2], picture(0, 1, 0)[..., :2]], dim=-1)
    batch = batch_of([image], torch.tensor([1]))
    task = make_task(model=LeftHalf())
    assert make_trainer().test(task, loader(batch), verbose=False)[0]["test/accuracy"] == 0

    task.inference = task.make_inference({"tta": "hflip"})

    (values,) = make_trainer().test(task, loader(batch), verbose=False)
    assert values["test/accuracy"] == 1
    # There is no loss of a mean of probabilities.
    assert "test/loss" not in values
    assert task.predict_step(pictures_to_predict(image), 0)["predictions"][0].label == 1


@pytest.mark.parametrize("name", ["tile", "threshold", "keep_probs"])
def test_knobs_of_masks_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} means nothing to ClassificationTask, which takes tta"):
        make_task().make_inference({name: 1})


def test_knobs_are_no_hyper_parameters() -> None:
    task = make_task()
    task.inference = task.make_inference({"tta": "d4"})
    assert not {"tta", "inference"} & task.hparams.keys()
