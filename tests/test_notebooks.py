"""Every notebook runs from its first cell to its last; the pictures are few and small."""

import ast
import json
import re
from base64 import b64decode
from collections.abc import Sequence
from io import BytesIO
from itertools import combinations
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

from lightning_seg.images import Array

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
FLOWERS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")


def execute(name: str, folder: Path, **parameters: object) -> NotebookNode:
    """The executed notebook; ``parameters`` are set behind its own, in the cell that is tagged with that word."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    own = {target.id for node in ast.parse(cell.source).body for target in node.targets}
    assert parameters.keys() <= own, "the test sets what the notebook does not read"
    cell.source += "".join(f"\n{key} = {value!r}" for key, value in parameters.items())
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def quiet_kernel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kernel inherits: one thread as in all tests, and no profile in the home folder."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def results(cell: NotebookNode) -> dict[str, str]:
    """Media type to content of what the cell's last line returned."""
    (output,) = (output for output in cell.outputs if output.output_type == "execute_result")
    data: dict[str, str] = output.data
    return data


def cell_with(cells: Sequence[NotebookNode], words: str) -> NotebookNode:
    (cell,) = (cell for cell in cells if words in cell.source)
    return cell


def value(cell: NotebookNode) -> object:
    """What the cell's last line returned, where that is made of numbers and strings."""
    result: object = ast.literal_eval(results(cell)["text/plain"])
    return result


def stream(cell: NotebookNode, name: str) -> str:
    """What the cell printed to ``stdout`` or ``stderr``."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == name)


def picture(cell: NotebookNode) -> Array:
    """The picture that the cell's last line returned, ``(H, W, 3)`` uint8."""
    return np.asarray(Image.open(BytesIO(b64decode(results(cell)["image/png"]))).convert("RGB"))


def sheet(cell: NotebookNode, rows: int, columns: int) -> list[Array]:
    """The middle of every picture of a sheet, without the title above it."""
    pixels = picture(cell)
    height, width = pixels.shape[0] // rows, pixels.shape[1] // columns
    # Cells are 2.4 inches wide at 100 dots per inch.
    assert width == 240
    corners = [(row * height, column * width) for row in range(rows) for column in range(columns)]
    return [pixels[top + 40 : top + 220, left + 30 : left + 210] for top, left in corners]


def distance(first: Array, second: Array) -> float:
    """The mean over all pixels, of 255."""
    return float(np.abs(first.astype(int) - second).mean())


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_are_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in code_cells(notebook):
        assert not cell.outputs
        assert cell.execution_count is None


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_files_that_a_notebook_names_exist(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    words = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    named = re.findall(r"\b(?:configs|docs)/[\w/]+\.(?:yaml|md)", words)
    assert [name for name in named if not (NOTEBOOKS.parent / name).is_file()] == []
    assert named


def test_pets(pets_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet_kernel(tmp_path, monkeypatch)
    notebook = execute("01_pets.ipynb", tmp_path, ROOT=str(pets_root), EPOCHS=1, IMAGE_SIZE=64, BATCH_SIZE=4)
    cells = code_cells(notebook)
    (test_cell,) = (cell for cell in cells if "trainer.test(" in cell.source)
    (values,) = ast.literal_eval(results(test_cell)["text/plain"])
    assert 0 <= values["test/miou"] <= 1
    assert "image/png" in results(cells[-1])


def test_carvana(carvana_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet_kernel(tmp_path, monkeypatch)
    small = {"EPOCHS": 1, "IMAGE_SIZE": 64, "BATCH_SIZE": 4, "WIDTH": 2}
    cells = code_cells(execute("02_carvana.ipynb", tmp_path, ROOT=str(carvana_root), **small))
    (split_cell,) = (cell for cell in cells if "data.setup(" in cell.source)
    splits = ast.literal_eval(results(split_cell)["text/plain"])
    assert {split: (photos, cars) for split, (photos, _, cars, _) in splits.items()} == {
        "train": (16, 4),
        "val": (4, 1),
        "test": (4, 1),
    }
    (test_cell,) = (cell for cell in cells if "trainer.test(" in cell.source)
    (values,) = ast.literal_eval(results(test_cell)["text/plain"])
    assert 0 <= values["test/picture_dice/car"] <= 1
    assert "image/png" in results(cells[-1])


def test_flowers(flowers_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet_kernel(tmp_path, monkeypatch)
    cells = code_cells(execute("03_flowers.ipynb", tmp_path, ROOT=str(flowers_root), EPOCHS=1, BATCH_SIZE=5))
    # Six of each class, a tenth of which is one.
    assert value(cell_with(cells, "data.setup(")) == {
        split: dict.fromkeys(FLOWERS, count) for split, count in (("train", 4), ("val", 1), ("test", 1))
    }

    samples = sheet(cell_with(cells, "num_images=9"), 3, 3)
    assert min(distance(*pair) for pair in combinations(samples, 2)) > 5
    variants = sheet(cell_with(cells, "variants=9"), 3, 3)
    assert min(distance(*pair) for pair in combinations(variants, 2)) > 1
    pairs = sheet(cell_with(cells, "compare=True"), 2, 4)
    # Both sheets begin with the same photos, not quite at the same heights.
    for original, augmented, sample in zip(pairs[::2], pairs[1::2], samples[:4], strict=True):
        assert distance(original, sample) < 5
        assert distance(original, augmented) > 10

    assert value(cell_with(cells, "parameter.numel()")) == 3_989_285
    fit_cell = cell_with(cells, "trainer.fit(")
    (head,) = (line for line in stream(fit_cell, "stderr").splitlines() if "model.head " in line)
    assert "[1, 5]" in head
    assert "scores" not in stream(fit_cell, "stderr")
    # Two panels beside each other.
    height, width, _ = picture(cell_with(cells, "draw_curves(")).shape
    assert width > 2 * height
    (scores,) = ast.literal_eval(results(cell_with(cells, "trainer.test("))["text/plain"])
    # Of five photos.
    assert scores["test/accuracy"] * 5 == pytest.approx(round(scores["test/accuracy"] * 5), abs=1e-5)
    assert "image/png" in results(cell_with(cells, "draw_confusion_matrix("))

    photo_cell = cell_with(cells, "Predictor.from_run(")
    said = re.fullmatch(r"(\w+), (\d+\.\d) percent\n", stream(photo_cell, "stdout"))
    assert said is not None
    assert said[1] in FLOWERS
    # The likeliest of five.
    assert 20 <= float(said[2]) <= 100
    # The last test photo is one of the last class, shown at its own size.
    shown = picture(photo_cell)
    tulips = [np.asarray(Image.open(path)) for path in (flowers_root / "tulips").iterdir()]
    assert min(distance(shown, tulip) for tulip in tulips if tulip.shape == shown.shape) < 2
    top = value(cell_with(cells, "answer.top("))
    assert isinstance(top, dict)
    assert next(iter(top.items())) == (said[1], float(said[2]))


def test_dogs(dogs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet_kernel(tmp_path, monkeypatch)
    small = {"EPOCHS": 2, "IMAGE_SIZE": 64, "BATCH_SIZE": 4}
    cells = code_cells(execute("04_dogs.ipynb", tmp_path, ROOT=str(dogs_root), **small))
    # Six of each of three breeds, a quarter of which is rounded to two.
    splits = value(cell_with(cells, "data.setup("))
    assert isinstance(splits, dict)
    assert {split: list(counts.values()) for split, counts in splits.items()} == {"train": [4, 4, 4], "val": [2, 2, 2]}

    plain, cutmix, mixup = (sheet(cell_with(cells, f"{name}.png"), 3, 3) for name in ("plain", "cutmix", "mixup"))
    kept = [
        float(np.mean([(one == other).all(axis=2).mean() for one, other in zip(plain, mixed, strict=True)]))
        for mixed in (cutmix, mixup)
    ]
    # CutMix leaves the pixels outside of its box as they are, Mixup none.
    assert 0.3 < kept[0] < 0.95
    assert kept[1] < kept[0] / 2
    labels = value(cell_with(cells, '["label"]'))
    assert isinstance(labels, dict)
    assert labels["shape"] == (4, 3)
    assert labels["sums"] == pytest.approx((1.0, 1.0))
    # Of the photo itself and, if that is of another breed, of its partner.
    shares = labels["first"].values()
    assert sum(shares) == pytest.approx(1, abs=0.01)
    assert sum(share > 0 for share in shares) in (1, 2)

    curves = value(cell_with(cells, "trainer.fit("))
    assert isinstance(curves, dict)
    assert list(curves) == ["none", "CutMix or Mixup"]
    for curve in curves.values():
        # Two epochs, six photos.
        right = [6 * accuracy for accuracy in curve]
        assert right == pytest.approx([round(number) for number in right], abs=0.01)
        assert len(right) == 2
    runs = sorted((tmp_path / "runs" / "dogs_notebook").glob("version_*"))
    first, second = (json.loads((run / "metrics.json").read_text()) for run in runs)
    assert first["initial_weights"] == second["initial_weights"]
    # Of mixed labels only.
    assert ("train/soft_accuracy" in first, "train/soft_accuracy" in second) == (False, True)
    assert "image/png" in results(cells[-1])


def test_object_recognition(
    pets_root: Path, scenes_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet_kernel(tmp_path, monkeypatch)
    # What the fixture has written is taken as it is.
    small = {"NUM_SCENES": 4, "NUM_PER_CLASS": 3, "WINDOW": 64, "EPOCHS": 1, "BATCH_SIZE": 4}
    notebook = execute("05_object_recognition.ipynb", tmp_path, PETS=str(pets_root), SCENES=str(scenes_root), **small)
    cells = code_cells(notebook)
    # Two squares of 200 pixels beside each other; the shorter side is seen as one and a half windows.
    assert value(cell_with(cells, "grid.boxes(")) == {
        "picture": (200, 400),
        "seen at": (96, 192),
        "stride": 32,
        "windows": (2, 5),
    }
    assert picture(cell_with(cells, "draw_boxes(")).shape == (200, 400, 3)
    told = value(cell_with(cells, "crop_probabilities("))
    assert isinstance(told, dict)
    # Windows of two cells.
    assert told["feature map"][2:] == (3, 6)
    assert told["probabilities"] == (1, 2, 2, 5)
    assert told["head on one window is the same"] is True
    assert told["mean difference to crops"] > 0
    for words in ("heat_maps.items()}\npictures", "merge=name", "detect(path).overlay", "first.heat_maps"):
        assert picture(cell_with(cells, words)).shape[1] > 3 * 240
    flowers = value(cell_with(cells, "write_scenes(SCENES"))
    assert isinstance(flowers, dict)
    # One of three of each of the five kinds and of none.
    assert flowers["val/accuracy"] * 6 == pytest.approx(round(flowers["val/accuracy"] * 6), abs=0.01)
    values = value(cell_with(cells, "read_original_sizes()"))
    assert isinstance(values, dict)
    assert list(values) == ["pointing_game", "recall_30", "map_30", "map_50"]
    assert all(0 <= number <= 1 for pair in values.values() for number in pair)
    single = value(cells[-1])
    assert isinstance(single, dict)
    assert set(single) <= set(FLOWERS)
    assert sum(single.values()) / len(single) == pytest.approx(values["map_30"][0], abs=0.002)


@pytest.mark.slow
@pytest.mark.real_data
def test_object_recognition_with_pretrained_weights(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet_kernel(tmp_path, monkeypatch)
    given = {"BACKBONE": "mobilenet_v2", "WEIGHTS": str(real_data / "weights" / "mobilenet_v2_imagenet.pth")}
    # The cache lies beside the pictures.
    (tmp_path / "pets").mkdir()
    for folder in ("images", "annotations"):
        (tmp_path / "pets" / folder).symlink_to(real_data / "oxford_pets" / folder)
    given |= {"PETS": str(tmp_path / "pets"), "PICTURE": str(real_data / "cat_dog" / "cat_dog.jpg")}
    small = {"SOURCE": "real", "WINDOW": 224, "SCALES": (1.5, 2.0), "LR": 3e-3, "EPOCHS": 2}
    small |= {"NUM_SCENES": 6, "NUM_PER_CLASS": 50}
    cells = code_cells(execute("05_object_recognition.ipynb", tmp_path, **given, **small))
    pets = value(cell_with(cells, "trainer.fit(task"))
    assert isinstance(pets, dict)
    assert pets["val/accuracy"] > 0.9
    values = value(cell_with(cells, "read_original_sizes()"))
    assert isinstance(values, dict)
    for name in ("pointing_game", "recall_30", "map_30"):
        found, guessed = values[name]
        assert found > guessed + 0.3
