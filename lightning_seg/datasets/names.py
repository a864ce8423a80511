"""File names as people and systems write them: accents as one character or as two, slashes or backslashes."""

import errno
import os
from pathlib import Path

from lightning_seg.errors import DataError
from lightning_seg.spelling import same as same


def is_file(path: Path) -> bool:
    """As ``Path.is_file``, but False for names that are too long or impossible, for which that fails."""
    return os.path.isfile(path)  # noqa: PTH113


def is_there(path: Path) -> bool:
    """Whether anything but a folder has that name: a file, or a pipe, a device or a link to nothing, which is named as
    unreadable where it is read.
    """
    return os.path.lexists(path) and not os.path.isdir(path)  # noqa: PTH112


def is_too_long(path: Path) -> bool:
    """Whether the system refuses to look at such a path."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        return not isinstance(error, OSError) or error.errno == errno.ENAMETOOLONG
    return False


class Files:
    """Finds files below a folder, also by names that only look the same; folders are listed once.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: dict[Path, dict[str, list[str]]] = {}

    def find(self, name: str) -> Path:
        """The file of this name, see ``is_there``; otherwise one whose name looks the same, also with backslashes for
        slashes.

        A path that does not exist is returned unchanged.

        Raises:
            DataError: if two names look the same.
        """
        for spelt in dict.fromkeys((name, name.replace("\\", "/"))):
            if is_there(self.root / spelt):
                return self.root / spelt
            found = self._look(self.root / spelt)
            if found is not None:
                return found
        return self.root / name

    def _look(self, path: Path) -> Path | None:
        """Searches folder by folder, since folder names may have accents, too."""
        found = Path(path.anchor)
        for part in path.parts[1:] if path.anchor else path.parts:
            if not os.path.lexists(found / part):
                names = self._names(found).get(same(part), [])
                if len(names) > 1:
                    raise DataError(
                        f"{found}: two files look like {part} and are spelt differently; rename one of them"
                    )
                if not names:
                    return None
                part = names[0]
            found /= part
        return found if is_there(found) else None

    def _names(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._listed:
            listed: dict[str, list[str]] = {}
            for path in folder.iterdir() if folder.is_dir() else ():
                listed.setdefault(same(path.name), []).append(path.name)
            self._listed[folder] = listed
        return self._listed[folder]
