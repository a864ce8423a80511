"""What a batch must be is said in one line, at the first batch of a stage and nowhere else."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_seg import CNNClassifierTask, FlowersDataModule, OxfordPetsDataModule, SlidingDetectorTask, UNetTask
from lightning_seg.callbacks import MaskWriter
from lightning_seg.errors import ConfigError, UserError
from lightning_seg.tasks import looking
from lightning_seg.tasks.batches import check_image, described
from lightning_seg.tasks.looking import picture_size
from lightning_seg.tasks.supervised import SupervisedTask

IMAGE = torch.arange(2 * 3 * 32 * 32).remainder(256).view(2, 3, 32, 32).to(torch.uint8)
MASK = torch.arange(2 * 32 * 32).remainder(3).view(2, 32, 32).to(torch.uint8)
LABEL = torch.tensor([0, 4])
WHOLE = {"image": IMAGE, "mask": MASK}


class Batches:
    """A loader of these; Lightning takes a list for several loaders."""

    def __init__(self, *batches: Any) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)


def segmentation(num_classes: int = 3) -> SupervisedTask:
    return UNetTask(num_classes=num_classes, width=4, depth=2)


def classification() -> SupervisedTask:
    return CNNClassifierTask(num_classes=5, image_size=32)


def trainer(**options: Any) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def said(task: SupervisedTask, batch: Any, stage: str = "fit") -> str:
    """The line about a loader of this batch."""
    with pytest.raises(UserError) as raised:
        getattr(trainer(), stage)(task, Batches(batch))
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ((IMAGE, MASK), "a train batch is a tuple of 2 (uint8 (2, 3, 32, 32), uint8 (2, 32, 32)), and tasks of this"),
        ([IMAGE, MASK], "let the dataset return {'image': image, 'mask': mask}"),
        (IMAGE, "a train batch is uint8 (2, 3, 32, 32), and tasks"),
        ({"img": IMAGE, "mask": MASK}, "a train batch holds img, mask, and no image; let the dataset return {'image'"),
        ({"image": IMAGE}, "the task learns from a mask per picture, the batches hold image; give a task"),
        ({"image": IMAGE, "label": LABEL}, "the batches hold image, label; give a task and a datamodule of one kind"),
        ({**WHOLE, "image": IMAGE.numpy()}, "image of a train batch is a numpy array uint8 (2, 3, 32, 32); give a te"),
        ({**WHOLE, "image": list(IMAGE)}, "image of a train batch is a list of 2 (uint8 (3, 32, 32), uint8 (3, 32, "),
        ({**WHOLE, "image": IMAGE / 255}, "float32 (2, 3, 32, 32) with values from 0 to 1; the task divides by 255"),
        ({**WHOLE, "image": IMAGE.float()}, "with values from 0 to 255; give uint8: image.round().to(torch.uint8)"),
        ({**WHOLE, "image": IMAGE / 127.5 - 1}, "with values from -1 to 1; give pictures as their files hold them"),
        ({**WHOLE, "image": IMAGE * torch.nan}, "with values from nan to nan; give pictures as their files hold th"),
        ({**WHOLE, "image": IMAGE.long()}, "int64 (2, 3, 32, 32) with values from 0 to 255; give uint8: image.to(t"),
        ({**WHOLE, "image": IMAGE.bool()}, "bool (2, 3, 32, 32) with values from 0 to 1; give pictures as their"),
        ({**WHOLE, "image": IMAGE.permute(0, 2, 3, 1)}, "(2, 32, 32, 3), channels last; give (B, 3, H, W) uint8: i"),
        ({**WHOLE, "image": IMAGE[:, :1]}, "(2, 1, 32, 32), grey pictures; give their channel three times"),
        ({**WHOLE, "image": IMAGE[0]}, "(3, 32, 32), one picture without a batch; give image.unsqueeze(0)"),
        ({**WHOLE, "image": IMAGE[:0]}, "(0, 3, 32, 32): it holds no picture; leave empty batches out"),
        ({**WHOLE, "image": torch.zeros(2, 7, dtype=torch.uint8)}, "uint8 (2, 7); give (B, 3, H, W) uint8"),
        ({**WHOLE, "mask": MASK.numpy()}, "mask of a train batch is a numpy array uint8 (2, 32, 32); give a tensor"),
        ({**WHOLE, "mask": MASK.float()}, "mask of a train batch is float32 (2, 32, 32) with values from 0 to 2; give"),
        ({**WHOLE, "mask": MASK / 255}, "and let no transform scale them, as ToTensor does"),
        ({**WHOLE, "mask": MASK[:, None]}, "uint8 (2, 1, 32, 32); give class indices (B, H, W) as uint8: mask.sq"),
        ({**WHOLE, "mask": MASK[..., None]}, "(2, 32, 32, 1); give class indices (B, H, W) as uint8: mask.squeeze(3)"),
        (
            {**WHOLE, "mask": torch.nn.functional.one_hot(MASK.long(), 3).permute(0, 3, 1, 2).float()},
            "float32 (2, 3, 32, 32); give class indices (B, H, W) as uint8: mask.argmax(dim=1).to(torch.uint8)",
        ),
        ({**WHOLE, "mask": MASK[:, :16]}, "is uint8 (2, 16, 32), and its pictures ask for (2, 32, 32)"),
        ({**WHOLE, "mask": MASK[:1]}, "is uint8 (1, 32, 32), and its pictures ask for (2, 32, 32)"),
        ({**WHOLE, "mask": MASK + 1}, "holds 3, values of no class: the task has 3, 0 to 2, and leaves 255 out; numbe"),
        ({**WHOLE, "mask": MASK.long() - 1}, "holds -1, values of no class"),
        ({**WHOLE, "lam": torch.ones(2)}, "a train batch has one of mask_b and lam"),
        ({**WHOLE, "mask_b": MASK + 9, "lam": torch.ones(2)}, "mask_b of a train batch holds 9, 10, 11, values of no"),
    ],
)  # fmt: skip
def test_what_is_no_picture_with_a_mask(batch: Any, expected: str) -> None:
    assert expected in said(segmentation(), batch)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ([0, 4], "label of a train batch is a list of 2 (0, 4); give a tensor (B,) int64"),
        (LABEL.numpy(), "label of a train batch is a numpy array int64 (2,)"),
        (LABEL.float(), "is float32 (2,); give class indices (B,) int64: label.long()"),
        (LABEL.int(), "is int32 (2,); give class indices (B,) int64: label.long()"),
        (LABEL[:, None], "is int64 (2, 1) for 2 pictures; give class indices (B,) int64: label.squeeze(1)"),
        (LABEL[:1], "is int64 (1,) for 2 pictures"),
        (torch.eye(5)[LABEL].long(), "is int64 (2, 5) for 2 pictures; give class indices (B,) int64: label.ar"),
        (LABEL + 1, "holds 5, of no class: the task has 5, 0 to 4; number the classes from 0, or set num_classes"),
        (LABEL - 1, "holds -1, of no class"),
        (torch.eye(4)[[0, 1]], "is float32 (2, 4), and shares of classes are (2, 5) here"),
        (2 * torch.eye(5)[LABEL], "whose rows are no shares of classes: at least 0 and 1 in sum"),
    ],
)  # fmt: skip
def test_what_is_no_label(label: Any, expected: str) -> None:
    assert expected in said(classification(), {"image": IMAGE, "label": label})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("stage", ["validate", "test"])
def test_every_stage_looks(stage: str) -> None:
    split = "val" if stage == "validate" else "test"
    assert f"a {split} batch is a tuple" in said(segmentation(), (IMAGE, MASK), stage)
    assert f"image of a {split} batch is float32" in said(
        classification(), {"image": IMAGE / 255, "label": LABEL}, stage
    )


@pytest.mark.filterwarnings("ignore")
def test_predict_looks_at_pictures_and_needs_no_more() -> None:
    assert "a predict batch is a tuple of 2" in said(segmentation(), (IMAGE, MASK), "predict")
    assert "image of a predict batch is float32" in said(segmentation(), {"image": IMAGE / 255}, "predict")
    assert "path of a predict batch is a list of 1 ('a.png') for 2" in said(
        segmentation(), {"image": IMAGE, "path": ["a.png"]}, "predict"
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_whole_numbers_of_any_width_are_masks(dtype: torch.dtype) -> None:
    task = segmentation()
    ignored = torch.where(MASK == 2, 255, MASK.long()).to(dtype)
    several, binary = trainer(), trainer()
    several.fit(task, Batches({**WHOLE, "mask": MASK.to(dtype)}), Batches({**WHOLE, "mask": ignored}))
    binary.fit(segmentation(1), Batches({**WHOLE, "mask": MASK == 1}))
    # What is ignored is no class that was missed.
    assert "val/iou/class_2" not in several.callback_metrics or several.callback_metrics["val/iou/class_2"] == 0
    assert 0 < several.callback_metrics["train/loss"] < 10
    assert 0 < binary.callback_metrics["train/loss"] < 10


@pytest.mark.filterwarnings("ignore")
def test_shares_of_classes_are_labels_in_every_split(tmp_path: Path) -> None:
    shares = torch.tensor([[0.5, 0.5, 0, 0, 0], [0, 0, 0, 0.25, 0.75]])
    task, batch = classification(), {"image": IMAGE, "label": shares}
    trainer().fit(task, Batches(batch), Batches(batch))
    (values,) = trainer().test(task, Batches(batch))
    assert values["test/loss"] > 0


@pytest.mark.filterwarnings("ignore")
def test_later_batches_cost_no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def look(batch: Any, split: str) -> tuple[int, int]:
        looked.append(split)
        return check_image(batch, split)

    monkeypatch.setattr(looking, "check_image", look)
    task = segmentation()
    trainer().fit(task, Batches(*[WHOLE] * 4), Batches(*[WHOLE] * 3))
    assert looked == ["val", "train"]
    trainer().test(task, Batches(*[WHOLE] * 3))
    assert looked == ["val", "train", "test"]


@pytest.mark.filterwarnings("ignore")
def test_a_task_that_reads_batches_itself_may_have_any(tmp_path: Path) -> None:
    class Tuples(UNetTask):
        def shared_step(self, batch: Any, split: Any) -> Tensor:
            image, mask = batch
            pictures: Any = {"image": (image * 255).to(torch.uint8), "mask": mask}
            return super().shared_step(pictures, split)

    batches, fitting = Batches((IMAGE / 255, MASK)), trainer()
    fitting.fit(Tuples(num_classes=3, width=4, depth=2), batches, batches)
    assert 0 < fitting.callback_metrics["val/loss"] < 10


@pytest.mark.filterwarnings("ignore")
def test_binary_masks_of_0_and_255_are_said(caplog: pytest.LogCaptureFixture) -> None:
    batch = {"image": IMAGE, "mask": torch.where(MASK == 1, 255, 0).to(torch.uint8)}
    trainer().fit(segmentation(1), Batches(batch))
    assert sum("hold 0 and 255 alone, and 255 does not count" in record.message for record in caplog.records) == 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: CNNClassifierTask(num_classes=5, image_size=64), "the task has image_size 64 x 64, the pictures have"),
        (
            lambda: SlidingDetectorTask("mobilenet_v2", None, 5, freeze_encoder=False),
            "image_size [32, 32] is not the w",
        ),
    ],
)
def test_loaders_without_a_datamodule_have_their_size_checked(
    make: Callable[[], SupervisedTask], expected: str
) -> None:
    assert expected in said(make(), {"image": IMAGE, "label": LABEL})


@pytest.mark.filterwarnings("ignore")
def test_what_a_detector_is_measured_against() -> None:
    task = SlidingDetectorTask("mobilenet_v2", None, 5, freeze_encoder=False)
    task.at_original_size = True
    batch: dict[str, Any] = {"image": IMAGE[:1], "label": LABEL[:1]}
    assert "a test batch holds image, label, and no boxes, with which a detector is measured" in said(
        task, batch, "test"
    )
    batch |= {"boxes": [], "box_labels": [LABEL], "original_size": torch.tensor([[32, 32]])}
    assert "boxes of a test batch is a list of 0 for 1 pictures; give one of each" in said(task, batch, "test")


# Loaders of this package, from Python


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("num_workers", [0, 2])
def test_every_loader_can_be_predicted(pets_root: Path, num_workers: int) -> None:
    data = OxfordPetsDataModule(pets_root, image_size=32, batch_size=4, num_workers=num_workers)
    for stage in ("fit", "test"):
        data.setup(stage)
    loaders = data.train_dataloader(), data.val_dataloader(), data.test_dataloader(), data.predict_dataloader()
    for loader in loaders:
        batches: Any = trainer().predict(segmentation(), loader)
        assert batches
        for batch in batches:
            assert len(batch["predictions"]) == len(batch["name"]) == len(batch["path"])
        sizes = {tuple(one.mask.shape) for batch in batches for one in batch["predictions"]}
        # Those of the files, not of what the network has seen.
        assert (32, 32) not in sizes
        names = [name for batch in batches for name in batch["name"]]
        assert len(set(names)) == len(names)
        assert not any(name.startswith("/") or ".." in name for name in names)


@pytest.mark.filterwarnings("ignore")
def test_what_is_written_about_any_loader_stays_in_its_folder(pets_root: Path, tmp_path: Path) -> None:
    data = OxfordPetsDataModule(pets_root, image_size=32, batch_size=4, num_workers=0)
    data.setup("fit")
    # Others have kept decoded pictures there.
    before = set(pets_root.rglob("masks"))
    trainer(callbacks=[MaskWriter(tmp_path / "out")]).predict(segmentation(), data.val_dataloader())
    masks = list((tmp_path / "out" / "masks").rglob("*.png"))
    assert len(masks) == len(data.datasets["val"])
    assert set(pets_root.rglob("masks")) == before
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


@pytest.mark.filterwarnings("ignore")
def test_labels_can_be_predicted_by_any_loader(flowers_root: Path) -> None:
    data = FlowersDataModule(flowers_root, image_size=32, batch_size=4, num_workers=0, test_fraction=0.2)
    data.setup("fit")
    batches: Any = trainer().predict(classification(), data.val_dataloader())
    first, *_ = batches
    assert [len(one.probs) for one in first["predictions"]] == [5] * len(first["path"])


@pytest.mark.filterwarnings("ignore")
def test_what_nobody_tells_is_counted() -> None:
    samples: Any = [{"image": image, "original_size": (50, 40)} for image in [*IMAGE, *IMAGE, IMAGE[0]]]
    batches: Any = trainer().predict(segmentation(), DataLoader(samples, batch_size=2))
    assert [name for batch in batches for name in batch["name"]] == [f"picture_{n // 2}_{n % 2}" for n in range(5)]
    assert {tuple(one.mask.shape) for batch in batches for one in batch["predictions"]} == {(50, 40)}


@pytest.mark.parametrize(
    ("loader", "stage"),
    [("train", "fit"), ("val", "validate"), ("test", "test"), ("predict", "predict")],
)
def test_a_loader_before_its_set_up_says_what_to_call(pets_root: Path, loader: str, stage: str) -> None:
    data = OxfordPetsDataModule(pets_root, image_size=32)
    with pytest.raises(
        ConfigError, match=rf"OxfordPetsDataModule is not set up for {stage}; call prepare_data\(\) and"
    ):
        getattr(data, f"{loader}_dataloader")()


# Small parts


def test_things_in_a_few_words() -> None:
    assert described(torch.zeros(2, 3)) == "float32 (2, 3)"
    assert described(np.zeros((2, 3), np.int16)) == "a numpy array int16 (2, 3)"
    assert described([]) == "a list of 0"
    assert described((1, "a", None, 2.5)) == "a tuple of 4 (1, 'a', None, ...)"
    assert described("a" * 100) == f"'{'a' * 38}…"
    assert described({}) == "of type dict"


@pytest.mark.parametrize(
    ("given", "expected"), [(64, (64, 64)), ((32, 48), (32, 48)), ([32, 48], (32, 48)), (None, None)]
)
def test_a_datamodule_may_tell_its_size_in_several_ways(given: Any, expected: Any) -> None:
    class Data:
        image_size = given

    assert picture_size(Data()) == expected
    assert picture_size(object()) is None


@pytest.mark.parametrize("given", ["64", (1, 2, 3), 0, (32, 0), 3.5])
def test_a_size_that_is_none_is_named(given: Any) -> None:
    class Data:
        image_size = given

    with pytest.raises(ConfigError, match=r"image_size of Data is .*; give one side, \(height, width\), or None"):
        picture_size(Data())
