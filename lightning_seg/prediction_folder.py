"""The folder that predictions are written to: what is in it, and so is no picture to predict."""

import os
from collections.abc import Sequence
from pathlib import Path

TABLE = "predictions.csv"
SHEET = "most_uncertain"
"""Without the suffix of its format."""
MASK_FOLDERS = ("masks", "overlays", "probs")
BOX_FOLDERS = ("boxes", "heat_maps", "windows")
LABEL_FOLDERS = ("cams",)
PLACES = {TABLE, f"{SHEET}.png", *MASK_FOLDERS, *BOX_FOLDERS, *LABEL_FOLDERS}
FIRST_COLUMN = "picture"


class Results:
    """Which files have been written as predictions: what lies in a place of theirs, in a folder with their table.

    Folders are looked at once.
    """

    def __init__(self) -> None:
        self._outputs: dict[Path, bool] = {}
        self._below: dict[Path, bool] = {}

    def __contains__(self, path: Path) -> bool:
        path = Path(os.path.abspath(path))  # noqa: PTH100, which follows links
        return self._is_place(path) or self._lies_below(path.parent)

    def _lies_below(self, folder: Path) -> bool:
        if folder not in self._below:
            at_top = folder == folder.parent
            self._below[folder] = not at_top and (self._is_place(folder) or self._lies_below(folder.parent))
        return self._below[folder]

    def _is_place(self, path: Path) -> bool:
        return path.name in PLACES and self.is_output(path.parent)

    def is_output(self, folder: Path) -> bool:
        """Whether predictions were written into this folder."""
        if folder not in self._outputs:
            self._outputs[folder] = _begins_as_table(folder / TABLE)
        return self._outputs[folder]


def _begins_as_table(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return path.is_file() and file.read(len(FIRST_COLUMN)) == FIRST_COLUMN.encode()
    except OSError:
        return False


def without_results(pictures: Sequence[Path], given: Sequence[Path]) -> list[Path]:
    """The pictures that are no predictions, unless all that is given lies among predictions: then they are meant.

    Args:
        pictures: files that were found.
        given: the files and folders that they were found in.
    """
    results = Results()
    if all(path in results for path in given):
        return list(pictures)
    return [path for path in pictures if path not in results]
