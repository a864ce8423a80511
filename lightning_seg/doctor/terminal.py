"""Findings as text: one page on the terminal."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from textwrap import fill

from lightning_seg.doctor.findings import Finding
from lightning_seg.files import printable

SHOWN = 10
WIDTH = 100


def describe(findings: Sequence[Finding], root: Path) -> str:
    """All findings, each with its files, effect and remedy."""
    return "\n\n".join("\n".join(_lines(finding, root)) for finding in findings)


def _lines(finding: Finding, root: Path) -> Iterator[str]:
    count = finding.count or len(finding.files)
    yield f"{finding.severity.upper()} {finding.kind.name}: {count}"
    if finding.detail:
        yield _wrapped("", finding.detail)
    yield from _files(finding.files, root)
    yield _wrapped("effect: ", finding.kind.effect)
    yield _wrapped("remedy: ", finding.remedy or finding.kind.remedy)


def _files(files: Sequence[str], root: Path) -> Iterable[str]:
    for name in files[:SHOWN]:
        path = Path(name)
        yield printable(f"    {path.relative_to(root) if path.is_relative_to(root) else path}")
    if len(files) > SHOWN:
        yield f"    and {len(files) - SHOWN} more"


def _wrapped(label: str, text: str) -> str:
    return fill(printable(label + text), WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
