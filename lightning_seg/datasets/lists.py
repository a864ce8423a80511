"""The user's lists: pairs of files as CSV, and the pictures of a split as text."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import cast, get_args

from lightning_seg.batch import Split
from lightning_seg.datasets.names import Files, is_there, same
from lightning_seg.datasets.pairs import Pair
from lightning_seg.datasets.text_lines import read_lines
from lightning_seg.errors import DataError


def read_pairs(root: Path, file: str) -> list[Pair]:
    """The pairs of a CSV file with the columns ``image``, ``mask`` and, if wanted, ``split``; sorted by picture.

    Raises:
        DataError: naming file and line, if a row is invalid, or its picture is missing or listed twice.
    """
    path = root / file
    lines: dict[str, int] = {}
    pairs, files = [], Files(root)
    for line, row in read_rows(path, ("image", "mask")):
        pair = _pair(files, row, f"{path}, line {line}")
        if pair.name in lines:
            raise DataError(f"{path}, line {line}: {pair.name} is also in line {lines[pair.name]}; remove one of them")
        lines[pair.name] = line
        pairs.append(pair)
    if not pairs:
        raise DataError(f"{path}: the list names no picture; add lines such as images/1.jpg,masks/1.png")
    return sorted(pairs)


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells by column of a CSV file with these columns and, optionally, ``split``.

    Raises:
        DataError: naming file and line, if it has other columns, or a row has more or fewer cells.
    """
    reader = csv.reader(_read_lines(path), skipinitialspace=True, strict=True)
    header: list[str] = []
    try:
        for row in reader:
            cells, where = [cell.strip() for cell in row], f"{path}, line {reader.line_num}"
            if not any(cells):
                continue
            if not header:
                header = _header(cells, columns, where)
                continue
            if len(cells) != len(header):
                raise DataError(
                    f"{where}: {len(cells)} values for the {len(header)} columns {','.join(header)}; quote names that "
                    "hold a comma"
                )
            yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}; check the quotes") from None


def _header(cells: Sequence[str], columns: Sequence[str], where: str) -> list[str]:
    header, names = [cell.lower() for cell in cells], ",".join(columns)
    if sorted(header) not in (sorted(columns), sorted([*columns, "split"])):
        raise DataError(
            f"{where}: the columns are {','.join(cells)}; name them {names} or {names},split, with commas between"
        )
    return header


def _pair(files: Files, row: Mapping[str, str], where: str) -> Pair:
    name, image, split = find_listed(files, row, where)
    return Pair(name, image, files.find(row["mask"]), split)


def find_listed(files: Files, row: Mapping[str, str], where: str) -> tuple[str, Path, Split | None]:
    """Name, picture and split of a row.

    Raises:
        DataError: if a cell is empty, or there is no such picture or split.
    """
    if empty := [column for column, value in row.items() if not value]:
        raise DataError(f"{where}: no {empty[0]}; every line needs one")
    split = row.get("split")
    if split is not None and split not in get_args(Split):
        raise DataError(f"{where}: there is no split {split!r}; use train, val or test")
    image = files.find(row["image"])
    if not is_there(image):
        raise DataError(f"{where}: no picture {image}; restore it or remove the line")
    name = (image.relative_to(files.root) if image.is_relative_to(files.root) else image).as_posix()
    return name, image, cast(Split | None, split)


def read_splits(root: Path, files: Mapping[Split, str], names: Sequence[str]) -> list[Split | None]:
    """The split of each picture, by lists of stems, file names or paths relative to ``root``.

    A picture in no list trains; if there is a list for training, it belongs to no split.

    Raises:
        DataError: naming file and line, if a listed picture is missing, listed twice, or its stem stands for two.
    """
    pictures = _by_name(names)
    found: dict[int, tuple[Split, str]] = {}
    for split, file in files.items():
        for line, entry in _entries(root / file):
            where = f"{root / file}, line {line}"
            index = _look_up(entry, pictures, names, where)
            if index in found:
                raise DataError(f"{where}: {names[index]} is also in {found[index][1]}; a picture has one split")
            found[index] = split, where
    rest: tuple[Split | None, str] = (None if "train" in files else "train", "")
    return [found.get(index, rest)[0] for index in range(len(names))]


Names = tuple[dict[str, list[int]], ...]


def _by_name(names: Sequence[str]) -> Names:
    """Positions by path, by file name and by stem."""
    tables: Names = ({}, {}, {})
    for index, name in enumerate(names):
        picture = PurePosixPath(name)
        for table, key in zip(tables, (name, picture.name, picture.stem), strict=True):
            table.setdefault(same(key), []).append(index)
    return tables


def _look_up(entry: str, pictures: Names, names: Sequence[str], where: str) -> int:
    key = same(PurePosixPath(entry).as_posix())
    keys = (key, PurePosixPath(key.replace("\\", "/")).as_posix())
    matches = next((table[one] for one in keys for table in pictures if one in table), [])
    if len(matches) > 1:
        first, second = names[matches[0]], names[matches[1]]
        raise DataError(f"{where}: {entry} may be {first} or {second}; write the path")
    if not matches:
        near = get_close_matches(key, [name for table in pictures for name in table], n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise DataError(f"{where}: there is no picture {entry}; {hint}Correct the line or remove it")
    return matches[0]


def _entries(path: Path) -> list[tuple[int, str]]:
    lines = enumerate(_read_lines(path), 1)
    entries = [(number, line.strip()) for number, line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not entries:
        raise DataError(f"{path}: the list names no picture; write one stem, file name or path per line")
    return entries


def _read_lines(path: Path) -> list[str]:
    return read_lines(path, "its path is relative to --data.root")
