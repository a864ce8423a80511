"""Executes notebooks and stores their outputs.

``python -m tools.notebooks FOLDER 01_pets 03_flowers`` runs these two in FOLDER, where their pictures and runs stay;
without a name all. Progress bars and warnings (stderr) are left out, and pictures get a palette.
"""

import argparse
from base64 import b64decode, b64encode
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

from tools.small import as_small_png

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
LIMIT = 45_000
"""Bytes of a picture."""


def digest(notebook: NotebookNode) -> str:
    """Of all code, by which a test finds outputs that another code has made."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return sha256(code.encode()).hexdigest()[:16]


def store(path: Path, folder: Path) -> None:
    """Executes the notebook from its first cell to its last, and writes it with what can be kept of its outputs."""
    notebook = nbformat.read(path, as_version=4)
    folder.mkdir(parents=True, exist_ok=True)
    NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [kept(output) for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata.language_info = {"name": "python"}
    notebook.metadata.executed = digest(notebook)
    path.write_text(nbformat.writes(notebook, indent=1).rstrip("\n") + "\n", "utf-8")


def kept(output: NotebookNode) -> NotebookNode:
    """With a small picture and without what a picture is called where it cannot be shown."""
    data = output.get("data", {})
    if "image/png" in data:
        picture = as_small_png(Image.open(BytesIO(b64decode(data["image/png"]))), LIMIT)
        output.data = {"image/png": b64encode(picture).decode(), "text/plain": "<picture>"}
        output.metadata = {}
    return output


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    for each in sorted(NOTEBOOKS.glob("*.ipynb")):
        if not given.names or each.stem in given.names:
            store(each, given.folder)
            print(each, f"{each.stat().st_size / 1000:.0f} kB")
