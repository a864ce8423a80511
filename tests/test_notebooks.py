"""Every notebook runs from its first cell to its last, on few and small pictures; what is stored of it is clean."""

import ast
import json
import logging
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, StringIO
from itertools import combinations
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import nbformat
import numpy as np
import pytest
from IPython.core.displayhook import CapturingDisplayHook
from IPython.core.interactiveshell import InteractiveShell
from nbformat import NotebookNode
from nbformat.v4 import new_output
from PIL import Image
from traitlets.config import Config

from lightning_seg.images import Array
from tools.notebooks import LIMIT, digest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
FLOWERS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
OF_THIS_MACHINE = re.compile(r"/(?:home|root|tmp|work|Users|usr|opt|mnt)/|Warning|Traceback|it/s|\bseconds?\b|\d s\b")


class Shell(InteractiveShell):
    """Without windows."""

    def enable_gui(self, gui: str | None = None) -> None:
        assert gui is None


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    """What a kernel runs cells with, in this process, where everything is imported already; no history, no profile."""
    trainers = logging.getLogger("pytorch_lightning")
    level = trainers.level
    with pytest.MonkeyPatch.context() as patch, mpl.rc_context():
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        config = Config({"HistoryManager": {"enabled": False}})
        # Without a module of its own it would take the place of __main__, which spawned processes look for.
        yield Shell.instance(config=config, user_module=ModuleType("notebook"))
        Shell.clear_instance()
    trainers.setLevel(level)


@pytest.fixture
def execute(shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Execute":
    monkeypatch.chdir(tmp_path)
    shell.reset(new_session=False)  # type: ignore[no-untyped-call]
    return Execute(shell)


class Execute:
    """Runs a notebook and returns it with its outputs."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell

    def __call__(self, name: str, **parameters: object) -> NotebookNode:
        """``parameters`` are set behind those of the notebook, in the cell that is tagged with that word."""
        notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
        (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
        own = {target.id for node in ast.parse(cell.source).body for target in node.targets}
        assert parameters.keys() <= own, "the test sets what the notebook does not read"
        cell.source += "".join(f"\n{key} = {value!r}" for key, value in parameters.items())
        for each in code_cells(notebook):
            each.outputs = self.run(each.source)
        return notebook

    def run(self, code: str) -> list[NotebookNode]:
        hook = CapturingDisplayHook(self.shell)  # type: ignore[no-untyped-call]
        self.shell.display_trap.hook = hook
        said = {"stdout": StringIO(), "stderr": StringIO()}
        with redirect_stdout(said["stdout"]), redirect_stderr(said["stderr"]):
            self.shell.run_cell(code).raise_error()  # type: ignore[no-untyped-call]
        streams = [new_output("stream", name=name, text=text.getvalue()) for name, text in said.items()]
        return [*streams, *(new_output("execute_result", as_text(output["data"])) for output in hook.outputs)]


def as_text(data: dict[str, str | bytes]) -> dict[str, str]:
    """Pictures are bytes here, and text in a notebook."""
    return {kind: b64encode(shown).decode() if isinstance(shown, bytes) else shown for kind, shown in data.items()}


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


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_notebooks_are_kept_as_they_were_executed(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    # python -m tools.notebooks FOLDER executes them again.
    assert notebook.metadata.executed == digest(notebook)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_stored_outputs_tell_nothing_of_the_machine(path: Path) -> None:
    outputs = [output for cell in code_cells(nbformat.read(path, as_version=4)) for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"execute_result", "stream"}
    assert {output.name for output in outputs if output.output_type == "stream"} <= {"stdout"}
    texts = [output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs]
    assert [text for text in texts if OF_THIS_MACHINE.search(text)] == []
    pictures = [b64decode(output.data["image/png"]) for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 3
    assert max(len(picture) for picture in pictures) <= LIMIT


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_notebooks_open_with_a_question_and_end_with_the_answer(path: Path) -> None:
    first, *_, last = nbformat.read(path, as_version=4).cells
    assert re.match(r"# .*\?\n", first.source)
    assert last.source.startswith("## Answer\n")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_files_that_a_notebook_names_exist(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    words = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    named = re.findall(r"\b(?:configs|docs)/[\w/]+\.(?:yaml|md)", words)
    assert [name for name in named if not (NOTEBOOKS.parent / name).is_file()] == []
    assert named


def test_machines_are_found_in_texts() -> None:
    told = (
        "/home/anna/runs",
        "UserWarning: few workers",
        "10/10 [00:01, 8.1it/s]",
        "one pass 0.12 s",
        "took 3 seconds",
    )
    assert [text for text in told if not OF_THIS_MACHINE.search(text)] == []
    assert not OF_THIS_MACHINE.search("{'val/accuracy': 0.5, 'times fewer operations': 3.1}")


def test_pets(pets_root: Path, execute: Execute) -> None:
    cells = code_cells(execute("01_pets.ipynb", ROOT=str(pets_root), EPOCHS=1, IMAGE_SIZE=64, BATCH_SIZE=4))
    shares = value(cell_with(cells, "counts = sum("))
    assert isinstance(shares, dict)
    assert sum(shares.values()) == pytest.approx(1, abs=0.002)
    masks = [np.asarray(Image.open(path)) for path in sorted((pets_root / "annotations" / "trimaps").glob("*.png"))]
    # Of another size, and of all pictures.
    assert shares["background"] == pytest.approx(np.mean([(mask == 2).mean() for mask in masks]), abs=0.1)
    scores = value(cell_with(cells, "trainer.test("))
    assert isinstance(scores, dict)
    ious = [scores[f"iou/{name}"] for name in ("pet", "background", "border")]
    assert scores["miou"] == pytest.approx(sum(ious) / 3, abs=0.002)
    # Black where the answer is right, white where it is not.
    assert {tuple(colour) for colour in picture(cell_with(cells, "wrong = ")).reshape(-1, 3)} >= {(0, 0, 0)}
    wrong = value(cells[-1])
    assert isinstance(wrong, dict)
    # The classes weighted by how often they occur, all in all what is not right.
    assert sum(wrong[name] * shares[name] for name in wrong) == pytest.approx(1 - scores["accuracy"], abs=0.003)


def test_carvana(carvana_root: Path, execute: Execute) -> None:
    small = {"EPOCHS": 1, "IMAGE_SIZE": 64, "BATCH_SIZE": 4, "WIDTH": 2}
    cells = code_cells(execute("02_carvana.ipynb", ROOT=str(carvana_root), **small))
    splits = ast.literal_eval(results(cell_with(cells, "data.setup("))["text/plain"])
    assert {split: (photos, cars) for split, (photos, _, cars, _) in splits.items()} == {
        "train": (16, 4),
        "val": (4, 1),
        "test": (4, 1),
    }
    scores = value(cell_with(cells, "trainer.test("))
    assert isinstance(scores, dict)
    dice = scores["dice/car"]
    assert scores["iou/car"] == pytest.approx(dice / (2 - dice), abs=0.002)
    near = value(cells[-1])
    assert isinstance(near, dict)
    assert 0 < near["near, of all pixels"] < 0.4
    assert 0 <= near["near, of the wrong ones"] <= 1


def test_flowers(flowers_root: Path, execute: Execute) -> None:
    cells = code_cells(execute("03_flowers.ipynb", ROOT=str(flowers_root), EPOCHS=1, IMAGE_SIZE=64, BATCH_SIZE=5))
    # Six of each class, four tenths of which are two.
    counts = value(cell_with(cells, "plain.setup("))
    assert counts == {split: dict.fromkeys(FLOWERS, 2) for split in ("train", "val", "test")}
    samples = sheet(cell_with(cells, "num_images=9"), 3, 3)
    assert min(distance(*pair) for pair in combinations(samples, 2)) > 5
    variants = sheet(cell_with(cells, "variants=9"), 3, 3)
    assert min(distance(*pair) for pair in combinations(variants, 2)) > 1

    # Three convolutions of 3 x 3, and 64 channels of 8 x 8.
    convolutions = sum((9 * before + 1) * after for before, after in ((3, 16), (16, 32), (32, 64)))
    assert value(cell_with(cells, "print(network)")) == convolutions + (64 * 64 + 1) * 128 + (128 + 1) * 5
    last = value(cell_with(cells, ".fit("))
    assert isinstance(last, dict)
    # Ten photos validate.
    right = [10 * pair["validation"] for pair in last.values()]
    assert right == pytest.approx([round(number) for number in right], abs=0.01)
    for name in ("as they are", "augmented"):
        # Two panels beside each other.
        height, width, _ = picture(cell_with(cells, f'draw_curves(curves["{name}"]')).shape
        assert width > 2 * height
    scores = value(cell_with(cells, "trainer.test("))
    assert isinstance(scores, dict)
    assert list(scores) == ["as they are", "augmented"]
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


def test_dogs(dogs_root: Path, tmp_path: Path, execute: Execute) -> None:
    small = {"EPOCHS": 2, "IMAGE_SIZE": 64, "BATCH_SIZE": 4}
    cells = code_cells(execute("04_dogs.ipynb", ROOT=str(dogs_root), **small))
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
    assert "image/png" in results(cell_with(cells, "draw_comparison(curves"))
    chance = value(cells[-1])
    assert isinstance(chance, dict)
    assert chance["photos"] == 6
    ends = [round(6 * curve[-1]) for curve in curves.values()]
    assert chance["difference in photos"] == abs(ends[0] - ends[1])


def test_object_recognition(pets_root: Path, scenes_root: Path, execute: Execute) -> None:
    # What the fixture has written is taken as it is.
    small = {"NUM_SCENES": 4, "NUM_PER_CLASS": 3, "WINDOW": 64, "EPOCHS": 1, "BATCH_SIZE": 4}
    notebook = execute("05_object_recognition.ipynb", PETS=str(pets_root), SCENES=str(scenes_root), **small)
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
    # Ten windows of 4 cells on 18 cells: a bound for what the convolutions save.
    assert 1 < told["times fewer operations"] <= 40 / 18
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
def test_object_recognition_with_pretrained_weights(real_data: Path, tmp_path: Path, execute: Execute) -> None:
    given = {"BACKBONE": "mobilenet_v2", "WEIGHTS": str(real_data / "weights" / "mobilenet_v2_imagenet.pth")}
    # The cache lies beside the pictures.
    (tmp_path / "pets").mkdir()
    for folder in ("images", "annotations"):
        (tmp_path / "pets" / folder).symlink_to(real_data / "oxford_pets" / folder)
    given |= {"PETS": str(tmp_path / "pets"), "PICTURE": str(real_data / "cat_dog" / "cat_dog.jpg")}
    small = {"SOURCE": "real", "WINDOW": 224, "SCALES": (1.5, 2.0), "LR": 3e-3, "EPOCHS": 2}
    small |= {"NUM_SCENES": 6, "NUM_PER_CLASS": 50}
    cells = code_cells(execute("05_object_recognition.ipynb", **given, **small))
    pets = value(cell_with(cells, "trainer.fit(task"))
    assert isinstance(pets, dict)
    assert pets["val/accuracy"] > 0.9
    values = value(cell_with(cells, "read_original_sizes()"))
    assert isinstance(values, dict)
    for name in ("pointing_game", "recall_30", "map_30"):
        found, guessed = values[name]
        assert found > guessed + 0.3
