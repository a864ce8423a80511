"""Facts about files, remembered beside the caches of decoded pictures, so that no file is looked at twice.

A row counts as long as its files have the same size and date, and the same decoders would read them.
"""

import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from lightning_seg.datasets.base import PictureDataset, SegmentationDataset
from lightning_seg.datasets.cache_keys import VERSIONS, describe_reading, relative_name, states_of
from lightning_seg.datasets.facts import MaskFacts, PictureFacts, look_at_mask, look_at_picture
from lightning_seg.datasets.stored_pictures import TAGS
from lightning_seg.datasets.threads import as_they_come
from lightning_seg.errors import DataError
from lightning_seg.locks import taking_turns
from lightning_seg.progress import counted

log = logging.getLogger(__name__)
FILE, LOCK = "facts.sqlite", ".facts.lock"
AT_ONCE = 256
"""Facts that are written together; an interrupted look goes on from there."""
Facts = TypeVar("Facts", PictureFacts, MaskFacts)


class _Question(NamedTuple):
    """A file to look at."""

    path: str
    name: str  # relative to the root
    state: str  # sizes and dates of the files that the answer depends on
    look: Callable[[], Any]


class FactStore:
    """Looks at files in all cores, and remembers what it saw.

    Args:
        connection: to a database that this process alone uses.
        root: folder of the dataset.
    """

    def __init__(self, connection: sqlite3.Connection, root: Path) -> None:
        self.connection, self.root = connection, root
        connection.execute(
            "CREATE TABLE IF NOT EXISTS facts (name TEXT, reading TEXT, state TEXT, is_good INTEGER, content TEXT, "
            "PRIMARY KEY (name, reading))"
        )
        # A table of another kind is found out here.
        connection.execute("SELECT name, reading, state, is_good, content FROM facts LIMIT 0")

    def pictures(self, dataset: PictureDataset[Any, Any], closely: bool = False) -> Iterator[PictureFacts]:
        """The facts of every picture, in the order of the records; those that are not known are found out first.

        Args:
            dataset: whose pictures.
            closely: also digests and perceptual hashes.
        """
        paths = [dataset.image_path(record) for record in dataset.records]
        questions = [
            self._question(path, state, partial(look_at_picture, path, closely))
            for path, state in zip(paths, _states([(path,) for path in paths]), strict=True)
        ]
        # What was seen closely answers both.
        told = f"{VERSIONS} {PictureFacts._fields}"
        readings = (f"{told} closely",) if closely else (told, f"{told} closely")
        self._find_out(questions, readings, "reading", "picture")
        return self._answers(questions, readings, PictureFacts)

    def masks(self, dataset: SegmentationDataset[Any], closely: bool = False) -> Iterator[MaskFacts]:
        """Likewise the facts of every mask; closely also the sizes of their parts."""
        try:
            reading = describe_reading(dataset)
        except DataError:
            # Of the user's own class, which does not tell what its masks depend on.
            reading = f"of {id(dataset)}"
        told = f"{VERSIONS} {MaskFacts._fields} {reading} {dataset.class_names}"
        digest = sha256(told.encode(errors="surrogateescape")).hexdigest()
        readings = (f"{digest} closely",) if closely else (digest, f"{digest} closely")
        files = [_files_of(dataset, record) for record in dataset.records]
        times = Counter(paths[-1] for paths in files)
        # Where one file tells the masks of many pictures, these are called by their pictures.
        names = [paths[-1] if times[paths[-1]] == 1 else paths[0] for paths in files]
        questions = [
            self._question(path, state, partial(look_at_mask, dataset, record, closely))
            for path, state, record in zip(names, _states(files), dataset.records, strict=True)
        ]
        self._find_out(questions, readings, "reading masks", "mask")
        return self._answers(questions, readings, MaskFacts)

    def _question(self, path: Path, state: str, look: Callable[[], Any]) -> _Question:
        # Names need not be UTF-8.
        name = relative_name(path, self.root).encode(errors="surrogateescape").decode("latin-1")
        return _Question(str(path), name, state, look)

    def _find_out(self, questions: Sequence[_Question], readings: Sequence[str], what: str, unit: str) -> None:
        # What was wrong may be right without another date, for instance a permission.
        asked = [one for one in questions if not self._row(one, readings)[0]]
        with closing(as_they_come(lambda one: one.look(), asked)) as answers:
            pairs = zip(asked, counted(answers, what, len(asked), unit), strict=True)
            for chunk in _chunks(pairs, AT_ONCE):
                self._write(
                    (one.name, readings[0], one.state, not facts.problem, json.dumps(facts)) for one, facts in chunk
                )

    def _write(self, rows: Iterable[tuple[Any, ...]]) -> None:
        rows, statement = list(rows), "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?)"
        try:
            with self.connection:
                self.connection.executemany(statement, rows)
        # A full disk, or one that is only read.
        except sqlite3.OperationalError as error:
            log.info("what is found out about files is no longer remembered (%s)", error)
            memory = sqlite3.connect(":memory:")
            self.connection.backup(memory)
            self.connection.close()
            self.connection = memory
            self.connection.executemany(statement, rows)

    def _row(self, one: _Question, readings: Sequence[str]) -> tuple[bool, str]:
        """Whether the file is known and good, and its facts."""
        for reading in readings:
            row = self.connection.execute(
                "SELECT is_good, content FROM facts WHERE name = ? AND reading = ? AND state = ?",
                (one.name, reading, one.state),
            ).fetchone()
            if row is not None:
                return bool(row[0]), row[1]
        return False, ""

    def _answers(
        self, questions: Iterable[_Question], readings: Sequence[str], kind: Callable[..., Facts]
    ) -> Iterator[Facts]:
        for one in questions:
            # The folder may have moved since.
            yield kind(*json.loads(self._row(one, readings)[1]))._replace(path=one.path)


def _files_of(dataset: SegmentationDataset[Any], record: Any) -> tuple[Path, ...]:
    """Picture and mask of a record; the picture alone where the dataset does not say more."""
    try:
        return dataset.image_path(record), dataset.mask_path(record)
    except DataError:
        return (dataset.image_path(record),)


def _states(files: Sequence[Sequence[Path]]) -> list[str]:
    """Sizes and dates."""
    found = states_of({str(path): str(path) for paths in files for path in paths})
    return [" ".join(str((found.get(str(path)) or ("",))[1:]) for path in paths) for paths in files]


def _chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    items = iter(items)
    while chunk := list(islice(items, size)):
        yield chunk


@contextmanager
def opened_store(place: Path, root: Path) -> Iterator[FactStore]:
    """The facts of a dataset; one process looks at files at a time, and the others then find what it saw.

    Where nothing can be written, or what lies there is no database, nothing is remembered.

    Args:
        place: folder of the caches of the dataset; it is made.
        root: folder of the dataset.
    """
    with ExitStack() as stack:
        try:
            place.mkdir(parents=True, exist_ok=True)
            for name, content in TAGS.items():
                if not (place / name).exists():
                    (place / name).write_text(content)
            stack.enter_context(taking_turns(place / LOCK, quietly=True))
            store = FactStore(sqlite3.connect(place / FILE), root)
        except (OSError, sqlite3.Error) as error:
            log.info("%s: what is found out about files cannot be remembered (%s)", place, error)
            store = FactStore(sqlite3.connect(":memory:"), root)
        stack.callback(lambda: store.connection.close())
        yield store
