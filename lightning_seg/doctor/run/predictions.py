"""Findings about a trained network, from its answers to the pictures to validate and test on."""

from collections.abc import Iterator, Sequence

import torch

from lightning_seg.doctor.findings import Finding, Kind, Shown
from lightning_seg.doctor.run.answers import Answers
from lightning_seg.metrics.calibration import as_rows, calibration_error, error_by_chance, overconfidence
from lightning_seg.metrics.label_errors import far_out, sure_margin, suspected_labels
from lightning_seg.numbers import count_of

COLLAPSED = Kind(
    "collapsed",
    "error",
    "the network gives one class as its answer to everything, though more classes are true",
    "its scores are those of one answer for all; nothing it says can be used",
    "another --model.lr, --model.class_weights auto where classes are rare; or look with preview whether labels and "
    "pictures belong together",
)
GUESSES = Kind(
    "no-better-than-guessing",
    "error",
    "classes are found about as often as a guess would find them",
    "nothing the network says can be used",
    "more epochs, another --model.lr; or look with preview whether labels and pictures belong together",
)
NEVER_PREDICTED = Kind(
    "never-predicted",
    "warning",
    "a class is true and never an answer",
    "it is always missed, which a mean over all pictures or pixels hides",
    "--model.class_weights auto; or more pictures of it",
)
MISCALIBRATED = Kind(
    "miscalibrated",
    "warning",
    "probabilities are far from the share of answers that are right",
    "thresholds, the most uncertain pictures and confidences in predictions mean something else than they say",
    "--model.label_smoothing 0.1 and fewer epochs where it is too sure; more epochs where it is not sure enough",
)
ODD_LABELS = Kind(
    "labels-worth-a-look",
    "note",
    "the network, which was not trained on these pictures, is sure of another class than the label",
    "labels that are wrong make scores wrong; where there are some, there are some among the training pictures",
    "look at the files, the worst first; move those that are wrong to their class",
)
ODD_MASKS = Kind(
    "masks-worth-a-look",
    "note",
    "the network, which was not trained on these pictures, is sure of another mask",
    "masks that are wrong make scores wrong; where there are some, there are some among the training pictures",
    "look at the files, the worst first (predict writes what the network says); paint those that are wrong anew",
)
NOT_APPLIED = Kind(
    "network-not-looked-at",
    "warning",
    "the best checkpoint was not applied to pictures",
    "whether predictions have collapsed, calibration, and labels worth a look are not known",
    "as the line says",
)
WINDOWS_ONLY = Kind(
    "boxes-not-looked-at",
    "note",
    "a detector was looked at as a classifier of windows",
    "what it finds in whole pictures is not known",
    "test --run RUN --original_size true compares its boxes",
)
KINDS = (COLLAPSED, GUESSES, NEVER_PREDICTED, MISCALIBRATED, ODD_LABELS, ODD_MASKS, NOT_APPLIED, WINDOWS_ONLY)

FAR_OFF = 0.1
"""Calibration error, beyond that of chance, that is badly off: answers called 90 % sure are right 80 times in 100.
Networks as they are trained usually stay below (Guo et al. 2017: 1 to 19 %, most below 10).
"""
NOTABLE = 0.2
"""Disagreement from which on a mask is worth a look, such as an IoU of 0.75 where the network is 80 % sure."""
FEW = 5
"""Pictures with a class from which on it says something that the class is never predicted."""


def judge(answers: Answers, names: Sequence[str]) -> Iterator[Finding]:
    """What counted answers say; of a network that knows nothing only that."""
    true, predicted = answers.matrix.sum(dim=1), answers.matrix.sum(dim=0)
    if not true.any():
        yield Finding(NOT_APPLIED, count=1, detail="nothing in the masks counts; correct --data.ignore_values")
        return
    if worthless := list(_worthless(answers, names)):
        yield from worthless
        return
    missed = [
        f"{name} (in {count_of(held, 'picture')})"
        for name, count, held in zip(names, predicted.tolist(), answers.pictures_with.tolist(), strict=True)
        if not count and held >= FEW
    ]
    if missed:
        yield Finding(NEVER_PREDICTED, count=len(missed), detail=", ".join(missed))
    yield from _calibration(answers)
    yield from _odd_labels(answers, names) if answers.labels else _odd_masks(answers)


def _worthless(answers: Answers, names: Sequence[str]) -> Iterator[Finding]:
    true, predicted = answers.matrix.sum(dim=1), answers.matrix.sum(dim=0)
    present = true > 0
    if present.sum() < 2:
        return
    if predicted.count_nonzero() == 1:
        yield Finding(COLLAPSED, count=len(answers.paths), detail=f"every answer is {names[int(predicted.argmax())]}")
        return
    found = (answers.matrix.diag()[present] / true[present]).mean().item()
    guess = 1 / int(present.sum())
    # A tenth of the way to perfect, or what chance does not reach with so many pictures.
    least = min(0.1 * (1 - guess), 2 * (guess * (1 - guess) / len(answers.paths)) ** 0.5)
    if found < guess + least:
        detail = f"on average {found:.1%} of a class are found; guessing finds {guess:.1%}"
        yield Finding(GUESSES, count=len(answers.paths), detail=detail)


def _calibration(answers: Answers) -> Iterator[Finding]:
    counts, samples = answers.reliability, len(answers.paths)
    error, chance, excess = calibration_error(counts), error_by_chance(counts, samples), overconfidence(counts)
    if error - chance <= FAR_OFF:
        return
    yield Finding(
        MISCALIBRATED,
        count=samples,
        detail=describe_calibration(answers),
        remedy="--model.label_smoothing 0.1, or fewer epochs" if excess > 0 else "more epochs, or less label_smoothing",
        figures={"error": error, "by_chance": chance, "overconfidence": excess, "bins": as_rows(counts)},
    )


def describe_calibration(answers: Answers) -> str:
    """A line with the figures."""
    counts = answers.reliability
    right = (counts.right.sum() / counts.answers.sum()).item()
    error, chance, excess = (
        calibration_error(counts),
        error_by_chance(counts, len(answers.paths)),
        overconfidence(counts),
    )
    what = "pictures" if answers.labels else "pixels"
    return (
        f"{right:.1%} of the {what} are right, mean confidence {right + excess:.1%}; expected calibration error "
        f"{error:.3f}, where so few pictures give up to {chance:.3f} by chance"
    )


def _odd_labels(answers: Answers, names: Sequence[str]) -> Iterator[Finding]:
    probs, labels = torch.cat(answers.probs), torch.cat(answers.labels)
    found = suspected_labels(probs, labels, sure_margin(probs, labels))
    if not found:
        return
    captions = [f"{names[int(labels[one.picture])]}, looks like {names[one.proposed]}" for one in found]
    agreed = (probs.argmax(dim=1) == labels).float().mean().item()
    detail = (
        f"the first are {'; '.join(captions[:3])}. The network agrees with {agreed:.1%} of all labels: the fewer, the "
        "more of these are mistakes of its own"
    )
    files = [answers.paths[one.picture] for one in found]
    figures = {"pictures": captions, "margins": [round(one.margin, 4) for one in found], "agreed": agreed}
    shown = Shown([[file] for file in files], captions)
    yield Finding(ODD_LABELS, files, detail=detail, figures=figures, shown=shown)


def _odd_masks(answers: Answers) -> Iterator[Finding]:
    scores = torch.cat(answers.scores)
    if found := far_out(scores, NOTABLE):
        usual = scores[~scores.isnan()].median().item()
        detail = f"disagreement {scores[found[0]]:.2f} of the first, {usual:.2f} is usual"
        told = [round(scores[index].item(), 4) for index in found]
        files = [answers.paths[index] for index in found]
        shown = Shown([[file] for file in files], [f"disagreement {score:.2f}" for score in told], masks=True)
        yield Finding(ODD_MASKS, files, detail=detail, figures={"scores": told, "usual": usual}, shown=shown)
