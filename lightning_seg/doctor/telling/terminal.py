"""A dataset and all findings as text: one page on the terminal."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

from lightning_seg.doctor.diagnosis import Diagnosis
from lightning_seg.doctor.findings import SEVERITIES, Finding, Severity
from lightning_seg.doctor.telling.number_lines import describe_numbers, wrapped
from lightning_seg.doctor.telling.speed_lines import describe_speed
from lightning_seg.doctor.telling.summary import Summary, describe_formats, shown_name, splits_table
from lightning_seg.doctor.telling.text_tables import in_columns, table
from lightning_seg.files import printable
from lightning_seg.numbers import count_of

SHOWN = 10
"""Files of a finding."""
NARROWEST, WIDEST, WITHOUT_TERMINAL = 40, 120, 100
LONGEST_DETAIL = 400
"""Letters; all of them are in findings.json."""
CODES = {"error": "1;31", "warning": "1;33", "note": "1;36", "good": "1;32", "bold": "1", "dim": "2"}
"""Of terminals, for bright red, yellow, cyan, green, and for bold and faint."""
MEANING = {
    "error": "would end or spoil a training",
    "warning": "costs some of the result",
    "note": "is good to know",
}


class Style(NamedTuple):
    """How wide lines are, and whether they have colours."""

    width: int = WITHOUT_TERMINAL
    coloured: bool = False

    def paint(self, text: str, code: str) -> str:
        """The text in a colour of ``CODES``, if there are any."""
        return f"\033[{CODES[code]}m{text}\033[0m" if self.coloured and text else text


def style_of_terminal() -> Style:
    """As wide as the terminal, in colours if it has some; NO_COLOR (https://no-color.org) has none."""
    width = shutil.get_terminal_size((WITHOUT_TERMINAL, 0)).columns
    plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return Style(min(max(width, NARROWEST), WIDEST), not plain)


def describe(diagnosis: Diagnosis, style: Style) -> str:
    """What is there, then all findings in groups, each with its files, effect and remedy."""
    summary, numbers, speed = diagnosis.summary, diagnosis.numbers, diagnosis.speed
    parts = [
        list(_head(summary, style)),
        list(table(splits_table(summary), "lrrl")) if summary.splits else [],
        [] if numbers is None else describe_numbers(numbers, style.width),
        [] if speed is None else describe_speed(speed, style.width),
        [wrapped(line, style.width) for line in diagnosis.run],
        *(list(_group(severity, diagnosis.findings, summary.root, style)) for severity in SEVERITIES),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def painted_verdict(diagnosis: Diagnosis, style: Style) -> str:
    """In red or green."""
    return style.paint(diagnosis.verdict, "error" if diagnosis.is_ill else "good")


def _head(summary: Summary, style: Style) -> Iterator[str]:
    classes = f", {count_of(len(summary.class_names), 'class')}" if summary.class_names else ""
    told = f"{summary.title}: {count_of(summary.pictures, 'picture')}{classes}"
    yield from (style.paint(line, "bold") for line in _wrapped(told, style.width))
    yield from _wrapped(describe_formats(summary), style.width)


def _group(severity: Severity, findings: Sequence[Finding], root: Path, style: Style) -> Iterator[str]:
    chosen = [finding for finding in findings if finding.severity == severity]
    if not chosen:
        return
    head = f"{severity.upper()}: {MEANING[severity]}"
    if len(chosen) > 1:
        head = f"{severity.upper()}S: each {MEANING[severity]}"
    yield from (style.paint(line, severity) for line in _wrapped(head, style.width))
    for finding in chosen:
        yield ""
        yield from _finding(finding, root, style)


def _finding(finding: Finding, root: Path, style: Style) -> Iterator[str]:
    kind, count = finding.kind, finding.count or len(finding.files)
    head, *more = _wrapped(f"{kind.name} ({count}): {kind.symptom}", style.width, "  ", "    ")
    yield head.replace(kind.name, style.paint(kind.name, finding.severity), 1)
    yield from more
    if finding.detail:
        yield from _wrapped(_short(finding.detail.replace(f"{root}{os.sep}", "")), style.width, "    ")
    # The line above may have named it.
    if len(finding.files) != 1 or not finding.detail.startswith(finding.files[0]):
        yield from (style.paint(line, "dim") for line in _files(finding.files, root, style.width))
    yield from _labelled("effect", finding.effect, style)
    yield from _labelled("remedy", finding.remedy or kind.remedy, style)


def _labelled(label: str, text: str, style: Style) -> Iterator[str]:
    head, *more = _wrapped(f"{label}  {text}", style.width, "    ", "            ")
    yield head.replace(label, style.paint(label, "bold"), 1)
    yield from more


def _files(files: Sequence[str], root: Path, width: int) -> Iterator[str]:
    names = [shown_name(name, root) for name in files[:SHOWN]]
    yield from in_columns(names, width, "      ")
    if len(files) > SHOWN:
        yield f"      and {len(files) - SHOWN} more"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_DETAIL else f"{text[:LONGEST_DETAIL].rstrip()}... (whole in findings.json)"


def _wrapped(text: str, width: int, first: str = "", further: str | None = None) -> list[str]:
    return wrap(
        printable(text),
        width,
        initial_indent=first,
        subsequent_indent=first if further is None else further,
        break_on_hyphens=False,
    )
