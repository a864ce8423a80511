"""Patterns of file names: ``*``, ``**``, ``?`` and ``[...]``."""

import glob
from pathlib import Path, PurePath

from lightning_seg.spelling import spellings


def matching(pattern: str, root: Path | None = None) -> list[str]:
    """The files and folders that match a pattern, with accents in either spelling; relative to ``root`` if given.

    Unlike ``Path.glob`` it takes absolute patterns, follows links to folders and leaves hidden files out.
    """
    found = (name for one in spellings(pattern) for name in glob.glob(one, root_dir=root, recursive=True))  # noqa: PTH207
    return list(dict.fromkeys(found))


def fixed_part(pattern: PurePath) -> PurePath:
    """The folders before the first wildcard."""
    fixed = type(pattern)()
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        fixed /= part
    return fixed


def about_brackets(pattern: str) -> str:
    """What to write where a pattern that matches nothing has a bracket in a name; empty without one."""
    if "[" not in pattern:
        return ""
    return f"[ begins a wildcard there; for a name that holds it write '{pattern.replace('[', '[[]')}'; "
