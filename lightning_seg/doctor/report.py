"""The report: one HTML page with pictures that needs no server, no network and no scripts."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader

import lightning_seg
from lightning_seg.doctor.exhibits import Exhibit, exhibits_of, shown_files
from lightning_seg.doctor.findings import Finding
from lightning_seg.doctor.marking import pieces
from lightning_seg.doctor.subject import Subject
from lightning_seg.doctor.summary import Summary
from lightning_seg.doctor.terminal import Style, describe_formats, describe_sizes, shown_name, verdict
from lightning_seg.files import printable, replace_text
from lightning_seg.plots.dataset import draw_shares, draw_sizes
from lightning_seg.plots.figures import figure_to_svg
from lightning_seg.plots.palette import class_palette

NAMED = 200
"""Files of a finding that the page names; findings.json has all."""
LONGEST = 2000
"""Letters of a text."""


class Table(NamedTuple):
    """A table of the page."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    colours: Sequence[str] = ()  # of the rows, as in the pictures


class Chart(NamedTuple):
    """A drawing of the page."""

    caption: str
    svg: str


def write_report(path: Path, subject: Subject, summary: Summary, findings: Sequence[Finding]) -> int:
    """Write the page, completely or not at all.

    Returns:
        Its size in bytes. It is bounded: see ``exhibits.MAX_BYTES`` for its pictures, and NAMED for names of files.
    """
    text = render(subject, summary, findings)
    replace_text(path, text)
    return path.stat().st_size


def render(subject: Subject, summary: Summary, findings: Sequence[Finding]) -> str:
    """The page."""
    environment = Environment(loader=PackageLoader("lightning_seg.doctor"), autoescape=True)
    environment.finalize = _finalized
    root = summary.root
    exhibits = exhibits_of(subject, findings)
    return environment.get_template("report.html").render(
        root=str(root),
        verdict=verdict(findings, Style()),
        counts=Counter(finding.severity for finding in findings),
        made=f"looked at on {datetime.now():%Y-%m-%d %H:%M}",
        about=describe_formats(summary),
        tables=list(_tables(summary)),
        charts=list(_charts(summary)),
        findings=[_shown(finding, some, root) for finding, some in zip(findings, exhibits, strict=True)],
        version=lightning_seg.__version__,
        pieces=pieces,
    )


def _finalized(value: Any) -> Any:
    """Names of files may hold control characters and bytes that are no UTF-8."""
    return printable(value) if type(value) is str else value


def _tables(summary: Summary) -> Iterator[Table]:
    if not summary.splits:
        return
    heads = ("split", "pictures", "unusable", "width x height")
    rows = [(one.name, str(one.pictures), str(one.unusable), describe_sizes(one.sizes)) for one in summary.splits]
    yield Table("splits", heads, rows)
    if summary.classes:
        splits = [split.name for split in summary.splits]
        heads = ("class", *(f"pictures in {split}" for split in splits), f"share of the {summary.counted} to train on")
        rows = [(one.name, *map(str, one.pictures.values()), f"{one.share:.3%}") for one in summary.classes]
        colours = [f"#{bytes(colour).hex()}" for colour in class_palette(len(rows))[: len(rows)]]
        yield Table("classes", heads, rows, colours if summary.counted != "pictures" else ())


def _charts(summary: Summary) -> Iterator[Chart]:
    if any(one.share for one in summary.classes):
        names, shares = [one.name for one in summary.classes], [one.share for one in summary.classes]
        figure = draw_shares(names, shares, summary.counted)
        yield Chart(f"How much of the {summary.counted} to train on each class has", figure_to_svg(figure, "shares"))
    if len(summary.sizes):
        caption = "How many pictures have which shorter side, and which shape"
        yield Chart(caption, figure_to_svg(draw_sizes(summary.sizes), "sizes"))


def _shown(finding: Finding, exhibits: Sequence[Exhibit], root: Path) -> dict[str, Any]:
    """What the page says of a finding."""
    kind, total = finding.kind, len(finding.files)
    left = len(shown_files(finding)) - len(exhibits)
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
    reasons = [panel.reason for panel in exhibit.panels]
    for file in exhibit.files:
        reasons = [reason.removeprefix(f"{file}: ") for reason in reasons]
    panels = [
        panel._replace(reason=reason.replace(f"{root}/", ""))
        for panel, reason in zip(exhibit.panels, reasons, strict=True)
    ]
    return exhibit._replace(files=tuple(shown_name(file, root) for file in exhibit.files), panels=tuple(panels))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... (whole in findings.json)"
