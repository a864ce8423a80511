"""Errors of the user. Each message is one line that names the file or flag, the cause and the remedy."""

from collections.abc import Sequence
from difflib import get_close_matches


class UserError(Exception):
    """Base of all errors that the command line prints as one line."""

    exit_code = 2
    """Exit code of a command that ends with this error."""


class DataError(UserError):
    """A folder, a file or its content is not as the dataset needs it."""


class DownloadError(UserError):
    """A file could not be downloaded, or has another checksum."""


class ModelError(UserError):
    """The model cannot do this, for instance with this picture size."""


class WeightsError(ModelError):
    """A weights file cannot be read or belongs to another network."""


class TrainingError(UserError):
    """A training or a measurement has gone wrong: its result would be no number."""

    exit_code = 1


class ExportError(UserError):
    """An exported file does not answer as its run does."""

    exit_code = 1


class UnhealthyError(UserError):
    """A dataset or a run was looked at, and something is wrong with it."""

    exit_code = 1


class ConfigError(UserError):
    """An argument has an impossible value, or does not fit the others."""


class RefusedError(SystemExit):
    """A parser's line about what was typed. As any parser's error it passes by who handles an ``Exception``."""

    def __init__(self, line: str) -> None:
        super().__init__(UserError.exit_code)
        self.line = line


def one_line(error: BaseException) -> str:
    """The message of a library's error without line breaks; the name of the error if there is no message."""
    return " ".join(str(error).split()) or type(error).__name__


def unknown_name(kind: str, name: str, names: Sequence[str]) -> ConfigError:
    """A message that a name does not exist, with the nearest names."""
    near = get_close_matches(name, names, n=3, cutoff=0.3) or names[:8]
    return ConfigError(f"{kind} {name!r} does not exist; the nearest names are {', '.join(near)}")
