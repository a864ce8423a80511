import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_seg.batch import PictureSample, Unreadable
from lightning_seg.datasets.finding import find_pictures, unique_names
from lightning_seg.datasets.pictures import PictureFiles
from lightning_seg.errors import DataError

PIXELS = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
"""Two rows of four pixels."""


def write(path: Path, pixels: np.ndarray = PIXELS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder ``photos`` in the current one, with pictures, other files and a folder below."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    for name in ("b.png", "a.jpg", "C.JPG", ".hidden.png", "sub/d.png", "sub/deep/e.png", "x.jpg/inside.png"):
        write(folder / name)
    (folder / "notes.txt").write_text("no picture")
    (folder / "table.csv").write_text("a,b")
    return folder


def found(*patterns: str | Path) -> list[str]:
    return [path.as_posix() for path in find_pictures(patterns)]


def test_a_folder_stands_for_the_pictures_directly_in_it(photos: Path) -> None:
    """By suffix in any case; neither hidden files nor folders that are named like pictures."""
    assert found("photos") == ["photos/C.JPG", "photos/a.jpg", "photos/b.png"]
    assert found(photos) == [f"{photos}/C.JPG", f"{photos}/a.jpg", f"{photos}/b.png"]


def test_a_file_is_taken_as_it_is(photos: Path) -> None:
    assert found("photos/a.jpg") == ["photos/a.jpg"]
    (photos / "notes.md").touch()
    assert found("photos/notes.md") == ["photos/notes.md"]
    assert found("photos/.hidden.png") == ["photos/.hidden.png"]


def test_a_text_file_is_a_list_of_pictures(photos: Path) -> None:
    listed = photos / "lists" / "some.txt"
    listed.parent.mkdir()
    listed.write_text(f"# two\n../b.png\n\n{photos / 'sub' / 'd.png'}\n")
    assert [path.resolve() for path in find_pictures([listed])] == [photos / "b.png", photos / "sub" / "d.png"]
    listed.write_text("# none\n")
    with pytest.raises(DataError, match="the list names no picture"):
        find_pictures([listed])


def test_a_pattern_takes_files_alone(photos: Path) -> None:
    assert found("photos/*.jpg") == ["photos/a.jpg"]
    assert found("photos/*") == ["photos/C.JPG", "photos/a.jpg", "photos/b.png"]
    assert found("photos/n*.txt") == ["photos/notes.txt"]
    assert found("photos/[ab].*") == ["photos/a.jpg", "photos/b.png"]
    assert found(f"{photos}/*.png") == [f"{photos}/b.png"]


def test_pictures_in_folders_below_are_left_out_and_that_is_said(
    photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    find_pictures(["photos/*"])
    assert not caplog.messages
    find_pictures(["photos"])
    _, line = caplog.messages
    assert re.fullmatch(
        r"photos: pictures in folders below are left out, such as photos/\S+; give 'photos/\*\*/\*'", line
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [("...png", True), (".JPG", True), (".thumb.webp", True), ("._a.jpg", False), (".notes.txt", False), (".d", False)],
)
def test_hidden_pictures_in_a_folder_are_left_out_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, told: bool
) -> None:
    write(tmp_path / "a.png").rename(tmp_path / name)
    write(tmp_path / "a.png")
    assert found(tmp_path) == [f"{tmp_path}/a.png"]
    message = f"{tmp_path}: hidden pictures are left out, such as {name}; give their names"
    assert caplog.messages == ([message] if told else [])
    assert found(tmp_path / name) == [f"{tmp_path}/{name}"]


def test_two_stars_go_through_all_folders(photos: Path) -> None:
    below = ["photos/b.png", "photos/sub/d.png", "photos/sub/deep/e.png", "photos/x.jpg/inside.png"]
    assert found("photos/**/*.png") == below
    assert found("photos/sub/**") == ["photos/sub/d.png", "photos/sub/deep/e.png"]


def test_a_name_that_looks_like_a_pattern_is_a_file(photos: Path) -> None:
    write(photos / "holiday[1].png")
    assert found("photos/holiday[1].png") == ["photos/holiday[1].png"]


def test_the_home_folder_may_be_abbreviated(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(photos))
    assert found("~/a.jpg", "~/sub", "~/*.png") == [f"{photos}/a.jpg", f"{photos}/sub/d.png", f"{photos}/b.png"]


def test_what_is_given_first_comes_first(photos: Path) -> None:
    assert found("photos/sub", "photos/b.png", "photos/*.jpg") == ["photos/sub/d.png", "photos/b.png", "photos/a.jpg"]


def test_a_file_that_is_named_in_many_ways_comes_once(photos: Path) -> None:
    ways = ["photos/a.jpg", "./photos/a.jpg", "photos/sub/../a.jpg", f"{photos}/a.jpg", "photos/*.jpg"]
    assert found(*ways) == ["photos/a.jpg"]


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        (
            "photos/*.tif",
            "no such file, and no file matches it as a pattern; give a file, a folder or a quoted pattern",
        ),
        ("elsewhere", "no such file"),
        ("photos/[x].*", "no such file"),
        ("empty", "no picture in this folder; give another folder"),
        ("parent", "no picture in this folder; 2 in folders below; give 'parent/**/*'"),
    ],
)
def test_nothing_found_is_an_error_with_a_hint(photos: Path, pattern: str, hint: str) -> None:
    (photos.parent / "empty").mkdir()
    for name in ("one/a.png", "two/b.jpg", "two/.c.jpg"):
        write(photos.parent / "parent" / name)
    (photos.parent / "parent" / "two" / "notes.txt").touch()
    with pytest.raises(DataError) as error:
        find_pictures(["photos/a.jpg", pattern])
    assert str(error.value).startswith(f"{pattern}: {hint}")


def test_the_hint_finds_them(photos: Path) -> None:
    (photos.parent / "parent").mkdir()
    photos.rename("parent/photos")
    with pytest.raises(DataError, match="6 in folders below") as error:
        find_pictures(["parent"])
    names = {"C.JPG", "a.jpg", "b.png", "sub/d.png", "sub/deep/e.png", "x.jpg/inside.png"}
    (photos.parent / "parent" / "photos" / "notes.txt").touch()
    assert {f"parent/photos/{name}" for name in names} == set(found(str(error.value).split("'")[1]))


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([], []),
        (["photos/cat.jpg"], ["cat"]),
        (["photos/cat.1.jpg"], ["cat.1"]),
        (["a/cat.jpg", "a/dog.png"], ["cat", "dog"]),
        (["a/cat.jpg", "b/cat.jpg"], ["a/cat", "b/cat"]),
        (["a/cat.jpg", "a/b/cat.jpg"], ["cat", "b/cat"]),
        (["a/cat.jpg", "a/cat.png", "a/dog.png"], ["cat.jpg", "cat.png", "dog"]),
        (["a/cat.jpg", "a/cat"], ["cat.jpg", "cat"]),
        (["a/cat.jpg", "b/cat.jpg", "b/cat.png"], ["a/cat", "b/cat.jpg", "b/cat.png"]),
        (["cat.jpg", "cat.png", "cat.jpg.png"], ["cat.jpg", "cat.png", "cat.jpg.png"]),
        (["../x/cat.jpg", "../y/cat.jpg"], ["x/cat", "y/cat"]),
        (["a/../b/cat.jpg", "a/cat.jpg"], ["b/cat", "a/cat"]),
    ],
)
def test_names_are_short_and_unique(paths: Sequence[str], names: Sequence[str]) -> None:
    assert unique_names([Path(path) for path in paths]) == names


def test_relative_and_absolute_paths_may_be_mixed(photos: Path) -> None:
    assert unique_names([Path("photos/a.jpg"), photos / "sub" / "d.png"]) == ["a", "sub/d"]


def test_a_link_keeps_its_own_name(photos: Path) -> None:
    link = photos / "link.jpg"
    link.symlink_to(photos / "a.jpg")
    assert unique_names([link, photos / "a.jpg"]) == ["link", "a"]


def sample(files: PictureFiles, index: int = 0) -> PictureSample:
    picture = files[index]
    assert not isinstance(picture, Unreadable)
    return picture


def test_a_picture_comes_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "cat.png")
    picture = sample(PictureFiles([path]))
    assert picture["image"].dtype == torch.uint8
    np.testing.assert_array_equal(picture["image"].permute(1, 2, 0).numpy(), PIXELS)
    assert (picture["path"], picture["name"], picture["original_size"]) == (str(path), "cat", (2, 4))


def test_a_picture_comes_at_the_size_that_was_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "cat.png", np.repeat(np.repeat(PIXELS, 3, axis=0), 2, axis=1))
    picture = sample(PictureFiles([path], image_size=(2, 4)))
    np.testing.assert_array_equal(picture["image"].permute(1, 2, 0).numpy(), PIXELS)
    assert picture["original_size"] == (6, 8)


@pytest.mark.parametrize("image_size", [None, (4, 2)])
def test_a_picture_is_turned_upright(tmp_path: Path, image_size: tuple[int, int] | None) -> None:
    """Orientation 6: what is stored as the first row is the right column."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(tmp_path / "phone.png", exif=exif)
    picture = sample(PictureFiles([tmp_path / "phone.png"], image_size))
    assert picture["original_size"] == (4, 2)
    np.testing.assert_array_equal(picture["image"].permute(1, 2, 0).numpy()[:, 1], PIXELS[0])
    np.testing.assert_array_equal(picture["image"].permute(1, 2, 0).numpy()[:, 0], PIXELS[1])


def test_broken_files_are_handed_on(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = write(tmp_path / "whole.jpg", noise).read_bytes()
    (tmp_path / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "empty.jpg").touch()
    names = ["truncated.jpg", "text.png", "empty.jpg", "missing.jpg", "whole.jpg"]
    files = PictureFiles([tmp_path / name for name in names])
    assert len(files) == 5
    for index, name in enumerate(names[:4]):
        broken = files[index]
        assert isinstance(broken, Unreadable)
        assert broken.path == str(tmp_path / name)
        assert broken.reason.startswith(f"{broken.path}: ")
        assert "\n" not in broken.reason
    assert sample(files, 4)["original_size"] == (64, 64)
    assert sample(files, 4)["name"] == "whole"
