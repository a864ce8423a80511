"""Files that are whole or not there, and names of files that do no harm where they are shown."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def replacing(path: Path, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """A new file that takes the place of ``path`` when the block ends without an error.

    Whoever reads ``path``, or ends this process at any moment, finds the old content or the new one. The new file lies
    in the same folder until then, because a file cannot be moved to another disk at once.

    Args:
        path: the file; its folder is made.
        mode: ``wb`` or ``w``.
        options: see ``open``.

    Raises:
        OSError: naming ``path``; what was there before is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.partial")
    try:
        with partial.open(mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        # Writing tells no name, and the name of the partial file would mean nothing to the user.
        if error.errno is not None:
            error.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def printable(text: str) -> str:
    """``text`` in one line and without what a terminal would obey: line breaks and escapes are written as in Python."""
    return "".join(one if one.isprintable() or one == " " else one.encode("unicode_escape").decode() for one in text)
