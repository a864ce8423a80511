"""``lightning-seg batch-size-find``: the largest batch that fits into the memory."""

from collections.abc import Sequence
from typing import Any

from lightning_seg.cli.building import Training, build_training
from lightning_seg.commands.fit_flags import run_with_fit
from lightning_seg.errors import ConfigError
from lightning_seg.numbers import at_least
from lightning_seg.tuning import Trial, largest_batch

NO_FLAGS = ("fit",)
"""Arguments of ``batch_size_find`` that the command line gives it by itself."""
MOST_ON_CPU = 256
STEPS = 3
"""Of a trial: the second one has the state of the optimiser in memory, too."""


def batch_size_find(most: int | None = None, fit: Sequence[str] = ()) -> None:
    """Train three steps with batches of 2, 4, 8, ... pictures until the memory is full; print the largest that fits.

    It also takes the flags of fit: one or several --config, --run RUN, --data.x VALUE, --model.x VALUE. Nothing is
    written. See docs/training_help.md.

    Args:
        most: The largest batch to try; without it as many as there are training pictures, on a CPU 256, since a system
            ends programs that take too much memory.
        fit: Flags of fit that say what is trained; on the command line those that are typed.
    """
    limit = None if most is None else at_least(1, "most", most)
    training = build_training(fit)
    if not hasattr(training.data, "batch_size"):
        raise ConfigError(f"{type(training.data).__name__} has no batch_size to change; give another --data")
    pictures = _number_of_pictures(training.data)
    usual = pictures if training.settings["accelerator"] != "cpu" else min(pictures, MOST_ON_CPU)
    highest = min(limit or usual, pictures)
    tried: list[Trial] = []
    found = largest_batch(lambda size: _try(training, size), highest, lambda trial: _tell(trial, tried))
    if found is None:
        raise ConfigError("not even one picture fits into the memory; give a smaller --data.image_size or network")
    if all(trial.fits for trial in tried):
        reason = "there are no more pictures" if highest == pictures else f"give a higher --most than {highest}"
        print(f"the memory was not full: {reason}")
    print("another batch size wants another rate: lightning-seg lr-find finds one")
    print(f"--data.batch_size {found}")


def _number_of_pictures(data: Any) -> int:
    data.prepare_data()
    data.setup("fit")
    return len(data.train_dataloader().dataset)


def _try(training: Training, size: int) -> None:
    data: Any = training.data
    data.batch_size = size
    training.fit(STEPS)


def _tell(trial: Trial, tried: list[Trial]) -> None:
    tried.append(trial)
    print(f"{trial.size:>6}: {'fits' if trial.fits else 'out of memory'}", flush=True)


def run_flags(flags: Sequence[str]) -> None:
    """``batch-size-find`` with these flags, which may be any of ``fit``."""
    run_with_fit("batch-size-find", batch_size_find, flags)
