"""Names that look the same: accents as one character, as most systems write them, or as two, as macOS stores them."""

import unicodedata


def same(name: str) -> str:
    """One spelling for names that look the same: an accent and its letter are one character."""
    return unicodedata.normalize("NFC", name)


def spellings(name: str) -> list[str]:
    """Itself, and with accents as one character and as two."""
    return list(dict.fromkeys([name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)]))
