import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightning_seg.errors import ConfigError, DataError
from lightning_seg.synthetic.blossoms import KINDS, Part, draw_flower, petal
from lightning_seg.synthetic.flowers import draw_photo, write_flowers
from lightning_seg.synthetic.marker import SYNTHETIC_MARKER

NAMES = ["daisy", "dandelion", "roses", "sunflowers", "tulips"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("flowers") / "root"
    write_flowers(root, num_per_class=3, seed=4)
    return root


def pictures(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.jpg")}


def test_a_folder_for_each_class(root: Path) -> None:
    assert sorted(path.name for path in root.iterdir() if path.is_dir()) == NAMES
    names = [Path(name) for name in pictures(root)]
    assert Counter(path.parent.name for path in names) == dict.fromkeys(NAMES, 3)
    # The number of a photo belongs to it alone.
    assert len({path.stem.split("_")[0] for path in names}) == 15
    for name in names:
        with Image.open(root / name) as image:
            assert (image.format, image.mode) == ("JPEG", "RGB")
            assert 160 <= min(image.size) <= max(image.size) <= 260


def test_same_seed_same_bytes_and_more_pictures_change_none(root: Path, tmp_path: Path) -> None:
    write_flowers(tmp_path / "more", num_per_class=4, seed=4)
    more = pictures(tmp_path / "more")
    assert len(more) == 20
    assert pictures(root).items() <= more.items()


def test_another_seed_draws_others(root: Path, tmp_path: Path) -> None:
    write_flowers(tmp_path / "other", num_per_class=3, seed=5)
    assert not set(pictures(root).values()) & set(pictures(tmp_path / "other").values())


def test_marker_holds_the_arguments(root: Path) -> None:
    marker = json.loads((root / SYNTHETIC_MARKER).read_text())
    assert {key: marker[key] for key in ("dataset", "num_per_class", "seed")} == {
        "dataset": "flowers",
        "num_per_class": 3,
        "seed": 4,
    }


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="will not be overwritten with synthetic data"):
        write_flowers(tmp_path, num_per_class=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_per_class": 0}, "num_per_class 0 leaves no picture; use 1 or more"),
        ({"seed": -1}, "seed -1 is negative; use 0 or more"),
    ],
)
def test_impossible_arguments(tmp_path: Path, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        write_flowers(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


# What tells the kinds apart


def test_every_colour_of_petals_belongs_to_two_kinds_or_more() -> None:
    owners = Counter(colour for kind in KINDS for colour in set(kind.petals))
    assert min(owners.values()) >= 2


@pytest.mark.parametrize(
    ("name", "petals", "centre"),
    [
        ("daisy", (20, 32), (0.2, 0.3)),
        ("dandelion", (120, 230), None),
        ("roses", (20, 25), None),
        ("sunflowers", (26, 36), (0.46, 0.58)),
        ("tulips", (6, 6), None),
    ],
)
def test_kinds_differ_in_petals_and_centre(
    name: str, petals: tuple[int, int], centre: tuple[float, float] | None
) -> None:
    (kind,) = (kind for kind in KINDS if kind.name == name)
    for seed in range(20):
        parts = kind.build(np.random.default_rng(seed))
        assert petals[0] <= sum(part.role == "petal" for part in parts) <= petals[1]
        radii = [radius_of(part) for part in parts if part.role == "centre"]
        if centre is None:
            assert not radii
        else:
            assert len(radii) == 1
            assert centre[0] <= radii[0] <= centre[1]


def radius_of(part: Part) -> float:
    return float(np.linalg.norm(part.shape.points, axis=1).max())


def test_a_petal_is_as_long_and_wide_as_it_should_be() -> None:
    low, high = petal(length=2.0, width=0.3, point=1.0).bounds()
    assert low.tolist() == [pytest.approx(-0.3), pytest.approx(-2.0)]
    assert high.tolist() == [pytest.approx(0.3), pytest.approx(0.0)]


def test_a_flower_is_drawn_where_it_should_be() -> None:
    canvas = np.full((120, 160, 3), 128, np.float32)
    # roses reach up to 1.0 times 0.8 petals of their radius around the middle; seed 0 draws no stem.
    draw_flower(np.random.default_rng(0), canvas, KINDS[2], (100.0, 60.0), 25.0, (0.0, -1.0))
    changed = np.argwhere(np.abs(canvas - 128).max(axis=2) > 20)
    rows, columns = changed.min(axis=0), changed.max(axis=0)
    assert np.allclose((rows + columns) / 2, (60, 100), atol=6)
    assert np.ptp(changed, axis=0).max() <= 2 * 25 * 1.2 + 20
    assert np.ptp(changed, axis=0).min() >= 25


def test_photos_differ_in_size_and_background() -> None:
    photos = [draw_photo(np.random.default_rng(seed), KINDS[0]) for seed in range(6)]
    assert len({photo.shape for photo in photos}) == 6
    corners = np.array([photo[:12, :12].mean(axis=(0, 1)) for photo in photos])
    assert np.ptp(corners, axis=0).min() > 30
