"""The commands beside Lightning's: one file each, with a typed function of the file's name.

A dash in the name of a command is an underscore there.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from itertools import pairwise

from lightning_seg.errors import ConfigError
from lightning_seg.stopping import at_stake

LIGHTNING = ("fit", "validate", "test", "predict")
COMMANDS = {
    "app": "no page is open",
    "batch-size-find": "nothing is changed",
    "benchmark": "nothing is measured",
    "cache": "no cache is kept, since it is moved into place when it is complete",
    "card": "no card is written",
    "compare": "no run has begun",
    "completion": "nothing is printed",
    "configs": "nothing is changed",
    "doctor": "nothing is written; files that were looked at are remembered",
    "export": "no file is written, since it is moved into place when it is proved",
    "lr-find": "no picture is written",
    "preview": "no picture is written",
    "push": "nothing is published, since all files become visible together",
    "report": "no page is written",
    "synthesize": "no dataset is written, since it is moved into place when it is complete",
}
"""The commands, with what each has done if it is stopped before its end."""
EXPORTED = ".onnx"
"""Suffix of exported models."""


def names_file(argv: Sequence[str], command: str = "predict") -> bool:
    """Whether the words are ``command`` with an exported model, ``--model model.onnx``: nothing of torch is needed."""
    if not argv or argv[0] != command:
        return False
    after = [word for flag, word in pairwise(argv) if flag == "--model"]
    joined = [word.partition("=")[2] for word in argv if word.startswith("--model=")]
    return any(word.lower().endswith(EXPORTED) for word in (*after, *joined))


def run_command(argv: Sequence[str]) -> None:
    """Call the function that the first word names with the flags behind it.

    A module whose function is not told by its signature alone reads the flags itself, by its ``run_flags``.

    Raises:
        ConfigError: if there is no such command.
    """
    name, *flags = argv
    if name not in COMMANDS:
        known = (*LIGHTNING, *COMMANDS)
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"no command {name!r}; {hint}There are {', '.join(known)}")
    function = name.replace("-", "_")
    module = import_module(f"lightning_seg.commands.{function}")
    at_stake(lambda: f"{COMMANDS[name]}; the same command begins anew")
    if hasattr(module, "run_flags"):
        module.run_flags(flags)
    else:
        # Not before it is needed: it brings all libraries with it.
        from lightning_seg.commands.parsing import run_function

        run_function(name, getattr(module, function), getattr(module, "prepare_flags", list)(flags), flags)
    at_stake(lambda: "its work is done")
