"""Lists as text: those that are published and those that users write."""

from pathlib import Path

from lightning_seg.errors import DataError


def read_lines(path: Path, remedy: str) -> list[str]:
    """The lines of a file in UTF-8, with or without a byte order mark, whatever ends them.

    Args:
        path: of the file.
        remedy: end of the message where it is missing or cannot be read.

    Raises:
        DataError: if it is no such file.
    """
    if path.exists() and not path.is_file():
        # A pipe would be waited for.
        raise DataError(f"{path}: a folder, a pipe or a device, and no list; give a file")
    try:
        # Not splitlines, which divides at what may be part of a name.
        return path.read_text("utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8; save it as UTF-8 text") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
