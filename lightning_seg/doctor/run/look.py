"""Looking at a run: the numbers of its training, and the answers of its best checkpoint."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from lightning_seg.batch import BoxPrediction
from lightning_seg.datamodules.base import DataModule
from lightning_seg.doctor.findings import Finding, Kind
from lightning_seg.doctor.run.answers import Answers, collect_answers, draw
from lightning_seg.doctor.run.history import History
from lightning_seg.doctor.run.predictions import NOT_APPLIED, WINDOWS_ONLY, describe_calibration, judge
from lightning_seg.doctor.run.training import check_training
from lightning_seg.doctor.subject import Subject
from lightning_seg.errors import ConfigError, UserError, WeightsError
from lightning_seg.numbers import count_of
from lightning_seg.predictor import Predictor
from lightning_seg.runs import Run

NO_NUMBERS = Kind(
    "weights-no-numbers",
    "error",
    "weights of the best checkpoint are NaN or infinite",
    "every answer is the same nothing",
    "an earlier checkpoint, or train anew with a lower --model.lr",
)
KINDS = (NO_NUMBERS,)


class RunLook(NamedTuple):
    """What was looked at, a line each, and what was found."""

    lines: list[str]
    findings: list[Finding]
    curves: Mapping[str, Mapping[int, float]] = MappingProxyType({})  # by metric and epoch


def examine_run(run: Run, data: DataModule[Any], subject: Subject, pictures: int) -> RunLook:
    """All findings about a run.

    Args:
        run: that was trained on the data.
        data: set up.
        subject: its pictures as they were looked at.
        pictures: the most of each split to show to the network; 0 shows none.

    Raises:
        DataError: if a file of the run cannot be read.
        ConfigError: likewise, of its config.
    """
    history = History.of(run)
    lines, findings = [f"run {run.folder}: {count_of(history.epochs, 'epoch')}"], list(check_training(history))
    if pictures:
        try:
            more = _look(run, history, data, subject, pictures)
        except WeightsError as error:
            more = RunLook([], [Finding(NO_NUMBERS, count=1, detail=str(error))])
        except UserError as error:
            more = RunLook([], [Finding(NOT_APPLIED, count=1, detail=str(error))])
        lines, findings = [*lines, *more.lines], [*findings, *more.findings]
    return RunLook(lines, findings, history.curves)


def _look(run: Run, history: History, data: DataModule[Any], subject: Subject, pictures: int) -> RunLook:
    _check_division(history, data)
    predictor = Predictor.from_run(run.chosen or run.folder)
    _check_classes(predictor.class_names, subject.class_names)
    parts = draw(subject, pictures, data.seed)
    if not parts:
        raise ConfigError("there are no pictures to validate or test on that can be read; mend the data first")
    answers = collect_answers(predictor, data, parts)
    drawn = f", drawn by seed {data.seed}"
    lines = [
        f"{part.split}: the network was shown {len(part.pictures)} of {count_of(part.total, 'picture')}"
        + drawn * (len(part.pictures) < part.total)
        for part in parts
    ]
    return RunLook([*lines, *_summary(answers)], list(_findings(predictor, answers, subject)))


def _findings(predictor: Predictor, answers: Answers, subject: Subject) -> Iterator[Finding]:
    yield from judge(answers, subject.class_names)
    if predictor.task.prediction is BoxPrediction:
        yield Finding(WINDOWS_ONLY, count=1)


def _summary(answers: Answers) -> list[str]:
    return [describe_calibration(answers)] if answers.matrix.any() else []


def _check_division(history: History, data: DataModule[Any]) -> None:
    """Raises ConfigError if pictures of the training may be among those to validate on."""
    for name in data.dividing:
        now, before = getattr(data, name, None), history.config.get(f"data.{name}")
        # Some arguments have no attribute of their name.
        if isinstance(now, int | float | str) and before is not None and now != before:
            raise ConfigError(
                f"data.{name} {now} instead of {before} divides the pictures anew, so the network has seen some of "
                "them; leave it out"
            )


def _check_classes(learned: Sequence[str], names: Sequence[str]) -> None:
    if tuple(learned) != tuple(names):
        raise ConfigError(
            f"the network has learned {len(learned)} classes ({', '.join(learned[:3])} ...), and the data has "
            f"{len(names)} ({', '.join(names[:3])} ...); give the data of the run"
        )
