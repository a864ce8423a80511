"""The menu: ``FOLDER/`` in mkdocs.yml stands for the pages of a folder, ``FOLDER/**`` also for those below it."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

FIRST = ("index", "pets", "carvana", "flowers", "dogs", "detector", "flags", "trainer", "tasks", "datamodules")
"""Pages that come before the others of their folder, which follow by name."""


def expanded(menu: Any, pages: Sequence[str]) -> Any:
    """The menu with every folder replaced by its pages, and without folders that have none.

    Args:
        menu: as mkdocs.yml has it.
        pages: their paths on the site, with ``.md``.
    """
    if isinstance(menu, dict):
        entries = {title: expanded(one, pages) for title, one in menu.items()}
        return {title: one for title, one in entries.items() if one}
    if isinstance(menu, list):
        return [entry for one in menu for entry in _spliced(expanded(one, pages)) if entry]
    if menu.endswith("/**"):
        return _all_of(menu.removesuffix("**"), pages)
    return _pages_of(menu, pages) if menu.endswith("/") else menu


def _spliced(entry: Any) -> list[Any]:
    """The pages of a folder among other entries stand beside them."""
    return entry if isinstance(entry, list) else [entry]


def _pages_of(folder: str, pages: Iterable[str]) -> list[Any]:
    files = [PurePosixPath(page) for page in pages if PurePosixPath(page).parent == PurePosixPath(folder)]
    return [str(path) for path in sorted(files, key=_place)]


def _all_of(folder: str, pages: Sequence[str]) -> list[Any]:
    inside = [PurePosixPath(page).relative_to(folder) for page in pages if page.startswith(folder)]
    below = sorted({path.parts[0] for path in inside if len(path.parts) > 1})
    return [*_pages_of(folder, pages), *({one: _all_of(f"{folder}{one}/", pages)} for one in below)]


def _place(path: PurePosixPath) -> tuple[int, str]:
    return (FIRST.index(path.stem) if path.stem in FIRST else len(FIRST), path.stem)
