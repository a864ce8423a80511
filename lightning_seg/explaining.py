"""One line for an error about which the user can do something."""

import errno
import re
import traceback
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from lightning_seg.errors import UserError, one_line

ELSEWHERE = "give another folder, or make it writable (runs lie in --trainer.default_root_dir)"
UNWRITABLE = {
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST), ELSEWHERE),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room on the disk; fit --run RUN goes on with what was saved"),
}
"""The system's reasons for not writing a file, with remedies."""
OF_LIBRARIES = {
    r"No supported (\w+) backend found": "there is no {1} that can be used here; give --trainer.accelerator auto",
    r"Error\(s\) in loading state_dict for \w+: (.{1,200})": "the checkpoint belongs to another network ({1}); give "
    "the run or the config it was trained with",
    r"Early stopping conditioned on metric `(.*?)`": "{1} is not logged in this run, since validation is off or shows "
    "no such class; monitor another",
    "Checkpoint file not found": "{0}; give another --ckpt_path, or --run RUN",
    "loaded state dict": "the optimiser in the checkpoint belongs to another training ({0:.200}); give the run that it "
    "came from",
    "Expected more than 1 value per channel": "this network normalises over the pictures of a batch and got a single "
    "one; give --data.batch_size 2",
    "Found more than one stateful callback": "two of trainer.callbacks are alike ({0:.76}), and a checkpoint could not "
    "tell what each remembers; leave one of them out",
    "You have set `accumulate_grad_batches`": "trainer.accumulate_grad_batches and a GradientAccumulationScheduler; "
    "leave one of them out",
    r"`Trainer\(barebones=True, ": "trainer.barebones keeps nothing of a run: {0:.300}",
    "Structured pruning can only be applied": "ModelPruning prunes every layer, and norms have no rows to prune; give "
    "pruning_fn l1_unstructured or random_unstructured",
    "Training spike detected": "{0}, see skip_batches.json in the run folder; give a lower --model.lr, or leave these "
    "batches out",
    "SyncBatchNorm expected input tensor to be on GPU": "sync_batchnorm needs GPUs; leave it out on a CPU",
    "The DataLoader implementation has an error where": "Lightning cannot read the predict_dataloader, which gives an "
    "argument of its loader by place; give it by name: DataLoader(dataset, batch_size=8)",
    "Target ": "a later batch holds a mask value or a label of no class ({0}); number the classes from 0, or set "
    "num_classes",
    "Expected to have finished reduction in the prior iteration": "some weights had no part in the loss; give "
    "--trainer.strategy ddp_find_unused_parameters_true",
    # torch tells no reason.
    ".*PytorchStreamWriter failed": f"a checkpoint cannot be written; {UNWRITABLE[errno.ENOSPC]}",
}
"""How libraries' errors begin, with the text to print; ``{0}`` stands for the error, ``{1}`` for the group."""
LIGHTNING = ("pytorch_lightning.", "lightning_fabric.")
WITHOUT_TORCH = ("torch", "pytorch-lightning")
"""Packages that exported files do without."""
IMPORTED = {"opencv-python-headless": "cv2", "pillow": "PIL", "pyyaml": "yaml"}
"""What packages are imported as, where that is not their name with underscores."""


def explain(error: BaseException) -> str | None:
    """One line for a user's mistake, None for any other error."""
    # jsonargparse wraps what a constructor raises.
    found = list(causes(error))
    lines = (_of_ours(cause) or _of_system(cause) or _of_libraries(cause) for cause in found)
    # Of one in a list its text is all that is left.
    return next((line for line in (*lines, *map(_of_classes, found)) if line is not None), None)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those behind it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def user_error(error: BaseException) -> UserError | None:
    """Our own error in one that a library has raised."""
    return next((cause for cause in causes(error) if isinstance(cause, UserError)), None)


def _of_ours(error: BaseException) -> str | None:
    if not isinstance(error, UserError):
        return None
    # From a loader process it arrives as a traceback that ends in the message.
    return str(error).rpartition(f"\n{type(error).__module__}.{type(error).__name__}: ")[2].strip()


def _of_system(error: BaseException) -> str | None:
    """A line for an error of the system when writing a file."""
    if not isinstance(error, OSError) or error.errno not in UNWRITABLE:
        return None
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}cannot be written ({error.strerror}{_disk_of(error)}); {UNWRITABLE[error.errno]}"


def _disk_of(error: OSError) -> str:
    """The disk that is full, since a user may look at another."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not isinstance(error.filename, str):
        return ""
    folder = Path(error.filename).resolve().parent
    return f": the disk of {next(place for place in (folder, *folder.parents) if place.is_mount())}"


def _of_libraries(error: BaseException) -> str | None:
    said = one_line(error)
    for pattern, line in OF_LIBRARIES.items():
        if found := re.match(pattern, said):
            return line.format(said, *found.groups())
    # Lightning's name for impossible arguments of its Trainer.
    if type(error).__name__ == "MisconfigurationException":
        return said
    return _of_missing(error, said) if isinstance(error, ModuleNotFoundError) else None


def _of_missing(error: ModuleNotFoundError, said: str) -> str | None:
    """A package that is needed; or one that Lightning can do without, and a logger, callback or strategy cannot."""
    package = needed_packages().get(error.name or "")
    if package is not None:
        alone = "; exported files alone do without: predict --model model.onnx" if package in WITHOUT_TORCH else ""
        return f"this command needs the package {package}, which is not installed; pip install lightning_seg{alone}"
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    if not frame.f_globals.get("__name__", "").startswith(LIGHTNING):
        return None
    owner = type(frame.f_locals["self"]).__name__ if "self" in frame.f_locals else "what was given"
    return _needs_package(owner, said) or f"{owner} needs the package {error.name}, which is not installed"


def needed_packages() -> dict[str, str]:
    """The packages that this one depends on without any extra, by what they are imported as."""
    try:
        lines = requires("lightning_seg") or []
    # From a folder of the code.
    except PackageNotFoundError:
        lines = [*WITHOUT_TORCH]
    found = [re.match(r"[\w.-]+", line) for line in lines if "extra ==" not in line]
    names = [one[0].lower() for one in found if one is not None]
    return {IMPORTED.get(name, name.replace("-", "_")): name for name in names}


def _needs_package(owner: str, said: str) -> str | None:
    hint = re.search(r"pip install (?:-U )?'?([^'`\s]+)", said)
    return hint and f"{owner} needs a package that is not installed; pip install '{hint[1]}', or leave it out"


def _of_classes(error: BaseException) -> str | None:
    """A logger or callback whose constructor has refused its arguments."""
    found = re.search(
        r"Problem with given class_path '(?:[\w.]+\.)?(\w+)': (.*?)(?: - Expected a| Given value type: |$)",
        one_line(error),
    )
    return found and (_needs_package(found[1], found[2]) or f"{found[1]}: {found[2]:.300}")
