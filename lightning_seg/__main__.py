"""Entry point of ``lightning-seg`` and ``python -m lightning_seg``."""

import errno
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from io import TextIOWrapper
from pathlib import Path

import lightning_seg
from lightning_seg.errors import UserError
from lightning_seg.files import printable
from lightning_seg.process_tree import is_first_process
from lightning_seg.stopping import answered, is_stopping

ELSEWHERE = "give another folder, or make it writable (runs lie in --trainer.default_root_dir)"
UNWRITABLE = {
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST), ELSEWHERE),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room on the disk; fit --run RUN goes on with what was saved"),
}
"""The system's reasons for not writing a file, with remedies."""
OF_LIBRARIES = {
    "Checkpoint file not found": "{}; give another --ckpt_path, or --run RUN",
    "loaded state dict": "the optimiser in the checkpoint belongs to another training ({:.200}); give the run that it "
    "came from",
    "Expected more than 1 value per channel": "this network normalises over the pictures of a batch and got a single "
    "one; give --data.batch_size 2",
    "Found more than one stateful callback": "two of trainer.callbacks are alike ({:.76}), and a checkpoint "
    "could not tell what each remembers; leave one of them out",
    "You have set `accumulate_grad_batches`": "trainer.accumulate_grad_batches and a GradientAccumulationScheduler; "
    "leave one of them out",
    "`Trainer(barebones=True, ": "trainer.barebones keeps nothing of a run: {:.300}",
    "Structured pruning can only be applied": "ModelPruning prunes every layer, and norms have no rows to prune; give "
    "pruning_fn l1_unstructured or random_unstructured",
    "Training spike detected": "{}, see skip_batches.json in the run folder; give a lower --model.lr, or leave these "
    "batches out",
    "SyncBatchNorm expected input tensor to be on GPU": "sync_batchnorm needs GPUs; leave it out on a CPU",
    "The DataLoader implementation has an error where": "Lightning cannot read the predict_dataloader, which gives an "
    "argument of its loader by place; give it by name: DataLoader(dataset, batch_size=8)",
    "Target ": "a later batch holds a mask value or a label of no class ({}); number the classes from 0, or set "
    "num_classes",
    "Expected to have finished reduction in the prior iteration": "some weights had no part in the loss; give "
    "--trainer.strategy ddp_find_unused_parameters_true",
}
"""Beginnings of libraries' errors, with the text to print; ``{}`` stands for the error."""
LIGHTNING = ("pytorch_lightning.", "lightning_fabric.")
HELP = """usage: lightning-seg COMMAND [options]     (lightning-seg COMMAND --help lists them)

train and apply
  fit         train; --config takes the name of a config or a file, --run RUN continues a run
  validate    measure on the validation split
  test        measure on the test split; --run RUN takes a run's config and best checkpoint
  predict     write predicted masks or classes; --images photo.jpg, or the test split
  compare     train variants of a config with several seeds, and say what their difference is worth
  benchmark   time a detector: every window by itself against all out of one pass

data
  doctor      look at every file of a dataset: what is wrong, what follows, what to do; takes the flags of fit
  preview     draw training pictures as the network will see them; takes the flags of fit
  cache       decode all pictures ahead of the first run, and take old ones away; takes the flags of fit
  synthesize  write a synthetic dataset in the published layout

around
  configs     list the configs that have names; configs NAME prints one
  completion  print the words that a shell completes: completion bash, zsh or tcsh

--version prints the version, and those of torch and pytorch-lightning. --debug shows the traceback of an error.
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
    rest = [word for word in words if word != "--debug"]
    return answered(lambda: _run(rest, debug), whole_process=argv is None)


def _run(words: list[str], debug: bool) -> int:
    try:
        return _dispatch(words)
    except Exception as error:
        if is_stopping():
            raise
        line = _explain(error)
        if debug or line is None:
            raise
        code = _exit_code(error)
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
    if words[0] in ("fit", "validate", "test", "predict"):
        from lightning_seg.cli import run_lightning

        return run_lightning(words)
    from lightning_seg.commands import run_command

    run_command(words)
    return 0


def _version(package: str) -> str:
    """Of an installed package, which is not imported."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _explain(error: BaseException | None) -> str | None:
    """One line for a user's mistake, None for any other error."""
    # jsonargparse wraps what a constructor raises.
    causes = list(_causes(error))
    lines = (_explain_own(cause) or _explain_system(cause) or _explain_libraries(cause) for cause in causes)
    # Of one in a list its text is all that is left.
    return next((line for line in (*lines, *map(_explain_class, causes)) if line is not None), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those behind it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _exit_code(error: BaseException | None) -> int:
    """The exit code of our own error, found in the raised one; 2 for errors of the system and of libraries."""
    return next((cause.exit_code for cause in _causes(error) if isinstance(cause, UserError)), 2)


def _explain_own(error: BaseException) -> str | None:
    if not isinstance(error, UserError):
        return None
    # From a loader process it arrives as a traceback that ends in the message.
    return str(error).rpartition(f"\n{type(error).__module__}.{type(error).__name__}: ")[2].strip()


def _explain_system(error: BaseException) -> str | None:
    """A line for an error of the system when writing a file."""
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        place = f"{error.filename}: " if error.filename else ""
        reason = f"{error.strerror}{_disk_of(error)}"
        return f"{place}cannot be written ({reason}); {UNWRITABLE[error.errno]}"
    # torch tells no reason.
    if "PytorchStreamWriter failed" in str(error):
        return f"a checkpoint cannot be written; {UNWRITABLE[errno.ENOSPC]}"
    return None


def _disk_of(error: OSError) -> str:
    """The disk that is full, since a user may look at another."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not isinstance(error.filename, str):
        return ""
    folder = Path(error.filename).resolve().parent
    return f": the disk of {next(place for place in (folder, *folder.parents) if place.is_mount())}"


def _explain_libraries(error: BaseException) -> str | None:
    said = " ".join(str(error).split())
    # Lightning's name for impossible arguments of its Trainer.
    known = next((line.format(said) for start, line in OF_LIBRARIES.items() if said.startswith(start)), None)
    if known is None and type(error).__name__ == "MisconfigurationException":
        missing = re.match(r"No supported (\w+) backend found", said)
        return f"there is no {missing[1]} that can be used here; give --trainer.accelerator auto" if missing else said
    if isinstance(error, ModuleNotFoundError):
        return _explain_missing(error, said)
    if said.startswith("Error(s) in loading state_dict"):
        reason = str(error).splitlines()[1].strip()[:200]
        return f"the checkpoint belongs to another network ({reason}); give the run or the config it was trained with"
    if said.startswith("Early stopping conditioned on metric"):
        name = said.split("`")[1]
        return f"{name} is not logged in this run, since validation is off or shows no such class; monitor another"
    return known


def _explain_missing(error: ModuleNotFoundError, said: str) -> str | None:
    """A package that Lightning can do without, and a logger, callback or strategy of its cannot."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    if not frame.f_globals.get("__name__", "").startswith(LIGHTNING):
        return None
    owner = type(frame.f_locals["self"]).__name__ if "self" in frame.f_locals else "what was given"
    return _needs_package(owner, said) or f"{owner} needs the package {error.name}, which is not installed"


def _needs_package(owner: str, said: str) -> str | None:
    hint = re.search(r"pip install (?:-U )?'?([^'`\s]+)", said)
    return hint and f"{owner} needs a package that is not installed; pip install '{hint[1]}', or leave it out"


def _explain_class(error: BaseException) -> str | None:
    """A logger or callback whose constructor has refused its arguments."""
    said = " ".join(str(error).split())
    found = re.search(
        r"Problem with given class_path '(?:[\w.]+\.)?(\w+)': (.*?)(?: - Expected a| Given value type: |$)", said
    )
    return found and (_needs_package(found[1], found[2]) or f"{found[1]}: {found[2]:.300}")


if __name__ == "__main__":
    sys.exit(main())
