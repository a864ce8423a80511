"""Reading configs."""

from pathlib import Path
from typing import Any

from lightning_seg.configs import find_config
from lightning_seg.errors import ConfigError
from lightning_seg.yaml_files import read_yaml


def read_config(config: str | Path) -> dict[str, Any]:
    """The sections of a config: of a file, or of a name, see ``find_config``.

    Raises:
        ConfigError: if there is none, or it holds something else.
    """
    path = find_config(config)
    try:
        content = read_yaml(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give another config") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a config holds sections such as data and model, this file has none")
    return content
