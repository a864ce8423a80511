"""Notebooks as pages: their text, code, printed answers and pictures."""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def notebook_page(text: str, stem: str) -> tuple[str, dict[str, bytes]]:
    """The Markdown of a notebook, and its pictures by the name of their files.

    Args:
        text: of the file.
        stem: its name; pictures are called after it.
    """
    pictures: dict[str, bytes] = {}
    parts = [part for cell in json.loads(text)["cells"] for part in _cell(cell, stem, pictures)]
    return "\n\n".join(parts) + "\n", pictures


def list_of_notebooks(files: Sequence[Path]) -> str:
    """A page that leads to all of them, by the headings that they open with."""
    lines = [f"* [{_heading(file)}]({file.stem}.md)" for file in files]
    return "\n".join(["# Notebooks", "", *lines, ""])


def _heading(file: Path) -> str:
    first = "".join(json.loads(file.read_text("utf-8"))["cells"][0]["source"])
    return first.partition("\n")[0].lstrip("# ")


def _cell(cell: dict[str, Any], stem: str, pictures: dict[str, bytes]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] != "code":
        yield source
        return
    if source.strip():
        yield f"```python\n{source}\n```"
    for output in cell.get("outputs", ()):
        yield from _output(output, stem, pictures)


def _output(output: dict[str, Any], stem: str, pictures: dict[str, bytes]) -> Iterator[str]:
    data = output.get("data", {})
    if "image/png" in data:
        name = f"{stem}_{len(pictures) + 1}.png"
        pictures[name] = base64.b64decode("".join(data["image/png"]))
        yield f"![What the cell draws]({name})"
        return
    said = "".join(output.get("text", data.get("text/plain", "")))
    if said.strip():
        yield f"```text\n{COLOURS.sub('', said).rstrip()}\n```"
