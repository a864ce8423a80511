"""The report: one HTML page with pictures that needs no server, no network and no scripts."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader

import lightning_seg
from lightning_seg.doctor.exhibits import Exhibit, exhibits_of, questions_of
from lightning_seg.doctor.findings import Finding
from lightning_seg.doctor.marking import pieces
from lightning_seg.doctor.numbers import Numbers
from lightning_seg.doctor.page import (
    Table,
    classes_table,
    colours_table,
    describe_formats,
    shown_name,
    size_advice,
    splits_table,
    verdict,
)
from lightning_seg.doctor.subject import Subject
from lightning_seg.doctor.summary import Summary
from lightning_seg.files import printable, replace_text
from lightning_seg.plots.dataset import draw_shares, draw_sizes
from lightning_seg.plots.figures import figure_to_svg
from lightning_seg.plots.palette import class_palette

NAMED = 200
"""Files of a finding that the page names; findings.json has all."""
LONGEST = 2000
"""Letters of a text."""


class Chart(NamedTuple):
    """A drawing of the page."""

    caption: str
    svg: str


def write_report(
    path: Path, subject: Subject, summary: Summary, numbers: Numbers | None, findings: Sequence[Finding]
) -> int:
    """Write the page, completely or not at all.

    Returns:
        Its size in bytes. It is bounded: see ``exhibits.MAX_BYTES`` for its pictures, and NAMED for names of files.
    """
    text = render(subject, summary, numbers, findings)
    replace_text(path, text)
    return path.stat().st_size


def render(subject: Subject, summary: Summary, numbers: Numbers | None, findings: Sequence[Finding]) -> str:
    """The page."""
    environment = Environment(loader=PackageLoader("lightning_seg.doctor"), autoescape=True)
    environment.finalize = _finalized
    root = summary.root
    exhibits = exhibits_of(subject, findings)
    return environment.get_template("report.html").render(
        root=str(root),
        verdict=verdict(findings),
        counts=Counter(finding.severity for finding in findings),
        made=f"looked at on {datetime.now():%Y-%m-%d %H:%M}",
        about=describe_formats(summary),
        advice="" if numbers is None else size_advice(numbers),
        tables=list(_tables(summary, numbers)),
        colours=_colours(numbers),
        charts=list(_charts(summary, numbers)),
        findings=[_shown(finding, some, root) for finding, some in zip(findings, exhibits, strict=True)],
        version=lightning_seg.__version__,
        pieces=pieces,
    )


def _finalized(value: Any) -> Any:
    """Names of files may hold control characters and bytes that are no UTF-8."""
    return printable(value) if type(value) is str else value


def _tables(summary: Summary, numbers: Numbers | None) -> Iterator[Table]:
    if summary.splits:
        yield splits_table(summary)
    if numbers is not None:
        yield from filter(None, [classes_table(numbers) if numbers.classes else None, colours_table(numbers)])


def _colours(numbers: Numbers | None) -> list[str]:
    """Of the classes, as masks and boxes are drawn."""
    if numbers is None or numbers.counted == "pictures":
        return []
    number = len(numbers.classes)
    return [f"#{bytes(colour).hex()}" for colour in class_palette(number)[:number]]


def _charts(summary: Summary, numbers: Numbers | None) -> Iterator[Chart]:
    if numbers is not None and any(one.share for one in numbers.classes):
        names, shares = zip(*((one.name, one.share) for one in numbers.classes), strict=True)
        figure = draw_shares(names, shares, numbers.counted)
        yield Chart(f"Share of each class in the {numbers.counted} to train on", figure_to_svg(figure, "shares"))
    if len(summary.sizes):
        caption = "How many pictures have which shorter side, and which shape"
        yield Chart(caption, figure_to_svg(draw_sizes(summary.sizes), "sizes"))


def _shown(finding: Finding, exhibits: Sequence[Exhibit], root: Path) -> dict[str, Any]:
    """What the page says of a finding."""
    kind, total = finding.kind, len(finding.files)
    left = len(questions_of(finding)) - len(exhibits)
    return {
        "severity": finding.severity,
        "name": kind.name,
        "count": finding.count or total,
        "symptom": kind.symptom,
        "detail": _short(finding.detail.replace(f"{root}/", "")),
        "effect": kind.effect,
        "remedy": finding.remedy or kind.remedy,
        "exhibits": [_named(exhibit, root) for exhibit in exhibits if exhibit.panels],
        "left_out": f"{left} more are not drawn, since the page would become too large" if left else "",
        # Those that are drawn have their names there.
        "files": [shown_name(name, root) for name in islice(finding.files, NAMED)] if total > len(exhibits) else [],
        "files_title": f"all {total} files" if total <= NAMED else f"the first {NAMED} of {total} files",
    }


def _named(exhibit: Exhibit, root: Path) -> Exhibit:
    """With files as they are called below the root."""
    panels = [
        panel._replace(
            file=shown_name(panel.file, root),
            reason=panel.reason.removeprefix(f"{panel.file}: ").replace(f"{root}/", ""),
        )
        for panel in exhibit.panels
    ]
    return exhibit._replace(files=tuple(shown_name(file, root) for file in exhibit.files), panels=tuple(panels))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... (whole in findings.json)"
