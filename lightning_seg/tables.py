"""Tables as CSV files: rows that are whole after any kill, and cells that do no harm.

A cell that a spreadsheet would compute has an apostrophe before it. One that a terminal would obey, breaks the line or
is no UTF-8, as names of files may, is written with Python's escapes and with its backslashes doubled; so is one that
looks like that. ``read_rows`` gives back what was written.
"""

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_seg.files import printable, replacing

ENCODING: Any = {"encoding": "utf-8", "errors": "surrogateescape"}
"""Of tables; those of earlier versions hold the bytes of names that are no UTF-8."""
FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""How a cell begins that a spreadsheet computes; apostrophes stand for themselves, and more of them say so."""
ESCAPE = re.compile(r"\\(\\|[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U00(?:0[0-9a-f]|10)[0-9a-f]{4})")
"""What Python's escapes of one character look like."""


def write_rows(path: Path, fields: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """The whole table, in place of the one that was there."""
    with replacing(path) as file:
        file.write(_lines(fields, rows, header=True))


def append_rows(path: Path, fields: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """All rows by one request to the system.

    A process that is killed has written whole rows; where they fill several pages of memory perhaps a part of one,
    which readers leave out and ``drop_cut_row`` removes.

    Raises:
        OSError: naming ``path``, for instance because the disk is full; none of the rows stays.
    """
    lines = _lines(fields, rows, header=False)
    with path.open("ab", buffering=0) as file:
        before = file.tell()
        try:
            # A disk that gets full takes a part, and refuses the rest.
            while lines:
                lines = lines[file.write(lines) :]
        except OSError as error:
            os.ftruncate(file.fileno(), before)
            error.filename = str(path)
            raise


def read_fields(path: Path) -> list[str]:
    """The columns; none where there is no table."""
    if not path.is_file():
        return []
    with path.open(newline="", **ENCODING) as file:
        return [_plain(name) for name in next(csv.reader(file), [])]


def read_rows(path: Path) -> list[dict[str, str]]:
    """What was written, as text, without a last row that was cut off; no rows where there is no table."""
    if not path.is_file():
        return []
    content = path.read_bytes()
    text = content[: _whole(content)].decode(**ENCODING)
    rows = csv.DictReader(io.StringIO(text, newline=""), restval="")
    return [{_plain(name): _plain(cell) for name, cell in row.items() if isinstance(cell, str)} for row in rows]


def drop_cut_row(path: Path) -> None:
    """A last row that was cut off, by a full disk or an earlier version, would swallow the next one."""
    if not path.is_file():
        return
    content = path.read_bytes()
    whole = _whole(content)
    if whole < len(content):
        with replacing(path) as file:
            file.write(content[:whole])


def harmless_path(path: str) -> str:
    """The same file by a name that begins no formula."""
    return f"./{path}" if FORMULA.match(path) else path


def _lines(fields: Sequence[str], rows: Iterable[Mapping[str, Any]], header: bool) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if header:
        writer.writerow(map(_harmless, fields))
    for row in rows:
        assert row.keys() <= set(fields)
        writer.writerow([_harmless(row.get(name, "")) for name in fields])
    return text.getvalue().encode(**ENCODING)


def _harmless(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    if printable(cell) != cell or ESCAPE.search(cell):
        cell = printable(cell.replace("\\", r"\\"))
    return f"'{cell}" if FORMULA.match(cell) and not _is_number(cell) else cell


def _plain(cell: str) -> str:
    if cell.startswith("'") and FORMULA.match(cell):
        cell = cell[1:]
    return ESCAPE.sub(_character, cell)


def _character(escape: re.Match[str]) -> str:
    named = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
    kind = escape[1]
    return named[kind] if kind in named else chr(int(kind[1:], 16))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _whole(content: bytes) -> int:
    """Where the last whole row ends: a line break inside quotes ends none."""
    end = position = quotes = 0
    while (line_break := content.find(b"\n", position)) >= 0:
        quotes += content.count(b'"', position, line_break)
        position = line_break + 1
        if quotes % 2 == 0:
            end = position
    return end
