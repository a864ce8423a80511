"""The report: one HTML page with pictures that needs no server, no network and no scripts."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from lightning_seg.doctor.advice.numbers import Numbers
from lightning_seg.doctor.diagnosis import Diagnosis
from lightning_seg.doctor.findings import Finding
from lightning_seg.doctor.subject import Subject
from lightning_seg.doctor.telling.exhibits import Exhibit, exhibits_of, questions_of
from lightning_seg.doctor.telling.number_lines import class_rows, number_sentences
from lightning_seg.doctor.telling.speed_lines import speed_sentences
from lightning_seg.doctor.telling.summary import Summary, describe_formats, shown_name, splits_table
from lightning_seg.files import replace_text
from lightning_seg.numbers import are
from lightning_seg.pages.rendering import Chart, render_page
from lightning_seg.plots.curves import Curve, draw_curves
from lightning_seg.plots.dataset import draw_shares, draw_sizes
from lightning_seg.plots.figures import figure_to_svg
from lightning_seg.plots.palette import object_palette, palette_of

NAMED = 200
"""Files of a finding that the page names; findings.json has all."""
CURVES = ("loss", "miou", "accuracy")
"""Metrics that are drawn."""
LONGEST = 2000
"""Letters of a text."""


class Part(NamedTuple):
    """A part of what is there."""

    title: str
    rows: Sequence[Sequence[str]] = ()  # of a table, the heads first
    colours: Sequence[str] = ()  # of the rows behind the heads, as in the pictures
    sentences: Sequence[str] = ()
    charts: Sequence[Chart] = ()


def write_report(path: Path, subject: Subject, diagnosis: Diagnosis) -> int:
    """Write the page, completely or not at all.

    Returns:
        Its size in bytes. It is bounded: see ``exhibits.MAX_BYTES`` for its pictures, and NAMED for names of files.
    """
    replace_text(path, render(subject, diagnosis))
    return path.stat().st_size


def render(subject: Subject, diagnosis: Diagnosis) -> str:
    """The page."""
    findings, root = diagnosis.findings, diagnosis.summary.root
    exhibits = exhibits_of(subject, findings)
    return render_page(
        "lightning_seg.doctor.telling",
        "report.html",
        title=diagnosis.summary.title,
        verdict=diagnosis.verdict,
        is_ill=diagnosis.is_ill,
        made=f"looked at on {datetime.now():%Y-%m-%d %H:%M}",
        about=describe_formats(diagnosis.summary),
        parts=list(_parts(diagnosis)),
        findings=[_shown(finding, some, root) for finding, some in zip(findings, exhibits, strict=True)],
    )


def _parts(diagnosis: Diagnosis) -> Iterator[Part]:
    summary, numbers, speed = diagnosis.summary, diagnosis.numbers, diagnosis.speed
    if summary.splits:
        yield Part("splits", splits_table(summary), charts=_sizes(summary))
    if numbers is not None:
        rows = class_rows(numbers, numbers.classes) if numbers.classes else []
        yield Part("numbers", rows, _colours(numbers), list(number_sentences(numbers)), _shares(numbers))
    if speed is not None:
        yield Part("speed", sentences=list(speed_sentences(speed)))
    if diagnosis.run:
        yield Part("run", sentences=diagnosis.run, charts=_curves(diagnosis.curves))


def _colours(numbers: Numbers) -> list[str]:
    """Of the classes, as masks and boxes are drawn; none where pictures have one class each."""
    names = [] if numbers.counted == "pictures" else [one.name for one in numbers.classes]
    palette = object_palette(len(names)) if numbers.counted == "boxes" else palette_of(names)[: len(names)]
    return [f"#{bytes(colour).hex()}" for colour in palette]


def _sizes(summary: Summary) -> list[Chart]:
    if not len(summary.sizes):
        return []
    caption = "how many pictures have which shorter side, and which shape"
    return [Chart(caption, figure_to_svg(draw_sizes(summary.sizes), "sizes"))]


def _shares(numbers: Numbers) -> list[Chart]:
    names, shares = [one.name for one in numbers.classes], [one.share for one in numbers.classes]
    if not any(shares):
        return []
    caption = f"share of each class in the {numbers.counted} to train on"
    return [Chart(caption, figure_to_svg(draw_shares(names, shares, numbers.counted), "shares"))]


def _curves(curves: Mapping[str, Curve]) -> list[Chart]:
    quantities = [name for name in CURVES if curves.get(f"train/{name}") or curves.get(f"val/{name}")]
    if not quantities:
        return []
    caption = f"{' and '.join(quantities)} of training and validation, epoch by epoch"
    return [Chart(caption, figure_to_svg(draw_curves(curves, quantities), "curves"))]


def _shown(finding: Finding, exhibits: Sequence[Exhibit], root: Path) -> dict[str, Any]:
    """What the page says of a finding."""
    kind, total = finding.kind, len(finding.files)
    drawn = sum(len(exhibit.files) for exhibit in exhibits)
    left = len(questions_of(finding)) - len(exhibits)
    return {
        "severity": finding.severity,
        "name": kind.name,
        "count": finding.count or total,
        "symptom": kind.symptom,
        "detail": _short(finding.detail.replace(f"{root}/", "")),
        "effect": finding.effect,
        "remedy": finding.remedy or kind.remedy,
        "exhibits": [_named(exhibit, root) for exhibit in exhibits if exhibit.panels],
        "left_out": f"{left} more {are(left)} not drawn, since the page would become too large" if left else "",
        # Those that are drawn have their names there.
        "files": [shown_name(name, root) for name in islice(finding.files, NAMED)] if total > drawn else [],
        "files_title": ("the file" if total == 1 else f"all {total} files")
        if total <= NAMED
        else f"the first {NAMED} of {total} files",
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
    files = tuple(shown_name(file, root) for file in exhibit.files)
    return exhibit._replace(files=files, caption=_short(exhibit.caption), panels=tuple(panels))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... (whole in findings.json)"
