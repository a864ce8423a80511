"""Entry point of ``lightning-seg`` and ``python -m lightning_seg``."""

import logging
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from io import TextIOWrapper

import lightning_seg
from lightning_seg.commands import LIGHTNING, names_file, run_command
from lightning_seg.errors import RefusedError, UserError
from lightning_seg.files import printable
from lightning_seg.process_tree import is_first_process
from lightning_seg.progress import quietly
from lightning_seg.stopping import answered, is_stopping

HELP = """usage: lightning-seg COMMAND [options]     (lightning-seg COMMAND --help lists them)

train and apply
  fit         train; --config takes the name of a config or a file, --run RUN continues a run
  validate    measure on the validation split
  test        measure on the test split; --run RUN takes a run's config and best checkpoint
  app         open a page in the browser: try a run on photos, look at its test pictures, compare it with another
  predict     write predicted masks or classes; --images photo.jpg, or the test split; --model model.onnx takes an
              exported file, without torch
  compare     train variants of a config with several seeds, and say what their difference is worth
  export      write a run as one file that is the whole job (ONNX), proved against the run
  report      write all that a run has to show into one HTML file: numbers, curves, worst pictures, commands
  benchmark   time a detector: every window by itself against all out of one pass

before training
  lr-find     train a few steps with a growing rate, draw the loss, suggest a rate; takes the flags of fit
  batch-size-find  find the largest batch that fits into the memory; takes the flags of fit

data
  doctor      look at every file of a dataset: what is wrong, what follows, what to do; takes the flags of fit
  preview     draw training pictures as the network will see them; takes the flags of fit
  cache       decode all pictures ahead of the first run, and take old ones away; takes the flags of fit
  synthesize  write a synthetic dataset in the published layout

pass on
  card        write the model card of a run
  push        publish a run on the Hugging Face hub; --run hf://OWNER/NAME applies one

around
  configs     list the configs that have names; configs NAME prints one
  completion  print the words that a shell completes: completion bash, zsh or tcsh

--version prints the version, and those of torch and pytorch-lightning. --debug shows the traceback of an error.
--quiet shows no progress bars.
"""
SHOWN = ("torch", "pytorch-lightning")
"""Packages whose versions are told beside ours."""


class OneLine(logging.Formatter):
    """Log messages of this package take one line, whatever is in the names of files."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return printable(text) if record.name.startswith("lightning_seg") else text


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; an error is one line on stderr.

    Returns:
        The exit code: 2 for a user's mistake, 1 for a training that went wrong, 128 + its number for a signal.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    # Names of files may hold bytes that are no UTF-8.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(OneLine())
    rest = [word for word in words if word not in ("--debug", "--quiet")]
    with quietly("--quiet" in words):
        return answered(lambda: _run(rest, debug), whole_process=argv is None)


def _run(words: list[str], debug: bool) -> int:
    try:
        return _dispatch(words)
    except RefusedError as refused:
        if debug and refused.__cause__ is not None:
            raise refused.__cause__ from None
        print(f"lightning-seg: error: {printable(refused.line)}", file=sys.stderr)
        raise
    except Exception as error:
        if is_stopping():
            raise
        from lightning_seg.explaining import explain, user_error

        line, own = explain(error), user_error(error)
        if debug or line is None:
            raise
        code = UserError.exit_code if own is None else own.exit_code
        if code == UserError.exit_code or is_first_process():
            print(f"lightning-seg: error: {printable(line)}", file=sys.stderr)
        return code


def _dispatch(words: list[str]) -> int:
    # Imports wait until they are needed, so that help and mistakes answer at once.
    if not words or words[0] in ("-h", "--help"):
        print(HELP, end="")
        return 0
    if words[0] == "--version":
        print(f"lightning-seg {lightning_seg.__version__} ({', '.join(f'{name} {_version(name)}' for name in SHOWN)})")
        return 0
    if names_file(words):
        from lightning_seg.commands.predict import run_flags

        return run_flags(words[1:])
    if words[0] in LIGHTNING:
        from lightning_seg.cli import run_lightning

        return run_lightning(words)
    run_command(words)
    return 0


def _version(package: str) -> str:
    """Of an installed package, which is not imported."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    sys.exit(main())
