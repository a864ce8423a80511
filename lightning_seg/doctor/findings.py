"""Findings: what was found, what follows from it, and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""An error would end or spoil a training; a warning costs some of its result; a note is good to know."""


class Kind(NamedTuple):
    """A kind of finding. Its texts stand on the terminal, in the report and on the page of all kinds."""

    name: str
    severity: Severity
    symptom: str  # what the user sees in training, or without this finding never sees
    effect: str  # what follows
    remedy: str  # a flag or a command, or what to do with the files
    skipped_by: str = ""  # argument of the data with which, as skip, a training leaves the files out


class Shown(NamedTuple):
    """What the report shows of a finding."""

    sets: Sequence[Sequence[str]]  # files that are shown side by side, the worst first
    captions: Sequence[str] = ()  # one for each set
    masks: bool = False  # masks, too, where the files are pictures


@dataclass(frozen=True)
class Finding:
    """Something that was found.

    Args:
        kind: of which kind.
        files: all files that it is about, ordered by how bad they are.
        count: of files, or of what else is counted.
        detail: a line with figures.
        remedy: if it says more than that of the kind.
        figures: the same for programs.
        shown: what the report shows in place of the picture of each file.
        is_skipped: whether the user has said that the files are to be left out.
        is_slight: whether it spoils little.
    """

    kind: Kind
    files: Sequence[str] = ()
    count: int = 0
    detail: str = ""
    remedy: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    shown: Shown | None = None
    is_skipped: bool = False
    is_slight: bool = False

    @property
    def severity(self) -> Severity:
        """That of the kind; of what is left out on purpose, or slight, a warning in place of an error."""
        return "warning" if self.is_skipped or self.is_slight else self.kind.severity

    @property
    def effect(self) -> str:
        """What follows."""
        left_out = f"the pictures are left out, as --data.{self.kind.skipped_by} skip says"
        return left_out if self.is_skipped else self.kind.effect

    def as_dict(self) -> dict[str, Any]:
        """Plain values for ``findings.json``."""
        return {
            "name": self.kind.name,
            "severity": self.severity,
            "count": self.count or len(self.files),
            "detail": self.detail,
            "files": list(self.files),
            "effect": self.effect,
            "remedy": self.remedy or self.kind.remedy,
            "figures": _plain(self.figures),
        }


def _plain(value: Any) -> Any:
    """Numbers of numpy as Python's, tuples as lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """Errors, then warnings, then notes; within each the order in which they were found."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
