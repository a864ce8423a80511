"""Photos that somebody has uploaded: used where they are, and removed at once if they are none."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from lightning_seg.app.answers import why_not
from lightning_seg.errors import ConfigError, DataError, ModelError
from lightning_seg.files import printable
from lightning_seg.images import read_header

SOURCES = ["upload", "webcam", "clipboard"]
MOST_PIXELS = 100_000_000
"""Of a photo: a small file can hold a picture that needs gigabytes of memory."""
Result = TypeVar("Result")


class Tried(NamedTuple, Generic[Result]):
    """What came of an upload."""

    result: Result | None
    reason: str | None  # why there is none, in one line
    is_kept: bool  # whether the file is still there


class Uploads:
    """Files that lie in ``folder``, one in a folder of its own each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def use(self, photo: Any, work: Callable[[Path, str], Result]) -> Tried[Result]:
        """Do something with an upload, whatever it is.

        Args:
            photo: as the library describes it, ``path`` and ``orig_name``.
            work: with the file, and what the user calls it.
        """
        path = Path(photo["path"])
        name = printable(Path(photo.get("orig_name") or path).name)
        try:
            return Tried(work(self._own(path), name), None, True)
        # With other settings it may be answered.
        except (ConfigError, ModelError) as error:
            return Tried(None, why_not(error, path, name), True)
        # Whatever a file can do to a library is told on the page.
        except Exception as error:
            self._forget(path)
            return Tried(None, why_not(error, path, name), False)

    def _own(self, path: Path) -> Path:
        """Raises DataError if the file was not uploaded, since a browser may claim anything, or is no usual photo."""
        if not path.resolve().is_relative_to(self.folder):
            raise DataError(f"{path}: was not uploaded here; give another photo")
        height, width = read_header(path).size
        if height * width > MOST_PIXELS:
            raise DataError(
                f"{path}: {width}x{height} pixels are more than {MOST_PIXELS // 10**6} million; give a smaller photo, "
                "or use lightning-seg predict"
            )
        return path

    def _forget(self, path: Path) -> None:
        """Remove an upload and the folder that it came in."""
        if path.resolve().is_relative_to(self.folder):
            with suppress(OSError):
                path.unlink(missing_ok=True)
                path.parent.rmdir()
