"""All that is told of a dataset, on the terminal and in the report."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from lightning_seg.doctor.advice.numbers import Numbers
from lightning_seg.doctor.advice.speed import Speed
from lightning_seg.doctor.findings import SEVERITIES, Finding
from lightning_seg.doctor.telling.summary import Summary
from lightning_seg.numbers import count_of
from lightning_seg.plots.curves import Curve


class Diagnosis(NamedTuple):
    """What was looked at, measured and found."""

    summary: Summary
    numbers: Numbers | None  # None where no picture can be read
    speed: Speed | None  # None where it was not measured
    findings: Sequence[Finding]  # the worst first
    run: Sequence[str] = ()  # lines about a run
    curves: Mapping[str, Curve] = MappingProxyType({})  # of that run, by metric

    @property
    def is_ill(self) -> bool:
        """Whether anything would end or spoil a training."""
        return any(finding.severity == "error" for finding in self.findings)

    @property
    def verdict(self) -> str:
        """One line: how many findings of which severity, and whether a training would suffer."""
        counts = Counter(finding.severity for finding in self.findings)
        told = ", ".join(count_of(counts[severity], severity) for severity in SEVERITIES)
        outcome = "a training would end or be spoilt" if self.is_ill else "nothing would end or spoil a training"
        return f"{told}: {outcome}"
