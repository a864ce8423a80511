from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightning_seg.datasets.flowers import FlowersDataset, photo_number
from lightning_seg.datasets.labelled import LabelledPicture
from lightning_seg.errors import DataError
from lightning_seg.images import read_image

NAMES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")


def write(root: Path) -> None:
    """A picture of each class, grey 10, 20, 30, 40, 50."""
    for number, name in enumerate(NAMES, 1):
        (root / name).mkdir(parents=True)
        Image.fromarray(np.full((4, 5, 3), 10 * number, np.uint8)).save(root / name / f"{number}_ab.png")


@pytest.mark.parametrize("folder", ["", "flower_photos"], ids=["classes", "as downloaded"])
def test_labels_are_in_the_order_of_the_names(tmp_path: Path, folder: str) -> None:
    write(tmp_path / folder)
    (tmp_path / folder / "LICENSE.txt").write_text("CC BY")
    dataset = FlowersDataset(tmp_path)
    assert dataset.class_names == NAMES
    samples = [dataset[index] for index in range(5)]
    assert [(sample["label"], int(sample["image"][0, 0, 0])) for sample in samples] == [
        (0, 10),
        (1, 20),
        (2, 30),
        (3, 40),
        (4, 50),
    ]


def test_synthetic_flowers_are_read(flowers_root: Path) -> None:
    dataset = FlowersDataset(flowers_root, (32, 48))
    assert len(dataset) == 30
    assert dataset.count_labels() == [6] * 5
    for sample in (dataset[0], dataset[29]):
        assert sample["image"].shape == (3, 32, 48)
        assert NAMES[sample["label"]] == Path(sample["path"]).parent.name
        assert sample["original_size"] == read_image(sample["path"]).shape[:2]


def test_a_photo_keeps_its_number_in_every_size() -> None:
    names = ["roses/15922772266_1167a06620.jpg", "tulips/15922772266_1167a06620_n.jpg", "tulips/7_1.jpg"]
    numbers = [photo_number(LabelledPicture(name, Path(name), 0)) for name in names]
    assert numbers == ["15922772266", "15922772266", "7"]


def test_another_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no daisy/ or flower_photos/daisy/ there, .* --data\.source synthetic$"):
        FlowersDataset(tmp_path)


def test_a_class_is_missing(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "roses" / "3_ab.png").unlink()
    (tmp_path / "roses").rmdir()
    with pytest.raises(DataError, match="there is no picture of class roses; add some or remove the class"):
        FlowersDataset(tmp_path)


def test_a_folder_too_many(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "rose").mkdir()
    with pytest.raises(DataError, match=r": rose is none of the classes daisy, .*; did you mean roses\?$"):
        FlowersDataset(tmp_path)


@pytest.mark.real_data
def test_real_photos(real_data: Path) -> None:
    dataset = FlowersDataset(real_data / "flower_photos", (90, 90))
    assert dataset.count_labels() == [120] * 5
    shapes = Counter(tuple(dataset[index]["image"].shape) for index in range(0, 600, 20))
    assert shapes == {(3, 90, 90): 30}
    # The one that was also published among the tulips.
    assert "15922772266" in {photo_number(record) for record in dataset.records if record.label == 2}
