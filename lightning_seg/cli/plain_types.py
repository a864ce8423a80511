"""Types of Lightning's arguments that a config holds as text."""

import re
from datetime import timedelta
from enum import Enum
from typing import Literal

import torch
import yaml
from jsonargparse.typing import register_type, timedelta_deserializer
from pytorch_lightning.callbacks import ModelPruning

PruningFunction = Literal["l1_unstructured", "ln_structured", "random_structured", "random_unstructured"]


def register_plain_types() -> None:
    """Without them ``config.yaml`` holds values that cannot be read again, such as a device, or cannot be written."""
    register_type(torch.device, str, torch.device, deserializer_exceptions=(RuntimeError, TypeError))
    register_type(timedelta, _duration_as_text, timedelta_deserializer)
    yaml.SafeDumper.add_multi_representer(Enum, _as_text)
    # What the parser of configs takes for a number and the writer does not: the text 1e3 gets quotes.
    yaml.SafeDumper.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9][0-9_.]*[eE][-+]?[0-9]+$"), list("-+0123456789")
    )
    # The name of a function of torch's would be written as that of an object which nobody can import.
    types = ModelPruning.__init__.__annotations__
    types["pruning_fn"] = PruningFunction | types["pruning_fn"]


def _duration_as_text(value: timedelta) -> str:
    if not isinstance(value, timedelta):
        # Of an argument that may be a mapping as well, that is what stands in the config.
        raise TypeError(f"{value!r} is no timedelta")
    return str(value)


def _as_text(dumper: yaml.SafeDumper, value: Enum) -> yaml.ScalarNode:
    return dumper.represent_str(str(value.value))
