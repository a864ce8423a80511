import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lightning_seg.errors import ConfigError, DataError
from lightning_seg.synthetic.image_mask_folder import draw_scene, encode, write_image_mask_folder

RGB = {(0, 0, 0): 0, (220, 60, 50): 1, (60, 90, 210): 2, (240, 200, 60): 3}


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def write(root: Path, num_pictures: int = 6, **options: Any) -> Path:
    write_image_mask_folder(root, num_pictures, **options)
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("own") / "root")


def stored(path: Path) -> tuple[str, NDArray[Any]]:
    with Image.open(path) as image:
        return image.mode, np.asarray(image)


def test_two_folders(root: Path) -> None:
    stems = ["scene000_0", "scene000_1", "scene000_2", "scene000_3", "scene001_0", "scene001_1"]
    assert sorted(contents(root)) == sorted(
        ["synthetic.json", *(f"images/{stem}.jpg" for stem in stems), *(f"masks/{stem}.png" for stem in stems)]
    )


def test_pictures_beside_their_masks(tmp_path: Path) -> None:
    assert sorted(contents(write(tmp_path, 2, layout="beside"))) == [
        "scene000_0.png",
        "scene000_0_mask.png",
        "scene000_1.png",
        "scene000_1_mask.png",
        "synthetic.json",
    ]


def test_a_mask_has_the_size_of_its_picture_and_few_values(root: Path) -> None:
    for path in (root / "images").iterdir():
        with Image.open(path) as image:
            assert (image.format, image.mode) == ("JPEG", "RGB")
            size = image.size
        mode, mask = stored(root / "masks" / f"{path.stem}.png")
        assert (mode, mask.shape) == ("L", size[::-1])
        assert 0.3 < (mask == 0).mean() < 1
        assert set(np.unique(mask).tolist()) <= {0, 1, 2, 3}


def test_every_class_occurs(tmp_path: Path) -> None:
    masks = [draw_scene((0, number), 4)[1] for number in range(20)]
    assert set(np.concatenate([np.unique(mask) for mask in masks]).tolist()) == {0, 1, 2, 3}


def test_all_encodings_tell_the_same_classes(root: Path, tmp_path: Path) -> None:
    classes = stored(root / "masks" / "scene000_1.png")[1]
    masks = {
        encoding: stored(write(tmp_path / encoding, encoding=encoding) / "masks" / "scene000_1.png")
        for encoding in ("binary", "palette", "colour")
    }
    assert {encoding: mode for encoding, (mode, _) in masks.items()} == {"binary": "L", "palette": "P", "colour": "RGB"}
    assert (masks["palette"][1] == classes).all()
    assert [[RGB[tuple(pixel)] for pixel in row] for row in masks["colour"][1].tolist()] == classes.tolist()
    assert set(np.unique(masks["binary"][1]).tolist()) == {0, 255}


def test_the_palette_holds_the_colours(tmp_path: Path) -> None:
    write(tmp_path, encoding="palette")
    with Image.open(tmp_path / "masks" / "scene000_0.png") as image:
        assert image.getpalette("RGB")[:12] == [part for rgb in RGB for part in rgb]  # type: ignore[index]


def test_encodings_by_hand() -> None:
    classes = np.array([[0, 1], [2, 1]], np.uint8)
    assert np.asarray(encode(classes, (5, 6, 7), False)).tolist() == [[5, 6], [7, 6]]
    assert np.asarray(encode(classes, (5, 600, 7), False)).tolist() == [[5, 600], [7, 600]]
    assert np.asarray(encode(classes, ("#010203", "#ff0000", "#00ff00"), False)).tolist() == [
        [[1, 2, 3], [255, 0, 0]],
        [[0, 255, 0], [255, 0, 0]],
    ]


def test_own_values_decide_about_the_classes(tmp_path: Path) -> None:
    write(tmp_path, 20, mask_values=list(range(10, 17)))
    masks = [stored(path)[1] for path in (tmp_path / "masks").iterdir()]
    assert set(np.concatenate([np.unique(mask) for mask in masks]).tolist()) == set(range(10, 17))


def test_same_seed_same_bytes(root: Path, tmp_path: Path) -> None:
    assert contents(write(tmp_path)) == contents(root)


def test_a_picture_depends_on_seed_and_number_alone(root: Path, tmp_path: Path) -> None:
    fewer, seeded, more = contents(write(tmp_path / "a", 2)), contents(write(tmp_path / "b", 2, seed=1)), contents(root)
    for name in ("images/scene000_0.jpg", "images/scene000_1.jpg", "masks/scene000_1.png"):
        assert fewer[name] == more[name] != seeded[name]


def test_pictures_differ(root: Path) -> None:
    assert len({path.read_bytes() for path in (root / "images").iterdir()}) == 6


def test_marker_is_plain(tmp_path: Path) -> None:
    write(tmp_path, 2, encoding="binary", layout="beside", seed=3)
    assert json.loads((tmp_path / "synthetic.json").read_text()) == {
        "dataset": "image_mask_folder",
        "num_pictures": 2,
        "mask_values": [0, 255],
        "palette": False,
        "layout": "beside",
        "seed": 3,
        "format": 2,
    }


def test_second_call_writes_nothing_and_other_arguments_replace(tmp_path: Path) -> None:
    write(tmp_path / "own")
    (tmp_path / "own" / "kept.txt").touch()
    write(tmp_path / "own")
    assert (tmp_path / "own" / "kept.txt").exists()
    write(tmp_path / "own", layout="beside")
    assert not (tmp_path / "own" / "kept.txt").exists()
    assert not (tmp_path / "own" / "images").exists()


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match="will not be overwritten"):
        write(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "rle"}, "encoding 'rle' does not exist; use index, binary, palette, colour"),
        ({"layout": "coco"}, "layout 'coco' does not exist; use folders, beside"),
        ({"num_pictures": 0}, "num_pictures 0, seed 0: use 1 or more pictures"),
        ({"seed": -1}, "seed -1: use 1 or more pictures and a seed of 0 or more"),
    ],
)
def test_impossible_arguments(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        write_image_mask_folder(tmp_path / "own", **options)
    assert not (tmp_path / "own").exists()
