from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_seg.augmentation.collate import collate_pictures
from lightning_seg.batch import PictureBatch, PictureSample
from lightning_seg.datamodules.pictures import PicturesDataModule
from lightning_seg.errors import DataError


def picture(number: int, height: int = 6, width: int = 9) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pictures of different sizes, the third one broken."""
    for number in range(5):
        Image.fromarray(picture(number, 6 + number, 9)).save(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:60])
    return tmp_path


def batches(images: Any, **options: Any) -> list[PictureBatch]:
    data = PicturesDataModule(images, **{"num_workers": 0, **options})
    data.setup("predict")
    return list(data.predict_dataloader())


def test_pictures_come_in_batches_and_in_order(folder: Path) -> None:
    first, second, third = batches(folder, image_size=(6, 9), batch_size=2)
    assert first["name"] == ["0", "1"]
    assert first["path"] == [str(folder / "0.png"), str(folder / "1.png")]
    assert first["original_size"] == [(6, 9), (7, 9)]
    assert first["image"].shape == (2, 3, 6, 9)
    np.testing.assert_array_equal(first["image"][0].permute(1, 2, 0).numpy(), picture(0))
    assert second["name"] == ["3"]
    assert second["image"].shape == (1, 3, 6, 9)
    assert [broken.path for broken in second["unreadable"]] == [str(folder / "2.png")]
    assert third["name"] == ["4"]
    assert not first["unreadable"]
    assert not third["unreadable"]


def test_pictures_at_their_own_sizes_come_one_at_a_time(folder: Path) -> None:
    found = batches(folder, batch_size=4)
    assert [batch["name"] for batch in found] == [["0"], ["1"], [], ["3"], ["4"]]
    sizes = [tuple(batch["image"].shape[2:]) for batch in found if batch["name"]]
    assert sizes == [(6, 9), (7, 9), (9, 9), (10, 9)]
    np.testing.assert_array_equal(found[3]["image"][0].permute(1, 2, 0).numpy(), picture(3, 9, 9))


@pytest.mark.parametrize("image_size", [None, (6, 9)])
def test_a_batch_may_hold_no_picture_at_all(tmp_path: Path, image_size: tuple[int, int] | None) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).touch()
    found = batches(tmp_path, image_size=image_size, batch_size=2)
    assert [len(batch["image"]) for batch in found] == [0] * len(found)
    assert not any(batch["path"] or batch["name"] or batch["original_size"] for batch in found)
    assert [broken.path for batch in found for broken in batch["unreadable"]] == [
        str(tmp_path / "a.jpg"),
        str(tmp_path / "b.jpg"),
    ]


@pytest.mark.parametrize("batch_size", [1, 2])
def test_batches_are_channels_last(folder: Path, batch_size: int) -> None:
    (batch, *_) = batches(folder, image_size=(6, 9), batch_size=batch_size)
    assert batch["image"].dtype == torch.uint8
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)
    assert not batch["image"].is_contiguous()


def sample(number: int) -> PictureSample:
    image = torch.from_numpy(picture(number)).permute(2, 0, 1)
    return {"image": image, "path": f"{number}.png", "name": str(number), "original_size": (6, 9)}


def test_a_single_picture_is_not_copied() -> None:
    one = sample(0)
    assert collate_pictures([one])["image"].data_ptr() == one["image"].data_ptr()
    two = collate_pictures([one, sample(1)])["image"]
    assert two.data_ptr() != one["image"].data_ptr()


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize("kind", [str, Path])
def test_one_name_or_many(folder: Path, kind: type[str] | type[Path], as_list: bool) -> None:
    images = kind(folder / "1.png")
    found = batches([images] if as_list else images)
    assert [batch["name"] for batch in found] == [["1"]]


def test_many_names(folder: Path) -> None:
    images: Sequence[str] = [str(folder / "4.png"), str(folder / "[01].png")]
    assert [batch["name"] for batch in batches(images)] == [["4"], ["0"], ["1"]]


def test_loader_processes_bring_the_same(folder: Path) -> None:
    here, there = (batches(folder, image_size=(6, 9), batch_size=2, num_workers=number) for number in (0, 1))
    assert [batch["name"] for batch in there] == [["0", "1"], ["3"], ["4"]]
    for one, other in zip(here, there, strict=True):
        assert torch.equal(one["image"], other["image"])
        assert one["unreadable"] == other["unreadable"]


def test_what_is_not_there_is_an_error_at_set_up(tmp_path: Path) -> None:
    data = PicturesDataModule(str(tmp_path / "*.jpg"))
    with pytest.raises(DataError, match=r"\*\.jpg: no such file"):
        data.setup("predict")
