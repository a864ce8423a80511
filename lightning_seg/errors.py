"""Mistakes of the user. Each message is one line that names the file or flag, the cause and the remedy."""

from collections.abc import Sequence
from difflib import get_close_matches


class UserError(Exception):
    """Base of all errors that the command line prints as one line."""

    exit_code = 2
    """Of the command that the error ends."""


class DataError(UserError):
    """A folder, a file or its content is not what the dataset needs."""


class DownloadError(UserError):
    """A file could not be fetched, or arrived with another checksum."""


class ModelError(UserError):
    """The model cannot do what was asked, for instance with this picture size."""


class WeightsError(ModelError):
    """A weights file cannot be read or belongs to another network."""


class TrainingError(UserError):
    """A training, or a measurement, has gone wrong while it ran: what it would give is no number."""

    exit_code = 1


class ConfigError(UserError):
    """An argument has a value that does not exist or does not go with the others."""


def one_line(error: Exception) -> str:
    """The message of a library's error without line breaks; the kind of error where it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def unknown_name(kind: str, name: str, names: Sequence[str]) -> ConfigError:
    """There is no such name; the nearest ones are told."""
    near = get_close_matches(name, names, n=3, cutoff=0.3) or names[:8]
    return ConfigError(f"{kind} {name!r} does not exist; the nearest names are {', '.join(near)}")
