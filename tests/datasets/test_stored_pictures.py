"""A cache on the disk: never old pixels, and a whole one or none, whatever ends the process that fills it."""

import itertools
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
import pytest
from PIL import Image

from lightning_seg.datasets import cache_folders, cache_keys, stored_pictures
from lightning_seg.datasets.cache_folders import folder_of_caches, list_caches, remove_caches
from lightning_seg.datasets.cache_keys import Survey, survey
from lightning_seg.datasets.cache_layout import Entry, Layout
from lightning_seg.datasets.image_mask_folder import ImageMaskFolderDataset
from lightning_seg.datasets.labelled import Labelled, LabelledDataset, LabelledPicture
from lightning_seg.datasets.mask_codes import MaskCodes
from lightning_seg.datasets.pairs import Pair, find_pairs
from lightning_seg.datasets.stored_pictures import LOCK, TAGS, StoredPictures, is_whole, make_whole
from lightning_seg.errors import DataError
from lightning_seg.images import READING_POLICY

SIZE = (2, 3)
COUNT = 12


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Pictures of 4 x 6 pixels, the picture of number n all 10 n, its mask 0 on the left and 1 on the right."""
    root = tmp_path / "root"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(COUNT):
        write(root, f"{number:02d}", 10 * number)
    return aged(root)


def aged(root: Path) -> Path:
    """The same pictures, each written a second after the one before."""
    for number, path in enumerate(sorted(root.glob("*/*.png"))):
        os.utime(path, (1e9 + number, 1e9 + number))
    return root


def write(root: Path, stem: str, grey: int, classes: tuple[int, int] = (0, 1)) -> None:
    Image.fromarray(np.full((4, 6, 3), grey, np.uint8)).save(root / "images" / f"{stem}.png")
    mask = np.repeat([classes], 4, axis=0).repeat(3, axis=1).astype(np.uint8)
    Image.fromarray(mask).save(root / "masks" / f"{stem}.png")


def make(root: Path, values: list[int] | None = None, size: tuple[int, int] = SIZE) -> ImageMaskFolderDataset:
    pairs = find_pairs(root, "images/*.png", "masks/{stem}.png")
    return ImageMaskFolderDataset(pairs, MaskCodes(["left", "right"], values), size)


def fill(dataset: ImageMaskFolderDataset, root: Path, place: Path | None = None) -> Survey:
    found = survey([dataset], root)
    make_whole(place or folder_of_caches(root, None), found, root, range(len(found.sources)))
    return found


def opened(dataset: ImageMaskFolderDataset, root: Path) -> StoredPictures:
    found = fill(dataset, root)
    return StoredPictures(folder_of_caches(root, None) / found.key, found.layout, found.rows[0])


def same(first: Entry | None, second: Entry) -> bool:
    assert first is not None
    assert first.mask is not None
    masks = second.mask is not None and np.array_equal(first.mask, second.mask)
    return masks and np.array_equal(first.image, second.image) and first.original_size == second.original_size


def names(place: Path) -> list[str]:
    """What lies there, whole or not."""
    return sorted(path.name for path in place.iterdir() if path.name not in TAGS)


def test_pictures_come_back_in_the_order_of_each_dataset(root: Path) -> None:
    dataset = make(root)
    backwards = dataset.subset(range(COUNT)[::-1])
    found = survey([backwards, dataset.subset([3, 0])], root)
    folder = make_whole(root / "kept", found, root, ())
    for number in range(COUNT):
        entry = StoredPictures(folder, found.layout, found.rows[0]).get(COUNT - 1 - number)
        assert entry is not None
        assert entry.image.tolist() == [[[10 * number] * 3] * 3] * 2
        assert entry.mask is not None
        assert entry.mask[:, ::2].tolist() == [[0, 1]] * 2
        assert entry.original_size == (4, 6)
    part = StoredPictures(folder, found.layout, found.rows[1])
    assert [int(part.get(index).image[0, 0, 0]) for index in range(2)] == [30, 0]  # type: ignore[union-attr]


def test_the_key_does_not_depend_on_how_pictures_are_divided(root: Path) -> None:
    dataset = make(root)
    keys = {
        survey([dataset.subset(range(cut)), dataset.subset(range(cut, COUNT)[::-1])], root).key for cut in (1, 5, 11)
    }
    assert keys == {survey([dataset], root).key}


def test_a_dataset_that_has_moved_keeps_its_cache(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = fill(make(root), root).key
    moved = root.rename(tmp_path / "elsewhere")
    monkeypatch.chdir(moved)
    for way in (moved, Path("../elsewhere"), Path()):
        found = survey([make(way)], way)
        assert found.key == key
        assert is_whole(folder_of_caches(way, None) / key, found.layout)


def _add(root: Path) -> None:
    write(root, "99", 200)


def _change_picture(root: Path) -> None:
    write(root, "03", 250)


def _change_mask(root: Path) -> None:
    write(root, "03", 30, (1, 0))


def _remove(root: Path) -> None:
    for path in root.glob("*/03.png"):
        path.unlink()


def _rename(root: Path) -> None:
    for path in root.glob("*/03.png"):
        path.rename(path.with_name("030.png"))


def _swap(root: Path) -> None:
    """Both files keep their sizes and dates, which differ by a second."""
    one, other, aside = (root / "images" / f"{stem}.png" for stem in ("03", "04", "aside"))
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def _replace_by_older(root: Path) -> None:
    _change_picture(root)
    os.utime(root / "images" / "03.png", (1e8, 1e8))


CHANGES = (_add, _change_picture, _change_mask, _remove, _rename, _swap, _replace_by_older)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_nobody_gets_old_pixels(root: Path, change: Callable[[Path], None]) -> None:
    before = fill(make(root), root).key
    change(root)
    dataset = make(root)
    kept = opened(dataset, root)
    assert kept.folder.name != before
    assert all(same(kept.get(index), dataset.read(record)) for index, record in enumerate(dataset.records))


@pytest.mark.parametrize("other", [{"values": [1, 0]}, {"values": [0, 255]}, {"size": (3, 2)}], ids=str)
def test_other_classes_and_sizes_have_a_cache_of_their_own(root: Path, other: dict[str, Any]) -> None:
    if other.get("values") == [0, 255]:
        for number in range(COUNT):
            write(root, f"{number:02d}", 10 * number, (0, 255))
        other = {"values": [255, 0]}
        first = make(root, [0, 255])
    else:
        first = make(root)
    kept = opened(first, root)
    dataset = make(root, **other)
    again = opened(dataset, root)
    assert again.folder != kept.folder
    assert all(same(again.get(index), dataset.read(record)) for index, record in enumerate(dataset.records))


def test_whether_white_of_one_bit_is_named_matters(root: Path) -> None:
    codes = [MaskCodes(["a", "b"], [0, 255]), MaskCodes(["a", "b"], [0, 1], [255])]
    assert len({survey([ImageMaskFolderDataset(make(root).records, one, SIZE)], root).key for one in codes}) == 2


def test_another_version_decodes_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"policy {READING_POLICY}, Pillow {PIL.__version__}, OpenCV {cv2.__version__}" in cache_keys.VERSIONS
    before = fill(make(root), root)
    monkeypatch.setattr(cache_keys, "VERSIONS", "format 1, policy 3")
    monkeypatch.setattr(cache_folders, "VERSIONS", "format 1, policy 3")
    after = fill(make(root), root)
    assert after.key != before.key
    outdated = {cache.folder.name: cache.outdated for cache in list_caches(folder_of_caches(root, None), root)}
    assert outdated == {before.key: f"made with {before.reading.splitlines()[0]}", after.key: ""}


@pytest.mark.parametrize("reading", [[], None, 3])
def test_an_index_that_does_not_tell_its_version_is_of_another_one(root: Path, reading: object) -> None:
    fill(make(root), root)
    (cache,) = list_caches(folder_of_caches(root, None), root)
    index = json.loads((cache.folder / "index.json").read_text())
    (cache.folder / "index.json").write_text(json.dumps({**index, "reading": reading}))
    (cache,) = list_caches(folder_of_caches(root, None), root)
    assert (cache.holds, cache.outdated) == ("something", "of another version")


def test_what_is_handed_out_is_a_copy_and_the_cache_cannot_be_written(root: Path) -> None:
    kept = opened(make(root), root)
    entry = kept.get(1)
    assert entry is not None
    entry.image[:] = 0
    assert kept.get(1).image.all()  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="read-only"):
        kept._arrays["images"][1] = 0


def test_a_copy_for_another_process_is_small_and_reads_the_same(root: Path) -> None:
    kept = opened(make(root), root)
    pickled = pickle.dumps(kept)
    assert len(pickled) < 2000
    expected = kept.get(2)
    assert expected is not None
    assert same(pickle.loads(pickled).get(2), expected)


def test_a_cache_that_was_taken_away_is_one_line(root: Path) -> None:
    kept = opened(make(root), root)
    pickled = pickle.dumps(kept)
    shutil.rmtree(kept.folder)
    # Who has opened it goes on.
    assert kept.get(0) is not None
    with pytest.raises(DataError, match=r"the cache was taken away; start the same command again$"):
        pickle.loads(pickled)


def test_a_broken_picture_is_the_line_that_reading_it_gives(root: Path) -> None:
    (root / "images" / "05.png").write_bytes(b"no picture")
    dataset = make(root)
    with pytest.raises(DataError) as read:
        dataset.read(dataset.records[5])
    with pytest.raises(DataError) as filled:
        fill(dataset, root)
    assert str(filled.value) == str(read.value)
    assert names(folder_of_caches(root, None)) == []


def test_a_broken_picture_that_nobody_asks_for_is_left_out(root: Path) -> None:
    (root / "images" / "05.png").write_bytes(b"no picture")
    (root / "masks" / "06.png").unlink()
    dataset = make(root)
    found = survey([dataset], root)
    assert len(found.sources) == COUNT - 1
    folder = make_whole(root / "kept", found, root, [row for row in range(COUNT - 1) if row != 5])
    kept = StoredPictures(folder, found.layout, found.rows[0])
    assert [index for index in range(COUNT) if kept.get(index) is None] == [5, 6]
    assert all(same(kept.get(index), dataset.read(dataset.records[index])) for index in (4, 7, 11))


def test_files_that_change_while_it_is_filled_leave_none(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = ImageMaskFolderDataset.read

    def changing(self: ImageMaskFolderDataset, record: Pair) -> Entry:
        entry = read(self, record)
        if record.name.endswith("07.png"):
            write(root, "01", 99)
        return entry

    monkeypatch.setattr(ImageMaskFolderDataset, "read", changing)
    with pytest.raises(DataError, match=r"images/01\.png: changed while the cache was filled; start the same command"):
        fill(make(root), root)
    assert names(folder_of_caches(root, None)) == []


def test_a_cache_that_was_cut_off_is_filled_anew(root: Path) -> None:
    kept = opened(make(root), root)
    for name, size in (("images", 5), ("masks", 0), ("index.json", None)):
        path = kept.folder / name
        if size is None:
            path.unlink()
        else:
            os.truncate(path, size)
        again = opened(make(root), root)
        assert again.folder == kept.folder
        assert again.get(3).image.tolist() == [[[30] * 3] * 3] * 2  # type: ignore[union-attr]


def test_a_hundred_thousand_pictures_are_opened_at_once(tmp_path: Path) -> None:
    layout, rows = Layout(100_000, (128, 128), True), np.arange(100_000)
    for name, size in layout.file_sizes().items():
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        StoredPictures(tmp_path, layout, rows).get(70_000)
        seconds.append(time.perf_counter() - start)
    # A tenth of a millisecond each time, and others compute here, too.
    assert min(seconds) < 0.02


@pytest.mark.slow
def test_the_key_of_a_hundred_thousand_pictures_is_a_look_at_each_file(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    files = [tmp_path / "images" / f"{number:06d}.jpg" for number in range(100_000)]
    for file in files:
        file.touch()
    pictures = [LabelledPicture(file.name, file, 0) for file in files]
    dataset, looked = LabelledDataset(Labelled(("a", "b"), pictures), SIZE), os.stat
    start = time.process_time()
    for file in files:
        looked(file)
    middle = time.process_time()
    found = survey([dataset.subset(range(90_000)), dataset.subset(range(90_000, 100_000))], tmp_path)
    end = time.process_time()
    assert len(found.files) == 100_000
    assert end - middle < 2 or end - middle < 10 * (middle - start)


# Processes that end


def end(*arguments: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at(moment: str, root: Path, place: Path) -> None:
    """In a process of its own: fill, and end at a moment as a machine without power does."""
    read, allocate, rename, numbers = ImageMaskFolderDataset.read, Layout.allocate, Path.rename, itertools.count(1)

    def reading(self: ImageMaskFolderDataset, record: Pair) -> Entry:
        return end() if moment == f"picture {next(numbers)}" else read(self, record)

    def renaming(self: Path, target: Path) -> None:
        if moment == "after it is moved":
            rename(self, target)
        end()

    changed: dict[str, tuple[Any, str, Any]] = {
        "half allocated": (Layout, "allocate", lambda self, path: (allocate(Layout(1, SIZE, False), path), end())),
        "before it is signed": (stored_pictures, "_sign", end),
        "half signed": (stored_pictures, "write_json", end),
        "before it is moved": (Path, "rename", renaming),
        "after it is moved": (Path, "rename", renaming),
    }
    pytest.MonkeyPatch().setattr(*changed.get(moment, (ImageMaskFolderDataset, "read", reading)))
    fill(make(root), root, place)


MOMENTS = (
    "half allocated",
    "picture 1",
    "picture 6",
    f"picture {COUNT}",
    "before it is signed",
    "half signed",
    "before it is moved",
    "after it is moved",
)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_process_leaves_a_whole_cache_or_none(root: Path, moment: str) -> None:
    place = folder_of_caches(root, None)
    process = multiprocessing.get_context("fork").Process(target=killed_at, args=(moment, root, place))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    dataset = make(root)
    found = survey([dataset], root)
    assert is_whole(place / found.key, found.layout) == (moment == "after it is moved")
    assert [cache.folder.name for cache in list_caches(place, root)] == [found.key] * (moment == "after it is moved")
    kept = opened(dataset, root)
    assert all(same(kept.get(index), dataset.read(record)) for index, record in enumerate(dataset.records))
    if moment != "after it is moved":
        assert names(place) == [found.key]


def counted(root: Path, log: Path, ready: Any) -> None:
    read = ImageMaskFolderDataset.read

    def reading(self: ImageMaskFolderDataset, record: Pair) -> Entry:
        with log.open("a") as file:
            file.write(f"{record.name}\n")
        time.sleep(0.05)
        return read(self, record)

    patch = pytest.MonkeyPatch()
    patch.setattr(ImageMaskFolderDataset, "read", reading)
    ready.wait(60)
    fill(make(root), root)


def test_of_three_processes_one_fills_it(root: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready, log = context.Barrier(3), tmp_path / "log"
    processes = [context.Process(target=counted, args=(root, log, ready)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert sorted(log.read_text().splitlines()) == [f"images/{number:02d}.png" for number in range(COUNT)]
    assert names(folder_of_caches(root, None)) == [survey([make(root)], root).key]


def test_who_waits_for_one_that_is_killed_fills_it(root: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    process = context.Process(target=counted, args=(root, log, context.Barrier(1)))
    process.start()
    while not log.exists():
        time.sleep(0.01)
    other = context.Process(target=counted, args=(root, tmp_path / "other", context.Barrier(1)))
    other.start()
    time.sleep(0.1)
    assert process.is_alive()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    other.join(60)
    assert other.exitcode == 0
    assert len((tmp_path / "other").read_text().splitlines()) == COUNT
    assert LOCK not in names(folder_of_caches(root, None))


def test_an_error_ends_it_without_reading_the_rest(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(100, 200):
        write(root, str(number), 7)
    seen: list[str] = []

    def stopping(self: ImageMaskFolderDataset, record: Pair) -> Entry:
        seen.append(record.name)
        time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(ImageMaskFolderDataset, "read", stopping)
    with pytest.raises(KeyboardInterrupt):
        fill(make(root), root)
    assert len(seen) < 90
    assert names(folder_of_caches(root, None)) == []


# Disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 1 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root makes a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], check=False).returncode:
        pytest.skip("this machine lets nobody make a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_too_small_is_one_line(root: Path, small_disk: Path) -> None:
    # 12 pictures of 256 x 256 pixels and 4 bytes, and a few bytes more.
    with pytest.raises(DataError) as error:
        fill(make(root, size=(256, 256)), root, small_disk / "place")
    assert str(error.value) == (
        f"the cache of 12 pictures needs 3 MiB, {small_disk / 'place'} has 1; give --data.cache_dir a folder "
        "elsewhere, or --data.cache false"
    )
    assert names(small_disk / "place") == []


def test_a_disk_that_gives_less_than_it_says_is_one_line(
    root: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Layout, "check_room", lambda *arguments: None)
    with pytest.raises(DataError) as error:
        fill(make(root, size=(256, 256)), root, small_disk)
    assert str(error.value) == (
        f"{small_disk}: no cache can be written there (No space left on device); give --data.cache_dir a folder "
        "elsewhere, or --data.cache false"
    )
    assert names(small_disk) == []


def test_a_disk_that_others_fill_meanwhile_leaves_none(
    root: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = ImageMaskFolderDataset.read

    def filling(self: ImageMaskFolderDataset, record: Pair) -> Entry:
        with suppress(OSError):
            (small_disk / f"others {record.name[-6:]}").write_bytes(bytes(2**20))
        return read(self, record)

    monkeypatch.setattr(ImageMaskFolderDataset, "read", filling)
    with pytest.raises(DataError, match=r"no cache can be written there \(No space left on device\)"):
        fill(make(root, size=(64, 64)), root, small_disk / "place")
    for path in small_disk.glob("others*"):
        path.unlink()
    monkeypatch.undo()
    assert names(small_disk / "place") == []
    assert fill(make(root, size=(64, 64)), root, small_disk / "place").key in names(small_disk / "place")


def test_a_disk_that_cannot_be_written_lends_what_it_has(root: Path, small_disk: Path) -> None:
    found = fill(make(root), root, small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert make_whole(small_disk, found, root, ()) == small_disk / found.key
    with pytest.raises(DataError) as error:
        fill(make(root, size=(3, 3)), root, small_disk)
    assert str(error.value) == (
        f"{small_disk}: no cache can be written there (Read-only file system); give --data.cache_dir a folder "
        "elsewhere, or --data.cache false"
    )


# Several caches of a dataset


def test_caches_are_named_with_what_makes_them_old(root: Path, tmp_path: Path) -> None:
    place = folder_of_caches(root, tmp_path / "caches")
    old, mine = fill(make(root), root, place), fill(make(root, size=(3, 2)), root, place)
    write(root, "03", 77)
    write(root, "04", 78)
    new = fill(make(root, size=(5, 5)), root, place)
    (place / "strange").mkdir()
    (place / "strange" / "index.json").write_text("{")
    caches = {cache.folder.name: cache for cache in list_caches(place, root)}
    assert caches.keys() == {old.key, mine.key, new.key, "strange"}
    assert caches[new.key].outdated == ""
    assert caches[new.key].holds == "12 pictures of 5x5 pixels with masks (0.0 MiB)"
    assert caches[old.key].outdated == "images/03.png and 3 more files have changed since"
    assert caches["strange"].outdated == "of another version"
    remove_caches(place, [cache for cache in caches.values() if cache.outdated])
    assert [cache.folder.name for cache in list_caches(place, root)] == [new.key]
    remove_caches(place, list_caches(place, root))
    assert not place.exists()


def test_datasets_with_the_same_name_do_not_meet_in_one_folder(tmp_path: Path) -> None:
    places = {folder_of_caches(tmp_path / name / "photos", tmp_path / "caches") for name in ("a", "b")}
    assert {place.parent for place in places} == {tmp_path / "caches"}
    assert len(places) == 2
    assert all(place.name.startswith("photos-") for place in places)
