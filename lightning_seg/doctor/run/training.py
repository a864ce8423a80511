"""Findings about a training, from the numbers in its run folder."""

from collections.abc import Callable, Iterator
from math import ceil
from shlex import quote

from lightning_seg.doctor.findings import Finding, Kind
from lightning_seg.doctor.run.curves import (
    Curve,
    has_fallen,
    highest_jump,
    improves,
    is_rising_still,
    is_slow,
    overfit,
    relapse,
    settled,
    unsteadiness,
    worst_values,
)
from lightning_seg.doctor.run.history import History
from lightning_seg.numbers import are, count_of

LOWER_RATE = "a tenth of the rate, --model.lr {lower}, or --trainer.gradient_clip_val 1"
HIGHER_RATE = "three times the rate, --model.lr {higher}"
GOING_ON = "fit --run {run} --trainer.max_epochs {twice}"

DIVERGED = Kind(
    "diverged",
    "error",
    "the loss had fallen and ends as high as it began, or it was no number",
    "what was learned is lost again: the weights of the last epoch are worth nothing, those of the best one little",
    "train anew with a lower --model.lr, or --trainer.gradient_clip_val 1",
)
NEVER_LEARNED = Kind(
    "never-learned",
    "error",
    "neither does the loss of training fall, nor does validation get better",
    "the network knows as much as before its training",
    "look with preview whether pictures and labels belong together; then try --model.lr ten times lower and higher",
)
JUMPED = Kind(
    "loss-jumped",
    "warning",
    "the loss of training rises by half or more from one epoch to the next",
    "the epochs until it has recovered are lost; with bad luck the next training does not recover",
    "a lower --model.lr, or --trainer.gradient_clip_val 1; look for broken pictures and labels",
)
UNSTEADY = Kind(
    "unsteady-loss",
    "warning",
    "the loss of training goes up and down and no longer falls",
    "steps are larger than what is left to learn, so which epoch is good is a matter of chance",
    "a lower --model.lr, or a schedule that ends low: --model.schedule cosine",
)
SLOW = Kind(
    "slow-learning",
    "warning",
    "the loss of training falls little, and at the end as fast as at the beginning",
    "the training ends long before the network has learned what it could",
    "a higher --model.lr, or more epochs",
)
OVERFITS = Kind(
    "overfits",
    "warning",
    "the loss of validation rises while that of training falls",
    "the network learns its training pictures by heart, and gets too sure of wrong answers to others",
    "--data.augment true, more pictures, --model.weight_decay 0.01, or fewer epochs: --early_stopping 5",
)
SETTLED = Kind(
    "stopped-improving",
    "note",
    "validation gets no better for the last epochs",
    "their time is lost; the best checkpoint is kept",
    "--early_stopping 5",
)
RISING = Kind(
    "still-improving",
    "note",
    "validation is best at the end, and was getting better",
    "more epochs would probably give a better network",
    "fit --run RUN with more --trainer.max_epochs",
)
STOPPED = Kind(
    "stopped-early",
    "note",
    "the training ended before its given epochs, by early stopping or a limit of time",
    "nothing, if that was meant; the schedule of the learning rate has not come to its end",
    "fit --run RUN with more patience (--early_stopping N) goes on",
)
BROKEN_OFF = Kind(
    "broken-off",
    "warning",
    "the training ended before its given epochs, by an error, a signal or a full disk",
    "the network has had less training than was meant, and the rate has not come to the end of its schedule",
    "fit --run RUN goes on from its last checkpoint",
)
TRAINING = Kind(
    "still-training",
    "note",
    "a command trains in the folder of the run",
    "its numbers are those until now",
    "wait for its end",
)
NO_CURVES = Kind(
    "no-curves",
    "note",
    "the run has numbers of fewer than three epochs, or no metrics.csv",
    "nobody can say from the numbers how the training went",
    "fit --run RUN with more --trainer.max_epochs, and leave --trainer.logger false out",
)
KINDS = (
    *(DIVERGED, NEVER_LEARNED, JUMPED, UNSTEADY, SLOW, OVERFITS),
    *(SETTLED, RISING, STOPPED, BROKEN_OFF, TRAINING, NO_CURVES),
)
LEAST_EPOCHS = 3
GOOD_ALREADY = 0.9
"""A score from which on there is little to learn, so that a flat curve is no fault."""
LOSSES = ("train/loss", "val/loss")


def check_training(history: History) -> Iterator[Finding]:
    """What the curves and the end of a training say."""
    yield from _end(history)
    if worst := worst_values(history.curves, LOSSES):
        detail = ", ".join(f"{name} is no number since epoch {epoch}" for name, epoch in worst)
        yield Finding(DIVERGED, count=1, detail=detail, remedy=_remedy(history, LOWER_RATE))
        return
    loss = history.curve("train/loss")
    if len(loss) < LEAST_EPOCHS:
        yield Finding(NO_CURVES, count=len(loss), detail=f"{count_of(len(loss), 'epoch')} with a train/loss")
        return
    # What spoils everything explains the rest.
    for judge in (_diverged, _never_learned):
        if found := list(judge(history, loss)):
            yield from found
            return
    for other in OTHERS:
        yield from other(history, loss)


def _diverged(history: History, loss: Curve) -> Iterator[Finding]:
    if found := relapse(loss):
        detail = (
            f"the loss of training began at {loss.values[0]:.3g}, was {found.lowest:.3g} after epoch {found.epoch}, "
            f"and ends at {found.last:.3g}"
        )
        yield Finding(DIVERGED, count=1, detail=detail, remedy=_remedy(history, LOWER_RATE), figures=found._asdict())


def _never_learned(history: History, loss: Curve) -> Iterator[Finding]:
    score = history.score()
    learns = has_fallen(loss) or (len(score) > 0 and improves(score))
    if learns or (score and max(score.values) >= GOOD_ALREADY):
        return
    detail = (
        f"the loss of training is {loss.values[0]:.4g} after epoch 1 and {loss.last:.4g} at the end, with a noise of "
        f"{loss.noise:.2g}"
    )
    if score:
        begun, best = history.logged(score.values[0]), _best(history, score)
        detail += (
            f"; {history.monitor or 'val/loss'} is {begun:.3g} after epoch {score.epochs[0]} and at best {best:.3g}"
        )
    yield Finding(NEVER_LEARNED, count=1, detail=detail)


def _jumped(history: History, loss: Curve) -> Iterator[Finding]:
    if jump := highest_jump(loss):
        detail = f"from {jump.before:.3g} to {jump.after:.3g} in epoch {jump.epoch} of {loss.epochs[-1]}"
        yield Finding(JUMPED, count=1, detail=detail, remedy=_remedy(history, LOWER_RATE), figures=jump._asdict())


def _unsteady(history: History, loss: Curve) -> Iterator[Finding]:
    if share := unsteadiness(loss):
        detail = f"over the second half of the epochs its noise is {share:.0%} of its level"
        yield Finding(UNSTEADY, count=1, detail=detail, figures={"noise_share": share})


def _slow(history: History, loss: Curve) -> Iterator[Finding]:
    if is_slow(loss):
        detail = (
            f"from {loss.values[0]:.4g} to {loss.last:.4g} in {count_of(len(loss), 'epoch')}, along a straight line"
        )
        remedy = _remedy(history, f"{HIGHER_RATE}; or more epochs, {GOING_ON}")
        yield Finding(SLOW, count=1, detail=detail, remedy=remedy)


def _overfits(history: History, loss: Curve) -> Iterator[Finding]:
    val = history.curve("val/loss")
    if len(val) < LEAST_EPOCHS or not (found := overfit(loss, val)):
        return
    detail = (
        f"since epoch {found.since} of {val.epochs[-1]}: the loss of validation rises from {found.lowest:.3g} to "
        f"{found.last:.3g}, and its distance to that of training from {found.gap_then:.3g} to {found.gap_now:.3g}"
    )
    score = history.score()
    if history.monitor not in (None, "val/loss") and score.last >= max(score.smooth) - 2 * score.noise:
        detail += f"; {history.monitor} keeps its level, so it is the confidence that is wrong rather than the answers"
    yield Finding(OVERFITS, count=1, detail=detail, figures=found._asdict())


def _settled(history: History, loss: Curve) -> Iterator[Finding]:
    score = history.score()
    if len(score) < LEAST_EPOCHS:
        return
    epoch, all_epochs = settled(score), score.epochs[-1]
    lost = all_epochs - epoch
    if lost < max(LEAST_EPOCHS, 0.3 * all_epochs) or history.stopped_early:
        return
    name, best = history.monitor or "val/loss", _best(history, score)
    detail = (
        f"{name} is as good after epoch {epoch} of {all_epochs} as ever but for noise; the best value is {best:.4g}"
    )
    patience = max(LEAST_EPOCHS, ceil(all_epochs / 10))
    yield Finding(
        SETTLED,
        count=lost,
        detail=detail,
        remedy=f"--early_stopping {patience} stops after {count_of(patience, 'validation')} without a better one",
        figures={"epoch": epoch, "epochs": all_epochs, "best": best},
    )


def _rising(history: History, loss: Curve) -> Iterator[Finding]:
    score = history.score()
    if len(score) < LEAST_EPOCHS or not is_rising_still(score):
        return
    best, epoch = _best(history, score), score.epochs[score.values.index(max(score.values))]
    detail = f"{history.monitor or 'val/loss'} is best ({best:.4g}) after epoch {epoch} of {score.epochs[-1]}"
    yield Finding(RISING, count=1, detail=detail, remedy=_remedy(history, GOING_ON))


OTHERS: tuple[Callable[[History, Curve], Iterator[Finding]], ...] = (
    *(_jumped, _unsteady, _slow, _overfits, _settled, _rising),
)


def _end(history: History) -> Iterator[Finding]:
    done, asked = history.epochs, history.max_epochs
    if history.is_training:
        yield Finding(
            TRAINING, count=1, detail=f"{count_of(done, 'epoch')} {are(done)} done" + (f" of {asked}" if asked else "")
        )
    elif asked is not None and done < asked:
        kind, detail = (STOPPED if history.stopped_early else BROKEN_OFF), f"after {done} of {count_of(asked, 'epoch')}"
        goes_on = "fit --run {run}" + (" with more patience: --early_stopping N" if history.stopped_early else "")
        yield Finding(kind, count=1, detail=detail, remedy=_remedy(history, goes_on))


def _best(history: History, score: Curve) -> float:
    return history.logged(max(score.values))


def _remedy(history: History, text: str) -> str:
    """With the folder, the rates and the number of epochs of this run."""
    lr, epochs = history.lr, max(1, history.epochs)
    rates = {"lower": "X", "higher": "X"} if lr is None else {"lower": f"{lr / 10:.3g}", "higher": f"{lr * 3:.3g}"}
    return text.format(run=quote(history.name), twice=2 * epochs, **rates)
