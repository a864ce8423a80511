import json
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

from lightning_seg.errors import ConfigError, DataError
from lightning_seg.synthetic.marker import SYNTHETIC_MARKER
from lightning_seg.synthetic.oxford_pets import draw_scene
from lightning_seg.synthetic.stanford_dogs import DOGS, write_stanford_dogs


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dogs") / "root"
    write_stanford_dogs(root, num_train=8, num_test=4, num_breeds=3, seed=4)
    return root


def read_list(root: Path, split: str) -> list[tuple[str, str, int]]:
    """Picture, annotation and label of each line."""
    content = loadmat(root / "lists" / f"{split}_list.mat")
    columns = [[str(cell[0]) for cell in content[key][:, 0]] for key in ("file_list", "annotation_list")]
    return list(zip(*columns, content["labels"][:, 0].tolist(), strict=True))


def pictures(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in (root / "Images").rglob("*.jpg")}


def test_lists_are_laid_out_as_published(root: Path) -> None:
    content = loadmat(root / "lists" / "train_list.mat")
    assert [content[key].shape for key in ("file_list", "annotation_list", "labels")] == [(8, 1)] * 3
    assert content["labels"].dtype == np.uint8
    assert content["file_list"].dtype == object
    assert content["file_list"][0, 0].shape == (1,)
    assert read_list(root, "train")[:2] == [
        ("n90000001-marsh_hound/n90000001_1.jpg", "n90000001-marsh_hound/n90000001_1", 1),
        ("n90000001-marsh_hound/n90000001_3.jpg", "n90000001-marsh_hound/n90000001_3", 1),
    ]


def test_every_file_is_on_one_list(root: Path) -> None:
    train, test = read_list(root, "train"), read_list(root, "test")
    assert Counter(label for *_, label in train) == {1: 3, 2: 3, 3: 2}
    assert Counter(label for *_, label in test) == {1: 2, 2: 1, 3: 1}
    names = [name for name, *_ in train + test]
    assert sorted(names) == sorted(name.removeprefix("Images/") for name in pictures(root))
    annotations = sorted(str(path.relative_to(root / "Annotation")) for path in (root / "Annotation").glob("*/*"))
    assert sorted(annotation for _, annotation, _ in train + test) == annotations
    # A label is a breed.
    assert len({(name.split("/")[0], label) for name, _, label in train + test}) == 3


def test_box_is_the_extent_of_the_dog(root: Path) -> None:
    image, animal = draw_scene(np.random.default_rng((4, 2, 3)), DOGS[1])
    rows, columns = np.nonzero(animal.mask)
    annotation = ElementTree.parse(root / "Annotation" / f"n90000002-{DOGS[1].name}" / "n90000002_3")
    box = [int(annotation.findtext(f"object/bndbox/{tag}") or -1) for tag in ("xmin", "ymin", "xmax", "ymax")]
    assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    size = [int(annotation.findtext(f"size/{tag}") or -1) for tag in ("height", "width")]
    assert tuple(size) == image.shape[:2]
    assert annotation.findtext("object/name") == DOGS[1].name


def test_one_photo_is_a_png_with_transparency(root: Path) -> None:
    kinds: Counter[tuple[str | None, str]] = Counter()
    for name in pictures(root):
        with Image.open(root / name) as image:
            kinds[image.format, image.mode] += 1
    assert kinds == {("JPEG", "RGB"): 11, ("PNG", "RGBA"): 1}


def test_more_pictures_change_none(root: Path, tmp_path: Path) -> None:
    write_stanford_dogs(tmp_path / "more", num_train=12, num_test=6, num_breeds=3, seed=4)
    more = pictures(tmp_path / "more")
    assert len(more) == 18
    assert pictures(root).items() <= more.items()


def test_another_seed_draws_others(root: Path, tmp_path: Path) -> None:
    write_stanford_dogs(tmp_path / "other", num_train=8, num_test=4, num_breeds=3, seed=5)
    assert not set(pictures(root).values()) & set(pictures(tmp_path / "other").values())


def test_marker_holds_the_arguments(root: Path) -> None:
    marker = json.loads((root / SYNTHETIC_MARKER).read_text())
    given = {"dataset": "stanford_dogs", "num_train": 8, "num_test": 4, "num_breeds": 3, "seed": 4}
    assert {key: marker[key] for key in given} == given


def test_breeds_are_dogs_with_names_of_their_own() -> None:
    assert {breed.species for breed in DOGS} == {"dog"}
    assert len({breed.name for breed in DOGS}) == len(DOGS)


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="will not be overwritten with synthetic data"):
        write_stanford_dogs(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_breeds": 1}, "num_breeds 1 is not possible; use 2 to 10"),
        ({"num_breeds": 11}, "num_breeds 11 is not possible; use 2 to 10"),
        ({"num_train": 7}, "num_train 7 leaves a breed without a picture; use 8 or more"),
        ({"num_test": 7}, "num_test 7 leaves a breed without a picture; use 8 or more"),
        ({"seed": -1}, "seed -1 is negative; use 0 or more"),
    ],
)
def test_impossible_arguments(tmp_path: Path, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        write_stanford_dogs(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()
