"""Every notebook runs from its first cell to its last; the pictures are few and small."""

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


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


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_are_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in code_cells(notebook):
        assert not cell.outputs
        assert cell.execution_count is None


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
