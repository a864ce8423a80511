"""What a model says to a photo, as pictures, numbers and files, on answers that are computed by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_seg.answers import BoxAnswer
from lightning_seg.app.answers import answer, draw, legend_of, record_of, summary_of, write_files
from lightning_seg.app.controls import chosen
from lightning_seg.app.sources import Source, source_of
from lightning_seg.errors import ConfigError
from lightning_seg.plots.palette import class_palette
from lightning_seg.predictor import DetectedPicture, Predictor
from tests.serving.alone import run_alone


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Two rows of four pixels: red 0, 100, 200, 250."""
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[..., 0] = [0, 100, 200, 250]
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_masks_and_their_numbers(masks: Source, photo: Path) -> None:
    said = answer(masks, photo, {})
    assert said.seconds > 0
    assert "dark 50.0 %, bright 50.0 %" in summary_of(said)
    assert "4 x 2 pixels" in summary_of(said)
    record = record_of(said)
    assert record["shares"] == {"dark": 0.5, "bright": 0.5}
    assert (record["width"], record["height"], record["model"], record["options"]) == (4, 2, "bright/1", {})


def test_a_setting_changes_the_answer_and_is_told(masks: Source, photo: Path) -> None:
    said = answer(masks, photo, {"threshold": 0.25})
    assert record_of(said)["shares"] == {"dark": 0.25, "bright": 0.75}
    assert "threshold 0.25" in summary_of(said)


def test_the_overlay_has_the_opacity_and_the_classes_that_were_asked_for(masks: Source, photo: Path) -> None:
    said = answer(masks, photo, {}).said
    colours = class_palette(2)
    full = np.asarray(draw(said, opacity=1.0))
    np.testing.assert_array_equal(full[0], colours[[0, 0, 1, 1]])
    np.testing.assert_array_equal(np.asarray(draw(said, opacity=0.0)), said.image)
    part = np.asarray(draw(said, shown=["bright"], opacity=1.0))
    np.testing.assert_array_equal(part[0, :2], said.image[0, :2])
    np.testing.assert_array_equal(part[0, 2:], colours[[1, 1]])
    half = np.asarray(draw(said, opacity=0.5)).astype(float)
    np.testing.assert_allclose(half[0, 2], (colours[1].astype(float) + np.array([200, 0, 0])) / 2, atol=1)


def test_files_for_download(masks: Source, photo: Path, tmp_path: Path) -> None:
    said = answer(masks, photo, {}, "my cat.png")
    files = write_files(said, tmp_path, draw(said.said))
    assert files.mask is not None
    assert [path.name for path in files if path] == ["my cat_overlay.jpg", "my cat_mask.png", "my cat.json"]
    np.testing.assert_array_equal(np.asarray(Image.open(files.mask)), [[0, 0, 1, 1]] * 2)
    assert json.loads(files.json.read_text())["picture"] == "my cat"
    assert Image.open(files.overlay).size == (4, 2)


def test_labels(labels: Source, photo: Path, tmp_path: Path) -> None:
    said = answer(labels, photo, {})
    # The mean of the red is 137.5.
    assert summary_of(said).startswith("bright, probability 0.54")
    assert record_of(said)["probs"]["bright"] == pytest.approx(137.5 / 255, abs=1e-4)
    files = write_files(said, tmp_path, draw(said.said))
    assert files.mask is None


def test_boxes_of_hidden_labels_are_not_drawn() -> None:
    boxes = np.array([[2, 2, 20, 20], [30, 30, 50, 50]], np.float32)
    maps = np.zeros((2, 2, 2), np.float32)
    rest = [np.zeros((1, 2), np.float32)] * 3
    said = BoxAnswer(boxes, np.array([0.9, 0.8], np.float32), np.array([0, 1]), maps, *rest)
    picture = DetectedPicture.of(np.zeros((64, 64, 3), np.uint8), said, ("cat", "dog"))
    both, one = np.asarray(draw(picture)), np.asarray(draw(picture, shown=["dog"]))
    assert both[2, 10].any()
    assert not one[:25, :25].any()
    np.testing.assert_array_equal(one[30:51, 30:51], both[30:51, 30:51])
    assert not np.asarray(draw(picture, shown=[])).any()


def test_the_legend_has_the_colours_of_the_masks() -> None:
    colours = class_palette(2)
    assert [entry.colour for entry in legend_of(("a", "b"))] == [tuple(colours[0]), tuple(colours[1])]
    assert legend_of(("a", "b"))[1].hex == f"#{bytes(colours[1]).hex()}"


def test_an_impossible_setting_is_an_error_of_the_task(masks: Source, photo: Path) -> None:
    with pytest.raises(ConfigError, match="threshold 2 must lie between 0 and 1"):
        answer(masks, photo, {"threshold": 2})


@pytest.mark.parametrize(("kind", "names"), [("masks", {"tile", "tta", "threshold"}), ("labels", {"tta"})])
def test_an_exported_file_is_asked_as_a_run_is(kind: str, names: set[str], tmp_path: Path, photo: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from tests.serving import onnx_files

    path = getattr(onnx_files, f"write_{kind}")(tmp_path / "model.onnx")
    source = source_of(str(path))
    assert (source.name, source.kind) == ("model.onnx", kind)
    assert {control.name for control in source.controls} <= names
    choices: list[dict[str, Any]] = [{}, {"tta": "hflip"}]
    for options in choices:
        said: Any = answer(source, photo, options).said
        expected = Predictor.from_file(path, **options)(photo)
        if kind == "masks":
            np.testing.assert_array_equal(said.mask, expected.mask)
        else:
            assert said.probs == expected.probs


def test_of_an_exported_detector_only_the_threshold_is_asked(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from tests.serving.onnx_files import write_boxes

    source = source_of(str(write_boxes(tmp_path / "model.onnx")))
    assert [control.name for control in source.controls] == ["threshold"]


@pytest.mark.parametrize(
    ("typed", "options", "found"), [(0.35, {}, 2), (0.7, {"threshold": 0.7}, 1), (0.2, {"threshold": 0.2}, 3)]
)
def test_the_threshold_stands_where_the_file_has_it(
    typed: float, options: dict[str, Any], found: int, tmp_path: Path, photo: Path
) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from tests.serving.onnx_files import SCORES, write_boxes

    source = source_of(str(write_boxes(tmp_path / "model.onnx", threshold=0.35)))
    (control,) = source.controls
    assert (control.shown, chosen(source.controls, [typed])) == (0.35, options)
    said = answer(source, photo, chosen(source.controls, [typed])).said
    assert isinstance(said, DetectedPicture)
    np.testing.assert_array_equal(np.array(said.scores, np.float32), SCORES[:found])


def test_the_threshold_of_masks_stands_where_the_file_has_it(tmp_path: Path, photo: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from tests.serving.onnx_files import write_masks

    two = ("no", "yes")
    path = write_masks(tmp_path / "model.onnx", class_names=two, label_names=two, colors=(), threshold=0.02)
    controls = {one.name: one for one in source_of(str(path)).controls}
    assert controls["threshold"].shown == 0.02
    assert "likelier" not in controls["threshold"].help


WITHOUT_TORCH = """
from lightning_seg.app.compare_tab import pair_of
from lightning_seg.app.sources import source_of
from lightning_seg.app.try_tab import Desk
from lightning_seg.commands import app
from pathlib import Path

source, photo = source_of({model!r}), Path({photo!r})
values = [control.shown for control in source.controls]
print(Desk(source, photo.parent).ask({{"path": str(photo)}}, 50, None, values).line)
print(pair_of(source, source, photo).lines[0])
code = 0
"""


def test_an_exported_file_is_asked_without_torch(tmp_path: Path, photo: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from tests.serving import onnx_files

    for kind in ("masks", "labels", "boxes"):
        path = getattr(onnx_files, f"write_{kind}")(tmp_path / f"{kind}.onnx")
        done = run_alone(WITHOUT_TORCH.format(model=str(path), photo=str(photo)))
        assert done.returncode == 0, done.stderr
        said, compared, imported = done.stdout.splitlines()
        assert "4 x 2 pixels" in said
        assert compared.startswith(f"{kind}.onnx: ")
        assert imported == "imported: []"
