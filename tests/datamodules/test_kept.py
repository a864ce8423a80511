"""Through the datamodules: what a cache on the disk changes, and who shares it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lightning_seg import (
    CarvanaDataModule,
    FlowersDataModule,
    ImageFolderDataModule,
    ImageMaskFolderDataModule,
    OxfordPetLabelsDataModule,
    OxfordPetsDataModule,
    StanfordDogsDataModule,
)
from lightning_seg.augmentation.seeding import TrainSampler
from lightning_seg.datamodules.base import DataModule, SegmentationDataModule
from lightning_seg.datamodules.kept import Cached
from lightning_seg.datasets import base
from lightning_seg.datasets.base import SegmentationDataset
from lightning_seg.datasets.oxford_pets import OxfordPetsDataset
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.images import Array, SizedImage, read_image_at, read_index_mask
from lightning_seg.synthetic.image_mask_folder import write_image_mask_folder

FOLDER = ".lightning_seg_cache"


def keys(place: Path) -> list[str]:
    return sorted(path.name for path in place.glob("[!.]*/") if path.is_dir())


def batches(data: DataModule[Any], epochs: int = 2) -> list[dict[str, Any]]:
    """Of training and validation."""
    data.setup("fit")
    train, val = data.train_dataloader(), data.val_dataloader()
    found = []
    for epoch in range(epochs):
        assert isinstance(train.sampler, TrainSampler)
        train.sampler.set_epoch(epoch)
        found += [*train, *val]
    return found


def equal(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> bool:
    pairs = [(one[key], other[key]) for one, other in zip(first, second, strict=True) for key in one]
    return all(torch.equal(one, other) if isinstance(one, Tensor) else one == other for one, other in pairs)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_batches_are_the_same_without_and_with_either_cache(pets_copy: Path, num_workers: int) -> None:
    def made(cache: Cached) -> list[dict[str, Any]]:
        options: dict[str, Any] = {"image_size": 32, "batch_size": 4, "augment": "flip_affine_colour"}
        return batches(OxfordPetsDataModule(pets_copy, cache=cache, num_workers=num_workers, **options))

    plain = made(False)
    assert len({batch["image"].float().mean().item() for batch in plain}) > len(plain) / 2
    for cache in ("ram", "disk", True):
        assert equal(made(cache), plain)
    assert len(keys(pets_copy / FOLDER)) == 1


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The pictures that were decoded in this process."""
    paths: list[Path] = []

    def counting(path: Path, size: tuple[int, int] | None) -> SizedImage:
        paths.append(path)
        return read_image_at(path, size)

    monkeypatch.setattr(base, "read_image_at", counting)
    return paths


KINDS: dict[str, tuple[Callable[..., DataModule[Any]], str, int]] = {
    "pets": (OxfordPetsDataModule, "pets_copy", 24),
    "pet labels": (OxfordPetLabelsDataModule, "pets_copy", 24),
    "carvana": (CarvanaDataModule, "carvana_copy", 24),
    "flowers": (FlowersDataModule, "flowers_copy", 30),
    "dogs": (StanfordDogsDataModule, "dogs_copy", 18),
    "folders": (ImageFolderDataModule, "flowers_copy", 30),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_seed_reads_from_one_cache(kind: str, request: pytest.FixtureRequest, decoded: list[Path]) -> None:
    make, fixture, count = KINDS[kind]
    root = request.getfixturevalue(fixture)
    read = []
    for seed in range(3):
        data = make(root, seed=seed, image_size=16, cache="disk", val_fraction=0.25, num_workers=0, batch_size=4)
        data.setup("fit")
        data.train_dataloader(), data.val_dataloader()
        read.append(len(decoded))
        plain = make(root, seed=seed, image_size=16, val_fraction=0.25, num_workers=0, batch_size=4, augment=False)
        plain.setup("fit")
        for split in ("train", "val"):
            cached = data.datasets[split].subset(range(len(data.datasets[split])))
            cached.cache = data.datasets[split].cache
            for index in range(len(cached)):
                assert equal([cached[index]], [plain.datasets[split][index]])
        decoded.clear()
    # What lies in it beside those of a seed are those that another one does not test on.
    assert read == [count, 0, 0]
    assert len(keys(root / FOLDER)) == 1


def test_own_masks_share_a_cache_where_splits_are_drawn_and_leave_listed_test_pictures_out(
    tmp_path: Path, decoded: list[Path]
) -> None:
    root = tmp_path / "own"
    write_image_mask_folder(root, num_pictures=12)
    names = sorted(path.stem for path in (root / "images").iterdir())
    (root / "test.txt").write_text("\n".join(names[:3]))

    def opened(**options: Any) -> int:
        data = ImageMaskFolderDataModule(
            root, ["background", "shape"], image_size=16, cache=True, check_masks=False, num_workers=0, **options
        )
        data.setup("fit")
        decoded.clear()
        data.train_dataloader()
        return len(decoded)

    values: dict[str, Any] = {"ignore_values": [2, 3, 4, 255]}
    assert [opened(seed=seed, val_fraction=0.25, test_fraction=0.25, **values) for seed in range(3)] == [12, 0, 0]
    assert [opened(seed=seed, val_fraction=0.25, test_list="test.txt", **values) for seed in range(2)] == [9, 0]
    assert opened(seed=0, val_fraction=0.25, test_fraction=0.25, ignore_values=[2, 3, 4, 5, 255]) == 12
    assert len(keys(root / FOLDER)) == 3


def test_species_and_breeds_share_their_pictures(pets_copy: Path, decoded: list[Path]) -> None:
    for labels in ("species", "breed"):
        data = OxfordPetLabelsDataModule(pets_copy, labels, image_size=16, cache=True)
        data.setup("fit")
        data.train_dataloader()
    assert len(decoded) == 24


def test_pictures_to_test_on_are_read_from_their_files(pets_copy: Path, decoded: list[Path]) -> None:
    data = OxfordPetsDataModule(pets_copy, image_size=16, cache=True, num_workers=0)
    data.setup("fit")
    data.setup("test")
    data.train_dataloader()
    decoded.clear()
    list(data.test_dataloader())
    assert len(decoded) == 8
    assert data.datasets["test"].cache is None


def test_one_validation_fills_nothing_and_reads_what_is_there(pets_copy: Path, decoded: list[Path]) -> None:
    def validated() -> int:
        data = OxfordPetsDataModule(pets_copy, image_size=16, cache=True, num_workers=0, val_fraction=0.25)
        data.setup("validate")
        decoded.clear()
        list(data.val_dataloader())
        return len(decoded)

    # Two of six pictures of each of four breeds.
    assert validated() == 8
    assert not list((pets_copy / FOLDER).glob("*/"))
    data = OxfordPetsDataModule(pets_copy, image_size=16, cache=True)
    data.setup("fit")
    data.val_dataloader()
    assert validated() == 0


def test_old_ones_are_named_where_another_one_is_filled(pets_copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fill() -> list[str]:
        caplog.clear()
        data = OxfordPetsDataModule(pets_copy, source="synthetic", image_size=16, cache=True)
        data.setup("fit")
        data.train_dataloader()
        return caplog.messages

    assert fill() == []
    (pets_copy / "images" / "Copper_Tabby_3.jpg").touch()
    assert fill() == [
        f"{pets_copy / FOLDER} holds 1 old cache, 0.0 MiB (images/Copper_Tabby_3.jpg has changed since); lightning-seg "
        "cache with the same flags of data and --remove old frees them"
    ]
    assert fill() == []


def test_a_folder_of_its_own(pets_copy: Path, tmp_path: Path) -> None:
    data = OxfordPetsDataModule(pets_copy, image_size=16, cache="disk", cache_dir=str(tmp_path / "caches"))
    data.setup("fit")
    data.train_dataloader()
    (place,) = (tmp_path / "caches").iterdir()
    assert place.name.startswith("pets_copy-")
    assert len(keys(place)) == 1
    assert not (pets_copy / FOLDER).exists()


def test_a_broken_picture_to_test_on_does_no_harm_to_a_training(flowers_copy: Path) -> None:
    probe = FlowersDataModule(flowers_copy, image_size=16, test_fraction=0.2)
    probe.setup("test")
    broken = probe.datasets["test"].records[0].image
    broken.write_bytes(b"no picture")
    data = FlowersDataModule(flowers_copy, image_size=16, test_fraction=0.2, cache=True, num_workers=0)
    assert len(batches(data, epochs=1)) >= 2
    trained = data.datasets["train"].records[0].image
    trained.write_bytes(b"no picture")
    again = FlowersDataModule(flowers_copy, image_size=16, test_fraction=0.2, cache=True, num_workers=0)
    again.setup("fit")
    with pytest.raises(DataError, match=f"{trained.name}: cannot be read as a picture"):
        again.train_dataloader()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cache": "gpu"}, "cache 'gpu' does not exist; choose false, ram or disk"),
        (
            {"cache": "ram", "cache_dir": "x"},
            "cache_dir x is for what stays, and cache ram goes; give --data.cache disk",
        ),
    ],
)
def test_impossible_arguments_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        OxfordPetsDataModule(tmp_path, **options)
    assert str(error.value) == message


@pytest.mark.parametrize("cache", ["ram", "disk", True])
def test_a_cache_needs_one_size(pets_root: Path, cache: Cached) -> None:
    with pytest.raises(DataError, match="needs one size for all pictures; set image_size, or cache to false"):
        OxfordPetsDataModule(pets_root, image_size=None, batch_size=1, cache=cache).setup("fit")


# Classes of the user's own


class HalvesDataset(SegmentationDataset[str]):
    """Pictures whose masks are cut at a grey value."""

    class_names = ("dark", "light")

    def __init__(self, root: Path, names: list[str], image_size: tuple[int, int] | None, cut: int) -> None:
        super().__init__(names, image_size)
        self.root, self.cut = root, cut

    def image_path(self, record: str) -> Path:
        return self.root / f"{record}.png"

    def mask_path(self, record: str) -> Path:
        return self.root / f"{record}_grey.png"

    def read_mask(self, record: str) -> Array:
        return (read_index_mask(self.mask_path(record)) > self.cut).astype(np.uint8)


class HalvesDataModule(SegmentationDataModule):
    class_names = HalvesDataset.class_names
    kind: type[Any] = HalvesDataset

    def __init__(self, root: Path, cut: int = 100, **options: Any) -> None:
        super().__init__(root, image_size=4, num_workers=0, batch_size=1, augment=False, **options)
        self.cut = cut

    def download_missing(self) -> None:
        pass

    def write_synthetic(self) -> None:
        pass

    def make_train_val(self) -> tuple[HalvesDataset, HalvesDataset]:
        return self._of(["a", "b"], self.cut), self._of(["c"], self.cut)

    def make_test(self) -> HalvesDataset:
        return self._of(["c"], self.cut)

    def _of(self, names: list[str], cut: int) -> HalvesDataset:
        made: HalvesDataset = self.kind(self.root, names, self.image_size, cut)
        return made


@pytest.fixture
def halves(tmp_path: Path) -> Path:
    for number, name in enumerate("abc"):
        Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(tmp_path / f"{name}.png")
        Image.fromarray(np.arange(0, 256, 16).astype(np.uint8).reshape(4, 4)).save(tmp_path / f"{name}_grey.png")
    return tmp_path


def light(data: DataModule[Any]) -> list[float]:
    """Pixels above the cut, in training and in validation."""
    return [float(batch["mask"].sum()) for batch in batches(data, epochs=1)]


def test_arguments_of_own_classes_count(halves: Path) -> None:
    assert light(HalvesDataModule(halves, cut=100, cache=True)) == [9, 9, 9]
    assert light(HalvesDataModule(halves, cut=200, cache=True)) == [3, 3, 3]
    assert light(HalvesDataModule(halves, cut=100, cache=True)) == [9, 9, 9]
    assert len(keys(halves / FOLDER)) == 2


def test_own_classes_with_another_way_to_read_do_not_meet(halves: Path) -> None:
    class Inverted(HalvesDataset):
        def read_mask(self, record: str) -> Array:
            return np.uint8(1) - super().read_mask(record)

    class InvertedDataModule(HalvesDataModule):
        kind = Inverted

    assert light(HalvesDataModule(halves, cache=True)) == [9, 9, 9]
    assert light(InvertedDataModule(halves, cache=True)) == [7, 7, 7]


def test_masks_that_validate_may_be_read_in_another_way(halves: Path) -> None:
    class TwoWays(HalvesDataModule):
        def make_train_val(self) -> tuple[HalvesDataset, HalvesDataset]:
            return self._of(["a", "b"], 100), self._of(["a"], 200)

    for _ in range(2):
        assert light(TwoWays(halves, cache=True)) == [9, 9, 3]
    assert len(keys(halves / FOLDER)) == 1


def test_own_subclasses_of_published_datasets_do_not_meet_them(pets_copy: Path) -> None:
    class OneClass(OxfordPetsDataset):
        def read_mask(self, record: Any) -> Array:
            return np.zeros_like(super().read_mask(record))

    class OneClassDataModule(OxfordPetsDataModule):
        def make_train_val(self) -> tuple[SegmentationDataset[Any], SegmentationDataset[Any]]:
            whole = OneClass(self.root, "trainval", self.image_size)
            return whole.subset(range(20)), whole.subset(range(20, 24))

    assert any(light(OxfordPetsDataModule(pets_copy, image_size=16, num_workers=0, cache=True)))
    assert not any(light(OneClassDataModule(pets_copy, image_size=16, num_workers=0, cache=True)))


def test_records_of_own_classes_count(halves: Path) -> None:
    class Crops(HalvesDataset):
        """The number behind a name says how many rows are seen."""

        def image_path(self, record: str) -> Path:
            return super().image_path(record[0])

        def mask_path(self, record: str) -> Path:
            return super().mask_path(record[0])

        def read_mask(self, record: str) -> Array:
            mask = super().read_mask(record)
            mask[int(record[1:]) :] = 0
            return mask

    class CropsDataModule(HalvesDataModule):
        kind = Crops
        rows = "34"

        def make_train_val(self) -> tuple[HalvesDataset, HalvesDataset]:
            return self._of([f"a{row}" for row in self.rows], 100), self._of(["a2"], 100)

    first = CropsDataModule(halves, cache=True)
    assert sorted(light(first)) == [1, 5, 9]
    second = CropsDataModule(halves, cache=True)
    second.rows = "24"
    assert sorted(light(second)) == [1, 1, 9]


def test_who_does_not_say_where_masks_lie_is_told(halves: Path) -> None:
    class Silent(HalvesDataset):
        mask_path = SegmentationDataset.mask_path

        def read_mask(self, record: str) -> Array:
            return np.zeros((4, 4), np.uint8)

    class SilentDataModule(HalvesDataModule):
        kind = Silent

    assert light(SilentDataModule(halves, cache="ram")) == [0, 0, 0]
    with pytest.raises(DataError) as error:
        light(SilentDataModule(halves, cache=True))
    assert str(error.value) == (
        "Silent does not say where its masks lie, so nobody sees whether one has changed; add mask_path(record) to the "
        "class, or give --data.cache ram"
    )


def test_who_holds_what_cannot_be_compared_is_told(halves: Path) -> None:
    class Locked(HalvesDataset):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.lock = memoryview(b"")

    class LockedDataModule(HalvesDataModule):
        kind = Locked

    class Saying(Locked):
        def reading(self) -> str:
            return f"cut {self.cut}"

    class SayingDataModule(HalvesDataModule):
        kind = Saying

    with pytest.raises(DataError, match=r"add reading\(\) to the class, which returns that as text, or give --data.ca"):
        light(LockedDataModule(halves, cache=True))
    assert light(SayingDataModule(halves, cache=True)) == [9, 9, 9]
    assert light(SayingDataModule(halves, cut=200, cache=True)) == [3, 3, 3]
