"""Types of Lightning's arguments that a config holds as text."""

from enum import Enum

import torch
import yaml
from jsonargparse.typing import register_type


def register_plain_types() -> None:
    """Without them ``config.yaml`` holds values that cannot be read again, such as a device, or cannot be written."""
    register_type(torch.device, str, torch.device, deserializer_exceptions=(RuntimeError, TypeError))
    yaml.SafeDumper.add_multi_representer(Enum, _as_text)


def _as_text(dumper: yaml.SafeDumper, value: Enum) -> yaml.ScalarNode:
    return dumper.represent_str(str(value.value))
