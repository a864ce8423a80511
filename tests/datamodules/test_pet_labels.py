"""Pets with labels; the lists are read here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightning_seg import OxfordPetLabelsDataModule
from lightning_seg.datasets.oxford_pets import PetLabelsDataset
from lightning_seg.datasets.pet_breeds import PET_BREEDS
from lightning_seg.errors import ConfigError, DataError


def make(root: Path, **options: Any) -> OxfordPetLabelsDataModule:
    return OxfordPetLabelsDataModule(root, **{"image_size": 32, "num_workers": 0, "batch_size": 4, **options})


def lines(root: Path, name: str) -> list[list[str]]:
    return [line.split() for line in (root / "annotations" / f"{name}.txt").read_text().splitlines()]


def test_species_are_those_of_the_lists(pets_root: Path) -> None:
    data = make(pets_root)
    assert (data.class_names, data.num_classes) == (("cat", "dog"), 2)
    data.setup("fit")
    data.setup("test")
    test = data.datasets["test"]
    # The third column: 1 cat, 2 dog.
    expected = {line[0]: int(line[2]) - 1 for line in lines(pets_root, "test")}
    assert {record.name: record.label for record in test.records} == expected
    trained = [record.name for split in ("train", "val") for record in data.datasets[split].records]
    assert sorted(trained) == sorted(line[0] for line in lines(pets_root, "trainval"))
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == (4, 3, 32, 32)
    assert set(batch["label"].tolist()) <= {0, 1}


def test_breeds_are_numbered_in_alphabetical_order(pets_root: Path) -> None:
    data = make(pets_root, labels="breed")
    breeds = sorted({line[0].rpartition("_")[0] for line in lines(pets_root, "trainval")}, key=str.lower)
    assert data.class_names == tuple(breeds)
    data.setup("test")
    for record in data.datasets["test"].records:
        assert breeds[record.label] == record.name.rpartition("_")[0]


def test_without_files_the_published_breeds_are_known(tmp_path: Path) -> None:
    assert make(tmp_path, labels="breed").class_names == PET_BREEDS
    assert len(PET_BREEDS) == 37
    assert list(PET_BREEDS) == sorted(PET_BREEDS, key=str.lower)


def test_synthetic_breeds_are_known_at_once(tmp_path: Path) -> None:
    data = make(tmp_path / "new", labels="breed", source="synthetic")
    data.prepare_data()
    data.setup("fit")
    assert data.datasets["train"].class_names == data.class_names


def test_heads_are_read_where_they_are_published(pets_copy: Path) -> None:
    dataset = PetLabelsDataset(pets_copy)
    first, second = dataset.records[:2]
    folder = pets_copy / "annotations" / "xmls"
    folder.mkdir(exist_ok=True)
    box = "<xmin>3</xmin><ymin>4</ymin><xmax>13</xmax><ymax>24</ymax>"
    (folder / f"{first.name}.xml").write_text(f"<annotation><object><bndbox>{box}</bndbox></object></annotation>")
    (folder / f"{second.name}.xml").unlink(missing_ok=True)
    np.testing.assert_array_equal(dataset.boxes(first), [[3, 4, 13, 24]])
    assert dataset.boxes(second).shape == (0, 4)


def test_mistakes(pets_copy: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="labels 'kind' does not exist; choose species or breed"):
        make(pets_copy, labels="kind")
    with pytest.raises(DataError, match="this is not a copy of Oxford-IIIT Pet"):
        make(tmp_path / "nowhere").setup("fit")
    victim = lines(pets_copy, "test")[0][0]
    (pets_copy / "images" / f"{victim}.jpg").unlink()
    with pytest.raises(DataError, match=f"1 listed names have no picture: {victim}; restore the files"):
        make(pets_copy).setup("fit")


@pytest.mark.real_data
def test_real_pets(real_data: Path) -> None:
    data = make(real_data / "oxford_pets")
    data.setup("test")
    dataset = data.datasets["test"]
    assert len(dataset) == 100
    trained = PetLabelsDataset(real_data / "oxford_pets")
    # As many files; one of them holds two heads.
    counts = [len(trained.boxes(record)) for record in trained.records]
    assert (sum(count > 0 for count in counts), sum(counts)) == (273, 274)
