"""What a setting of inference can sensibly be, for those who choose it by hand."""

from dataclasses import Field
from typing import Any, NamedTuple

KEY = "span"
OF_FILES = "of_files"


class Span(NamedTuple):
    """Values between two bounds, in steps."""

    least: float  # of settings that can be None, 0 stands for it
    most: float
    step: float


def span(least: float, most: float, step: float) -> dict[str, Span]:
    """The metadata of a dataclass's field, see ``Span``."""
    return {KEY: Span(least, most, step)}


def span_of(field: "Field[Any]") -> Span | None:
    """The span of a field; None of one that nobody chooses by hand."""
    return field.metadata.get(KEY)


def of_files() -> dict[str, bool]:
    """The metadata of a field that says what is written, and changes no answer."""
    return {OF_FILES: True}


def is_of_files(field: "Field[Any]") -> bool:
    """Whether a field means something only where files are written."""
    return bool(field.metadata.get(OF_FILES))
