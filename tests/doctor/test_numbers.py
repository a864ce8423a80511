"""Numbers of datasets whose pictures and masks are written here, so that everything can be computed by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_seg import CocoObjectsDataModule, FlowersDataModule, ImageMaskFolderDataModule
from lightning_seg.datasets.fact_store import opened_store
from lightning_seg.doctor.advice.network import Colours
from lightning_seg.doctor.advice.numbers import ClassNumbers, Numbers, numbers_of, smallest_object
from lightning_seg.doctor.advice.sizes import Sizes
from lightning_seg.doctor.examination import opened_subject
from lightning_seg.doctor.subject import Facts, Subject
from lightning_seg.doctor.telling.number_lines import describe_numbers


def write(root: Path, name: str, mask: Any, colour: tuple[int, int, int] = (0, 0, 0)) -> None:
    mask = np.asarray(mask, np.uint8)
    for folder, pixels in (("images", np.full((*mask.shape, 3), colour, np.uint8)), ("masks", mask)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / folder / f"{name}.png")


def folder_numbers(root: Path, classes: list[str | int], **options: Any) -> tuple[Numbers, ImageMaskFolderDataModule]:
    (root / "val.txt").write_text("v\n")
    given: dict[str, Any] = {"val_list": "val.txt", "test_fraction": 0.0, "image_size": 32, "cache_dir": root / "cache"}
    given |= {"images": "images/*.png", "masks": "masks/{stem}.png", **options}
    data = ImageMaskFolderDataModule(root, classes, **given)
    with opened_subject(data) as (subject, refused):
        numbers = numbers_of(subject, data.image_size)
    assert numbers is not None, refused
    return numbers, data


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Training masks of 10x10: 30 pixels of car and 70 of road, then 10 that are ignored and 90 of road."""
    first, second = np.zeros((10, 10)), np.zeros((10, 10))
    first[:3], second[0] = 1, 255
    write(tmp_path, "a", first, (255, 0, 51))
    write(tmp_path, "b", second, (0, 0, 153))
    write(tmp_path, "v", np.ones((10, 10)), (9, 9, 9))
    return tmp_path


def test_pixels_and_pictures_are_counted_by_split(root: Path) -> None:
    numbers, data = folder_numbers(root, ["road", "car", "tram"])
    assert numbers.counted == "pixels"
    assert numbers.pictures == {"train": 2, "val": 1}
    road, car, tram = numbers.classes
    assert (road.pictures, road.amounts) == ({"train": 2, "val": 0}, {"train": 160, "val": 0})
    assert (car.pictures, car.amounts) == ({"train": 1, "val": 1}, {"train": 30, "val": 100})
    assert (tram.pictures, tram.amounts) == ({"train": 0, "val": 0}, {"train": 0, "val": 0})
    assert road.share == pytest.approx(160 / 190, abs=1e-6)
    # What the datamodule counts for a training.
    assert data.count_class_pixels() == [160, 30, 0]


def test_weights_are_those_that_auto_takes(root: Path) -> None:
    # 190 pixels of two classes; what never occurs has 1.
    weights = [one.weight for one in folder_numbers(root, ["road", "car", "tram"])[0].classes]
    assert weights == [pytest.approx(190 / (2 * 160), abs=1e-6), pytest.approx(190 / (2 * 30), abs=1e-6), 1.0]


def test_mean_and_deviation_of_known_colours(root: Path) -> None:
    # Red is 1 and 0, blue 0.2 and 0.6; the picture to validate on has no part in it.
    colours = folder_numbers(root, ["road", "car"])[0].colours
    assert colours is not None
    assert colours.mean == pytest.approx((0.5, 0.0, 0.4), abs=1e-4)
    assert colours.std == pytest.approx((0.5, 0.0, 0.2), abs=1e-4)


def test_deviation_counts_pixels_within_a_picture(tmp_path: Path) -> None:
    pixels = np.zeros((256, 256, 3), np.uint8)
    pixels[:128] = 255
    write(tmp_path, "a", np.zeros((256, 256)))
    write(tmp_path, "v", np.zeros((256, 256)))
    Image.fromarray(pixels).save(tmp_path / "images" / "a.png")
    colours = folder_numbers(tmp_path, ["road", "car"])[0].colours
    assert colours == Colours((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_the_smallest_object_is_one_that_one_of_twenty_pictures_has_smaller(tmp_path: Path) -> None:
    # Twenty masks of 100 pixels: one has a car 5 wide, nineteen one 20 wide. The 5th percentile lies between the
    # smallest two, 19 * 0.05 = 0.95 of the way.
    for number in range(20):
        mask = np.zeros((100, 100))
        mask[10:50, 10 : 10 + (5 if number == 0 else 20)] = 1
        write(tmp_path, f"p{number}", mask)
    write(tmp_path, "v", np.zeros((100, 100)))
    numbers, _ = folder_numbers(tmp_path, ["road", "car"], image_size=50)
    car = numbers.classes[1]
    assert car.smallest == pytest.approx(0.05 + 0.95 * 0.15, abs=1e-4)
    # Of 19.25 pixels half are left.
    assert car.pixels_left == pytest.approx(9.625, abs=0.01)


def test_specks_are_no_objects(tmp_path: Path) -> None:
    mask = np.zeros((100, 100))
    # 15 pixels are a speck, 16 an object.
    mask[0:5, 0:3], mask[50:54, 50:54] = 1, 1
    write(tmp_path, "a", mask)
    write(tmp_path, "v", mask)
    car = folder_numbers(tmp_path, ["road", "car"])[0].classes[1]
    assert car.smallest == pytest.approx(0.04)


def test_specks_count_where_there_is_nothing_else(tmp_path: Path) -> None:
    mask = np.zeros((100, 100))
    mask[0:5, 0:3] = 1
    write(tmp_path, "a", mask)
    write(tmp_path, "v", mask)
    assert folder_numbers(tmp_path, ["road", "car"])[0].classes[1].smallest == pytest.approx(0.03)


def test_pictures_that_cannot_be_read_do_not_count(root: Path) -> None:
    (root / "images" / "b.png").write_bytes(b"no picture")
    numbers, _ = folder_numbers(root, ["road", "car"])
    assert numbers.pictures == {"train": 1, "val": 1}
    assert numbers.classes[0].amounts["train"] == 70
    assert numbers.colours is not None
    assert numbers.colours.mean == pytest.approx((1.0, 0.0, 0.2), abs=1e-4)


def test_labels_are_counted_as_pictures(flowers_root: Path, tmp_path: Path) -> None:
    data = FlowersDataModule(flowers_root, image_size=32, cache_dir=tmp_path)
    with opened_subject(data) as (subject, _):
        numbers = numbers_of(subject, data.image_size)
    assert numbers is not None
    assert numbers.counted == "pictures"
    assert [sum(one.amounts.values()) for one in numbers.classes] == [6] * 5
    assert [one.amounts for one in numbers.classes] == [one.pictures for one in numbers.classes]
    trained = [one.amounts["train"] for one in numbers.classes]
    assert [one.weight for one in numbers.classes] == [pytest.approx(sum(trained) / (5 * n), abs=1e-6) for n in trained]
    assert all(one.smallest is None for one in numbers.classes)


def test_boxes_are_counted_and_have_a_smallest_side(scenes_root: Path, tmp_path: Path) -> None:
    dataset = CocoObjectsDataModule(scenes_root).make_test()
    record = dataset.records[0]
    boxes = np.array([[0, 0, 10, 40], [0, 0, 30, 20]], np.float32)
    dataset = dataset.over([record._replace(boxes=boxes, labels=np.array([1, 1]))])
    with Image.open(record.image) as picture, opened_store(tmp_path, scenes_root) as store:
        subject = Subject(scenes_root, dataset.class_names, {"test": dataset}, {"test": Facts(store, dataset)})
        numbers = numbers_of(subject)
        short = min(picture.size)
    assert numbers is not None
    assert numbers.counted == "boxes"
    assert numbers.classes[1].amounts == {"test": 2}
    assert numbers.classes[1].smallest == pytest.approx(10 / short, abs=1e-4)
    assert (numbers.classes[1].weight, numbers.colours) == (None, None)


def test_as_dict_is_plain_and_complete(root: Path) -> None:
    plain = folder_numbers(root, ["road", "car"])[0].as_dict()
    assert plain["sizes"] == {"smallest": (10, 10), "median": (10, 10), "largest": (10, 10), "landscape": 0.0}
    assert plain["classes"][1]["name"] == "car"
    assert plain["image_size"] == (32, 32)


def many(number: int, smallest: float | None = None) -> Numbers:
    classes = tuple(
        ClassNumbers(
            f"c{index}", {"train": index + 1}, {"train": index + 1}, (index + 1) / 1000, 1.0, smallest, smallest
        )
        for index in range(number)
    )
    sizes = Sizes((10, 10), (20, 30), (40, 40), 1.0)
    return Numbers("pictures", {"train": 99}, classes, Colours((0.5,) * 3, (0.2,) * 3), None, sizes, (32, 32), None)


def test_a_hundred_and_twenty_classes_take_no_more_than_twenty_lines() -> None:
    lines = describe_numbers(many(120))
    assert len("\n".join(lines).splitlines()) <= 20
    # The rarest ones stand there.
    assert [line.split()[0] for line in lines[1:13]] == [f"c{index}" for index in range(12)]
    assert "and 108 more classes with 13 to 120 pictures of train each" in lines


def test_few_classes_stand_there_in_their_order() -> None:
    assert [line.split()[0] for line in describe_numbers(many(3))[1:4]] == ["c0", "c1", "c2"]


def test_the_class_with_the_largest_share_is_no_object() -> None:
    *others, largest = many(3, smallest=0.5).classes
    assert smallest_object([*others, replace(largest, smallest=0.01)]) == 0.5
    classes = (*others, largest)
    assert smallest_object((classes[0],)) == 0.5
    assert smallest_object(many(3).classes) is None
