"""``lightning-seg doctor``: what is in a dataset, what is wrong with it, and what follows."""

import inspect
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytorch_lightning as pl

from lightning_seg.arguments import Asked, Typed
from lightning_seg.cli.building import build_task
from lightning_seg.commands.data_flags import keep_data
from lightning_seg.datamodules.base import DataModule
from lightning_seg.doctor.examination import examine, opened_subject
from lightning_seg.doctor.findings import SEVERITIES, Finding, Kind, worst_first
from lightning_seg.doctor.network import Network
from lightning_seg.doctor.number_lines import describe_numbers
from lightning_seg.doctor.numbers import numbers_of
from lightning_seg.doctor.speed import look_at_speed
from lightning_seg.doctor.speed_lines import describe_speed
from lightning_seg.doctor.suitability import check_numbers
from lightning_seg.doctor.terminal import describe
from lightning_seg.errors import ConfigError, UnhealthyError, UserError
from lightning_seg.json_files import write_json

OF_FIT = ("data", "run")
"""Arguments of ``doctor`` that are flags of ``fit``, too."""
NO_NETWORK = Kind(
    "network-refused",
    "error",
    "fit ends with this line",
    "nothing can be trained; what suits the network, and its speed, were not looked at",
    "as the line says",
)
KINDS = (NO_NETWORK,)


def doctor(
    data: pl.LightningDataModule | None = None,
    output: str | None = None,
    speed: bool = True,
    fit: Sequence[str] = (),
) -> None:
    """Look at every file of a dataset, and say what is wrong, what follows and what to do.

    It also takes the flags of fit: one or several --config, --run RUN, --data.x VALUE, --model.x VALUE. The network of
    the config is not trained, but asked what suits it and how fast it is. The exit code is 1 where something would end
    or spoil a training, otherwise 0.

    Args:
        data: Class of the data.
        output: Folder for findings.json, numbers.json and report.html.
        speed: Measure for some 15 seconds how fast pictures are loaded and trained on.
        fit: Flags of fit that say which network is trained; the command takes its own.
    """
    if data is None:
        raise ConfigError("there is no data section; give --config pets, --run RUN or --data CLASS")
    if not isinstance(data, DataModule):
        raise ConfigError(f"{type(data).__name__} is no datamodule of lightning_seg; doctor knows the files of those")
    network, unbuilt = _network(fit)
    with opened_subject(data) as (subject, refused):
        findings = [*refused, *unbuilt, *examine(subject)]
        lines = [f"{split}: {len(pictures)} pictures" for split, pictures in subject.splits.items()]
        numbers = numbers_of(subject, data.image_size, network)
        if numbers is not None:
            findings += check_numbers(numbers, network)
            lines += ["", *describe_numbers(numbers)]
        measured, about_speed = look_at_speed(subject, data, network) if speed else (None, [])
        findings += about_speed
        if measured is not None:
            lines += ["", *describe_speed(measured)]
        findings = worst_first(findings)
        print("\n".join([*lines, "", describe(findings, subject.root)]))
    if output is not None:
        write_json(Path(output) / "findings.json", [finding.as_dict() for finding in findings])
        plain = {"numbers": numbers and numbers.as_dict(), "speed": measured and measured.as_dict()}
        write_json(Path(output) / "numbers.json", plain)
    _conclude(findings)


def prepare_flags(flags: Sequence[str]) -> list[str]:
    """The flags of ``fit`` as those of ``doctor``: those of the data, and all of them as a list for the network."""
    kept = keep_data(flags, says_what_is_left=False)
    return [*kept, f"--fit={json.dumps(list(_for_fit(flags)))}"] if _has_model(flags) else kept


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
        return Network(*build_task(fit)), []
    except UserError as error:
        return None, [Finding(NO_NETWORK, count=1, detail=str(error))]


def _conclude(findings: Sequence[Finding]) -> None:
    counts = Counter(finding.severity for finding in findings)
    told = ", ".join(f"{counts[severity]} {severity}{'s' * (counts[severity] != 1)}" for severity in SEVERITIES)
    print(told)
    if counts["error"]:
        raise UnhealthyError("the findings that are errors would end or spoil a training; their remedies stand there")
