"""What a dataset holds and all findings as text: one page on the terminal."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

import numpy as np

from lightning_seg.doctor.findings import SEVERITIES, Finding, Severity
from lightning_seg.doctor.summary import ClassSummary, SplitSummary, Summary
from lightning_seg.doctor.text_tables import in_columns, table
from lightning_seg.files import printable

SHOWN = 10
"""Files of a finding."""
FORMATS = 5
FEW_CLASSES = 12
"""Up to so many classes have a line each."""
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


def describe(summary: Summary, findings: Sequence[Finding], style: Style) -> str:
    """What is there, then all findings in groups, each with its files, effect and remedy."""
    groups = [list(_group(severity, findings, summary.root, style)) for severity in SEVERITIES]
    return "\n\n".join("\n".join(lines) for lines in (list(_summary(summary, style)), *groups) if lines)


def verdict(findings: Iterable[Finding], style: Style) -> str:
    """One line: how many of which severity, and whether a training would suffer."""
    counts = Counter(finding.severity for finding in findings)
    told = ", ".join(_number(counts[severity], severity) for severity in SEVERITIES)
    if counts["error"]:
        return style.paint(f"{told}: a training would end or be spoilt", "error")
    return style.paint(f"{told}: nothing would end or spoil a training", "good")


def _summary(summary: Summary, style: Style) -> Iterator[str]:
    classes = f", {_number(len(summary.classes), 'class')}" if summary.classes else ""
    told = f"{summary.root}: {_number(summary.pictures, 'picture')}{classes}"
    yield from (style.paint(line, "bold") for line in _wrapped(told, style.width))
    yield from _wrapped(describe_formats(summary), style.width)
    yield ""
    yield from table([("split", "pictures", "unusable", "width x height"), *map(_split_row, summary.splits)], "lrrl")
    if 0 < len(summary.classes) <= FEW_CLASSES:
        yield ""
        heads = ("class", *(split.name for split in summary.splits), f"of the {summary.counted} to train on")
        rows = [(one.name, *map(str, one.pictures.values()), f"{one.share:.2%}") for one in summary.classes]
        yield from table([heads, *rows], "l" + "r" * len(heads))
    elif summary.classes and summary.splits:
        yield ""
        yield from _wrapped(many_classes(summary.classes, summary.splits[0].name), style.width)


def _split_row(split: SplitSummary) -> tuple[str, ...]:
    return split.name, str(split.pictures), str(split.unusable or ""), describe_sizes(split.sizes)


def describe_formats(summary: Summary) -> str:
    """The most frequent formats of the pictures that can be read."""
    shown = ", ".join(f"{number} {name}" for name, number in summary.formats[:FORMATS])
    return f"{shown}, and others" if len(summary.formats) > FORMATS else shown


def describe_sizes(sizes: np.ndarray[tuple[int, int], np.dtype[np.int32]]) -> str:
    """Smallest, median and largest of sizes ``(N, 2)``, by area, as width x height."""
    if not len(sizes):
        return ""
    order = np.argsort(sizes.astype(np.int64).prod(axis=1), kind="stable")
    small, middle, large = (
        f"{width}x{height}" for height, width in sizes[order[[0, len(order) // 2, -1]]].tolist()
    )
    return small if small == large else f"{small} to {large}, median {middle}"


def many_classes(classes: Sequence[ClassSummary], split: str) -> str:
    """Where there are too many classes for a line each."""
    ordered = sorted(classes, key=lambda one: one.pictures[split])
    middle = ordered[len(ordered) // 2].pictures[split]
    ends = [", ".join(f"{one.name} {one.pictures[split]}" for one in part) for part in (ordered[:5], ordered[:-6:-1])]
    return f"pictures of each class in {split}: fewest {ends[0]}; half of them {middle} or more; most {ends[1]}"


def _group(severity: Severity, findings: Sequence[Finding], root: Path, style: Style) -> Iterator[str]:
    chosen = [finding for finding in findings if finding.severity == severity]
    if not chosen:
        return
    yield style.paint(f"{severity.upper()}{'S' * (len(chosen) != 1)}: {'each ' * (len(chosen) > 1)}{MEANING[severity]}", severity)
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
    yield from _labelled("effect", kind.effect, style)
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


def shown_name(name: str, root: Path) -> str:
    """A file's path below the root, without control characters."""
    path = Path(name)
    return printable(str(path.relative_to(root) if path.is_relative_to(root) else path))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_DETAIL else f"{text[:LONGEST_DETAIL].rstrip()}... (whole in findings.json)"


def _wrapped(text: str, width: int, first: str = "", further: str | None = None) -> list[str]:
    indents = {"initial_indent": first, "subsequent_indent": first if further is None else further}
    return wrap(printable(text), width, **indents, break_on_hyphens=False)


def _number(number: int, name: str) -> str:
    plural = "" if number == 1 else "es" if name.endswith("s") else "s"
    return f"{number} {name}{plural}"
