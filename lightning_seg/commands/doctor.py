"""``lightning-seg doctor``: what is in a dataset, what is wrong with it, and what follows."""

import inspect
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from traceback import walk_tb
from typing import Any

import pytorch_lightning as pl

from lightning_seg.arguments import Asked, Typed
from lightning_seg.cli.building import build_task
from lightning_seg.commands.data_flags import keep_data
from lightning_seg.commands.parsing import build_arguments
from lightning_seg.datamodules.base import DataModule
from lightning_seg.datamodules.image_folder import ImageFolderDataModule
from lightning_seg.doctor.advice.network import NO_NETWORK, Network
from lightning_seg.doctor.advice.numbers import numbers_of
from lightning_seg.doctor.advice.speed import look_at_speed
from lightning_seg.doctor.advice.suitability import check_numbers
from lightning_seg.doctor.diagnosis import Diagnosis
from lightning_seg.doctor.examination import LISTING, REFUSED, examine, hushed, opened_subject
from lightning_seg.doctor.findings import Finding, worst_first
from lightning_seg.doctor.own_data import as_known, without_folder
from lightning_seg.doctor.own_samples import LONGEST
from lightning_seg.doctor.run.look import RunLook, examine_run
from lightning_seg.doctor.subject import Subject
from lightning_seg.doctor.telling.report import write_report
from lightning_seg.doctor.telling.summary import summarize
from lightning_seg.doctor.telling.terminal import describe, painted_verdict, style_of_terminal
from lightning_seg.errors import ConfigError, DataError, RefusedError, UnhealthyError, UserError, one_line
from lightning_seg.explaining import causes, explain, user_error
from lightning_seg.json_files import write_json
from lightning_seg.numbers import check_number
from lightning_seg.runs import find_run
from lightning_seg.trust import find_class

OF_FIT = ("data", "run")
"""Arguments of ``doctor`` that are flags of ``fit``, too."""
ILL = "the findings that are errors would end or spoil a training; their remedies stand there"
BUILDING = ("lightning_seg.cli", "lightning_seg.tasks", "lightning_seg.models")
"""Rooms that tell a training by log lines what it will do with its config."""
NO_FLAGS = ("fit",)
"""Arguments of ``doctor`` that the command line gives it by itself."""
FINDINGS, NUMBERS, REPORT = "findings.json", "numbers.json", "report.html"


def doctor(
    data: pl.LightningDataModule | None = None,
    output: str | None = None,
    speed: bool = True,
    run: str | None = None,
    pictures: int = 500,
    fit: Sequence[str] = (),
) -> None:
    """Look at every file of a dataset, and say what is wrong, what follows and what to do.

    It also takes the flags of fit: one or several --config, --run RUN, --data.x VALUE, --model.x VALUE. The network of
    the config is not trained, but asked what suits it and how fast it is. With --run also how that training went, and
    what its best checkpoint answers to pictures that it was not trained on. The exit code is 1 where something would
    end or spoil a training, or has, 2 where the command itself is wrong, otherwise 0.

    Args:
        data: Class of the data.
        output: Folder for findings.json, numbers.json and report.html.
        speed: Measure for some 15 seconds how fast pictures are loaded and trained on.
        run: Run to look at, with its data.
        pictures: The most pictures of each split to show to the network of the run; 0 shows none.
        fit: Flags of fit that say which network is trained; on the command line those that are typed.
    """
    check_number("pictures", pictures, 500)
    if data is None:
        raise ConfigError("there is no data section; give --config pets, --run RUN or --data CLASS")
    if output is not None:
        _check_place(Path(output), data)
        _make(Path(output))
    network, unbuilt = _network(fit)
    with as_known(data) as known, opened_subject(known) as (subject, refused):
        look = _look_at_run(run, known, subject, pictures)
        found = [*refused, *unbuilt, *look.findings]
        diagnosis = _diagnose(subject, known, network, speed, found)
        diagnosis = diagnosis._replace(run=look.lines, curves=look.curves)
        _tell(subject, diagnosis, output, known)


def _look_at_run(run: str | None, data: DataModule[Any], subject: Subject, pictures: int) -> RunLook:
    if run is None:
        return RunLook([], [])
    try:
        return examine_run(find_run(run), data, subject, pictures)
    except DataError as error:
        # A file of the run, and none of the data.
        raise ConfigError(str(error)) from error


def _diagnose(
    subject: Subject, data: DataModule[Any], network: Network | None, speed: bool, known: Sequence[Finding]
) -> Diagnosis:
    findings = [*known, *examine(subject)]
    numbers = numbers_of(subject, data.image_size, network)
    if numbers is not None:
        findings += check_numbers(numbers, network)
    measured, about_speed = look_at_speed(subject, data, network) if speed else (None, [])
    findings += about_speed
    return Diagnosis(summarize(subject), numbers, measured, worst_first(findings))


def _check_place(output: Path, data: pl.LightningDataModule) -> None:
    """Raises ConfigError where the folder would be taken for one of a class."""
    if not isinstance(data, ImageFolderDataModule) or data.labels is not None:
        return
    if output.resolve().is_relative_to(data.root.resolve()):
        raise ConfigError(f"output {output} lies in {data.root}, where folders are classes; give one elsewhere")


def _make(folder: Path) -> None:
    """Raises ConfigError if nothing can be written there, before anything is looked at."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"output {folder}: no folder can be made there ({error.strerror}); give another") from error


def _write(folder: Path, subject: Subject, diagnosis: Diagnosis, data: DataModule[Any] | None) -> None:
    numbers, speed = diagnosis.numbers, diagnosis.speed
    write_json(folder / FINDINGS, without_folder([finding.as_dict() for finding in diagnosis.findings], data))
    write_json(folder / NUMBERS, {"numbers": numbers and numbers.as_dict(), "speed": speed and speed.as_dict()})
    size = write_report(folder / REPORT, subject, diagnosis)
    print(f"{folder / REPORT} ({size / 1e6:.1f} MB); all files of all findings are in {folder / FINDINGS}")


def run_flags(flags: Sequence[str]) -> None:
    """``doctor`` with these flags; data that cannot even be listed are a finding, too.

    Raises:
        UnhealthyError: if something would end or spoil a training.
        UserError: of any other kind, if the command itself is wrong.
    """
    try:
        fit = list(_for_fit(flags)) if _has_model(flags) else []
        with hushed(*LISTING):
            doctor(**_build(flags), fit=fit)
    # The parser wraps what a datamodule says when it is built.
    except (Exception, RefusedError) as error:
        own = user_error(error)
        if not isinstance(own, DataError):
            raise
        given = dict(pairwise(flags))
        subject = Subject(Path(given.get("--data.root", ".")), (), {}, {})
        diagnosis = Diagnosis(summarize(subject), None, None, [Finding(REFUSED, count=1, detail=str(own))])
        _tell(subject, diagnosis, given.get("--output"))


def _build(flags: Sequence[str]) -> dict[str, Any]:
    """The arguments of ``doctor``; an error in the constructor of the user's own datamodule is one about the data."""
    try:
        return build_arguments("doctor", doctor, prepare_flags(flags), flags, {"fit": ()})
    except Exception as error:
        name = Typed.of(Asked.of(flags)).classes.get("data")
        if name is None or find_class(name, "data") is not None or explain(error) is not None:
            raise
        own = next((cause for cause in causes(error) if not _is_of_parser(cause)), error)
        raise DataError(f"{name}: {type(own).__name__}: {one_line(own)[:LONGEST]}") from error


def _is_of_parser(error: BaseException) -> bool:
    """Whether the parser has raised it, about the error of a constructor."""
    frames = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
    return bool(frames) and frames[-1].startswith("jsonargparse")


def _tell(subject: Subject, diagnosis: Diagnosis, output: str | None, data: DataModule[Any] | None = None) -> None:
    style = style_of_terminal()
    print(describe(diagnosis, style))
    print(f"\n{painted_verdict(diagnosis, style)}")
    if output is not None:
        _write(Path(output), subject, diagnosis, data)
    if diagnosis.is_ill:
        raise UnhealthyError(ILL)


def prepare_flags(flags: Sequence[str]) -> list[str]:
    """The flags of ``fit`` as those of ``doctor``: those of the data, and the run."""
    return [
        *keep_data(flags, says_what_is_left=False),
        *(word for run in Asked.of(flags).runs[-1:] for word in ("--run", run)),
    ]


def _has_model(flags: Sequence[str]) -> bool:
    asked = Asked.of(flags)
    typed = Typed.of(asked)
    return bool(asked.runs) or "model" in typed.classes


def _for_fit(flags: Sequence[str]) -> Iterator[str]:
    """All but the flags of this command, with their values."""
    own, leaving = set(inspect.signature(doctor).parameters).difference(OF_FIT), False
    for word in flags:
        if word.startswith("--"):
            leaving = word.lstrip("-").partition("=")[0] in own
        if not leaving:
            yield word


def _network(fit: Sequence[str]) -> tuple[Network | None, list[Finding]]:
    if not fit:
        return None, []
    try:
        with hushed(*BUILDING):
            return Network(*build_task(fit)), []
    except UserError as error:
        return None, [Finding(NO_NETWORK, count=1, detail=str(error))]
