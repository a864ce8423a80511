"""Pairs of picture and mask, by the names of their files."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple

from lightning_seg.batch import Split
from lightning_seg.datasets.finding import looks_like_picture
from lightning_seg.datasets.names import Files, is_there
from lightning_seg.datasets.wildcards import about_brackets, fixed_part, matching
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.prediction_folder import Results

PLACEHOLDERS = ("stem", "name", "dir")
MAX_SHOWN = 5


class Pair(NamedTuple):
    """A picture and its mask."""

    name: str  # of the picture, relative to the root, with slashes
    image: Path
    mask: Path
    split: Split | None = None  # if a list says it


def check_patterns(images: str, masks: str) -> None:
    """Checks the patterns without reading a folder.

    Raises:
        ConfigError: if ``images`` is not relative or ``masks`` gives all pictures the same mask.
    """
    if not images or PurePosixPath(images).is_absolute():
        raise ConfigError(f"images {images!r} must be relative to root, for instance images/*")
    used = re.findall(r"\{([^{}]*)\}", masks)
    if unknown := [name for name in used if name not in PLACEHOLDERS]:
        raise ConfigError(f"masks {masks!r}: there is no {{{unknown[0]}}}; use {{stem}}, {{name}} and {{dir}}")
    if not {"stem", "name"} & set(used):
        raise ConfigError(f"masks {masks!r} is the same for every picture; name it by {{stem}} or {{name}}")


def find_pairs(root: Path, images: str, masks: str) -> list[Pair]:
    """The pictures that match a pattern, sorted, each with the path its mask must have.

    Links to nothing, pipes and the like that match are among them, so that reading them names them.

    Args:
        root: both are relative to it.
        images: pattern as in a shell, also with ``**``; names that begin with a dot do not match. One that ends in
            ``*`` takes what has the suffix of a picture.
        masks: the mask's path with ``{stem}``, ``{name}`` (with suffix) and ``{dir}`` (folders below the part of
            ``images`` that holds no wildcard).

    Raises:
        DataError: if no picture matches.
    """
    found = {Path(name).as_posix() for name in matching(images, root)}
    if images.endswith("*"):
        # Lists and the like lie there, too.
        found = {name for name in found if looks_like_picture(root / name)}
    fixed = fixed_part(PurePosixPath(images))
    names, files = sorted(name for name in found if is_there(root / name)), Files(root)
    pairs = [Pair(name, root / name, files.find(_mask_name(name, masks, fixed))) for name in names]
    # In one folder with their pictures, masks may match the pattern too.
    others = {pair.mask for pair in pairs if pair.mask != pair.image}
    pairs = [pair for pair in pairs if pair.image not in others]
    if not pairs:
        raise DataError(_nothing_found(root, images, fixed))
    return pairs


def left_beside(root: Path, images: str, masks: str, pairs: Sequence[Pair]) -> list[Path]:
    """Pictures in the folders that a pattern searches, which it does not take: of another suffix, or of the same in
    another case, as cameras write ``.JPG``. Masks do not count, nor what is named like one and has no picture, nor what
    ``predict`` has written.

    Args:
        root: folder of the dataset.
        images: pattern of the pictures.
        masks: path of their masks.
        pairs: what ``find_pairs`` found by them.
    """
    found = {path for pair in pairs for path in (pair.image, pair.mask)}
    beside = (path for folder in _folders(root, images) for path in folder.iterdir() if path not in found)
    results, named, place = Results(), _names_of_masks(masks), root / fixed_part(PurePosixPath(images))

    def is_mask(path: Path) -> bool:
        match = named.fullmatch(path.relative_to(root).as_posix())
        # ``{dir}`` is a folder of pictures.
        return match is not None and all((place / folder).is_dir() for folder in match.groups() if folder)

    return sorted(path for path in beside if looks_like_picture(path) and not is_mask(path) and path not in results)


def taking_all(root: Path, images: str, masks: str, all_of_them: Iterable[Path]) -> str | None:
    """The pattern that takes exactly these pictures, each with a mask of its own; None if it takes others, too."""
    whole = f"{images.rpartition('/')[0]}/*".removeprefix("/")
    pairs = find_pairs(root, whole, masks)
    pictures, files = {pair.image for pair in pairs}, {pair.mask for pair in pairs}
    return whole if pictures == {*all_of_them} and len(files) == len(pairs) and not files & pictures else None


def _folders(root: Path, images: str) -> set[Path]:
    above = images.rpartition("/")[0]
    # Without a folder, and with all of them, the root itself is searched.
    names = ["", *matching(above, root)] if above in ("", "**") else matching(above, root)
    return {root / name for name in names if (root / name).is_dir()}


def _names_of_masks(masks: str) -> re.Pattern[str]:
    """What the names of masks look like, relative to the root; with a group for ``{dir}``."""
    parts = re.split(r"(\{dir\}/|\{\w+\})", PurePosixPath(masks).as_posix())
    kinds = {"{stem}": "[^/]+", "{name}": "[^/]+", "{dir}": "(.*)", "{dir}/": "(?:(.*)/)?"}
    return re.compile("".join(kinds[part] if place % 2 else re.escape(part) for place, part in enumerate(parts)))


def _mask_name(name: str, masks: str, fixed: PurePath) -> str:
    picture = PurePosixPath(name)
    # Counted, since the folders may be spelt in another way than in the pattern.
    below = PurePosixPath(*picture.parent.parts[len(fixed.parts) :])
    parts = {"stem": picture.stem, "name": picture.name, "dir": str(below)}
    return re.sub(r"\{(\w+)\}", lambda match: parts[match[1]], masks)


def _nothing_found(root: Path, images: str, fixed: PurePath) -> str:
    if not root.is_dir():
        return f"{root}: no such folder; give that of your pictures with --data.root, or try --data.source synthetic"
    folders = [root, root / fixed] if (root / fixed).is_dir() and fixed.parts else [root]
    seen = "; ".join(f"{folder} holds {list_folder(folder)}" for folder in folders)
    return f"{root}: no picture matches images {images!r}; {about_brackets(images)}{seen}; give another --data.images"


def list_folder(folder: Path) -> str:
    """The first entries of a folder, and how many more there are."""
    return shorten(sorted(f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir())) or "nothing"


def shorten(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = [f"{len(names) - MAX_SHOWN} more"] if len(names) > MAX_SHOWN else []
    return ", ".join([*names[:MAX_SHOWN], *more])


def check_pairs(root: Path, pairs: Iterable[Pair]) -> None:
    """Checks that every picture has a mask file of its own.

    Raises:
        DataError: naming the first that has none, or the first two that share one.
    """
    owners: dict[Path, str] = {}
    missing = []
    for pair in pairs:
        if pair.mask in owners:
            raise DataError(
                f"{root}: {owners[pair.mask]} and {pair.name} share the mask {pair.mask}; give each its own, with "
                "--data.masks or --data.pairs, or take those of one suffix, with --data.images"
            )
        if pair.mask == pair.image:
            raise DataError(f"{root}: {pair.name} would be its own mask; give another --data.masks")
        owners[pair.mask] = pair.name
        if not is_there(pair.mask):
            missing.append(pair)
    if missing:
        raise DataError(_missing(missing, len(owners)))


def _missing(missing: Sequence[Pair], total: int) -> str:
    first = missing[0]
    folder = first.mask.parent
    lies = f"{folder} holds {list_folder(folder)}" if folder.is_dir() else f"there is no folder {folder}"
    return (
        f"{len(missing)} of {total} pictures have no mask, the first is {first.name}: no {first.mask}; {lies}; add the "
        "masks, correct --data.masks, list the pairs in a file for --data.pairs, or train without these pictures: "
        "--data.unlabelled skip"
    )
