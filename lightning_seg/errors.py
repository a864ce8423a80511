"""Mistakes of the user. Each message is one line that names the file or flag, the cause and the remedy."""


class UserError(Exception):
    """Base of all errors that the command line prints as one line, with exit code 2."""


class DataError(UserError):
    """A folder, a file or its content is not what the dataset needs."""


class DownloadError(UserError):
    """A file could not be fetched, or arrived with another checksum."""


class ModelError(UserError):
    """The model cannot do what was asked, for instance with this picture size."""


class WeightsError(ModelError):
    """A weights file cannot be read or belongs to another network."""


class ConfigError(UserError):
    """An argument has a value that does not exist or does not go with the others."""
