"""Names that look the same: accents as one character, as most systems write them, or as two, as macOS stores them.

And those that stand for no object.
"""

import unicodedata
from collections.abc import Sequence

BACKGROUND = "background"
BACKGROUNDS = (BACKGROUND, f"_{BACKGROUND}_", "bg", "배경")
"""What the background is called, in any case; ``_background_`` by LabelMe."""
NO_OBJECT = (*BACKGROUNDS, "none", "nothing", "void", "other")
"""What people call the class that stands for no object; in a file of labels the last ones may be objects."""


def is_one_of(name: str, names: Sequence[str]) -> bool:
    """Whether ``BACKGROUNDS`` or ``NO_OBJECT`` have this name, in any case and with blanks around it.

    Examples:
        >>> is_one_of("Background ", ("background", "bg")), is_one_of("void", ("background", "bg"))
        (True, False)
    """
    return same(name).strip().lower() in names


def same(name: str) -> str:
    """One spelling for names that look the same: an accent and its letter are one character."""
    return unicodedata.normalize("NFC", name)


def spellings(name: str) -> list[str]:
    """Itself, and with accents as one character and as two."""
    return list(dict.fromkeys([name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)]))


def fault_of_names(names: Sequence[object]) -> str | None:
    """Why these cannot be the names of classes, as an end of a sentence; None if they can.

    Each is a text that is not blank, and no two look the same, blanks at their ends included.
    """
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not name.strip():
            return f"{name!r} is no name; give each class a text of its own"
        if (alike := same(name).strip()) in seen:
            return f"{name!r} stands there twice; give each class a name of its own"
        seen.add(alike)
    return None
