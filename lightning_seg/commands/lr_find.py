"""``lightning-seg lr-find``: a learning rate to begin with."""

from collections.abc import Sequence

from lightning_seg.arguments import Asked, Typed
from lightning_seg.callbacks.run_record import loss_is
from lightning_seg.cli.building import Training, build_training
from lightning_seg.commands.fit_flags import run_with_fit
from lightning_seg.commands.outputs import checked_picture, save_picture
from lightning_seg.errors import ConfigError
from lightning_seg.numbers import check_number
from lightning_seg.plots.learning_rates import draw_rates
from lightning_seg.run_files import LOSS
from lightning_seg.tuning import RateSweep, Sweep

NO_FLAGS = ("fit",)
"""Arguments of ``lr_find`` that the command line gives it by itself."""
LEAST_STEPS = 20


def lr_find(
    output: str = "lr_find.png",
    min_lr: float = 1e-6,
    max_lr: float = 10.0,
    steps: int = 100,
    fit: Sequence[str] = (),
) -> None:
    """Train a few steps with a rate that grows from step to step, and suggest the one at which the loss falls fastest.

    It also takes the flags of fit: one or several --config, --run RUN, --data.x VALUE, --model.x VALUE. Nothing of the
    training is kept but the picture. See docs/training_help.md.

    Args:
        output: Picture file of the loss over the rate.
        min_lr: Rate of the first step.
        max_lr: Rate of the last step; a loss of four times the lowest ends the search before it.
        steps: How many.
        fit: Flags of fit that say what is trained; on the command line those that are typed.
    """
    path = checked_picture(output)
    check_number("min_lr", min_lr, 1e-6, positive=True)
    check_number("max_lr", max_lr, 10, positive=True)
    if not min_lr < max_lr:
        raise ConfigError(f"min_lr {min_lr:g} is not below max_lr {max_lr:g}; give a lower one")
    if steps < LEAST_STEPS:
        raise ConfigError(f"steps {steps} are too few; give {LEAST_STEPS} or more")
    if Typed.of(Asked.of(fit)).flag("--plots") is not None:
        raise ConfigError("plots says nothing here; --output lr_find.svg gives the picture another format")
    training = build_training(fit)
    sweep = sweep_rates(training, min_lr, max_lr, steps)
    suggested = sweep.steepest
    title = f"{type(training.task).__name__} on {type(training.data).__name__}"
    loss = loss_is(training.task).get(LOSS, "")
    save_picture(draw_rates(sweep.rates, sweep.losses, sweep.smoothed, suggested, sweep.lowest, title, loss), path)
    ended = "" if len(sweep.rates) == steps else f"; the search ended at {sweep.rates[-1]:.2g}, where it has run away"
    print(
        f"the loss falls fastest at a rate of {sweep.suggestion:.2g}, and is lowest at "
        f"{sweep.rates[sweep.lowest]:.2g}{ended}"
    )
    print(path)
    print(f"--model.lr {sweep.suggestion:.2g}")


def sweep_rates(training: Training, min_lr: float, max_lr: float, steps: int) -> Sweep:
    """Trains with growing rates; the weights change."""
    callback = RateSweep(min_lr, max_lr, steps)
    training.fit(steps + 1, [callback])
    return callback.sweep


def run_flags(flags: Sequence[str]) -> None:
    """``lr-find`` with these flags, which may be any of ``fit``."""
    run_with_fit("lr-find", lr_find, flags)
