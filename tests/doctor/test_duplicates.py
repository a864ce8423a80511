"""Pictures that a dataset holds more than once, found by the command."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_seg.__main__ import main
from lightning_seg.images import Array


def scene(seed: int, size: tuple[int, int] = (96, 128)) -> Array:
    """A picture with structure at all scales; other seeds give other ones."""
    generator = np.random.default_rng(seed)
    parts = []
    for cells in (3, 6, 12, 24):
        noise = generator.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        parts.append(np.asarray(Image.fromarray(noise).resize(size[::-1], Image.Resampling.BICUBIC), np.float64))
    return np.asarray(np.mean(parts, axis=0).round(), np.uint8)


def save(pixels: Array, path: Path, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes, 6 pictures of each to train and 2 to test on, all different."""
    for label, name in enumerate(("cup", "jug")):
        for split, numbers in (("train", range(6)), ("test", range(6, 8))):
            for number in numbers:
                save(scene(100 * label + number), tmp_path / "data" / split / name / f"{number}.png")
    return tmp_path / "data"


def diagnose(root: Path, *flags: str, data: str = "ImageFolderDataModule") -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the findings by name, with paths relative to the root."""
    output = root.parent / "found"
    words = ["--data", data, "--data.root", str(root), "--data.val_fraction", "0", *flags]
    code = main(["doctor", *words, "--speed", "false", "--output", str(output)])
    found = json.loads((output / "findings.json").read_text())
    for one in found:
        one["files"] = [Path(name).relative_to(root).as_posix() for name in one["files"]]
    return code, {one["name"]: one for one in found}


ABOUT_COPIES = {
    "copies-between-splits",
    "near-copies-between-splits",
    "copies-in-a-split",
    "near-copies-in-a-split",
    "same-picture-two-labels",
    "many-pictures-alike",
}


def test_different_pictures_are_no_copies(root: Path) -> None:
    code, found = diagnose(root)
    assert code == 0
    assert not ABOUT_COPIES & set(found)


def test_a_copied_file_in_another_split_is_an_error(root: Path) -> None:
    shutil.copy(root / "train/cup/3.png", root / "test/cup/other.png")
    code, found = diagnose(root)
    leak = found["copies-between-splits"]
    assert (code, leak["severity"]) == (1, "error")
    assert leak["files"] == ["train/cup/3.png", "test/cup/other.png"]
    assert "1 of 5 pictures to test on lies in another split too" in leak["detail"]
    assert [[one["split"] for one in group] for group in leak["figures"]["groups"]] == [["train", "test"]]
    assert not (ABOUT_COPIES - {"copies-between-splits"}) & set(found)


@pytest.mark.parametrize(("size", "code", "severity"), [(20, 1, "error"), (21, 0, "warning")])
def test_copies_of_less_than_a_twentieth_of_a_split_are_a_warning(
    root: Path, size: int, code: int, severity: str
) -> None:
    shutil.copy(root / "train/cup/3.png", root / "test/cup/other.png")
    for number in range(size - len(list(root.glob("test/*/*.png")))):
        save(scene(200 + number), root / f"test/jug/more{number}.png")
    told, found = diagnose(root)
    assert (told, found["copies-between-splits"]["severity"]) == (code, severity)
    assert f"1 of {size} pictures to test on" in found["copies-between-splits"]["detail"]


def test_a_copied_file_in_its_own_split_is_a_warning(root: Path) -> None:
    shutil.copy(root / "train/cup/3.png", root / "train/cup/other.png")
    code, found = diagnose(root)
    assert (code, found["copies-in-a-split"]["severity"]) == (0, "warning")
    assert found["copies-in-a-split"]["files"] == ["train/cup/3.png", "train/cup/other.png"]
    assert "1 of 17 pictures can be spared" in found["copies-in-a-split"]["detail"]


def resized(pixels: Array) -> Array:
    return np.asarray(Image.fromarray(pixels).resize((70, 50), Image.Resampling.BOX))


def cropped(pixels: Array) -> Array:
    return pixels[2:-2, 2:-2]


def mirrored(pixels: Array) -> Array:
    return np.ascontiguousarray(pixels[:, ::-1])


def grey(pixels: Array) -> Array:
    return np.asarray(Image.fromarray(pixels).convert("L"))


def paler(pixels: Array) -> Array:
    return (40 + 0.7 * pixels).astype(np.uint8)


@pytest.mark.parametrize("change", [resized, cropped, mirrored, grey, paler])
def test_a_changed_copy_is_found(root: Path, change: Any) -> None:
    save(change(scene(3)), root / "test/cup/other.jpg", quality=60)
    code, found = diagnose(root)
    leak = found["near-copies-between-splits"]
    assert (code, leak["severity"]) == (1, "error")
    assert leak["files"] == ["train/cup/3.png", "test/cup/other.jpg"]


def test_a_changed_copy_in_its_own_split_is_a_warning(root: Path) -> None:
    save(resized(scene(3)), root / "train/cup/other.jpg")
    code, found = diagnose(root)
    assert (code, found["near-copies-in-a-split"]["severity"]) == (0, "warning")


def test_copies_of_both_kinds_are_told_apart(root: Path) -> None:
    shutil.copy(root / "train/cup/3.png", root / "train/cup/exact.png")
    save(resized(scene(3)), root / "test/cup/near.jpg")
    _, found = diagnose(root)
    assert found["copies-in-a-split"]["files"] == ["train/cup/3.png", "train/cup/exact.png"]
    assert found["near-copies-between-splits"]["files"] == [
        "train/cup/3.png",
        "train/cup/exact.png",
        "test/cup/near.jpg",
    ]


def test_a_photo_in_two_classes_is_an_error(root: Path) -> None:
    """As 15922772266 is among the roses and the tulips of the published flowers, in two sizes."""
    save(resized(scene(3)), root / "train/jug/3_n.jpg")
    code, found = diagnose(root)
    wrong = found["same-picture-two-labels"]
    assert (code, wrong["severity"], wrong["count"]) == (1, "error", 1)
    assert wrong["files"] == ["train/cup/3.png", "train/jug/3_n.jpg"]
    assert wrong["detail"] == "train/cup/3.png and train/jug/3_n.jpg: cup and jug"


def test_a_flower_that_was_published_twice_is_in_one_split_and_in_two_classes(flowers_copy: Path) -> None:
    rose = min((flowers_copy / "roses").glob("*.jpg"))
    number = rose.stem.partition("_")[0]
    with Image.open(rose) as picture:
        picture.resize((90, 70)).save(flowers_copy / f"tulips/{number}_1.jpg")
    code, found = diagnose(flowers_copy, data="FlowersDataModule")
    wrong = found["same-picture-two-labels"]
    assert (code, wrong["files"]) == (1, [f"roses/{rose.name}", f"tulips/{number}_1.jpg"])
    assert wrong["detail"].endswith(": roses and tulips")
    # Their names begin with the same number.
    assert "near-copies-in-a-split" in found
    assert "near-copies-between-splits" not in found


@pytest.mark.real_data
def test_copies_among_the_published_pets(real_data: Path, tmp_path: Path) -> None:
    """Seen by eye: of 551 photos, 13 are copies of each other; one pair each leaks to validation and to test.

    That is one of 45 and one of 100 pictures: too few to spoil a training.
    """
    pets = real_data / "oxford_pets"
    words = ["--data", "OxfordPetsDataModule", "--data.root", str(pets), "--speed", "false"]
    assert main(["doctor", *words, "--output", str(tmp_path)]) == 0
    found = {one["name"]: one for one in json.loads((tmp_path / "findings.json").read_text())}
    assert found["near-copies-between-splits"]["severity"] == "warning"
    groups = [
        {Path(one["file"]).stem.removeprefix("Abyssinian_") for one in group}
        for name in ("near-copies-between-splits", "near-copies-in-a-split")
        for group in found[name]["figures"]["groups"]
    ]
    expected = [{"11", "177"}, {"5", "87"}, {"122", "172"}, {"151", "99"}, {"24", "56", "80"}, {"40", "63"}]
    assert sorted(map(sorted, groups)) == sorted(map(sorted, expected))
    assert not {"copies-between-splits", "copies-in-a-split", "same-picture-two-labels"} & set(found)


def test_pictures_without_structure_are_no_copies_of_each_other(root: Path) -> None:
    for number in range(3):
        save(np.full((40, 40, 3), 90 + number, np.uint8), root / f"train/cup/plain{number}.png")
    _, found = diagnose(root)
    assert not ABOUT_COPIES & set(found)


def test_two_objects_before_one_background_are_no_copies(root: Path) -> None:
    background = scene(50)
    for number, (left, colour) in enumerate(((30, 255), (60, 0))):
        pixels = background.copy()
        pixels[30:70, left : left + 40] = colour
        save(pixels, root / f"train/cup/studio{number}.png")
    _, found = diagnose(root)
    assert not ABOUT_COPIES & set(found)


def test_pictures_that_cannot_be_read_are_left_to_their_own_finding(root: Path) -> None:
    for number in range(2):
        (root / f"train/cup/bad{number}.png").write_bytes(b"")
    _, found = diagnose(root)
    assert found["empty-file"]["count"] == 2
    assert not ABOUT_COPIES & set(found)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Six pictures with masks: an object at the left."""
    for number in range(6):
        save(scene(number), tmp_path / f"data/images/{number}.png")
        save(painted(10, 60), tmp_path / f"data/masks/{number}.png")
    return tmp_path / "data"


def painted(left: int, right: int) -> Array:
    mask = np.zeros((96, 128), np.uint8)
    mask[20:80, left:right] = 1
    return mask


MASKS = [
    *("--data.classes", "[none, cup]", "--data.images", "images/*.png"),
    *("--data.val_fraction", "0.2", "--data.test_fraction", "0"),
]


@pytest.mark.parametrize(("right", "overlap"), [(60, None), (26, None), (14, "43%")])
def test_one_picture_with_two_masks_is_an_error(pairs: Path, right: int, overlap: str | None) -> None:
    """Of 50 columns of the object 50, 16 or 4 are painted. The mean overlap of object and background is 1, 0.56, or
    (4/50 + (12288 - 3000) / (12288 - 240)) / 2 = 0.43.
    """
    shutil.copy(pairs / "images/2.png", pairs / "images/copy.png")
    save(painted(10, right), pairs / "masks/copy.png")
    code, found = diagnose(pairs, *MASKS, data="ImageMaskFolderDataModule")
    wrong = found.get("same-picture-two-labels")
    assert code == (overlap is not None)
    assert (wrong and wrong["detail"]) == (
        overlap and f"images/2.png and images/copy.png: their masks overlap by {overlap}"
    )


@pytest.mark.parametrize("as_well", [True, False])
def test_the_mask_of_a_mirror_image_is_mirrored_too(pairs: Path, as_well: bool) -> None:
    save(mirrored(scene(2)), pairs / "images/copy.png")
    mask = painted(10, 60)
    save(mirrored(mask) if as_well else mask, pairs / "masks/copy.png")
    _, found = diagnose(pairs, *MASKS, data="ImageMaskFolderDataModule")
    assert {"near-copies-in-a-split", "near-copies-between-splits"} & set(found)
    assert ("same-picture-two-labels" in found) != as_well
