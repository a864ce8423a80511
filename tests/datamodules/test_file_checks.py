"""Files that are wrong are found before the first batch, or left out and counted; what is seen is remembered."""

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_seg.__main__ import main
from lightning_seg.datamodules import FlowersDataModule, ImageMaskFolderDataModule
from lightning_seg.datasets import fact_store
from lightning_seg.datasets.fact_store import FactStore, opened_store
from lightning_seg.datasets.facts import look_at_picture
from lightning_seg.errors import ConfigError, DataError

CLASSES: list[str | int] = ["background", "thing"]


def write(root: Path, count: int = 10) -> Path:
    """Grey pictures, each with a mask whose left half is a thing; values 0 and 1."""
    half = np.zeros((8, 16), np.uint8)
    half[:, :8] = 1
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", (16, 8), (number, 0, 0)).save(root / "images" / f"{number}.jpg")
        Image.fromarray(half).save(root / "masks" / f"{number}.png")
    return root


def make(root: Path, **options: Any) -> ImageMaskFolderDataModule:
    return ImageMaskFolderDataModule(root, CLASSES, **{"image_size": 8, "batch_size": 2, "num_workers": 0, **options})


def words(root: Path, place: Path, workers: int, *more: str) -> list[str]:
    data = ["--data", "ImageMaskFolderDataModule", "--data.root", str(root), "--data.classes", "[background, thing]"]
    data += ["--data.image_size", "16", "--data.batch_size", "2", "--data.num_workers", str(workers)]
    model = ["--model", "UNetTask", "--model.width", "2", "--model.depth", "1"]
    trainer = ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
    return ["fit", *data, *model, *trainer, "--run_folder", str(place), *more]


def break_pictures(root: Path, *numbers: int) -> None:
    for number in numbers:
        path = root / "images" / f"{number}.jpg"
        path.write_bytes(path.read_bytes()[:200])


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the pictures that are read for the check."""
    names: list[str] = []
    look = look_at_picture

    def listen(path: Path, closely: bool = False) -> Any:
        names.append(path.name)
        return look(path, closely)

    monkeypatch.setattr(fact_store, "look_at_picture", listen)
    return names


@pytest.mark.parametrize("workers", [0, 2])
def test_fit_names_a_broken_picture_before_anything_is_trained(
    workers: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write(tmp_path / "own")
    break_pictures(root, *range(10))
    assert main(words(root, tmp_path / "run", workers)) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert "cannot be read as a picture" in told
    assert told.endswith("; 7 more of 8 pictures cannot be read; or train without them: --data.unreadable skip")
    assert not (tmp_path / "run" / "metrics.csv").exists()


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_pictures_are_left_out_and_counted(workers: int, tmp_path: Path) -> None:
    root, run = write(tmp_path / "own"), tmp_path / "run"
    train = make(root).pictures_of("train")
    for path in train[:2]:
        Path(path).write_bytes(b"")
    assert main(words(root, run, workers, "--data.unreadable", "skip")) == 0
    record = json.loads((run / "metrics.json").read_text())
    assert record["left_out/unreadable"] == 2
    assert (run / "unreadable.txt").read_text().splitlines() == train[:2]
    assert "left_out/unlabelled" not in record


def test_pictures_without_a_mask_are_left_out_and_listed(tmp_path: Path) -> None:
    root, run = write(tmp_path / "own"), tmp_path / "run"
    for number in (3, 7):
        (root / "masks" / f"{number}.png").unlink()
    with pytest.raises(DataError, match=r"2 of 10 pictures have no mask.*--data\.unlabelled skip"):
        make(root).setup("fit")
    assert main(words(root, run, 0, "--data.unlabelled", "skip")) == 0
    assert json.loads((run / "metrics.json").read_text())["left_out/unlabelled"] == 2
    listed = [str(root / "images" / f"{number}.jpg") for number in (3, 7)]
    assert (run / "unlabelled.txt").read_text().splitlines() == listed


def test_the_groups_of_the_pictures_that_are_left_stay_theirs(tmp_path: Path) -> None:
    """Every picture is a group of its own, called as the picture."""
    root = write(tmp_path / "own", 20)
    first, *others = make(root, test_fraction=0.3).pictures_of("test")
    Path(first).write_bytes(b"")
    data = make(root, test_fraction=0.3, unreadable="skip")
    data.setup("test")
    assert data.datasets["test"].groups == [Path(path).relative_to(root).as_posix() for path in others]


def test_nothing_is_left_of_only_broken_pictures(tmp_path: Path) -> None:
    root = write(tmp_path / "own")
    break_pictures(root, *range(10))
    with pytest.raises(DataError, match="none of the 8 pictures of train can be read"):
        make(root, unreadable="skip").setup("fit")


def test_labelled_pictures_are_read_ahead_too(flowers_root: Path, tmp_path: Path) -> None:
    data = FlowersDataModule(flowers_root, image_size=16, unreadable="skip", cache_dir=tmp_path, num_workers=0)
    first = Path(data.pictures_of("train")[0])
    kept = first.read_bytes()
    try:
        first.write_bytes(kept[:300])
        number = len(data.pictures_of("train"))
        data.setup("fit")
        assert data.left_out == {"unreadable": [str(first)]}
        assert len(data.datasets["train"]) == number - 1
        with pytest.raises(DataError, match=r"--data\.unreadable skip"):
            FlowersDataModule(flowers_root, image_size=16, cache_dir=tmp_path, num_workers=0).setup("fit")
    finally:
        first.write_bytes(kept)


def test_a_file_is_looked_at_once_for_all_runs(tmp_path: Path, looked_at: list[str]) -> None:
    root = write(tmp_path / "own")
    make(root).setup("fit")
    assert len(looked_at) == 9
    make(root, image_size=16).setup("fit")
    assert len(looked_at) == 9
    changed = Path(make(root).pictures_of("train")[0])
    os.utime(changed, ns=(1, 1))
    make(root).setup("fit")
    assert looked_at[9:] == [changed.name]


def test_a_dataset_that_moves_keeps_what_is_known(tmp_path: Path, looked_at: list[str]) -> None:
    make(write(tmp_path / "own")).setup("fit")
    (tmp_path / "own").rename(tmp_path / "elsewhere")
    data = make(tmp_path / "elsewhere")
    data.setup("fit")
    assert len(looked_at) == 9


def test_a_permission_that_was_missing_is_asked_for_again(tmp_path: Path, looked_at: list[str]) -> None:
    """A problem may go away without another date of the file, so that it is never remembered."""
    root = write(tmp_path / "own")
    picture = Path(make(root).pictures_of("train")[0])
    status, kept = picture.stat(), picture.read_bytes()
    picture.write_bytes(b"x" * len(kept))
    os.utime(picture, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(DataError):
        make(root).setup("fit")
    picture.write_bytes(kept)
    os.utime(picture, ns=(status.st_atime_ns, status.st_mtime_ns))
    make(root).setup("fit")
    # The first look ended before the picture to validate on.
    assert looked_at[8:].count(picture.name) == 1
    assert len(looked_at) == 8 + 1 + 1


def test_an_interrupted_look_goes_on(tmp_path: Path, looked_at: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    root, place = write(tmp_path / "own"), tmp_path / "caches"
    dataset = make(root, check_pictures=False)
    dataset.setup("fit")
    pictures, look = dataset.datasets["train"], vars(fact_store)["look_at_picture"]
    monkeypatch.setattr(fact_store, "AT_ONCE", 2)

    def stop(path: Path, closely: bool = False) -> Any:
        if len(looked_at) == 5:
            raise KeyboardInterrupt
        return look(path, closely)

    monkeypatch.setattr(fact_store, "look_at_picture", stop)
    with opened_store(place, root) as store, pytest.raises(KeyboardInterrupt):
        list(store.pictures(pictures))
    before = len(looked_at)
    monkeypatch.setattr(fact_store, "look_at_picture", look)
    with opened_store(place, root) as store:
        assert len(list(store.pictures(pictures))) == 8
    assert 8 - 5 <= len(looked_at) - before < 8


@pytest.mark.parametrize("spoil", ["a file in place of the folder", "no database", "another table"])
def test_what_cannot_be_remembered_is_looked_at_all_the_same(spoil: str, tmp_path: Path) -> None:
    root, place = write(tmp_path / "own"), tmp_path / "caches"
    if spoil == "a file in place of the folder":
        place.write_text("")
    else:
        place.mkdir()
        (place / fact_store.FILE).write_bytes(b"no database" * 1000)
    if spoil == "another table":
        (place / fact_store.FILE).unlink()
        with sqlite3.connect(place / fact_store.FILE) as other:
            other.execute("CREATE TABLE facts (something INTEGER)")
    data = make(root, check_pictures=False)
    data.setup("fit")
    with opened_store(place, root) as store:
        assert [facts.problem for facts in store.pictures(data.datasets["train"])] == [""] * 8


def test_a_full_disk_costs_the_memory_of_what_was_seen_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path / "own", 40)
    monkeypatch.setattr(fact_store, "AT_ONCE", 4)
    data = make(root, check_pictures=False)
    data.setup("fit")
    connection = sqlite3.connect(tmp_path / "small.sqlite")
    store = FactStore(connection, root)
    connection.execute("PRAGMA max_page_count = 3")
    facts = list(store.pictures(data.datasets["train"]))
    assert len(facts) == 32
    assert store.connection is not connection
    assert [Path(one.path).name for one in facts] == [Path(path).name for path in data.pictures_of("train")]


def test_the_facts_of_a_picture_by_hand(tmp_path: Path) -> None:
    """51 is a fifth of 255; red 255 alone has a mean of 1, 0, 0."""
    path = tmp_path / "a.png"
    Image.new("RGB", (20, 10), (255, 51, 0)).save(path)
    facts = look_at_picture(path)
    assert (facts.height, facts.width, facts.format, facts.traits) == (10, 20, "PNG", "")
    assert [float(value) for value in facts.sums.split()] == pytest.approx([1, 0.2, 0, 1, 0.04, 0], abs=1e-5)
    assert facts.mean == pytest.approx(0.4)


def test_smoothed_masks_are_read_by_the_nearest_class(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of 128 pixels of each of 8 masks, 4 hold 100 in one mask and 1 in another."""
    folder = write(tmp_path / "own")
    names = [Path(path).stem for path in make(folder).pictures_of("train")]
    for name, count in zip(names, (4, 1), strict=False):
        mask = np.array(Image.open(folder / "masks" / f"{name}.png")) * np.uint8(255)
        mask[0, :count] = 100
        Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
    values: dict[str, Any] = {"mask_values": [0, 255], "ignore_values": [1]}
    with pytest.raises(DataError, match=r"100 .* of no class"):
        make(folder, **values).setup("fit")
    data = make(folder, mask_match="nearest", **values)
    data.setup("fit")
    told = "mask_match nearest decided 5 of 1024 pixels (0.49 %), in 2 of 8 masks; most of them in "
    assert f"{told}{folder}/masks/{names[0]}.png (3.12 %)" in caplog.text
    with pytest.raises(DataError, match=r"100 .* of no class"):
        make(folder, mask_match="nearest", mask_tolerance=50, **values).setup("fit")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unreadable": "ignore"}, "unreadable 'ignore' does not exist; choose error or skip"),
        ({"unlabelled": "no"}, "unlabelled 'no' does not exist; choose error or skip"),
        ({"unreadable": "skip", "check_pictures": False}, "unreadable skip has to read the pictures first"),
    ],
)
def test_impossible_choices(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        make(tmp_path, **options)
