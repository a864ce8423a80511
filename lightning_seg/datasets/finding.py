"""Finding the pictures that are to be predicted, and names for their results; without torch."""

import glob
import hashlib
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from lightning_seg.datasets.names import is_too_long
from lightning_seg.datasets.text_lines import read_lines
from lightning_seg.datasets.wildcards import about_brackets, fixed_part, matching
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.prediction_folder import Results, without_results
from lightning_seg.spelling import spellings

log = logging.getLogger(__name__)
LIST = ".txt"
LONGEST = 230
"""Bytes of a name; systems allow 255 with the suffix."""
UNLABELLED = "unlabelled"
"""In place of pictures to predict: those of the dataset that have no mask yet."""


def asks_for_unlabelled(images: Sequence[str] | str | None) -> bool:
    """Whether the pictures without a mask are meant, and no file or folder of that name.

    Raises:
        ConfigError: if others are named beside them.
    """
    given = [images] if isinstance(images, str) else list(images or ())
    if UNLABELLED not in given or os.path.lexists(UNLABELLED):
        return False
    if len(given) > 1:
        raise ConfigError(f"images {' '.join(given)}: unlabelled stands alone; predict the others by another command")
    return True


def find_pictures(patterns: Sequence[str | Path]) -> list[Path]:
    """The files of given files, folders and patterns (``photos/*.jpg``, ``photos/**/*.png``), sorted, each once.

    A folder gives the pictures directly in it, by their suffix, as does a pattern that ends in ``*``; a text file
    (``.txt``) those that it lists, a path per line, absolute or relative to the list; another file or pattern gives
    whatever it matches. A message says if there are more in subfolders. What earlier predictions have written beside
    pictures is left out, and a message says so.

    Raises:
        DataError: if one of them matches no file, or nothing but written predictions.
    """
    found: dict[str, Path] = {}
    for pattern in patterns:
        matches = _matches(str(pattern))
        if not matches:
            raise DataError(_nothing_found(str(pattern)))
        for match in matches:
            found.setdefault(_absolute(match), match)
    return _pictures_alone(list(found.values()), [_place(str(pattern)) for pattern in patterns])


def _place(pattern: str) -> Path:
    """A given file or folder, or the one that a pattern searches."""
    path = _spelt(pattern)
    return path if os.path.lexists(path) else Path(fixed_part(path))


def _spelt(pattern: str) -> Path:
    """With accents as on the disk, if it is a file or folder."""
    path = Path(pattern).expanduser()
    return next((one for one in map(Path, spellings(str(path))) if os.path.lexists(one)), path)


def _pictures_alone(found: list[Path], given: Sequence[Path]) -> list[Path]:
    pictures = without_results(found, given)
    if left := [path for path in found if path not in set(pictures)]:
        what = f"{len(left)} files that an earlier prediction has written, such as {left[0]},"
        if not pictures:
            raise DataError(f"{what} are all that is there; give the folder of the pictures, or that of these files")
        log.warning("%s are left out; give their folder alone to predict them", what)
    return pictures


def _absolute(path: Path) -> str:
    # Links keep their own names.
    return os.path.abspath(path)  # noqa: PTH100


def _matches(pattern: str) -> list[Path]:
    path = Path(pattern).expanduser()
    if is_too_long(path):
        return []
    path = _spelt(pattern)
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if looks_like_picture(file))
        if hidden := sorted(file for file in path.iterdir() if _is_hidden_picture(file)):
            log.warning("%s: hidden pictures are left out, such as %s; give their names", pattern, hidden[0].name)
        if found and (below := next(_pictures_below(path, "*/*"), None)):
            every = f"{glob.escape(str(path))}/**/*"
            log.warning("%s: pictures in folders below are left out, such as %s; give '%s'", pattern, below, every)
        return found
    if path.suffix.lower() == LIST and path.is_file():
        return _listed(path)
    if path.exists() or path.is_symlink():
        return [path]
    files = map(Path, matching(str(path)))
    return sorted(file for file in files if (looks_like_picture(file) if pattern.endswith("*") else not file.is_dir()))


def _pictures_below(folder: Path, pattern: str) -> Iterator[Path]:
    results = Results()
    return (file for file in folder.glob(pattern) if looks_like_picture(file) and file not in results)


def looks_like_picture(file: Path) -> bool:
    """By its suffix; hidden files do not count. A broken link or a pipe counts, until it is read."""
    return _has_picture_suffix(file.suffix) and not file.name.startswith(".") and not file.is_dir()


def _listed(path: Path) -> list[Path]:
    try:
        lines = [line.strip() for line in read_lines(path, "give another list")]
    except DataError:
        # Whatever it is called, it is no text; a picture by its content, perhaps.
        return [path]
    found = [path.parent / line for line in lines if line and not line.startswith("#")]
    if not found:
        raise DataError(f"{path}: the list names no picture; write a path per line")
    return found


def _is_hidden_picture(file: Path) -> bool:
    """Also with only dots before the suffix; but not ``._cat.jpg``, which macOS writes beside ``cat.jpg``."""
    name = file.name
    if not name.startswith(".") or name.startswith("._") or file.is_dir():
        return False
    return _has_picture_suffix(file.suffix or f".{name.lstrip('.')}")


def _has_picture_suffix(suffix: str) -> bool:
    # Pillow writes more kinds than it reads, PDF for instance.
    return Image.registered_extensions().get(suffix.lower()) in Image.OPEN


def _nothing_found(pattern: str) -> str:
    path = Path(pattern).expanduser()
    if not is_too_long(path) and path.is_dir():
        below = list(_pictures_below(path, "**/*"))
        every = f"{glob.escape(str(path))}/**/*"
        hint = f"{len(below)} in folders below; give '{every}'" if below else "give another folder"
        return f"{pattern}: no picture in this folder; {hint}"
    return (
        f"{pattern}: no such file, and no file matches it as a pattern; {about_brackets(pattern)}give a file, a folder "
        "or a quoted pattern"
    )


def unique_names(paths: Sequence[Path]) -> list[str]:
    """A name per file, for its results: its path below the common folder, without suffix.

    Files that differ only in their suffix keep it, and so do those with only dots before it. A name that would be too
    long with another suffix is cut, and a digest of it appended.
    """
    absolute = [Path(_absolute(path)) for path in paths]
    if not absolute:
        return []
    shared = os.path.commonpath([path.parent for path in absolute])
    relative = [path.relative_to(shared) for path in absolute]
    stems = [_stem(path) for path in relative]
    times = Counter(stems)
    # A stem may be another file's whole name: cat.jpg.png beside cat.jpg and cat.png.
    times.update({path.as_posix() for path in relative if path.suffix})
    names = (path.as_posix() if times[stem] > 1 else stem for path, stem in zip(relative, stems, strict=True))
    return [_shorter(name) for name in names]


def _stem(path: Path) -> str:
    """The path without suffix, unless nothing would be left."""
    return path.with_suffix("").as_posix() if path.stem.strip(".") else path.as_posix()


def _shorter(name: str) -> str:
    folder, slash, last = name.rpartition("/")
    stored = os.fsencode(last)
    if len(stored) <= LONGEST:
        return name
    digest = hashlib.sha256(stored).hexdigest()[:8]
    return f"{folder}{slash}{stored[: LONGEST - 9].decode(errors='ignore')}_{digest}"
