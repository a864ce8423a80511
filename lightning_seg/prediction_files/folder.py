"""A folder of predictions and its table."""

import logging
import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from lightning_seg.answers import BoxAnswer, LabelAnswer, MaskAnswer
from lightning_seg.errors import ConfigError
from lightning_seg.files import remove_left_overs
from lightning_seg.images import Array
from lightning_seg.plots.formats import PNG, Formats
from lightning_seg.prediction_folder import FIRST_COLUMN, TABLE
from lightning_seg.tables import append_rows, harmless_path, read_rows, write_rows

log = logging.getLogger(__name__)
SOME_UNREADABLE = 3
"""Exit code of ``predict`` if some files could not be read and the others were predicted."""
Row = dict[str, Any]
A = TypeVar("A", MaskAnswer, LabelAnswer, BoxAnswer)


class Pictured(NamedTuple):
    """A picture that was predicted."""

    path: str
    name: str  # of its files, without suffix; may contain folders
    size: tuple[int, int]  # (height, width) of its file
    read: Callable[[], Array]  # its pixels (H, W, 3) uint8 RGB at this size


class PredictionFiles(ABC, Generic[A]):
    """Base of the files of all kinds of predictions: the folder, the table, and pictures that could not be read.

    Every picture is a row of ``predictions.csv``, which is complete up to the last appended rows at any time. A file
    that could not be read is reported, and its row holds the reason under ``error``. Subclasses for masks, labels and
    boxes define their columns and the files of one picture.

    Args:
        output: folder.
        no_number: the reason in the row of a picture whose answer is no number, with a remedy.
        plots: formats of what is drawn of all pictures together.
        tint_background: of masks, darken the background in overlays, too.
    """

    folders: ClassVar[tuple[str, ...]] = ()
    """Places of the files of pictures below ``output``: folders, or patterns of files."""
    has_masks: ClassVar[bool] = False
    """Whether there is a background that could be tinted."""

    def __init__(
        self,
        output: str | Path = "predictions",
        no_number: str = "the network's answer is no number (NaN or infinite); give another model",
        plots: Formats = PNG,
        tint_background: bool = False,
    ) -> None:
        self.output, self.plots, self.tint_background = Path(output), plots, tint_background
        self.no_number = no_number
        self._before: set[str] = set()

    @abstractmethod
    def columns(self) -> list[str]:
        """The table's columns between ``picture`` and ``error``."""

    @abstractmethod
    def write(self, picture: Pictured, answer: A) -> Row:
        """Write the files of one picture and return its row, without its path."""

    def finish(self, rows: Sequence[dict[str, str]]) -> None:
        """Called when all rows are there, with those of the pictures that were answered."""

    # In their order: the first process prepares the folder, all begin and append, the first ends.

    def prepare(self) -> None:
        """Make the folder; only files of an earlier prediction may be overwritten.

        Raises:
            ConfigError: if it holds other files, or cannot be written, or masks are asked for that are none.
        """
        if self.tint_background and not self.has_masks:
            raise ConfigError("tint_background is about masks, and the model predicts none; leave it out")
        try:
            self.output.mkdir(parents=True, exist_ok=True)
            foreign = [name for name in self.folders if _holds_files(self.output, name)]
            if foreign and not (self.output / TABLE).is_file():
                raise ConfigError(
                    f"output {self.output}: {_as_folder(foreign[0])} there holds files of another origin, which would "
                    "be mixed up with predictions; give another folder"
                )
            for folder in self.folders:
                remove_left_overs(self.output, ".*.partial" if "*" in folder else f"{folder}/**/.*.partial")
            self._before = _pictures_in(self.output / TABLE)
            (self.output / TABLE).open("a").close()
        except OSError as error:
            raise ConfigError(
                f"output {self.output}: cannot be written ({error.strerror or error}); give another folder"
            ) from error

    def begin(self, class_names: Sequence[str], label_names: Sequence[str], rank: int = 0) -> None:
        """Begin the table.

        Args:
            class_names: the classes.
            label_names: what predictions call what they have found.
            rank: of the process, whose table it is.
        """
        self.output.mkdir(parents=True, exist_ok=True)
        self.class_names, self.label_names = tuple(class_names), tuple(label_names)
        self.fields = [FIRST_COLUMN, *self.columns(), "error"]
        self.table = self.table_of(rank)
        write_rows(self.table, self.fields, [])

    def row_of(self, picture: Pictured, answer: A) -> Row:
        """The row of a picture, whose files are written; if its answer is no number, none are."""
        if not answer.is_number:
            log.warning("skipped %s: %s", picture.path, self.no_number)
            return {"picture": picture.path, "error": self.no_number}
        return {"picture": picture.path, **self.write(picture, answer)}

    def unreadable_row(self, path: str, reason: str) -> Row:
        """The row of a file that could not be read, which is reported."""
        log.warning("skipped %s", reason, extra={"every_process": True})
        return {"picture": path, "error": reason}

    def append(self, rows: Iterable[Row]) -> None:
        append_rows(self.table, self.fields, ({**row, "picture": harmless_path(row["picture"])} for row in rows))

    def end(self, rows: Sequence[dict[str, str]]) -> None:
        """Say what could not be read and what is left of an earlier prediction; then ``finish``.

        Args:
            rows: of all processes, as they are read.
        """
        holds_files = any(_holds_files(self.output, name) for name in self.folders)
        if holds_files and (stale := self._before.difference(row["picture"] for row in rows)):
            log.warning(
                "%s still holds files of %d other pictures of an earlier prediction, which are not in the new table",
                self.output,
                len(stale),
            )
        num_unreadable = self.num_unreadable
        if num_unreadable:
            log.warning("%d of %d pictures could not be read or answered: %s", num_unreadable, len(rows), self.table)
        self.finish([row for row in rows if not row["error"]])

    @property
    def num_unreadable(self) -> int:
        """From the table, so of all processes once their rows are in it."""
        table = self.output / TABLE
        if not table.is_file():
            return 0
        return sum(bool(row["error"]) for row in read_rows(table))

    def table_of(self, rank: int) -> Path:
        return self.output / (f"rank_{rank}.{TABLE}" if rank else TABLE)

    def remove_others(self, picture: Pictured, files: Iterable[Path], kept: Collection[Path] = ()) -> None:
        """Remove files that an earlier prediction has written of a picture and the new one has not, and empty folders.

        Args:
            picture: whose files they are.
            files: those that may be there.
            kept: those of the new prediction.
        """
        stay = {path.resolve() for path in (Path(picture.path), *kept)}
        for file in list(files):
            # Folders are those of other pictures.
            if file.is_file() and file.resolve() not in stay:
                file.unlink()
                with suppress(OSError):
                    file.parent.rmdir()

    def place(self, picture: str, file: str) -> Path:
        """The path of a file of a picture below ``output``, in an existing folder.

        Raises:
            ConfigError: if the file would replace the picture itself.
        """
        path = self.output / file
        if path.resolve() == Path(picture).resolve():
            raise ConfigError(f"output {self.output}: {picture} would be overwritten; give another folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def what_is_done(tables: Mapping[Path, int]) -> str:
    """A line about a prediction that was stopped.

    Args:
        tables: the tables that were begun, with their numbers of pictures.
    """
    if not tables:
        return "no picture is predicted yet; the same command begins anew"
    written = sum(tables.values())
    names = " and ".join(shlex.quote(str(table)) for table in tables)
    are = "picture is" if written == 1 else "pictures are"
    return f"{written} {are} done, files and rows of {names}; the same command does all of them again"


def _as_folder(name: str) -> str:
    return name if "*" in name else f"{name}/"


def _holds_files(output: Path, name: str) -> bool:
    return any(output.glob(name if "*" in name else f"{name}/*"))


def _pictures_in(table: Path) -> set[str]:
    """The pictures in the table of an earlier prediction that could be read."""
    return {row["picture"] for row in read_rows(table) if row.get("picture") and not row.get("error")}
