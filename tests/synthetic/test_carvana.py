import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lightning_seg.errors import ConfigError, DataError
from lightning_seg.synthetic.car_views import show_car, spoke_gaps, union
from lightning_seg.synthetic.cars import BODIES, Body, design_car
from lightning_seg.synthetic.carvana import draw_car, write_carvana
from lightning_seg.synthetic.marker import SYNTHETIC_MARKER
from lightning_seg.synthetic.solids import Camera, Face, box, skin

Pixels = NDArray[np.uint8]
SMALL = (48, 72)
# Looks along x from five metres away; a metre at the origin is 20 pixels.
AHEAD = Camera(azimuth=0, distance=5, height=0, aim=0, focal=100, centre=(50, 40))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cars") / "root"
    write_carvana(root, num_cars=3, num_views=2, size=SMALL, seed=3)
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def pictures(root: Path) -> dict[str, bytes]:
    return {name: content for name, content in contents(root).items() if name.endswith((".jpg", ".gif"))}


def listed(root: Path) -> list[str]:
    with (root / "train_masks.csv").open(newline="") as file:
        return [row["img"] for row in csv.DictReader(file)]


# Files


def test_list_names_every_file_and_no_other(root: Path) -> None:
    names = listed(root)
    cars = sorted(hashlib.sha256(f"3/{number}".encode()).hexdigest()[:12] for number in range(3))
    assert names == [f"{car}_{view}.jpg" for car in cars for view in ("01", "02")]
    assert sorted(path.name for path in (root / "train").iterdir()) == names
    masks = sorted(path.name for path in (root / "train_masks").iterdir())
    assert masks == [f"{Path(name).stem}_mask.gif" for name in names]


def test_list_reads_as_published(root: Path) -> None:
    lines = (root / "train_masks.csv").read_bytes().decode().split("\r\n")
    assert lines[0] == "img,rle_mask"
    assert lines[1] == f"{listed(root)[0]},"
    assert lines[-1] == ""


def test_files_are_what_they_claim(root: Path) -> None:
    for name in listed(root):
        with Image.open(root / "train" / name) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (72, 48))
        with Image.open(root / "train_masks" / f"{Path(name).stem}_mask.gif") as mask:
            assert (mask.format, mask.mode, mask.size) == ("GIF", "P", (72, 48))
            assert (mask.getpalette() or [])[:6] == [0, 0, 0, 255, 255, 255]
            assert np.unique(np.asarray(mask)).tolist() == [0, 1]


def test_stored_mask_is_the_drawn_one(root: Path) -> None:
    car = hashlib.sha256(b"3/1").hexdigest()[:12]
    with Image.open(root / "train_masks" / f"{car}_02_mask.gif") as stored:
        assert np.array_equal(np.asarray(stored), draw_car(3, 1, 2, SMALL).mask)


def test_same_seed_same_bytes(root: Path, tmp_path: Path) -> None:
    write_carvana(tmp_path, num_cars=3, num_views=2, size=SMALL, seed=3)
    assert contents(tmp_path) == contents(root)


def test_picture_depends_on_the_seed_but_not_on_the_counts(root: Path, tmp_path: Path) -> None:
    write_carvana(tmp_path / "fewer", num_cars=2, num_views=1, size=SMALL, seed=3)
    write_carvana(tmp_path / "seeded", num_cars=2, num_views=1, size=SMALL, seed=4)
    fewer, seeded, more = pictures(tmp_path / "fewer"), pictures(tmp_path / "seeded"), pictures(root)

    assert len(fewer) == 2 + 2
    assert fewer.items() <= more.items()
    assert not fewer.keys() & seeded.keys()
    assert not set(fewer.values()) & set(seeded.values())


def test_marker_is_plain(root: Path) -> None:
    assert json.loads((root / SYNTHETIC_MARKER).read_text()) == {
        "dataset": "carvana",
        "num_cars": 3,
        "num_views": 2,
        "size": [48, 72],
        "seed": 3,
        "format": 2,
    }


def test_second_call_writes_nothing(tmp_path: Path) -> None:
    write_carvana(tmp_path / "root", 1, 1, SMALL)
    kept = tmp_path / "root" / "kept.txt"
    kept.touch()
    write_carvana(tmp_path / "root", 1, 1, SMALL)
    assert kept.exists()


def test_real_data_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match=r"give another root$"):
        write_carvana(tmp_path, 1, 1, SMALL)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_views": 0}, "^num_views 0 is not possible; use 1 to 16$"),
        ({"num_views": 17}, "^num_views 17 is not possible; use 1 to 16$"),
        ({"num_cars": 0}, "^num_cars 0, seed 0: use 1 or more cars and a seed of 0 or more$"),
        ({"seed": -1}, "^num_cars 12, seed -1: use 1 or more cars and a seed of 0 or more$"),
        ({"size": (160, 31)}, r"^size \(160, 31\) is too small to show a car; use 32 or more for both sides$"),
    ],
)
def test_arguments_out_of_range(tmp_path: Path, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        write_carvana(tmp_path / "root", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "root").exists()


# What is in a picture


@pytest.mark.parametrize("number", range(6))
def test_views_of_a_car_differ_and_show_it_in_one_piece(number: int) -> None:
    masks = [draw_car(0, number, view, SMALL).mask for view in (1, 5, 9, 13)]
    for mask in masks:
        assert 0.06 < mask.mean() < 0.45
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        # Neither a row nor a column through it is empty.
        assert len(rows) == rows[-1] - rows[0] + 1
        assert len(columns) == columns[-1] - columns[0] + 1
    widths = [mask.any(axis=0).sum() for mask in masks]
    # Sides are longer than fronts and rears.
    assert min(widths[1], widths[3]) > 1.3 * max(widths[0], widths[2])


def test_views_of_a_car_share_its_paint() -> None:
    """The red pickup is red from everywhere, and the blue coupe blue."""
    for number, channel in ((3, 0), (5, 2)):
        for view in range(1, 17, 3):
            picture = draw_car(0, number, view, SMALL)
            car = picture.image[picture.mask == 1].astype(int)
            assert (car.argmax(axis=1) == channel).mean() > 0.5


@pytest.mark.parametrize("number", [0, 2, 6, 8, 10])
def test_some_cars_are_as_grey_and_as_bright_as_the_studio(number: int) -> None:
    """Four views of a car: a good part of its pixels could be the studio's by brightness, and none has much colour."""
    shares = []
    for view in (1, 4, 8, 13):
        image, mask = draw_car(0, number, view, SMALL)
        car, studio = image[mask == 1].astype(int), image[mask == 0].astype(int)
        low, high = np.percentile(studio.mean(axis=1), (5, 95))
        shares.append(((low <= car.mean(axis=1)) & (car.mean(axis=1) <= high)).mean())
        assert np.median(np.ptp(car, axis=1)) < 30
    assert np.mean(shares) > 0.25


def test_colour_alone_does_not_find_the_car() -> None:
    """The better of car and studio by colour histograms of other cars; a small network reaches a Dice of 0.95."""
    histograms, drawn = np.zeros((8, 2, 512)), []
    for number in range(8):
        for view in (2, 5, 12):
            image, mask = draw_car(0, number, view, (96, 144))
            colours = (image.astype(int) // 32) @ (1, 8, 64)
            drawn.append((number, colours, mask == 1))
            for value in (0, 1):
                histograms[number, value] += np.bincount(colours[mask == value], minlength=512)
    histograms /= histograms.sum(axis=2, keepdims=True)
    scores = []
    for number, colours, mask in drawn:
        studio, car = histograms.sum(axis=0) - histograms[number]
        guess = (car > studio)[colours]
        scores.append(2 * (guess & mask).sum() / (guess.sum() + mask.sum()))
    assert 0.3 < np.mean(scores) < 0.75


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)
def test_mask_holds_windows_and_wheels_of_every_kind(body: Body) -> None:
    car = design_car(np.random.default_rng(0), body, (200, 200, 200))
    camera = Camera(azimuth=90, distance=7.5, height=1.8, aim=0.6, focal=200, centre=(120, 90))
    pieces = show_car(car, camera, (160, 240))
    mask = union(pieces)
    materials = {piece.material for piece in pieces if piece.mask.any()}
    assert {"paint", "glass", "tyre", "rim", "gap"} <= materials
    # The hub of each wheel and the middle of the window behind the front seats lie where the camera must see them.
    wheels = camera.project(np.array([(x, car.half_width, car.wheel_radius) for x in car.axles]))
    assert mask[tuple(np.rint(wheels).astype(int).T[::-1])].all()
    # The ground between the wheels shows below the car.
    (ground,) = np.rint(camera.project(np.array([(0.0, car.half_width, 0.02)]))).astype(int)
    assert not mask[ground[1], ground[0]]


# Solids and the camera, by hand


def test_projection_by_hand() -> None:
    # 5 m away: 100 / 5 pixels per metre. The car's left (y > 0) is at the right of who stands before it.
    points = AHEAD.project(np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [-5.0, 1.0, 0.0]]))
    assert points == pytest.approx(np.array([[50, 40], [70, 40], [50, 20], [60, 40]]))


def test_a_quarter_further_the_camera_sees_the_left_side() -> None:
    side = Camera(azimuth=90, distance=5, height=0, aim=0, focal=100, centre=(50, 40))
    assert side.position == pytest.approx(np.array([0, 5, 0]))
    # From there the front (x > 0) is at the left.
    assert side.project(np.array([[1.0, 0.0, 0.0]])) == pytest.approx(np.array([[30, 40]]))
    assert side.around(2.0, 1.0) == pytest.approx((-1.0, -2.0))


def test_of_a_box_three_faces_show() -> None:
    faces = box((0.0, 0.0), (2.0, 1.0, 1.0), 0.0, "crate")
    assert len(faces) == 5, "four sides and a lid"
    camera = Camera(azimuth=30, distance=5, height=3, aim=0.5, focal=100, centre=(50, 40))
    seen = [face for face in faces if camera.sees(face)]
    assert sorted(tuple(np.sign(face.outwards).astype(int).tolist()) for face in seen) == [
        (0, 0, 1),
        (0, 1, 0),
        (1, 0, 0),
    ]


def test_a_turned_box_keeps_its_measures() -> None:
    corners = np.concatenate([face.corners for face in box((3.0, 1.0), (2.0, 1.0, 0.5), 90.0, "crate")])
    assert corners.min(axis=0) == pytest.approx(np.array([2.5, 0.0, 0.0]))
    assert corners.max(axis=0) == pytest.approx(np.array([3.5, 2.0, 0.5]))


def test_skin_gives_every_face_its_material() -> None:
    plan = np.array([(0.0, -1.0), (1.0, -1.0), (2.0, -1.0), (2.0, 1.0), (1.0, 1.0), (0.0, 1.0)])
    rings = [np.column_stack([plan, np.full(6, z)]) for z in (0.0, 1.0)]
    names = ["right rear", "right front", "front", "left front", "left rear", "rear"]
    faces = skin(rings, [names], ["rear lid", "front lid"])
    middles = {face.material: face.corners.mean(axis=0).tolist() for face in faces}
    assert middles == {
        "right rear": [0.5, -1, 0.5],
        "right front": [1.5, -1, 0.5],
        "front": [2, 0, 0.5],
        "left front": [1.5, 1, 0.5],
        "left rear": [0.5, 1, 0.5],
        "rear": [0, 0, 0.5],
        "rear lid": [0.5, 0, 1],
        "front lid": [1.5, 0, 1],
    }


def test_light_comes_from_above() -> None:
    corners = np.zeros((3, 3))
    up, down = (AHEAD.light_on(Face(corners, "paint", np.array([0.0, 0.0, z]))) for z in (1.0, -1.0))
    assert up > 1 > down


def test_gaps_lie_between_the_spokes() -> None:
    gaps = spoke_gaps(4)
    assert len(gaps) == 4
    for turn, gap in enumerate(gaps):
        middle = np.arctan2(gap[:, 2].mean(), gap[:, 0].mean()) % (2 * np.pi)
        assert middle == pytest.approx(turn * np.pi / 2)
        assert np.hypot(gap[:, 0], gap[:, 2]).max() == pytest.approx(0.62)
