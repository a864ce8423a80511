"""``lightning-seg doctor``: what is in a dataset, what is wrong with it, and what follows."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl

from lightning_seg.arguments import Asked
from lightning_seg.commands.data_flags import keep_data
from lightning_seg.datamodules.base import DataModule
from lightning_seg.doctor.examination import examine, opened_subject
from lightning_seg.doctor.findings import SEVERITIES, Finding, worst_first
from lightning_seg.doctor.run import RunLook, examine_run
from lightning_seg.doctor.terminal import describe
from lightning_seg.errors import ConfigError, UnhealthyError
from lightning_seg.json_files import write_json
from lightning_seg.numbers import check_number
from lightning_seg.runs import find_run


def doctor(
    data: pl.LightningDataModule | None = None, output: str | None = None, run: str | None = None, pictures: int = 500
) -> None:
    """Look at every file of a dataset, and say what is wrong, what follows and what to do.

    With --run RUN also at how that training went, and at what its best checkpoint answers to the pictures that it was
    not trained on. It also takes the flags of fit: one or several --config, --data.x VALUE. Those that are not about
    data are left aside. The exit code is 1 where something would end or spoil a training, or has, otherwise 0.

    Args:
        data: Class of the data.
        output: Folder for findings.json and report.html.
        run: Run to look at, with its data.
        pictures: The most pictures of each split to show to the network of the run; 0 shows none.
    """
    check_number("pictures", pictures, 500)
    if data is None:
        raise ConfigError("there is no data section; give --config pets, --run RUN or --data CLASS")
    if not isinstance(data, DataModule):
        raise ConfigError(f"{type(data).__name__} is no datamodule of lightning_seg; doctor knows the files of those")
    with opened_subject(data) as (subject, refused):
        look = RunLook([], []) if run is None else examine_run(find_run(run), data, subject, pictures)
        findings = worst_first([*refused, *examine(subject), *look.findings])
        for split, dataset in subject.splits.items():
            print(f"{split}: {len(dataset)} pictures")
        print(*look.lines, "", sep="\n")
        print(describe(findings, subject.root))
    if output is not None:
        write_json(Path(output) / "findings.json", [finding.as_dict() for finding in findings])
    _conclude(findings)


def prepare_flags(flags: Sequence[str]) -> list[str]:
    """The flags of ``fit`` as those of ``doctor``, which also wants to know the run."""
    return [*keep_data(flags), *(word for run in Asked.of(flags).runs[-1:] for word in ("--run", run))]


def _conclude(findings: Sequence[Finding]) -> None:
    counts = Counter(finding.severity for finding in findings)
    told = ", ".join(f"{counts[severity]} {severity}{'s' * (counts[severity] != 1)}" for severity in SEVERITIES)
    print(told)
    if counts["error"]:
        raise UnhealthyError("the findings that are errors would end or spoil a training; their remedies stand there")
