"""Decoded and resized pictures on the disk, for all runs: a complete cache, or none."""

import json
import os
import sys
from collections.abc import Container, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_seg.datasets.cache_keys import Dataset, Survey, missing_or_changed
from lightning_seg.datasets.cache_layout import Entry, Layout, entry_of
from lightning_seg.datasets.threads import as_they_come
from lightning_seg.errors import DataError
from lightning_seg.files import printable, remove_left_overs, replacing_folder
from lightning_seg.json_files import write_json
from lightning_seg.locks import taking_turns
from lightning_seg.progress import counted

INDEX, FILES = "index.json", "files.json"
"""Files of a cache: its index, and the list of files it is made of."""
LOCK = ".filling.lock"
REMEDY = "give --data.cache_dir a folder elsewhere, or --data.cache false"
TAGS = {
    # Neither versioned nor in backups, whose programs know the second one.
    ".gitignore": "*\n",
    "CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n# Pictures of lightning_seg, decoded and resized.\n",
}


class StoredPictures:
    """The pictures of a dataset in a complete cache, opened for reading.

    Args:
        folder: of the cache.
        layout: of its arrays.
        rows: the row of each sample; -1 for a sample that is not in it.

    Raises:
        DataError: if the cache has been removed.
    """

    def __init__(self, folder: Path, layout: Layout, rows: NDArray[np.int64]) -> None:
        self.folder, self.layout, self.rows = folder, layout, rows
        self._open()

    def _open(self) -> None:
        try:
            self._arrays = self.layout.open(self.folder, "r")
        except (OSError, ValueError) as error:
            raise DataError(f"{self.folder}: the cache was taken away; start the same command again") from error

    def get(self, index: int) -> Entry | None:
        row = int(self.rows[index])
        return None if row < 0 else entry_of(self._arrays, row)

    def put(self, index: int, entry: Entry) -> None:
        """Nothing to do: a sample that could not be read when the cache was filled is not in it."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("folder", "layout", "rows")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()


def is_whole(folder: Path, layout: Layout) -> bool:
    """Whether a folder holds a complete cache of this layout."""
    try:
        sizes = {name: (folder / name).stat().st_size for name in layout.file_sizes()}
    except OSError:
        return False
    return sizes == layout.file_sizes() and (folder / INDEX).is_file()


def make_whole(place: Path, found: Survey, root: Path, needed: Container[int]) -> Path:
    """The folder of a cache, which is filled if it does not exist.

    It is filled in a folder beside it, which is moved to its place when complete. One process fills it and the others
    wait; files of killed processes are removed.

    Args:
        place: folder of the caches of a dataset; it is made.
        found: the pictures of the cache.
        root: folder of the dataset.
        needed: rows that must be there; other rows are left out if they cannot be read.

    Raises:
        DataError: if a file cannot be read or changes meanwhile, or the disk cannot be written or has no room.
    """
    folder = place / found.key
    if not is_whole(folder, found.layout):
        with filling_alone(place):
            if not is_whole(folder, found.layout):
                _fill(folder, found, root, needed)
    return folder


@contextmanager
def filling_alone(place: Path) -> Iterator[None]:
    """One process at a time fills or removes the caches of a folder.

    Raises:
        DataError: if the folder cannot be written.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        with taking_turns(place / LOCK):
            remove_left_overs(place, ".*.partial")
            for name, text in TAGS.items():
                (place / name).write_text(text)
            yield
    except OSError as error:
        raise DataError(f"{place}: no cache can be written there ({error.strerror or error}); {REMEDY}") from error


def _fill(folder: Path, found: Survey, root: Path, needed: Container[int]) -> None:
    found.layout.check_room(folder.parent, REMEDY)
    with replacing_folder(folder) as partial:
        found.layout.allocate(partial)
        print(printable(f"{describe(found.layout)} are decoded once, for {folder}"), file=sys.stderr, flush=True)
        _write(partial, found, needed)
        if changed := missing_or_changed(found.files, root):
            raise DataError(
                f"{root / changed[0]}: changed while the cache was filled; start the same command again when nobody "
                "writes there, or give --data.cache false"
            )
        _sign(partial, found)


def describe(layout: Layout) -> str:
    height, width = layout.image_size
    masks = " with masks" if layout.with_masks else ""
    return f"{layout.length} pictures of {width}x{height} pixels{masks} ({layout.bytes() / 2**20:.1f} MiB)"


def _write(partial: Path, found: Survey, needed: Container[int]) -> None:
    def attempt(source: tuple[Dataset, Any]) -> Entry | DataError:
        dataset, record = source
        try:
            return dataset.read(record)
        except DataError as error:
            return error

    with _Rows(partial, found.layout) as rows, closing(as_they_come(attempt, found.sources)) as entries:
        for row, entry in enumerate(counted(entries, "decoding", found.layout.length)):
            if isinstance(entry, Entry):
                rows.append(entry)
            elif row in needed:
                raise entry
            else:
                rows.skip()


class _Rows(ExitStack):
    """The files of a cache, written from the first row to the last.

    They are not mapped to memory, so a full disk raises an error and does not kill the process.
    """

    def __init__(self, partial: Path, layout: Layout) -> None:
        super().__init__()
        self.arrays = layout.arrays()
        self.files = {name: self.enter_context((partial / name).open("r+b")) for name in self.arrays}

    def append(self, entry: Entry) -> None:
        self._write({"images": entry.image, "masks": entry.mask, "sizes": entry.original_size, "filled": True})

    def skip(self) -> None:
        self._write(dict.fromkeys(self.arrays, 0))

    def _write(self, values: Mapping[str, Any]) -> None:
        for name, (dtype, shape) in self.arrays.items():
            row = np.broadcast_to(np.asarray(values[name], dtype), shape[1:])
            self.files[name].write(np.ascontiguousarray(row).data)

    def __exit__(self, *error: Any) -> bool | None:
        # What goes away again need not reach the disk.
        for file in self.files.values() if error[0] is None else ():
            file.flush()
            os.fsync(file.fileno())
        return super().__exit__(*error)


def _sign(partial: Path, found: Survey) -> None:
    """Writes the index, which makes the cache complete."""
    (partial / FILES).write_text(json.dumps(found.files))
    write_json(partial / INDEX, {"layout": found.layout._asdict(), "reading": found.reading.splitlines()})
