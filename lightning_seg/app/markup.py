"""Pieces of the page as HTML: texts, lines, the head."""

from collections.abc import Iterable
from html import escape

from lightning_seg.files import printable


def text(words: str) -> str:
    """Names of files and classes as text, whatever they hold."""
    return escape(printable(words))


def line(words: str, is_wrong: bool = False) -> str:
    """A line that screen readers say when it changes."""
    role, kind = ("alert", "line wrong") if is_wrong else ("status", "line")
    return f'<p class="{kind}" role="{role}">{text(words)}</p>'


def heading(name: str, about: str, notes: Iterable[str] = ()) -> str:
    noted = "".join(f'<p class="note">{text(note)}</p>' for note in notes)
    return f"<h1>{text(name)}</h1><p>{text(about)}</p>{noted}"
