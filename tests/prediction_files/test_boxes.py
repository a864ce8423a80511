"""The listing of a detector, for an answer that is made by hand."""

from pathlib import Path

import numpy as np
import pytest

from lightning_seg.answers import BoxAnswer
from lightning_seg.images import Array
from lightning_seg.prediction_files import BoxFiles, Pictured
from lightning_seg.tables import read_rows

NAMES = ("cat", "dog")
# A picture of 300 x 200 pixels, whose shorter side is two windows; four of them are at the coarsest size.
WINDOWS = [(0, 0, 100, 100), (33.4, 0, 133.4, 100), (0, 100, 100, 200), (166.6, 100, 266.6, 200)]
PROBS = [(0.75, 0.25), (0.125, 0.875), (0.625, 0.375), (0.4375, 0.5625)]


def answer() -> BoxAnswer:
    return BoxAnswer(
        boxes=np.array([WINDOWS[1]], np.float32),
        scores=np.array([0.875], np.float32),
        labels=np.array([1]),
        maps=np.zeros((2, 4, 6), np.float32),
        whole=np.array([0.25, 0.75], np.float32),
        window_probs=np.array(PROBS, np.float32),
        window_boxes=np.array(WINDOWS, np.float32),
    )


def read() -> Array:
    return np.zeros((200, 300, 3), np.uint8)


def test_windows_are_listed_by_their_place_in_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = BoxFiles(tmp_path / "out")
    files.prepare()
    files.begin(NAMES, NAMES)
    files.append([files.row_of(Pictured("photo.jpg", "photo", (200, 300), read), answer())])
    files.end(read_rows(files.table))
    first, second = capsys.readouterr().out.splitlines()
    assert first == "photo.jpg: 1 objects; as a whole dog 75.0 %, cat 25.0 %"
    assert second == (
        "    windows: dog 0.88 at 33,0,133,100 0.56 at 167,100,267,200; cat 0.75 at 0,0,100,100 0.62 at 0,100,100,200"
    )
    (row,) = read_rows(files.table)
    assert second.endswith(row["windows"])


def test_the_best_three_windows_of_a_class_are_enough(tmp_path: Path) -> None:
    files = BoxFiles(tmp_path / "out")
    files.prepare()
    files.begin(NAMES, NAMES)
    probs = np.array([(0.25, 0.75), (0.125, 0.875), (0.0, 1.0), (0.4375, 0.5625)], np.float32)
    row = files.row_of(Pictured("photo.jpg", "photo", (200, 300), read), answer()._replace(window_probs=probs))
    assert row["windows"] == "dog 1.00 at 0,100,100,200 0.88 at 33,0,133,100 0.75 at 0,0,100,100"


def test_what_an_earlier_prediction_has_found_is_not_left(tmp_path: Path) -> None:
    def predict(answers: dict[str, BoxAnswer]) -> set[str]:
        files = BoxFiles(tmp_path)
        files.prepare()
        files.begin(NAMES, NAMES)
        for name, found in answers.items():
            files.row_of(Pictured(f"{name}.jpg", name, (200, 300), read), found)
        kinds = ("heat_maps", "windows")
        places = [path for kind in kinds for path in (tmp_path / kind).rglob("*") if path.is_file()]
        return {path.relative_to(tmp_path).as_posix() for path in places}

    two = answer()._replace(
        boxes=np.array(WINDOWS[:2], np.float32), scores=np.array([0.875, 0.75], np.float32), labels=np.array([1, 0])
    )
    none = answer()._replace(
        boxes=np.zeros((0, 4), np.float32), scores=np.zeros(0, np.float32), labels=np.zeros(0, int)
    )
    # A picture in a folder that is called as the other is.
    beside = {f"{kind}/a/b/dog.jpg" for kind in ("heat_maps", "windows")}
    both = {f"{kind}/a/{label}.jpg" for kind in ("heat_maps", "windows") for label in NAMES}
    assert predict({"a": two, "a/b": answer()}) == both | beside
    assert predict({"a": answer(), "a/b": answer()}) == {one for one in both if one.endswith("dog.jpg")} | beside
    assert predict({"a": none, "a/b": answer()}) == beside
    assert predict({"a": none, "a/b": none}) == set()
    assert not (tmp_path / "windows/a/b").exists()


def test_a_picture_that_is_predicted_is_not_removed(tmp_path: Path) -> None:
    picture = tmp_path / "windows/a/a.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"")
    (tmp_path / "predictions.csv").touch()
    files = BoxFiles(tmp_path)
    files.prepare()
    files.begin(NAMES, NAMES)
    files.row_of(Pictured(str(picture), "a", (200, 300), read), answer())
    assert picture.is_file()
