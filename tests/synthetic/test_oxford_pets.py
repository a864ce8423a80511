import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lightning_seg.errors import ConfigError, DataError
from lightning_seg.synthetic.animals import BREEDS, Breed, pose_animal
from lightning_seg.synthetic.marker import SYNTHETIC_MARKER
from lightning_seg.synthetic.oxford_pets import bounding_box, draw_trimap, list_entries, write_oxford_pets

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pets") / "root"
    write_oxford_pets(root, num_trainval=8, num_test=4, num_breeds=4, seed=3)
    return root


def lines(root: Path, name: str) -> list[str]:
    return (root / "annotations" / f"{name}.txt").read_text().splitlines()


def trimap(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image)


def trimaps(root: Path) -> dict[str, Pixels]:
    return {path.stem: trimap(path) for path in sorted((root / "annotations" / "trimaps").iterdir())}


def head_box(path: Path) -> list[int]:
    box = ElementTree.parse(path).find("object/bndbox")
    assert box is not None
    assert [child.tag for child in box] == ["xmin", "ymin", "xmax", "ymax"]
    return [int(child.text or "") for child in box]


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_lists_name_every_file_and_no_other(root: Path) -> None:
    names = {split: [line.split()[0] for line in lines(root, split)] for split in ("trainval", "test")}
    every = sorted(names["trainval"] + names["test"])

    assert (len(names["trainval"]), len(names["test"]), len(set(every))) == (8, 4, 12)
    assert sorted(path.name for path in (root / "images").iterdir()) == [f"{name}.jpg" for name in every]
    assert sorted(trimaps(root)) == every
    heads = sorted(path.stem for path in (root / "annotations" / "xmls").iterdir())
    assert heads == sorted(names["trainval"])


def test_lists_read_as_published(root: Path) -> None:
    # The first four breeds of the table: two cats, two dogs.
    assert lines(root, "test") == [
        "Copper_Tabby_2 1 1 1",
        "fenwick_2 2 2 1",
        "marsh_hound_2 3 2 2",
        "Smokeling_2 4 1 2",
    ]
    assert lines(root, "trainval")[:3] == ["Copper_Tabby_1 1 1 1", "Copper_Tabby_3 1 1 1", "fenwick_1 2 2 1"]
    heading, *entries = lines(root, "list")
    assert heading == "#Image CLASS-ID SPECIES BREED ID"
    assert sorted(entries) == sorted(lines(root, "trainval") + lines(root, "test"))


def test_case_of_a_name_tells_the_species() -> None:
    for breed in BREEDS:
        assert breed.name[0].isupper() == (breed.species == "cat")
        assert breed.species == "cat" or breed.name.islower()


def test_files_are_what_they_claim(root: Path) -> None:
    for name, values in trimaps(root).items():
        with Image.open(root / "images" / f"{name}.jpg") as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", values.shape[::-1])
        with Image.open(root / "annotations" / "trimaps" / f"{name}.png") as image:
            assert image.mode == "L"
        assert min(values.shape) >= 160
        assert max(values.shape) <= 260
        assert np.unique(values).tolist() == [1, 2, 3]
    assert len({values.shape for values in trimaps(root).values()}) > 6


def test_border_lies_between_pet_and_background(root: Path) -> None:
    for values in trimaps(root).values():
        for first, second in ((values[1:], values[:-1]), (values[:, 1:], values[:, :-1])):
            assert not ((first == 1) & (second == 2)).any()
            assert not ((first == 2) & (second == 1)).any()


def test_share_of_the_border(root: Path) -> None:
    shares = [(values == 3).mean() for values in trimaps(root).values()]
    assert 0.08 < np.mean(shares) < 0.17
    assert min(shares) > 0.04


def test_trimap_by_hand() -> None:
    # The band reaches 0.05 * 100 / 2 = 2.5 pixels to each side of the contour; neighbours are 1 and 2 pixels away.
    mask = np.zeros((100, 100), bool)
    mask[:, 40:] = True

    row = draw_trimap(mask)[50]

    assert row[36:44].tolist() == [2, 2, 3, 3, 3, 3, 1, 1]
    assert row[-1] == 1, "the frame is no contour"


def test_head_box_is_inside_and_on_the_pet(root: Path) -> None:
    for path in (root / "annotations" / "xmls").iterdir():
        values = trimap(root / "annotations" / "trimaps" / f"{path.stem}.png")
        x1, y1, x2, y2 = head_box(path)
        assert 0 <= x1 < x2 <= values.shape[1]
        assert 0 <= y1 < y2 <= values.shape[0]
        # A head is never mostly background, and each side of the box touches it: border or pet pixels lie there.
        inside = values[y1:y2, x1:x2]
        assert (inside == 1).mean() > 0.4
        for side in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
            assert (side != 2).any()


def test_bounding_box_by_hand() -> None:
    mask = np.zeros((6, 8), bool)
    mask[2:4, 5] = True
    assert bounding_box(mask) == (5, 2, 6, 4)


@pytest.mark.parametrize("breed", BREEDS, ids=lambda breed: breed.name)
def test_head_is_a_visible_part_of_the_pet(breed: Breed) -> None:
    for seed in range(5):
        animal = pose_animal(np.random.default_rng(seed), breed, (60, 80))
        assert animal.head.sum() > 100
        assert not (animal.head & ~animal.mask).any()


def test_head_boxes_say_what_they_belong_to(root: Path) -> None:
    annotation = ElementTree.parse(root / "annotations" / "xmls" / "marsh_hound_1.xml")
    height, width = trimap(root / "annotations" / "trimaps" / "marsh_hound_1.png").shape
    expected = {
        "folder": "OXIIIT",
        "filename": "marsh_hound_1.jpg",
        "object/name": "dog",
        "size/width": str(width),
        "size/height": str(height),
        "size/depth": "3",
    }
    assert {tag: annotation.findtext(tag) for tag in expected} == expected


def test_same_seed_same_bytes(root: Path, tmp_path: Path) -> None:
    write_oxford_pets(tmp_path, num_trainval=8, num_test=4, num_breeds=4, seed=3)
    assert contents(tmp_path) == contents(root)


def test_picture_depends_on_the_seed_but_not_on_the_counts(root: Path, tmp_path: Path) -> None:
    write_oxford_pets(tmp_path / "fewer", num_trainval=2, num_test=2, num_breeds=2, seed=3)
    write_oxford_pets(tmp_path / "seeded", num_trainval=2, num_test=2, num_breeds=2, seed=4)
    fewer, seeded, more = contents(tmp_path / "fewer"), contents(tmp_path / "seeded"), contents(root)

    pictures = [name for name in fewer if name.endswith((".jpg", ".png", ".xml"))]
    assert len(pictures) == 4 + 4 + 2
    assert all(fewer[name] == more[name] for name in pictures)
    assert all(fewer[name] != seeded[name] for name in pictures)


def test_splits_grow_without_mixing() -> None:
    small, large = list_entries(2, 2, 2), list_entries(40, 30, 2)
    for split in (0, 1):
        assert {entry.name for entry in small[split]} < {entry.name for entry in large[split]}
    assert not {entry.name for entry in large[0]} & {entry.name for entry in large[1]}


def test_pictures_of_a_breed_differ(root: Path) -> None:
    pictures = {path.read_bytes() for path in (root / "images").glob("fenwick_*.jpg")}
    assert len(pictures) == 3


def test_colour_alone_does_not_find_the_pet(root: Path) -> None:
    """The better of pet and background by colour histograms of other pictures: hardly above one half."""
    histograms, found = np.zeros((12, 2, 512)), []
    pictures = []
    for number, (name, values) in enumerate(trimaps(root).items()):
        with Image.open(root / "images" / f"{name}.jpg") as image:
            colours = (np.asarray(image, int) // 32) @ (1, 8, 64)
        pictures.append((colours, values))
        for trimap_class in (1, 2):
            counts = np.bincount(colours[values == trimap_class], minlength=512)
            histograms[number, trimap_class - 1] = counts / counts.sum()
    for number, (colours, values) in enumerate(pictures):
        pet, background = histograms.sum(axis=0) - histograms[number]
        guess = (pet > background)[colours]
        found.append((guess[values == 1].mean() + 1 - guess[values == 2].mean()) / 2)
        # Above the 0.64 of real pets, since it must be learnt in minutes; a trained network reaches 0.95.
        assert np.mean(found) < 0.9


def test_marker_is_plain(root: Path) -> None:
    assert json.loads((root / SYNTHETIC_MARKER).read_text()) == {
        "dataset": "oxford_pets",
        "num_trainval": 8,
        "num_test": 4,
        "num_breeds": 4,
        "seed": 3,
        "format": 2,
    }


def test_second_call_writes_nothing(tmp_path: Path) -> None:
    write_oxford_pets(tmp_path / "root", 1, 1, 1)
    kept = tmp_path / "root" / "kept.txt"
    kept.touch()
    write_oxford_pets(tmp_path / "root", 1, 1, 1)
    assert kept.exists()


def test_real_data_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match=r"give another root$"):
        write_oxford_pets(tmp_path, 1, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_trainval": 7}, "num_trainval 7 .* use 8 or more"),
        ({"num_test": 0}, "num_test 0 .* use 8 or more"),
        ({"num_breeds": 0}, "num_breeds 0 .* use 1 to 12"),
        ({"num_breeds": 13}, "num_breeds 13 .* use 1 to 12"),
        ({"seed": -1}, "seed -1 .* use 0 or more"),
    ],
)
def test_arguments_out_of_range(tmp_path: Path, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        write_oxford_pets(tmp_path / "root", **arguments)
    assert not (tmp_path / "root").exists()
