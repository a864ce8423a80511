"""The files of a run folder, read once; a file that cannot be read is a line, and the others are shown."""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from yaml import YAMLError

from lightning_seg.errors import ConfigError, UserError, one_line
from lightning_seg.picture_table import FULL_TABLE, TABLE, PictureResult, read_tested
from lightning_seg.report.pixels import PixelConfusion, read_pixels
from lightning_seg.run_files import (
    CONFIG_FILE,
    METRICS_FILE,
    PIXELS_FILE,
    RECORD_FILE,
    Curves,
    read_curves,
    read_record,
)
from lightning_seg.yaml_files import dotted, load_yaml, read_yaml

TESTED_FILES = {TABLE: PIXELS_FILE, FULL_TABLE: PIXELS_FILE.replace(".csv", "_full.csv")}
"""Tables of test pictures, each with that of its pixels; without the first one, that of the original size is shown."""
ARGUMENTS_FILE = "hparams.yaml"
TAG = re.compile(r"^(.*[:-] )!!python/\S+$", re.MULTILINE)
"""Lightning tags tuples; a reader of plain values refuses that, and a list says the same."""
Read = TypeVar("Read")


class Content(NamedTuple):
    """What the files of a run say."""

    folder: Path
    curves: Curves  # by metric and epoch from 0
    numbers: Mapping[str, Any]  # of metrics.json
    arguments: Mapping[str, Any]  # of the config, by dotted name: data.root
    class_names: tuple[str, ...]  # by class index; those that the files tell, none if they tell none
    tested: tuple[PictureResult, ...]  # in the order of the test split; none if it was never tested
    problems: tuple[str, ...]  # a line for each file that cannot be read
    pixels: PixelConfusion | None = None  # of masks, classes by classes; earlier versions did not write it

    @property
    def name(self) -> str:
        """Of the folder, with the folder around it: ``pets/version_0``."""
        return "/".join(self.folder.absolute().parts[-2:])

    @property
    def labels_pictures(self) -> bool:
        """Whether every test picture has one true class and one predicted one, as far as they are told."""
        return bool(self.tested) and all(picture.is_labelled for picture in self.tested)


def read_content(folder: Path) -> Content:
    """The content of a run's folder, as ``find_run`` gives it; missing files are no problem.

    Nothing in the files is run or built.
    """
    problems: list[str] = []
    curves = _tried(read_curves, folder / METRICS_FILE, problems) or {}
    numbers = _tried(lambda path: read_record(path.parent), folder / RECORD_FILE, problems) or {}
    arguments = _tried(lambda path: dict(dotted(_mapping(path))), folder / CONFIG_FILE, problems) or {}
    table = next((name for name in TESTED_FILES if (folder / name).exists()), next(iter(TESTED_FILES)))
    tested = _tried(read_tested, folder / table, problems) or ()
    pixels = _tried(read_pixels, folder / TESTED_FILES[table], problems)
    names = _class_names(folder, numbers, arguments, tested)
    return Content(folder, curves, numbers, arguments, names, tested, tuple(problems), pixels)


def _tried(read: Callable[[Path], Read], path: Path, problems: list[str]) -> Read | None:
    """What is read, or nothing and a line about it."""
    try:
        return read(path)
    except UserError as error:
        problems.append(str(error))
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror or error})")
    # Cells that are no numbers, files that are no text, tables with cells of any length.
    except (ValueError, RecursionError, csv.Error) as error:
        problems.append(f"{path}: cannot be read ({one_line(error)[:200]}); restore the file, or delete it")
    return None


def _mapping(path: Path) -> Mapping[str, Any]:
    content = read_yaml(path)
    if not isinstance(content, Mapping):
        raise ConfigError(f"{path}: a config holds sections such as data and model, this file has none")
    return content


def _class_names(
    folder: Path, numbers: Mapping[str, Any], arguments: Mapping[str, Any], tested: Sequence[PictureResult]
) -> tuple[str, ...]:
    """In the order of the classes: as the task has learned them, as its metrics or the data name them, or sorted."""
    learned = _learned_names(folder / ARGUMENTS_FILE)
    of_metrics = [name.split("/", 2)[2] for name in numbers if name.startswith(("test/iou/", "val/iou/"))]
    given = arguments.get("data.classes")
    listed = [str(name) for name in given] if isinstance(given, list) else []
    in_table = sorted({name for picture in tested for name in (*picture.true_classes, *picture.predicted_classes)})
    return tuple(dict.fromkeys(learned or of_metrics or listed or in_table))


def _learned_names(path: Path) -> list[str]:
    """Of the task, as Lightning has written them; they are told elsewhere, too, so a file that says nothing is none."""
    try:
        content = load_yaml(TAG.sub(r"\1", path.read_text()))
    except (OSError, ValueError, YAMLError):
        return []
    names = content.get("class_names") if isinstance(content, Mapping) else None
    return [str(name) for name in names] if isinstance(names, list) else []
