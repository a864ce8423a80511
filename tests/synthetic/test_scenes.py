"""Synthetic scenes: COCO's own reader, and boxes against the drawing."""

import contextlib
import io
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from lightning_seg.errors import ConfigError
from lightning_seg.synthetic.blossoms import KINDS, draw_flower
from lightning_seg.synthetic.oxford_pets import bounding_box
from lightning_seg.synthetic.scenes import draw_scene, write_scenes

NAMES = ["daisy", "dandelion", "roses", "sunflowers", "tulips"]


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.jpg")}


def objects(root: Path) -> Iterator[tuple[Image.Image, list[tuple[str, list[float]]]]]:
    """Every picture with names and boxes x, y, width, height, as COCO's reader gives them."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(root / "annotations.json"))
    for picture in coco.loadImgs(coco.getImgIds()):
        found = coco.loadAnns(coco.getAnnIds(imgIds=picture["id"]))
        named = [(coco.loadCats(one["category_id"])[0]["name"], one["bbox"]) for one in found]
        with Image.open(root / "images" / picture["file_name"]) as image:
            assert (picture["width"], picture["height"]) == image.size
            yield image, named


def test_cocos_reader_finds_flowers_that_stand_apart(scenes_root: Path) -> None:
    pictures = list(objects(scenes_root))
    assert len(pictures) == 4
    for image, found in pictures:
        assert 2 <= len(found) <= 5
        assert len({name for name, _ in found}) >= 2
        assert {name for name, _ in found} <= set(NAMES)
        for _, (x, y, width, height) in found:
            assert 0 <= x < x + width <= image.width
            assert 0 <= y < y + height <= image.height
        for (_, one), (_, other) in combinations(found, 2):
            shared = [min(one[k] + one[k + 2], other[k] + other[k + 2]) - max(one[k], other[k]) for k in (0, 1)]
            common = max(0, shared[0]) * max(0, shared[1])
            assert common < 0.25 * min(one[2] * one[3], other[2] * other[3])


def test_single_flowers_lie_beside_the_scenes(scenes_root: Path) -> None:
    folders = sorted((scenes_root / "single").glob("[!.]*"))
    assert [folder.name for folder in folders] == ["background", *NAMES]
    assert {len(list(folder.glob("*.jpg"))) for folder in folders} == {3}


def test_same_seed_same_bytes_and_more_pictures_change_none(scenes_root: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path / "fewer", num_scenes=1, num_per_class=1, seed=0)
    fewer = files(tmp_path / "fewer")
    assert len(fewer) == 7
    assert fewer.items() <= files(scenes_root).items()
    write_scenes(tmp_path / "other", num_scenes=1, num_per_class=1, seed=1)
    assert not set(files(tmp_path / "other").values()) & set(fewer.values())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_blossom_is_where_its_mask_says(kind: object) -> None:
    canvas = np.full((120, 160, 3), 255, np.float32)
    # Without light from aside there is no shadow beside it; below lie stem and leaves.
    mask = draw_flower(np.random.default_rng(3), canvas, kind, (80.0, 50.0), 30.0, (0.0, 0.0))  # type: ignore[arg-type]
    x1, y1, x2, y2 = bounding_box(mask)
    painted = np.abs(canvas - 255).max(axis=2) > 60
    above = np.flatnonzero(painted.any(axis=1))[0]
    assert above == pytest.approx(y1, abs=3)
    middle = np.flatnonzero(painted[45:55].any(axis=0))
    assert x1 - 3 <= middle[0]
    assert middle[-1] <= x2 + 2
    assert 30 <= x2 - x1 <= 70
    assert 30 <= y2 - y1 <= 70


def test_scenes_differ() -> None:
    first, second = (draw_scene(np.random.default_rng(seed)) for seed in (0, 1))
    assert first.image.shape != second.image.shape
    assert first.boxes != second.boxes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_scenes": 0}, "num_scenes 0 leaves no picture; use 1 or more"),
        ({"num_per_class": 0}, "num_per_class 0 leaves no picture; use 1 or more"),
        ({"seed": -1}, "seed -1 is negative; use 0 or more"),
    ],
)
def test_impossible_arguments(tmp_path: Path, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        write_scenes(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()
