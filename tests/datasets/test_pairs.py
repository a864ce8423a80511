"""Which picture belongs to which mask, by the names of files."""

import os
import re
from pathlib import Path

import pytest

from lightning_seg.datasets.pairs import check_pairs, check_patterns, find_pairs, left_beside, taking_all
from lightning_seg.errors import ConfigError, DataError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def names(root: Path, images: str, masks: str) -> dict[str, str]:
    return {pair.name: pair.mask.relative_to(root).as_posix() for pair in find_pairs(root, images, masks)}


def left(root: Path, images: str, masks: str) -> list[str]:
    beside = left_beside(root, images, masks, find_pairs(root, images, masks))
    return [path.relative_to(root).as_posix() for path in beside]


def refused(error: pytest.ExceptionInfo[DataError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_two_folders(tmp_path: Path) -> None:
    touch(tmp_path, "images/b.jpg", "images/a.jpg", "images/readme.txt", "masks/a.png", "other/c.jpg")
    assert names(tmp_path, "images/*.jpg", "masks/{stem}.png") == {
        "images/a.jpg": "masks/a.png",
        "images/b.jpg": "masks/b.png",
    }


def test_masks_beside_pictures_are_no_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a_mask.png", "b.png", "b_mask.png")
    assert names(tmp_path, "*.png", "{stem}_mask.png") == {"a.png": "a_mask.png", "b.png": "b_mask.png"}


def test_masks_that_match_with_all_folders_are_no_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "masks/a.png")
    assert names(tmp_path, "**/*.png", "masks/{stem}.png") == {"images/a.png": "masks/a.png"}


def test_pictures_and_masks_of_one_name_and_two_suffixes(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a.png", "b.jpg", "b.png")
    assert names(tmp_path, "*", "{stem}.png") == {"a.jpg": "a.png", "b.jpg": "b.png"}


def test_nested_folders(tmp_path: Path) -> None:
    touch(tmp_path, "scans/p1/day1/x.tif", "scans/p2/x.tif", "scans/x.tif")
    assert names(tmp_path, "scans/**/*.tif", "labels/{dir}/{name}.png") == {
        "scans/p1/day1/x.tif": "labels/p1/day1/x.tif.png",
        "scans/p2/x.tif": "labels/p2/x.tif.png",
        "scans/x.tif": "labels/x.tif.png",
    }


def test_the_fixed_part_ends_at_the_first_wildcard(tmp_path: Path) -> None:
    touch(tmp_path, "data/run1/images/a.jpg", "data/run2/images/a.jpg")
    assert names(tmp_path, "data/run*/images/*.jpg", "truth/{dir}/{stem}.png") == {
        "data/run1/images/a.jpg": "truth/run1/images/a.png",
        "data/run2/images/a.jpg": "truth/run2/images/a.png",
    }


def test_stems_keep_their_other_dots(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.v2.jpg")
    assert names(tmp_path, "images/*.jpg", "masks/{stem}.png") == {"images/a.v2.jpg": "masks/a.v2.png"}


def test_hidden_files_and_folders_are_no_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "images/._a.jpg", "images/a.jpg", ".thumbnails/b.jpg", "images/.old/c.jpg")
    (tmp_path / "images" / "folder.jpg").mkdir()
    assert list(names(tmp_path, "**/*.jpg", "masks/{stem}.png")) == ["images/a.jpg"]


def test_links_to_folders_are_followed(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere", "sub/a.jpg")
    (tmp_path / "root" / "images").mkdir(parents=True)
    (tmp_path / "root" / "images" / "linked").symlink_to(tmp_path / "elsewhere" / "sub")
    assert list(names(tmp_path / "root", "images/**/*.jpg", "masks/{stem}.png")) == ["images/linked/a.jpg"]


def test_the_order_is_that_of_the_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "b/1.jpg", "a/2.jpg", "a/10.jpg", "B/1.jpg")
    backwards = ["b/1.jpg", "a/2.jpg", "a/10.jpg", "B/1.jpg"]
    for found in (backwards, sorted(backwards)):
        monkeypatch.setattr("glob.glob", lambda *args, found=found, **kwargs: found)
        assert list(names(tmp_path, "*/*.jpg", "masks/{stem}.png")) == ["B/1.jpg", "a/10.jpg", "a/2.jpg", "b/1.jpg"]


def test_a_root_with_wildcards_in_its_name(tmp_path: Path) -> None:
    touch(tmp_path / "data[1]", "images/a.jpg")
    assert list(names(tmp_path / "data[1]", "images/*.jpg", "masks/{stem}.png")) == ["images/a.jpg"]


def test_no_root(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: no such folder; .*--data\.root.*--data\.source synthetic"):
        find_pairs(tmp_path / "nowhere", "images/*.jpg", "masks/{stem}.png")


def test_no_picture_says_what_lies_there(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt", *(f"images/{number}.png" for number in range(1, 9)))
    with pytest.raises(DataError) as error:
        find_pairs(tmp_path, "images/*.jpg", "masks/{stem}.png")
    assert refused(error) == (
        f"{tmp_path}: no picture matches images 'images/*.jpg'; {tmp_path} holds images/, notes.txt; {tmp_path}/images "
        "holds 1.png, 2.png, 3.png, 4.png, 5.png, 3 more; give another --data.images"
    )


def test_no_picture_in_an_empty_root(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"no picture matches images '\*\.jpg'; {tmp_path} holds nothing; give"):
        find_pairs(tmp_path, "*.jpg", "masks/{stem}.png")


def checked(root: Path, images: str, masks: str) -> str:
    with pytest.raises(DataError) as error:
        check_pairs(root, find_pairs(root, images, masks))
    return refused(error)


def test_missing_masks(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "images/b.jpg", "images/c.jpg", "masks/a.png", "masks/b_mask.png")
    message = checked(tmp_path, "images/*.jpg", "masks/{stem}.png")
    assert message == (
        f"2 of 3 pictures have no mask, the first is images/b.jpg: no {tmp_path}/masks/b.png; {tmp_path}/masks holds "
        "a.png, b_mask.png; add the masks, correct --data.masks, list the pairs in a file for --data.pairs, or train "
        "without these pictures: --data.unlabelled skip"
    )


def test_missing_folder_of_masks(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg")
    message = checked(tmp_path, "images/*.jpg", "masks/{stem}.png")
    assert f"no {tmp_path}/masks/a.png; there is no folder {tmp_path}/masks; add the masks" in message


def test_two_pictures_with_one_mask(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "images/a.jpeg", "masks/a.png")
    message = checked(tmp_path, "images/*", "masks/{stem}.png")
    assert message == (
        f"{tmp_path}: images/a.jpeg and images/a.jpg share the mask {tmp_path}/masks/a.png; give each its own, with "
        "--data.masks or --data.pairs, or take those of one suffix, with --data.images"
    )


def test_a_picture_is_not_its_own_mask(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png")
    assert "images/a.png would be its own mask; give another --data.masks" in checked(
        tmp_path, "images/*.png", "images/{stem}.png"
    )


def test_pairs_that_are_right_pass(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "masks/a.png")
    pairs = find_pairs(tmp_path, "images/*.jpg", "masks/{stem}.png")
    check_pairs(tmp_path, pairs)
    assert [(pair.name, pair.mask) for pair in pairs] == [("images/a.jpg", tmp_path / "masks" / "a.png")]


@pytest.mark.parametrize(
    ("images", "masks", "message"),
    [
        ("/data/*.jpg", "{stem}.png", "images '/data/*.jpg' must be relative to root, for instance images/*"),
        ("", "{stem}.png", "images '' must be relative"),
        ("*.jpg", "masks/{base}.png", "masks 'masks/{base}.png': there is no {base}; use {stem}, {name} and {dir}"),
        ("*.jpg", "masks/{}.png", "there is no {}; use {stem}"),
        ("*.jpg", "masks/{stem!r}.png", "there is no {stem!r}; use {stem}"),
        ("*.jpg", "masks/{dir}/mask.png", "is the same for every picture; name it by {stem} or {name}"),
        ("*.jpg", "mask.png", "masks 'mask.png' is the same for every picture"),
    ],
)
def test_impossible_patterns(images: str, masks: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        check_patterns(images, masks)


def test_possible_patterns(tmp_path: Path) -> None:
    touch(tmp_path, "day/a.jpg")
    images, masks = "**/*.jpg", "/elsewhere/{dir}/{stem}_{name}.png"
    check_patterns(images, masks)
    assert [pair.mask.as_posix() for pair in find_pairs(tmp_path, images, masks)] == ["/elsewhere/day/a_a.jpg.png"]


def test_pictures_that_a_pattern_leaves_out_are_known(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a.png", "b.JPG", "c.jpeg", "d.png", "f.gif", "notes.txt", ".e.jpg")
    # Its mask is no picture, neither are other files, and d.png has the name of a mask.
    assert left(tmp_path, "*.jpg", "{stem}.png") == ["b.JPG", "c.jpeg", "f.gif"]


def test_folders_without_a_picture_of_the_pattern_are_searched(tmp_path: Path) -> None:
    touch(tmp_path, "photos/day1/a.jpg", "photos/day2/b.png", "photos/day2/more/c.JPG", "photos/d.tif", "other/e.png")
    touch(tmp_path, "labels/day1/a.png", "labels/gone.png", "day2/b.png")
    under = ["photos/d.tif", "photos/day2/b.png", "photos/day2/more/c.JPG"]
    for masks in ("labels/{dir}/{stem}.png", "{dir}/{stem}.png"):
        assert left(tmp_path, "photos/**/*.jpg", masks) == under
    # Of one depth, and of the folders that are named.
    assert left(tmp_path, "photos/*/*.jpg", "labels/{dir}/{stem}.png") == ["photos/day2/b.png"]
    assert left(tmp_path, "photos/day1/*.jpg", "labels/{stem}.png") == []
    (tmp_path / "g.png").touch()
    everything = left(tmp_path, "**/*.jpg", "labels/{stem}.png")
    assert everything == ["day2/b.png", "g.png", "labels/day1/a.png", "other/e.png", *under]


def test_predicted_pictures_are_not_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "photos/a.jpg", "photos/out/masks/a.png", "photos/out/overlays/a.png", "photos/out/b.png")
    (tmp_path / "photos" / "out" / "predictions.csv").write_text("picture,area\n")
    assert left(tmp_path, "photos/**/*.jpg", "masks/{stem}.png") == ["photos/out/b.png"]


@pytest.mark.parametrize(
    ("others", "advice"),
    [
        (["b.JPG"], "*"),
        # The masks of no picture, or of itself, and two pictures of one mask would be refused.
        (["b.JPG", "10_mask.png"], None),
        (["a.JPG"], None),
    ],
)
def test_a_pattern_for_all_is_named_where_it_works(tmp_path: Path, others: list[str], advice: str | None) -> None:
    touch(tmp_path, "a.jpg", "a_mask.png", *others)
    pairs = find_pairs(tmp_path, "*.jpg", "{stem}_mask.png")
    beside = left_beside(tmp_path, "*.jpg", "{stem}_mask.png", pairs)
    assert [path.name for path in beside] == others[:1]
    everything = [tmp_path / "a.jpg", *beside]
    assert taking_all(tmp_path, "*.jpg", "{stem}_mask.png", everything) == advice


def test_a_pattern_without_a_suffix_takes_every_picture_and_no_other_file(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "images/b.JPG", "images/c.jpeg", "images/d.png", "images/Thumbs.db", "images/n.txt")
    pairs = find_pairs(tmp_path, "images/*", "masks/{stem}.png")
    assert [pair.image.name for pair in pairs] == ["a.jpg", "b.JPG", "c.jpeg", "d.png"]
    assert left(tmp_path, "images/*", "masks/{stem}.png") == []


def test_links_to_nothing_and_pipes_are_pictures_until_they_are_read(tmp_path: Path) -> None:
    """So reading names them; before, they were left out without a word."""
    touch(tmp_path, "images/a.jpg", "masks/a.png")
    (tmp_path / "images" / "b.jpg").symlink_to("nowhere")
    (tmp_path / "images" / "c.jpg").symlink_to("c.jpg")
    os.mkfifo(tmp_path / "images" / "d.jpg")
    (tmp_path / "images" / "e.jpg").mkdir()
    (tmp_path / "masks" / "b.png").symlink_to("nowhere")
    pairs = find_pairs(tmp_path, "images/*.jpg", "masks/{stem}.png")
    assert [pair.name for pair in pairs] == ["images/a.jpg", "images/b.jpg", "images/c.jpg", "images/d.jpg"]
    # A link to nothing is no missing mask either: reading it says what it is.
    check_pairs(tmp_path, pairs[:2])
    with pytest.raises(DataError, match=r"2 of 4 pictures have no mask, the first is images/c\.jpg"):
        check_pairs(tmp_path, pairs)
