"""Datasets of labels: what they share with those of masks, and that no mask is read or kept."""

import tempfile
from pathlib import Path

import albumentations as A
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lightning_seg.augmentation.collate import collate_classification
from lightning_seg.augmentation.seeding import SeededPipeline
from lightning_seg.batch import ClassificationBatch, ClassificationSample
from lightning_seg.datasets.base import ClassificationDataset
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.temporary import LOCK


class Greys(ClassificationDataset[tuple[Path, int]]):
    """Pictures and their classes."""

    class_names = ("dark", "light", "unseen")

    def image_path(self, record: tuple[Path, int]) -> Path:
        return record[0]

    def label(self, record: tuple[Path, int]) -> int:
        return record[1]


@pytest.fixture
def records(tmp_path: Path) -> list[tuple[Path, int]]:
    """Three pictures of 4 x 6 pixels, whose left half is 10 darker than the right one."""
    records = []
    for number, (grey, label) in enumerate([(200, 1), (40, 0), (220, 1)]):
        pixels = np.full((4, 6, 3), grey, np.uint8)
        pixels[:, :3] -= 10
        path = tmp_path / f"{number}.png"
        Image.fromarray(pixels).save(path)
        records.append((path, label))
    return records


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the cache of these tests lies."""
    folder = tmp_path_factory.mktemp("t")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_sample_keeps_the_contract(records: list[tuple[Path, int]]) -> None:
    sample = Greys(records, (2, 2))[(7, 2)]
    assert sample.keys() == ClassificationSample.__required_keys__
    assert sample["image"].tolist() == [[[210, 220]] * 2] * 3
    assert sample["image"].dtype == torch.uint8
    assert (sample["label"], sample["index"], sample["epoch"]) == (1, 2, 7)
    assert (sample["path"], sample["original_size"]) == (str(records[2][0]), (4, 6))
    assert Greys(records)[1]["image"].shape == (3, 4, 6)


def test_batch_keeps_the_contract(records: list[tuple[Path, int]]) -> None:
    dataset = Greys(records, (4, 6))
    batch = collate_classification([dataset[index] for index in range(3)])
    assert batch.keys() == ClassificationBatch.__required_keys__
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)
    assert (batch["label"].dtype, batch["label"].tolist()) == (torch.int64, [1, 0, 1])
    assert batch["original_size"].tolist() == [[4, 6]] * 3
    with pytest.raises(DataError, match="pictures of one batch differ in size"):
        collate_classification([dataset[0], Greys(records, (4, 5))[1]])


def test_whole_pictures_come_with_boxes(records: list[tuple[Path, int]]) -> None:
    class Boxed(Greys):
        def boxes(self, record: tuple[Path, int]) -> NDArray[np.float32]:
            return np.array([[0, 1, 2, 3]], np.float32)

    batch = collate_classification([Boxed(records)[1], Boxed(records)[1]])
    assert [boxes.tolist() for boxes in batch["boxes"]] == [[[0, 1, 2, 3]]] * 2
    assert [labels.tolist() for labels in batch["box_labels"]] == [[label] for label in batch["label"].tolist()]
    assert [len(boxes) for boxes in collate_classification([Greys(records)[0]])["boxes"]] == [0]
    # Moved by a pipeline or resized, they would be wrong.
    assert "boxes" not in Boxed(records, pipeline=SeededPipeline([A.HorizontalFlip(p=1.0)]))[1]
    assert "boxes" not in Boxed(records, (2, 2))[1]


def test_pipeline_draws_a_picture_alone(records: list[tuple[Path, int]]) -> None:
    always = Greys(records, pipeline=SeededPipeline([A.HorizontalFlip(p=1.0)]))[1]
    assert always["image"][0, 0].tolist() == [40] * 3 + [30] * 3
    assert always["label"] == 0
    dataset = Greys(records, pipeline=SeededPipeline([A.HorizontalFlip(p=0.5)], seed=3))
    drawn = [bool(dataset[(epoch, 1)]["image"][0, 0, 0] == 40) for epoch in range(20)]
    assert set(drawn) == {True, False}
    assert drawn == [bool(dataset[(epoch, 1)]["image"][0, 0, 0] == 40) for epoch in range(20)]


def test_picture_is_drawn_as_it_would_be_beside_a_mask() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    pipeline = SeededPipeline([A.HorizontalFlip(), A.Affine(rotate=(-20, 20), p=1.0), A.ColorJitter(p=1.0)], seed=1)
    for epoch in range(5):
        alone, nothing = pipeline(image, None, (epoch, 0))
        assert nothing is None
        assert np.array_equal(alone, pipeline(image, image[..., 0].copy(), (epoch, 0))[0])


def test_pipeline_must_leave_a_picture(records: list[tuple[Path, int]]) -> None:
    dataset = Greys(records, pipeline=SeededPipeline([A.Normalize()]))
    message = r"^augment leaves an image of float32 \(4, 6, 3\), not uint8 \(H, W, 3\); leave out Normalize, "
    with pytest.raises(ConfigError, match=message):
        dataset[0]


def test_cache_holds_no_masks(records: list[tuple[Path, int]], temporary: Path) -> None:
    plain, cached = Greys(records, (8, 10)), Greys(records, (8, 10))
    cached.enable_cache()
    for _ in range(2):
        for index in range(3):
            expected, found = plain[index], cached[index]
            assert torch.equal(found["image"], expected["image"])
            assert (found["label"], found["original_size"]) == (expected["label"], (4, 6))
    (folder,) = temporary.iterdir()
    sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.name != LOCK}
    assert sizes == {"images": 3 * 8 * 10 * 3, "sizes": 3 * 2 * 4, "filled": 3}


def test_subset_and_counts(records: list[tuple[Path, int]]) -> None:
    dataset = Greys(records)
    assert dataset.count_labels() == [1, 2, 0]
    part = dataset.subset([2, 0])
    assert part.count_labels() == [0, 2, 0]
    assert [part[index]["path"] for index in range(2)] == [str(records[index][0]) for index in (2, 0)]


def test_missing_picture_is_one_line(records: list[tuple[Path, int]]) -> None:
    records[1][0].unlink()
    with pytest.raises(DataError, match=r"1\.png: no such file"):
        Greys(records)[1]


def test_boxes_are_read_up_to_the_first(records: list[tuple[Path, int]]) -> None:
    read: list[int] = []

    class Boxed(Greys):
        def boxes(self, record: tuple[Path, int]) -> NDArray[np.float32]:
            read.append(int(record[0].stem))
            return np.zeros((read[-1], 4), np.float32)

    assert Boxed(records).has_boxes()
    assert read == [0, 1], "the first picture has none, the second one"
    assert not Boxed(records[:1]).has_boxes()
