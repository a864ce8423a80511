import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.models import mobilenet_v2

from lightning_seg.batch import IGNORE_INDEX, PictureBatch, SegmentationBatch, Split, Unreadable
from lightning_seg.errors import ConfigError
from lightning_seg.images import resize_image
from lightning_seg.inference.masks import MaskInference
from lightning_seg.losses import SegmentationLoss
from lightning_seg.measuring import Measuring
from lightning_seg.metrics import MetricPart
from lightning_seg.tasks import MobileNetV2UNetTask
from lightning_seg.tasks.class_weights import balanced_weights
from lightning_seg.tasks.segmentation import SegmentationTask

Loader = DataLoader[SegmentationBatch]
NAMES = ("pet", "background", "border")


def random_batch(num_images: int = 2, size: tuple[int, int] = (64, 64), seed: int = 0) -> SegmentationBatch:
    generator = torch.Generator().manual_seed(seed)
    height, width = size
    return {
        "image": torch.randint(0, 256, (num_images, height, width, 3), dtype=torch.uint8, generator=generator).permute(
            0, 3, 1, 2
        ),
        "mask": torch.randint(0, 3, (num_images, height, width), dtype=torch.uint8, generator=generator),
        "index": torch.arange(num_images),
        "epoch": torch.zeros(num_images, dtype=torch.int64),
        "path": [f"picture_{index}.jpg" for index in range(num_images)],
        "original_size": torch.tensor([[70, 90]] * num_images),
    }


def loader(*batches: SegmentationBatch) -> Loader:
    # No batch size: the batches are ready.
    return DataLoader(list(batches), batch_size=None)  # type: ignore[arg-type]


class FakePets(pl.LightningDataModule):
    """Random batches, and what a task reads off a datamodule."""

    def __init__(self, image_size: tuple[int, int] = (64, 64), class_names: Sequence[str] = NAMES) -> None:
        super().__init__()
        self.image_size, self.class_names = image_size, tuple(class_names)

    def train_dataloader(self) -> Loader:
        return loader(random_batch(seed=1), random_batch(seed=2))

    def val_dataloader(self) -> Loader:
        return loader(random_batch(seed=3))


def make_trainer(max_epochs: int = 1, **options: Any) -> pl.Trainer:
    return pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=max_epochs,
        **options,
    )


def make_task(**options: Any) -> MobileNetV2UNetTask:
    torch.manual_seed(0)
    return MobileNetV2UNetTask(encoder_weights=None, **options)


def copy_of(module: nn.Module) -> dict[str, Tensor]:
    return {name: values.clone() for name, values in module.state_dict().items()}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name, values in before.items() if not torch.equal(values, after[name])}


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("weights") / "mobilenet_v2.pth"
    torch.save(mobilenet_v2(weights=None).state_dict(), path)
    return path


class Still(nn.Module):
    """A network that gives every pixel the logits 0, ln 2 and 0, and so the probabilities 1/4, 1/2 and 1/4."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([0.0, math.log(2), 0.0]))

    def forward(self, images: Tensor) -> Tensor:
        return self.logits.view(1, 3, 1, 1).expand(len(images), 3, *images.shape[-2:])


# The encoder


@pytest.mark.parametrize("num_sanity_val_steps", [0, 1])
def test_frozen_encoder_is_the_same_bit_by_bit_after_training(num_sanity_val_steps: int) -> None:
    task = make_task()
    encoder, decoder, head = (copy_of(task.model.get_submodule(part)) for part in ("encoder", "decoder", "head"))

    make_trainer(2, num_sanity_val_steps=num_sanity_val_steps).fit(task, FakePets())

    assert changed(encoder, task.model.get_submodule("encoder").state_dict()) == set()
    assert changed(decoder, task.model.get_submodule("decoder").state_dict()) == set(decoder)
    assert changed(head, task.model.get_submodule("head").state_dict()) == set(head)


def test_frozen_encoder_stays_frozen_when_the_task_is_set_to_train() -> None:
    task = make_task().train()
    encoder = copy_of(task.model.get_submodule("encoder"))

    task(random_batch()["image"])

    assert task.model.get_submodule("decoder").training
    assert changed(encoder, task.model.get_submodule("encoder").state_dict()) == set()


def test_encoder_that_is_not_frozen_trains() -> None:
    task = make_task(freeze_encoder=False)
    encoder = copy_of(task.model.get_submodule("encoder"))

    make_trainer().fit(task, FakePets())

    assert changed(encoder, task.model.get_submodule("encoder").state_dict()) == set(encoder)


def test_optimizer_gets_no_parameter_of_a_frozen_encoder() -> None:
    task, trainer = make_task(), make_trainer()
    trainer.fit(task, FakePets())

    trained = sum(parameter.numel() for group in trainer.optimizers[0].param_groups for parameter in group["params"])
    assert trained == 4_660_323


class EncoderHistory(pl.Callback):
    """Copies of the encoder before training and after each epoch."""

    def __init__(self) -> None:
        self.copies: list[dict[str, Tensor]] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.copies.append(copy_of(pl_module.get_submodule("model.encoder")))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.copies.append(copy_of(pl_module.get_submodule("model.encoder")))


def test_unfrozen_encoder_trains_from_its_epoch_on_at_its_own_rate() -> None:
    history = EncoderHistory()
    trainer = make_trainer(2, callbacks=[history])

    trainer.fit(make_task(unfreeze_epoch=1, lr=0.01, encoder_lr_factor=0.1, weight_decay=0.5), FakePets())

    before, frozen, trained = history.copies
    assert changed(before, frozen) == set()
    assert changed(frozen, trained) == set(trained)
    rates = {(round(group["lr"], 6), group["weight_decay"]) for group in trainer.optimizers[0].param_groups}
    assert rates == {(0.001, 0.5), (0.001, 0.0), (0.01, 0.5), (0.01, 0.0)}


def test_freezing_random_weights_is_warned_of(caplog: pytest.LogCaptureFixture, weights_file: Path) -> None:
    with caplog.at_level(logging.WARNING, logger="lightning_seg"):
        MobileNetV2UNetTask(encoder_weights=str(weights_file))
        make_task(freeze_encoder=False)
        assert caplog.messages == []
        make_task(freeze_encoder=True)
    (message,) = caplog.messages
    assert (
        "freeze_encoder is on and encoder_weights is null, so random features would stay; set it false, or give weights"
        in message
    )


def test_network_without_encoder_cannot_be_frozen() -> None:
    with pytest.raises(ConfigError, match="freeze_encoder: Still has no encoder"):
        SegmentationTask(Still(), num_classes=3, freeze_encoder=True)


def test_unfreezing_needs_freezing() -> None:
    with pytest.raises(ConfigError, match="unfreeze_epoch 1 needs freeze_encoder true"):
        make_task(freeze_encoder=False, unfreeze_epoch=1)


# Checkpoints


def leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for item in [*value.keys(), *value.values()] for leaf in leaves(item)]
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [value]


def test_checkpoint_is_plain_and_loads_without_config_and_weights_file(tmp_path: Path, weights_file: Path) -> None:
    encoder_weights = tmp_path / "encoder.pth"
    encoder_weights.symlink_to(weights_file)
    options: dict[str, Any] = {
        "normalization": {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.5]},
        "optimizer": "AdamW",
        "optimizer_options": {"eps": 1e-7},
        "schedule": "one_cycle",
        "schedule_options": {"warmup": 0.1},
    }
    task, trainer = MobileNetV2UNetTask(encoder_weights=str(encoder_weights), **options), make_trainer()
    trainer.fit(task, FakePets())
    trainer.save_checkpoint(tmp_path / "task.ckpt")
    encoder_weights.unlink()

    stored = torch.load(tmp_path / "task.ckpt", weights_only=True)["hyper_parameters"]
    loaded = MobileNetV2UNetTask.load_from_checkpoint(tmp_path / "task.ckpt", map_location="cpu")

    assert {type(leaf) for leaf in leaves(stored)} <= {str, int, float, bool, type(None)}
    assert {name: stored[name] for name in options} == options
    assert dict(loaded.hparams) == stored
    images = random_batch(seed=7)["image"]
    with torch.no_grad():
        assert torch.equal(loaded.eval()(images), task.eval()(images))


def test_class_names_of_the_datamodule_are_in_the_checkpoint(tmp_path: Path) -> None:
    task, trainer = make_task(), make_trainer(limit_train_batches=1)
    trainer.fit(task, FakePets(class_names=("eins", "zwei", "drei")))
    trainer.save_checkpoint(tmp_path / "task.ckpt")

    loaded = MobileNetV2UNetTask.load_from_checkpoint(tmp_path / "task.ckpt", map_location="cpu")

    assert loaded.class_names == ("eins", "zwei", "drei")


# What does not fit together


def test_number_of_classes_must_be_that_of_the_datamodule() -> None:
    with pytest.raises(
        ConfigError, match="num_classes 2, FakePets has 3: pet, background, border; set num_classes to 3"
    ):
        make_trainer().fit(make_task(num_classes=2), FakePets())


def test_number_of_classes_must_be_that_of_the_names() -> None:
    with pytest.raises(ConfigError, match="num_classes 3 does not fit the class names"):
        make_task(class_names=["pet", "background"])


@pytest.mark.parametrize(
    ("image_size", "message"),
    [
        ((225, 225), "image_size 225 is not divisible by 32; use 224 or 256"),
        ((64, 225), "image_size 225 is not divisible by 32; use 224 or 256"),
        ((20, 64), "image_size 20 is not divisible by 32; use 32"),
    ],
)
def test_image_size_must_fit_the_network(image_size: tuple[int, int], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        make_trainer().fit(make_task(), FakePets(image_size))


def test_pictures_of_any_size_are_seen_as_if_mirrored_up_to_the_multiple() -> None:
    task = make_task().eval()
    image = random_batch(1, size=(64, 96))["image"]
    with torch.no_grad():
        logits = task(image[:, :, :40, :70])
        rows = [*range(40), *range(38, 14, -1)]
        columns = [*range(70), *range(68, 42, -1)]
        whole = task(image[:, :, :40, :70][:, :, rows][:, :, :, columns])
    assert logits.shape == (1, 3, 40, 70)
    torch.testing.assert_close(logits, whole[:, :, :40, :70])


def test_schedule_needs_an_end() -> None:
    with pytest.raises(ConfigError, match=r"needs an end; set --trainer\.max_epochs"):
        make_trainer(-1).fit(make_task(schedule="one_cycle"), FakePets())


def test_example_input_has_the_size_of_the_datamodule() -> None:
    task = make_task()
    make_trainer(limit_train_batches=1, limit_val_batches=0).fit(task, FakePets(image_size=(64, 96)))

    assert isinstance(task.example_input_array, Tensor)
    assert task.example_input_array.shape == (1, 3, 64, 96)


# Steps


def test_logits_are_those_of_the_normalised_pictures() -> None:
    task = make_task(normalization="symmetric").eval()
    images = random_batch()["image"]

    with torch.no_grad():
        torch.testing.assert_close(task(images), task.model(images / 127.5 - 1), rtol=1e-4, atol=1e-4)


def picture(mask: list[int]) -> SegmentationBatch:
    """One black picture, two pixels high, with the same mask in both rows."""
    return {
        **random_batch(1, (2, len(mask))),
        "image": torch.zeros(1, 3, 2, len(mask), dtype=torch.uint8),
        "mask": torch.tensor([[mask, mask]], dtype=torch.uint8),
    }


def stack(*pictures: SegmentationBatch) -> SegmentationBatch:
    return {
        "image": torch.cat([single["image"] for single in pictures]),
        "mask": torch.cat([single["mask"] for single in pictures]),
        "index": torch.arange(len(pictures)),
        "epoch": torch.zeros(len(pictures), dtype=torch.int64),
        "path": [path for single in pictures for path in single["path"]],
        "original_size": torch.cat([single["original_size"] for single in pictures]),
    }


@pytest.mark.parametrize("split", ["val", "test"])
def test_logged_values_by_hand_with_a_partial_last_batch(split: str) -> None:
    task, trainer = SegmentationTask(Still(), 3, class_names=NAMES), make_trainer()
    batches = loader(stack(picture([1, 1, 1]), picture([0, 1, 1])), picture([0, 0, IGNORE_INDEX]))

    run = trainer.validate if split == "val" else trainer.test
    (logged,) = run(task, batches, verbose=False)

    # Every pixel is predicted as background, of 8 counted columns 5 are; the network gives true background pixels a
    # loss of ln 2 and others ln 4 = 2 ln 2.
    assert logged == pytest.approx(
        {
            f"{split}/loss": (5 * 1 + 3 * 2) / 8 * math.log(2),
            f"{split}/accuracy": 5 / 8,
            f"{split}/miou": (0 + 5 / 8) / 2,
            f"{split}/mdice": (0 + 10 / 13) / 2,
            f"{split}/iou/pet": 0,
            f"{split}/dice/pet": 0,
            f"{split}/iou/background": 5 / 8,
            f"{split}/dice/background": 10 / 13,
            # Of pictures two pixels high every pixel is near the border.
            f"{split}/mean_boundary_iou": (0 + 5 / 8) / 2,
            f"{split}/boundary_iou/pet": 0,
            f"{split}/boundary_iou/background": 5 / 8,
            # Background in all three pictures: 3 of 3, 2 of 3 and 0 of 2 columns. Pet in the last two.
            f"{split}/mean_picture_iou": (0 + (1 + 2 / 3 + 0) / 3) / 2,
            f"{split}/picture_iou/pet": 0,
            f"{split}/picture_iou/background": (1 + 2 / 3 + 0) / 3,
            f"{split}/mean_picture_dice": (0 + (1 + 4 / 5 + 0) / 3) / 2,
            f"{split}/picture_dice/pet": 0,
            f"{split}/picture_dice/background": (1 + 4 / 5 + 0) / 3,
            f"{split}/mean_picture_boundary_iou": (0 + (1 + 2 / 3 + 0) / 3) / 2,
            f"{split}/picture_boundary_iou/pet": 0,
            f"{split}/picture_boundary_iou/background": (1 + 2 / 3 + 0) / 3,
            # Sure by 0.5 everywhere.
            f"{split}/ece": 5 / 8 - 1 / 2,
        }
    )


class OtherPicturesEachEpoch(pl.LightningDataModule):
    def train_dataloader(self) -> Loader:
        return loader(picture([[1, 1, 1, 1], [1, 1, 0, 2]][self.epoch]))

    def val_dataloader(self) -> Loader:
        return loader(picture([[0, 0, 0, 0], [1, 0, 0, 2]][self.epoch]))

    @property
    def epoch(self) -> int:
        assert self.trainer is not None
        return self.trainer.current_epoch


def test_each_epoch_counts_anew() -> None:
    trainer = make_trainer(2, reload_dataloaders_every_n_epochs=1)

    trainer.fit(SegmentationTask(Still(), 3, lr=1e-30), OtherPicturesEachEpoch())

    values = {name: value.item() for name, value in trainer.callback_metrics.items()}
    assert (values["train/accuracy"], values["val/accuracy"]) == (2 / 4, 1 / 4)
    # ln 2 where background is true, twice that elsewhere.
    assert values["train/loss"] == pytest.approx((2 * 1 + 2 * 2) / 4 * math.log(2))
    assert values["val/loss"] == pytest.approx((1 * 1 + 3 * 2) / 4 * math.log(2))


def test_classes_without_names_have_numbers() -> None:
    (logged,) = make_trainer().validate(SegmentationTask(Still(), 3), loader(picture([1, 0])), verbose=False)
    assert logged["val/iou/class_1"] == 0.5


def test_loss_weights_reach_the_loss() -> None:
    options = {"ce_weight": 0.5, "dice_weight": 2.0}
    batch = picture([0, 1, 2, 2])

    (logged,) = make_trainer().validate(SegmentationTask(Still(), 3, **options), loader(batch), verbose=False)  # type: ignore[arg-type]

    # Half of the columns are border; pet and border get 1/4 of each pixel, background 1/2.
    cross_entropy = (2 + 1 + 2 + 2) / 4 * math.log(2)
    # 2 * shared + 1 over predicted + true + 1, on 8 pixels.
    dice = ((2 * 0.5 + 1) / (2 + 2 + 1) + (2 * 1 + 1) / (4 + 2 + 1) + (2 * 1 + 1) / (2 + 4 + 1)) / 3
    assert logged["val/loss"] == pytest.approx(0.5 * cross_entropy + 2 * (1 - dice))


def pictures_to_predict(batch: SegmentationBatch, sizes: list[tuple[int, int]]) -> PictureBatch:
    return {
        "image": batch["image"],
        "path": [f"picture_{index}.jpg" for index in range(len(sizes))],
        "name": [f"picture_{index}" for index in range(len(sizes))],
        "original_size": sizes,
        "unreadable": [Unreadable("broken.jpg", "broken.jpg: no picture")],
        "files": [],
    }


def test_predictions_have_the_size_of_the_file() -> None:
    task = make_task()
    batch = pictures_to_predict(random_batch(2), [(70, 90), (64, 64)])
    with torch.no_grad():
        probs = task.eval()(batch["image"]).softmax(dim=1)

    predicted = task.predict_step(batch, 0)

    first, second = predicted["predictions"]
    assert (first.mask.shape, first.mask.dtype) == ((70, 90), torch.uint8)
    torch.testing.assert_close(second.mask.long(), probs[1].argmax(dim=0))
    assert second.confidence == pytest.approx(probs[1].amax(dim=0).mean().item(), abs=1e-5)
    assert (predicted["path"], predicted["name"]) == (batch["path"], batch["name"])
    assert predicted["unreadable"] == [("broken.jpg", "broken.jpg: no picture")]


# One logit for two classes


class OneLogit(nn.Module):
    """A network whose logit is ln 3 where the red channel is white and -ln 3 elsewhere: probabilities 3/4 and 1/4."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(math.log(3)))

    def forward(self, images: Tensor) -> Tensor:
        return (2 * images[:, :1] - 1) * self.scale


def red_picture(columns: list[int], mask: list[int]) -> SegmentationBatch:
    """One picture, two pixels high, whose columns are red or black."""
    batch = picture(mask)
    batch["image"][0, 0] = torch.tensor([[255 * red for red in columns]] * 2, dtype=torch.uint8)
    return batch


def one_logit_task(**options: Any) -> SegmentationTask:
    return SegmentationTask(OneLogit(), 1, normalization="unit", class_names=["background", "car"], **options)


def test_one_logit_by_hand() -> None:
    # Called car: columns 0, 1 and 2; car: columns 0, 1 and 3; column 4 does not count.
    batch = red_picture([1, 1, 1, 0, 1, 0], [1, 1, 0, 1, IGNORE_INDEX, 0])

    (logged,) = make_trainer().test(one_logit_task(dice_weight=1.0), loader(batch), verbose=False)

    # Right columns cost -ln(3/4), wrong ones -ln(1/4).
    cross_entropy = -(3 * math.log(3 / 4) + 2 * math.log(1 / 4)) / 5
    # Two rows: car pixels share 2 * (3/4 + 3/4 + 1/4), predicted are 2 * (3 * 3/4 + 2 * 1/4), true are 6.
    dice = 1 - (2 * 3.5 + 1) / (5.5 + 6 + 1)
    assert logged["test/cross_entropy"] == pytest.approx(cross_entropy)
    assert logged["test/dice_loss"] == pytest.approx(dice)
    assert logged["test/loss"] == pytest.approx(cross_entropy + dice)
    assert (logged["test/iou/car"], logged["test/dice/car"]) == pytest.approx((2 / 4, 4 / 6))
    assert logged["test/iou/background"] == pytest.approx(1 / 3)
    assert logged["test/accuracy"] == pytest.approx(3 / 5)
    # Precision and recall are 2/3 up to a threshold of 3/4; up to 1/4 all is car, with a precision of 3/5.
    assert logged["test/average_precision"] == pytest.approx((1 - 2 / 3) * 3 / 5 + 2 / 3 * 2 / 3)
    # Dice is 3/4 where all is car, and 2/3 above.
    assert 0 <= logged["test/best_threshold"] <= 0.25


def test_probabilities_of_one_logit_are_those_of_both_classes() -> None:
    images = red_picture([1, 0], [1, 0])["image"]
    probs = one_logit_task().probabilities(images)
    torch.testing.assert_close(probs[0, :, 0], torch.tensor([[0.25, 0.75], [0.75, 0.25]]))


def test_threshold_decides_about_the_foreground() -> None:
    task = one_logit_task()
    batch = pictures_to_predict(red_picture([1, 0], [1, 0]), [(2, 2)])
    masks = []
    for threshold in (0.2, 0.5, 0.8):
        task.inference = MaskInference(threshold=threshold)
        masks.append(task.predict_step(batch, 0)["predictions"][0].mask[0].tolist())
    assert masks == [[1, 1], [1, 0], [0, 0]]


def test_one_logit_takes_the_two_names_of_its_datamodule() -> None:
    task = SegmentationTask(OneLogit(), 1)
    make_trainer(limit_train_batches=0, limit_val_batches=0).fit(task, FakePets(class_names=("background", "car")))
    assert task.class_names == ("background", "car")
    with pytest.raises(ConfigError, match="num_classes 1, FakePets has 3: pet, background, border"):
        make_trainer().fit(one_logit_task(), FakePets())


# Mixed pictures


def test_loss_of_a_mixup_batch_is_that_of_both_masks_by_their_shares() -> None:
    batch = stack(picture([0, 0]), picture([1, 1]))
    mixed = {**batch, "mask_b": batch["mask"].flip(0), "lam": torch.tensor([0.75, 1.0])}
    task = SegmentationTask(Still(), 3, dice_weight=1.0)

    loss = task.shared_step(mixed, "train")  # type: ignore[arg-type]

    # ln 4 for pet, ln 2 for background; the first picture is pet to three quarters.
    cross_entropy = ((0.75 * 2 + 0.25 * 1) + 1) / 2 * math.log(2)
    # Of 4 pixels pet and border get 1, background 2; smooth 1.
    pet = 1 - ((2 * 1 + 1) / (1 + 4 + 1) + 1 / (2 + 1) + 1 / (1 + 1)) / 3
    background = 1 - (1 / (1 + 1) + (2 * 2 + 1) / (2 + 4 + 1) + 1 / (1 + 1)) / 3
    dice = (0.75 * pet + 0.25 * background + background) / 2
    assert loss.item() == pytest.approx(cross_entropy + dice)


def test_training_metrics_of_mixup_count_the_larger_share() -> None:
    batch = stack(picture([1, 1]), picture([0, 0]), picture([1, 1]))
    mixed = {**batch, "mask_b": torch.zeros_like(batch["mask"]), "lam": torch.tensor([0.6, 0.9, 0.4])}
    task = SegmentationTask(Still(), 3, class_names=NAMES)

    task.shared_step(mixed, "train")  # type: ignore[arg-type]

    # Everything is called background; it is the larger share of the first picture alone.
    assert task.split_values("train")["accuracy"] == pytest.approx(1 / 3)


# Class weights


class CountedPets(FakePets):
    def __init__(self, pixels: list[int]) -> None:
        super().__init__()
        self.pixels, self.times = pixels, 0

    def count_class_pixels(self) -> list[int]:
        self.times += 1
        return self.pixels


def test_class_weights_are_counted_once_and_stored(tmp_path: Path) -> None:
    task, trainer, pets = make_task(class_weights="auto"), make_trainer(), CountedPets([10, 40, 50])
    trainer.fit(task, pets)
    trainer.save_checkpoint(tmp_path / "task.ckpt")

    # 100 / (3 * 10) and so on.
    expected = [3.333333, 0.833333, 0.666667]
    assert pets.times == 1
    assert task.hparams["class_weights"] == expected
    loaded = MobileNetV2UNetTask.load_from_checkpoint(tmp_path / "task.ckpt", map_location="cpu")
    weights = loaded.loss.losses["cross_entropy"].class_weights
    assert isinstance(weights, Tensor)
    assert weights.tolist() == pytest.approx(expected)
    tested = make_task(class_weights="auto")
    make_trainer().validate(tested, CountedPets([1, 1, 1]), ckpt_path=tmp_path / "task.ckpt", verbose=False)
    assert tested.hparams["class_weights"] == expected


def test_class_that_no_mask_shows_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="lightning_seg"):
        assert balanced_weights([30, 0, 10], NAMES, "mask") == pytest.approx([40 / 60, 1.0, 40 / 20], abs=1e-6)
    assert "no training mask shows background" in caplog.messages[-1]


@pytest.mark.parametrize("weights", [[1.0, 2.0], [1.0, -1.0, 1.0], [0.0, 0.0, 0.0], "automatic"])
def test_impossible_class_weights(weights: Any) -> None:
    with pytest.raises(ConfigError, match="must be 3 numbers of at least 0, not all 0, or auto"):
        make_task(class_weights=weights)


def test_best_checkpoint_may_be_chosen_by_a_loss() -> None:
    assert make_task(dice_weight=1.0, monitor="val/dice_loss").monitor == ("val/dice_loss", "min")
    assert make_task(monitor="val/dice/pet").monitor == ("val/dice/pet", "max")
    assert make_task().monitor == ("val/miou", "max")


class Sized(SegmentationLoss):
    """With a part that is not called a loss."""

    def __init__(self) -> None:
        super().__init__(ce_weight=1.0)
        self.weights["size_error"] = 1.0


class Shares(MetricPart):
    """A user's own: the share of pixels that are called each class, and that of pet, named a second time."""

    higher_is_better = False
    again = "again"

    def update(self, *counted: Tensor) -> None:
        """Nothing is counted here."""

    def values(self, class_names: Sequence[str]) -> dict[str, float | None]:
        return {**{f"share/{name}": 0.0 for name in class_names}, self.again: 0.0}


class MeasuredTask(SegmentationTask):
    part: type[Shares] = Shares

    def __init__(self, **options: Any) -> None:
        super().__init__(model=Still(), num_classes=3, **options)
        self.replace_loss(Sized())

    def metric_parts(self, split: Split) -> dict[str, MetricPart]:
        return {**super().metric_parts(split), "shares": self.part()}


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [
        ("val/size_error", "min"),
        ("val/share/pet", "min"),
        ("val/iou/pet", "max"),
        ("val/cross_entropy", "min"),
        # Which no part gives, so a callback of the user's own may log them.
        ("val/my_loss", "min"),
        ("my_score", "max"),
    ],
)
def test_the_part_that_gives_a_metric_says_which_way_is_better(monitor: str, mode: str) -> None:
    task = MeasuredTask(monitor=monitor)
    assert task.monitor == (monitor, mode)
    task = MeasuredTask(monitor=monitor, class_names=NAMES)
    assert task.monitor == (monitor, mode)
    assert {"train/share/pet", "val/share/border", "val/size_error", "val/miou"} <= set(task.metric_names())


class Repeated(Shares):
    again = "miou"


class RepeatedTask(MeasuredTask):
    part = Repeated


def test_a_name_that_two_parts_give_is_refused() -> None:
    with pytest.raises(ConfigError, match="RepeatedTask measures train/miou twice; give a part of its own other names"):
        make_trainer().fit(RepeatedTask(), FakePets())


# At the original size


def test_measuring_at_the_original_size_is_what_predict_writes() -> None:
    task = one_logit_task()
    task.measuring = Measuring(True, (2, 2))
    # Four columns become two by averaging: red, and half red, whose logit is 0.
    batch = red_picture([1, 1, 1, 0], [1, 1, 0, 0])

    (logged,) = make_trainer().test(task, loader(batch), verbose=False)

    shown = resize_image(batch["image"][0].permute(1, 2, 0).numpy(), (2, 2))
    predict = pictures_to_predict(red_picture([0, 0], [0, 0]), [(2, 4)])
    predict["image"] = torch.from_numpy(shown).permute(2, 0, 1).unsqueeze(0)
    predicted = task.predict_step(predict, 0)["predictions"][0].mask
    right = (predicted == batch["mask"][0]).float().mean().item()
    assert logged["test_full/accuracy"] == pytest.approx(right)
    assert not [name for name in logged if name.startswith("test/") or name.endswith("loss")]


def test_a_batch_without_any_readable_picture_gives_no_prediction() -> None:
    batch = pictures_to_predict(random_batch(1), [])
    batch["image"] = torch.empty(0, 3, 1, 1, dtype=torch.uint8)
    assert make_task().predict_step(batch, 0)["predictions"] == []


def test_training_lowers_the_loss() -> None:
    task, trainer, batch = make_task(freeze_encoder=False), make_trainer(6), random_batch(seed=1)
    batch["mask"] = (batch["image"][:, 0] > 127).to(torch.uint8)
    with torch.no_grad():
        before = task.loss(task(batch["image"]), batch["mask"].long()).item()

    trainer.fit(task, loader(batch))

    assert trainer.callback_metrics["train/loss"].item() < 0.8 * before


def test_frozen_statistics_stay_while_the_encoder_learns() -> None:
    task = make_task(freeze_encoder=False, freeze_encoder_norm=True)
    before = copy_of(task.model)

    make_trainer(max_epochs=2).fit(task, FakePets())

    after = changed(before, task.model.state_dict())
    statistics = {name for name in before if "running" in name}
    assert not {name for name in after & statistics if name.startswith("encoder.")}
    assert {name for name in after & statistics if name.startswith("decoder.")}
    assert "encoder.features.0.0.weight" in after


def test_measuring_goes_back_to_how_it_was() -> None:
    class Data:
        image_size: tuple[int, int] | None = (32, 64)

        def measure_as(self, measuring: Measuring) -> None:
            self.image_size = measuring.shown_size if measuring.original_size else (32, 64)

    task, data = make_task(), Data()
    task.measure_as(data, tile=16, overlap=0)
    assert (task.measuring, data.image_size) == (Measuring(True, None), None)
    task.measure_as(data, original_size=True)
    assert (task.measuring, data.image_size) == (Measuring(True, (32, 64)), (32, 64))
    task.measure_as(data)
    assert (task.measuring, data.image_size) == (Measuring(), (32, 64))
