"""A datamodule of labels, without any dataset of this library: what it shares with those of masks, and its mixing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lightning_seg.augmentation.mixing import Mixing
from lightning_seg.batch import ClassificationBatch
from lightning_seg.datamodules.base import ClassificationDataModule
from lightning_seg.datasets.base import ClassificationDataset

GREYS = (0, 100, 200)
COUNTS = (9, 6, 3)


class GreysDataset(ClassificationDataset[Path]):
    """Pictures ``<class>/*.png``."""

    class_names = ("black", "grey", "light")

    def image_path(self, record: Path) -> Path:
        return record

    def label(self, record: Path) -> int:
        return self.class_names.index(record.parent.name)


class GreysDataModule(ClassificationDataModule):
    """Two thirds train, a third validates, and tests as well."""

    class_names = GreysDataset.class_names

    def download_missing(self) -> None:
        pass

    def write_synthetic(self) -> None:
        pass

    def make_train_val(self) -> tuple[GreysDataset, GreysDataset]:
        dataset = self.make_test()
        held_out = range(0, len(dataset), 3)
        return dataset.subset([i for i in range(len(dataset)) if i % 3]), dataset.subset(held_out)

    def make_test(self) -> GreysDataset:
        return GreysDataset(sorted(self.root.glob("*/*.png")), self.image_size)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """9 black, 6 grey and 3 light pictures, each of one colour all over."""
    root = tmp_path_factory.mktemp("greys")
    for name, grey, count in zip(GreysDataset.class_names, GREYS, COUNTS, strict=True):
        (root / name).mkdir()
        for number in range(count):
            Image.fromarray(np.full((20, 30, 3), grey, np.uint8)).save(root / name / f"{number}.png")
    return root


def fitted(root: Path, **options: Any) -> GreysDataModule:
    data = GreysDataModule(root, **{"image_size": 16, "batch_size": 4, "num_workers": 0, **options})
    data.setup("fit")
    return data


def epoch_of(data: GreysDataModule, epoch: int = 0) -> list[ClassificationBatch]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    return list(loader)


def test_loaders_give_pictures_with_their_labels(root: Path) -> None:
    data = fitted(root)
    data.setup("test")
    train, val = epoch_of(data), list(data.val_dataloader())
    assert [len(batch["label"]) for batch in train] == [4, 4, 4]
    assert [len(batch["label"]) for batch in val] == [4, 2]
    assert sum(len(batch["label"]) for batch in data.test_dataloader()) == 18
    for batch in (*train, *val):
        assert batch.keys() == ClassificationBatch.__required_keys__
        assert batch["image"].is_contiguous(memory_format=torch.channels_last)
        assert batch["label"].dtype == torch.int64
        assert batch["image"][:, 0, 0, 0].tolist() == [GREYS[label] for label in batch["label"]]


def test_classes_travel_and_are_counted(root: Path) -> None:
    data = fitted(root)
    assert (data.num_classes, data.class_names) == (3, ("black", "grey", "light"))
    assert not hasattr(data, "ignore_index")
    assert data.count_class_samples() == [6, 4, 2]
    assert GreysDataModule(root, image_size=16).count_class_samples() == [6, 4, 2]


def test_invented_pixels_are_no_matter_where_there_are_no_masks(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    turn = {"class_path": "Affine", "init_args": {"rotate": [90, 90], "fill_mask": 7, "p": 1.0}}
    assert len(epoch_of(fitted(root, augment=[turn]))) == 3
    assert caplog.messages == []


def test_pictures_are_predicted_without_labels(root: Path) -> None:
    data = GreysDataModule(root, image_size=16, batch_size=8, num_workers=0)
    data.setup("predict")
    batches = list(data.predict_dataloader())
    assert [len(batch["image"]) for batch in batches] == [8, 8, 2]
    assert all("label" not in batch for batch in batches)


@pytest.mark.parametrize("per", ["image", "batch"])
def test_labels_of_cutmix_are_the_pasted_areas(root: Path, per: Any) -> None:
    mixed = 0
    data = fitted(root, mixing=Mixing("cutmix", prob=1.0, per=per), augment=False)
    for epoch in range(4):
        for batch in epoch_of(data, epoch):
            assert (batch["label"].dtype, batch["label"].shape) == (torch.float32, (4, 3))
            assert batch["image"].is_contiguous(memory_format=torch.channels_last)
            for image, label in zip(batch["image"], batch["label"], strict=True):
                areas = [(image[0] == grey).double().mean().item() for grey in GREYS]
                assert label.tolist() == pytest.approx(areas, abs=1e-6)
                mixed += label.max() < 1
    assert mixed > 10


def test_labels_of_mixup_are_the_shares_in_each_pixel(root: Path) -> None:
    shares = []
    data = fitted(root, mixing=Mixing("mixup", alpha=0.5, prob=0.8), augment=False)
    for epoch in range(4):
        for batch in epoch_of(data, epoch):
            expected = batch["label"].double() @ torch.tensor(GREYS, dtype=torch.float64)
            # Rounded to whole numbers.
            assert (batch["image"].double() - expected.view(-1, 1, 1, 1)).abs().max() <= 0.5 + 1e-4
            assert batch["label"].sum(dim=1).tolist() == pytest.approx([1] * 4, abs=1e-6)
            shares += batch["label"].max(dim=1).values.tolist()
    assert min(shares) < 0.8
    assert max(shares) == 1


def test_validation_keeps_class_indices(root: Path) -> None:
    batches = list(fitted(root, mixing=Mixing("both", prob=1.0)).val_dataloader())
    assert {batch["label"].dtype for batch in batches} == {torch.int64}


def labels_and_pictures(batches: list[ClassificationBatch]) -> list[Tensor]:
    return [tensor for batch in batches for tensor in (batch["label"], batch["image"])]


def test_workers_and_cache_change_nothing(root: Path) -> None:
    mixing = Mixing("both", prob=0.7)
    expected = labels_and_pictures(epoch_of(fitted(root, mixing=mixing), 1))
    for options in ({"num_workers": 2}, {"cache": True}):
        found = labels_and_pictures(epoch_of(fitted(root, mixing=mixing, **options), 1))
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
