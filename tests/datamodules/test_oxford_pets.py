import hashlib
import logging
import tarfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import OxfordIIITPet

from lightning_seg.augmentation.pipelines import PIPELINES
from lightning_seg.batch import SegmentationBatch
from lightning_seg.datamodules import OxfordPetsDataModule, oxford_pets
from lightning_seg.datamodules.base import Loader
from lightning_seg.datamodules.downloads import Archive
from lightning_seg.errors import ConfigError, DataError, DownloadError
from lightning_seg.synthetic.oxford_pets import write_oxford_pets


def make(root: Path, **options: Any) -> OxfordPetsDataModule:
    """8 of 24 pictures validate; no worker processes."""
    return OxfordPetsDataModule(root, **{"image_size": 32, "num_workers": 0, "val_fraction": 1 / 3, **options})


def fitted(root: Path, **options: Any) -> OxfordPetsDataModule:
    data = make(root, **options)
    data.setup("fit")
    return data


def names(loader: Loader) -> list[str]:
    return [Path(path).stem for batch in loader for path in batch["path"]]


def sizes(loader: Loader) -> list[int]:
    return [len(batch["image"]) for batch in loader]


def listed(root: Path, split: str) -> list[str]:
    return [line.split()[0] for line in (root / "annotations" / f"{split}.txt").read_text().splitlines()]


def for_testing(root: Path, **options: Any) -> OxfordPetsDataModule:
    data = make(root, **options)
    data.setup("test")
    return data


# Splits


def test_a_third_of_each_breed_validates(pets_root: Path) -> None:
    breeds = Counter(name.rpartition("_")[0] for name in names(fitted(pets_root).val_dataloader()))
    assert len(breeds) == 4
    assert set(breeds.values()) == {2}


def test_train_and_val_are_trainval_and_nothing_else(pets_root: Path) -> None:
    data = fitted(pets_root)
    train, val = names(data.train_dataloader()), names(data.val_dataloader())

    assert (len(train), len(val)) == (16, 8)
    assert sorted(train + val) == sorted(listed(pets_root, "trainval"))
    assert not set(train + val) & set(listed(pets_root, "test"))


def test_one_seed_gives_one_split_and_two_seeds_give_two(pets_root: Path) -> None:
    val = [names(fitted(pets_root, seed=seed).val_dataloader()) for seed in (0, 0, 1)]
    assert val[0] == val[1]
    assert set(val[0]) != set(val[2])


def test_val_fraction_is_read(pets_root: Path) -> None:
    assert len(names(fitted(pets_root, val_fraction=0.5).val_dataloader())) == 12


@pytest.mark.parametrize("stage", ["test", "predict"])
def test_test_and_predict_read_the_test_pictures_in_the_order_of_their_list(pets_root: Path, stage: str) -> None:
    data = make(pets_root)
    data.setup(stage)
    loader = data.test_dataloader() if stage == "test" else data.predict_dataloader()
    assert names(loader) == listed(pets_root, "test")


def test_fit_never_opens_the_test_pictures(pets_copy: Path) -> None:
    for name in listed(pets_copy, "test"):
        (pets_copy / "images" / f"{name}.jpg").unlink()
        (pets_copy / "annotations" / "trimaps" / f"{name}.png").unlink()
    (pets_copy / "annotations" / "test.txt").unlink()

    data = fitted(pets_copy)

    assert len(names(data.train_dataloader()) + names(data.val_dataloader())) == 24
    with pytest.raises(DataError, match=r"test\.txt"):
        data.setup("test")


def test_test_needs_no_training_pictures(pets_copy: Path) -> None:
    (pets_copy / "annotations" / "trainval.txt").unlink()
    assert len(names(for_testing(pets_copy).test_dataloader())) == 8


def test_test_stage_after_fit_keeps_the_split(pets_root: Path) -> None:
    data = fitted(pets_root)
    val = names(data.val_dataloader())
    data.setup("validate")
    data.setup("test")
    assert names(data.val_dataloader()) == val


# Batches


def test_last_partial_batch_is_left_out_of_training_only(pets_root: Path) -> None:
    data = fitted(pets_root, batch_size=5)
    assert (sizes(data.train_dataloader()), sizes(data.val_dataloader())) == ([5, 5, 5], [5, 3])
    assert sizes(for_testing(pets_root, batch_size=3).test_dataloader()) == [3, 3, 2]


def test_fewer_pictures_than_a_batch_still_train(pets_root: Path) -> None:
    assert sizes(fitted(pets_root, batch_size=20).train_dataloader()) == [16]


def test_batch_keeps_the_contract(pets_root: Path) -> None:
    batch = next(iter(fitted(pets_root, image_size=(32, 64), batch_size=4).train_dataloader()))

    assert batch.keys() == SegmentationBatch.__annotations__.keys()
    assert (batch["image"].dtype, tuple(batch["image"].shape)) == (torch.uint8, (4, 3, 32, 64))
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)
    assert (batch["mask"].dtype, tuple(batch["mask"].shape)) == (torch.uint8, (4, 32, 64))
    assert set(batch["mask"].flatten().tolist()) == {0, 1, 2}
    assert (batch["index"].dtype, batch["epoch"].tolist()) == (torch.int64, [0, 0, 0, 0])
    assert (batch["original_size"].dtype, tuple(batch["original_size"].shape)) == (torch.int64, (4, 2))
    assert all(Path(path).is_file() for path in batch["path"])


def test_one_number_is_a_square(pets_root: Path) -> None:
    assert next(iter(fitted(pets_root, image_size=48).val_dataloader()))["mask"].shape[1:] == (48, 48)


def by_name(loader: Loader) -> dict[str, torch.Tensor]:
    return {path: image for batch in loader for path, image in zip(batch["path"], batch["image"], strict=True)}


def epochs(data: OxfordPetsDataModule, loader: Callable[[OxfordPetsDataModule], Any]) -> list[dict[str, torch.Tensor]]:
    """Pictures by name in epochs 0 and 1."""
    found = []
    for epoch in (0, 1):
        loading = loader(data)
        loading.sampler.set_epoch(epoch)
        found.append(by_name(loading))
    return found


def test_flips_are_drawn_anew_each_epoch(pets_root: Path) -> None:
    plain = by_name(fitted(pets_root, augment=False).train_dataloader())
    first, second = epochs(fitted(pets_root, augment="flip"), OxfordPetsDataModule.train_dataloader)

    kinds = []
    for drawn in (first, second):
        flipped = {name: torch.equal(image, plain[name].flip(-1)) for name, image in drawn.items()}
        assert all(flipped[name] != torch.equal(image, plain[name]) for name, image in drawn.items())
        assert set(flipped.values()) == {True, False}
        kinds.append(flipped)
    assert kinds[0] != kinds[1]
    assert list(first) != list(second)


def test_augment_false_changes_only_the_order(pets_root: Path) -> None:
    first, second = epochs(fitted(pets_root, augment=False), OxfordPetsDataModule.train_dataloader)
    assert all(torch.equal(image, second[name]) for name, image in first.items())
    assert list(first) != list(second)


def test_validation_is_never_augmented(pets_root: Path) -> None:
    first, second = epochs(fitted(pets_root), OxfordPetsDataModule.val_dataloader)
    plain = by_name(fitted(pets_root, augment=False).val_dataloader())
    assert list(first) == list(second)
    for drawn in (first, second):
        assert all(torch.equal(image, plain[name]) for name, image in drawn.items())


def test_cache_changes_no_picture_and_leaves_the_test_pictures_alone(pets_root: Path) -> None:
    plain, cached = fitted(pets_root), fitted(pets_root, cache=True)
    cached.setup("test")
    for loader in (OxfordPetsDataModule.train_dataloader, OxfordPetsDataModule.val_dataloader):
        for expected, found in zip(epochs(plain, loader), epochs(cached, loader), strict=True):
            assert list(expected) == list(found)
            assert all(torch.equal(image, found[name]) for name, image in expected.items())
    assert cached.datasets["train"].cache is not None
    assert cached.datasets["val"].cache is not None
    assert cached.datasets["test"].cache is None


def test_class_pixels_are_those_of_the_training_trimaps(pets_root: Path) -> None:
    data = fitted(pets_root)
    expected = np.zeros(3, np.int64)
    for record in data.datasets["train"].records:
        trimap = np.array(Image.open(pets_root / "annotations" / "trimaps" / f"{record.name}.png"))
        expected += [(trimap == value).sum() for value in (1, 2, 3)]
    assert data.count_class_pixels() == expected.tolist()
    assert make(pets_root).count_class_pixels() == expected.tolist()


def test_original_sizes_are_those_of_the_files(pets_root: Path) -> None:
    data = make(pets_root, batch_size=4, cache=True)
    data.read_original_sizes()
    data.setup("test")
    for batch in data.test_dataloader():
        assert batch["image"].shape[2:] == batch["mask"].shape[1:] == tuple(batch["original_size"][0].tolist())


def test_task_learns_classes_from_the_datamodule(pets_root: Path) -> None:
    data = make(pets_root)
    assert (data.num_classes, data.class_names, data.ignore_index) == (3, ("pet", "background", "border"), 255)


# Where the pictures come from


def write_archives(published: Path, pets: Path) -> tuple[Archive, Archive]:
    """The two archives of the dataset, packed from ``pets``."""
    published.mkdir()
    archives = []
    for folder in ("images", "annotations"):
        with tarfile.open(published / f"{folder}.tar.gz", "w:gz") as archive:
            archive.add(pets / folder, folder)
        md5 = hashlib.md5((published / f"{folder}.tar.gz").read_bytes(), usedforsecurity=False).hexdigest()
        archives.append(Archive(f"{folder}.tar.gz", md5, creates=folder))
    return archives[0], archives[1]


@pytest.fixture
def published(pets_root: Path, tmp_path: Path, serve: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder behind the address from which the dataset is fetched."""
    folder = tmp_path / "published"
    monkeypatch.setattr(oxford_pets, "ARCHIVES", write_archives(folder, pets_root))
    monkeypatch.setattr(oxford_pets, "BASE_URL", serve(folder))
    return folder


def test_download_unpacks_both_archives_and_removes_them(published: Path, tmp_path: Path) -> None:
    data = make(tmp_path / "data" / "pets", download=True)

    data.prepare_data()
    data.setup("fit")

    assert sorted(path.name for path in data.root.glob("[!.]*")) == ["annotations", "images"]
    assert len(names(data.train_dataloader())) == 16


def test_second_download_fetches_nothing(
    published: Path, tmp_path: Path, closed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "pets", download=True).prepare_data()
    monkeypatch.setattr(oxford_pets, "BASE_URL", closed_url)

    make(tmp_path / "pets", download=True).prepare_data()

    assert len(names(for_testing(tmp_path / "pets").test_dataloader())) == 8


def test_without_download_nothing_is_fetched(published: Path, tmp_path: Path) -> None:
    data = make(tmp_path / "pets")
    data.prepare_data()
    assert not data.root.exists()


def test_wrong_checksum_is_one_line_and_keeps_no_file(published: Path, tmp_path: Path) -> None:
    (published / "images.tar.gz").write_bytes(b"<html>maintenance</html>")
    md5 = oxford_pets.ARCHIVES[0].checksum

    with pytest.raises(
        DownloadError,
        match=rf"^http\S+images\.tar\.gz: what arrived has another md5 than {md5}; [^\n]*--data.root[^\n]*$",
    ):
        make(tmp_path / "pets", download=True).prepare_data()
    assert list((tmp_path / "pets").iterdir()) == []


def test_download_goes_on_where_it_stopped(published: Path, tmp_path: Path) -> None:
    root, missing = tmp_path / "pets", published / "annotations.tar.gz"
    missing.rename(published / "elsewhere")
    with pytest.raises(DownloadError, match=r"annotations\.tar\.gz: cannot be downloaded to [^\n]*404"):
        make(root, download=True).prepare_data()
    assert [path.name for path in root.iterdir()] == ["images"]

    (published / "elsewhere").rename(missing)
    (published / "images.tar.gz").unlink()
    make(root, download=True).prepare_data()

    assert len(names(fitted(root).val_dataloader())) == 8


def test_leftovers_of_an_interrupted_download_do_not_count(published: Path, tmp_path: Path) -> None:
    root = tmp_path / "pets"
    (root / ".images.partial" / "images").mkdir(parents=True)
    (root / ".images.partial" / "images" / "stale.jpg").touch()
    (root / "images.tar.gz").write_bytes(b"half of it")

    make(root, download=True).prepare_data()

    assert sorted(path.name for path in root.iterdir()) == ["annotations", "images"]
    assert not (root / "images" / "stale.jpg").exists()
    assert len(names(fitted(root).val_dataloader())) == 8


def test_nobody_to_download_from_is_one_line(tmp_path: Path, closed_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oxford_pets, "BASE_URL", closed_url)
    with pytest.raises(
        DownloadError, match=rf"^{closed_url}images\.tar\.gz: cannot be downloaded[^\n]*--data.source synthetic[^\n]*$"
    ):
        make(tmp_path / "pets", download=True).prepare_data()


def test_addresses_and_checksums_are_those_of_torchvision() -> None:
    ours = [(oxford_pets.BASE_URL + archive.filename, archive.checksum) for archive in oxford_pets.ARCHIVES]
    assert ours == list(OxfordIIITPet._RESOURCES)


def test_missing_data_is_never_replaced_by_synthetic(tmp_path: Path) -> None:
    data = make(tmp_path / "pets")
    data.prepare_data()
    with pytest.raises(DataError, match=r"--data\.source synthetic"):
        data.setup("fit")
    assert not data.root.exists()


@pytest.fixture
def few_synthetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the datamodule write 9 pictures of 2 breeds."""
    few = partial(write_oxford_pets, num_trainval=6, num_test=3, num_breeds=2)
    monkeypatch.setattr(oxford_pets, "write_oxford_pets", few)


@pytest.mark.usefixtures("few_synthetic")
def test_synthetic_source_is_written_and_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = make(tmp_path / "pets", source="synthetic")

    with caplog.at_level(logging.WARNING, logger="lightning_seg"):
        data.prepare_data()
        data.setup("fit")
        data.setup("test")

    # A third of 3 pictures of each breed validates.
    assert [len(names(loader)) for loader in (data.train_dataloader(), data.val_dataloader())] == [4, 2]
    assert names(data.test_dataloader()) == listed(data.root, "test")
    assert caplog.messages == []


def contents(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "images").iterdir()}


@pytest.mark.usefixtures("few_synthetic")
def test_runs_with_other_seeds_see_the_same_synthetic_pictures(tmp_path: Path) -> None:
    for seed in (0, 1):
        make(tmp_path / f"pets_{seed}", source="synthetic", seed=seed).prepare_data()
    assert contents(tmp_path / "pets_0") == contents(tmp_path / "pets_1")


def test_synthetic_pictures_already_there_are_kept(pets_copy: Path) -> None:
    before = contents(pets_copy)
    make(pets_copy, source="synthetic", seed=1).prepare_data()
    assert contents(pets_copy) == before


def test_synthetic_pictures_taken_for_real_ones_are_warned_of(
    pets_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="lightning_seg"):
        make(pets_root).setup("fit")
    assert caplog.messages == [f"{pets_root} holds synthetic pictures, not the real dataset"]


def test_synthetic_source_leaves_other_files_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="will not be overwritten with synthetic data"):
        make(tmp_path, source="synthetic").prepare_data()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


# Impossible arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size 0 is too small; give 1 or more"),
        ({"image_size": 0}, "image_size 0 is too small; give 1 or more"),
        ({"image_size": (32, -1)}, "image_size -1 is too small; give 1 or more"),
        ({"num_workers": -1}, "num_workers -1 is too small; give 0 or more"),
        ({"seed": -1}, "seed -1 is too small; give 0 or more"),
        ({"augment": "flop"}, f"augment 'flop' is no pipeline; did you mean 'flip'. There are {', '.join(PIPELINES)}"),
    ],
)
def test_impossible_arguments_are_refused_at_once(pets_root: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        make(pets_root, **options)


@pytest.mark.parametrize("val_fraction", [0.0, 1.0, 0.05])
def test_fraction_without_validation_pictures_is_refused(pets_root: Path, val_fraction: float) -> None:
    with pytest.raises(ConfigError, match=f"val_fraction {val_fraction}"):
        fitted(pets_root, val_fraction=val_fraction)
