"""``lightning-seg doctor``: what is in a dataset, what is wrong with it, and what follows."""

from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl

from lightning_seg.commands.data_flags import keep_data as prepare_flags
from lightning_seg.datamodules.base import DataModule
from lightning_seg.doctor.examination import examine, opened_subject
from lightning_seg.doctor.findings import Finding, worst_first
from lightning_seg.doctor.numbers import Numbers, numbers_of
from lightning_seg.doctor.report import write_report
from lightning_seg.doctor.subject import Subject
from lightning_seg.doctor.summary import summarize
from lightning_seg.doctor.terminal import describe, painted_verdict, style_of_terminal
from lightning_seg.errors import ConfigError, UnhealthyError
from lightning_seg.json_files import write_json

__all__ = ["doctor", "prepare_flags"]
FINDINGS, REPORT = "findings.json", "report.html"


def doctor(data: pl.LightningDataModule | None = None, output: str | None = None) -> None:
    """Look at every file of a dataset, and say what is wrong, what follows and what to do.

    It also takes the flags of fit: one or several --config, --run RUN, --data.x VALUE. Those that are not about data
    are left aside. The exit code is 1 where something would end or spoil a training, otherwise 0.

    Args:
        data: Class of the data.
        output: Folder for findings.json and report.html.
    """
    if data is None:
        raise ConfigError("there is no data section; give --config pets, --run RUN or --data CLASS")
    if not isinstance(data, DataModule):
        raise ConfigError(f"{type(data).__name__} is no datamodule of lightning_seg; doctor knows the files of those")
    with opened_subject(data) as (subject, refused):
        findings = worst_first([*refused, *examine(subject)])
        _tell(subject, numbers_of(subject, data.image_size), findings, None if output is None else Path(output))
    if any(finding.severity == "error" for finding in findings):
        raise UnhealthyError("the findings that are errors would end or spoil a training; their remedies stand there")


def _tell(subject: Subject, numbers: Numbers | None, findings: Sequence[Finding], output: Path | None) -> None:
    style, summary = style_of_terminal(), summarize(subject)
    print(describe(summary, numbers, findings, style))
    print(f"\n{painted_verdict(findings, style)}")
    if output is not None:
        write_json(output / FINDINGS, [finding.as_dict() for finding in findings])
        size = write_report(output / REPORT, subject, summary, numbers, findings)
        print(f"{output / REPORT} ({size / 1e6:.1f} MB); all files of all findings are in {output / FINDINGS}")
