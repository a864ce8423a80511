"""Reading lists in text files, published ones and the user's."""

from pathlib import Path

from lightning_seg.errors import DataError


def read_lines(path: Path, remedy: str) -> list[str]:
    """The lines of a UTF-8 file, with or without a byte order mark, with any line ends.

    Args:
        path: of the file.
        remedy: end of the message where it is missing or cannot be read.

    Raises:
        DataError: if the file is missing or no UTF-8.
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
