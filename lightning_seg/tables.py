"""CSV tables whose rows are complete after any kill, and whose cells are safe to open.

A cell that a spreadsheet would compute gets an apostrophe in front. A cell with control characters, line breaks or
bytes that are no UTF-8, as in names of files, is written with Python's escapes and doubled backslashes; so is a cell
that looks like that. ``read_rows`` returns what was written.

Several names in one cell have ``; `` between them; a ``;`` or a backslash that is part of a name has a backslash in
front, so that ``apart`` finds them again.
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
"""Encoding of tables; those of earlier versions hold raw bytes of names that are no UTF-8."""
FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""Beginning of a cell that a spreadsheet computes, also after apostrophes."""
ESCAPE = re.compile(r"\\(\\|[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U00(?:0[0-9a-f]|10)[0-9a-f]{4})")
"""Python's escapes of one character."""
BETWEEN = "; "
"""Names in one cell."""
PART = re.compile(rf"\\[\\;]|{BETWEEN}|.", re.DOTALL)
"""One character of a name, or what stands between two."""


def write_rows(path: Path, fields: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the whole table, in place of the existing one.

    Examples:
        >>> write_rows(Path("a.csv"), ["image", "share"], [{"image": "=1+1.jpg", "share": 0.5}])
        >>> print(Path("a.csv").read_text().strip())  # no spreadsheet computes it
        image,share
        '=1+1.jpg,0.5
        >>> read_rows(Path("a.csv"))
        [{'image': '=1+1.jpg', 'share': '0.5'}]
    """
    with replacing(path) as file:
        file.write(_lines(fields, rows, header=True))


def append_rows(path: Path, fields: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Append all rows in one write.

    A killed process leaves complete rows; if they fill several pages of memory, perhaps a part of one, which readers
    leave out and ``drop_cut_row`` removes.

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
    """The columns; none without a table."""
    if not path.is_file():
        return []
    with path.open(newline="", **ENCODING) as file:
        return [_plain(name) for name in next(csv.reader(file), [])]


def read_rows(path: Path) -> list[dict[str, str]]:
    """The written rows, as text, without a last row that was cut off; none without a table."""
    if not path.is_file():
        return []
    content = path.read_bytes()
    text = content[: _whole(content)].decode(**ENCODING)
    rows = csv.DictReader(io.StringIO(text, newline=""), restval="")
    return [{_plain(name): _plain(cell) for name, cell in row.items() if isinstance(cell, str)} for row in rows]


def drop_cut_row(path: Path) -> None:
    """Remove a last row that was cut off, by a full disk or an earlier version, since it would swallow the next one."""
    if not path.is_file():
        return
    content = path.read_bytes()
    whole = _whole(content)
    if whole < len(content):
        with replacing(path) as file:
            file.write(content[:whole])


def harmless_path(path: str) -> str:
    """Another spelling of the same path that does not look like a formula."""
    return f"./{path}" if FORMULA.match(path) else path


def joined(names: Iterable[str]) -> str:
    """Several names as one cell."""
    return BETWEEN.join(map(in_list, names))


def in_list(name: str) -> str:
    """A name as it stands in a cell of several."""
    return name.replace("\\", r"\\").replace(";", r"\;")


def apart(cell: str) -> list[str]:
    """The names of such a cell; none of an empty one."""
    names = [""] if cell else []
    for part in PART.findall(cell):
        if part == BETWEEN:
            names.append("")
        else:
            names[-1] += part[-1]
    return names


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
    """The end of the last complete row; line breaks inside quotes do not end a row."""
    end = position = quotes = 0
    while (line_break := content.find(b"\n", position)) >= 0:
        quotes += content.count(b'"', position, line_break)
        position = line_break + 1
        if quotes % 2 == 0:
            end = position
    return end
