"""Cores that a process may compute on: its own set, and what groups of processes are allowed."""

import os
from pathlib import Path

import pytest

from lightning_seg import cores
from lightning_seg.cores import usable_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process that may run on eight cores and is in no group."""
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(cores, "OWN_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cores, "GROUPS", tmp_path / "fs")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_cores_are_those_that_the_process_may_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_cores() == 8
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5})
    assert usable_cores() == 2


def test_newer_pythons_are_asked_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "process_cpu_count", lambda: 3, raising=False)
    assert usable_cores() == 3


def test_systems_without_affinity_tell_their_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert usable_cores() == 6


@pytest.mark.parametrize(
    ("quota", "expected"), [("200000 100000", 2), ("250000 100000", 2), ("50000 100000", 1), ("max 100000", 8)]
)
def test_a_container_is_its_own_root(tmp_path: Path, quota: str, expected: int) -> None:
    write(tmp_path / "cgroup", "0::/\n")
    write(tmp_path / "fs" / "cpu.max", quota + "\n")
    assert usable_cores() == expected


def test_the_tightest_of_nested_groups_counts(tmp_path: Path) -> None:
    write(tmp_path / "cgroup", "0::/slurm/job_7/step_0\n")
    write(tmp_path / "fs/slurm/job_7/step_0/cpu.max", "max 100000")
    write(tmp_path / "fs/slurm/job_7/cpu.max", "300000 100000")
    write(tmp_path / "fs/slurm/cpu.max", "500000 100000")
    write(tmp_path / "cpu.max", "100000 100000")  # outside of the tree
    assert usable_cores() == 3


@pytest.mark.parametrize(("quota", "expected"), [("400000", 4), ("-1", 8)])
def test_groups_of_the_first_version(tmp_path: Path, quota: str, expected: int) -> None:
    # In a container the path that the process is told does not exist.
    write(tmp_path / "cgroup", "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n")
    write(tmp_path / "fs/cpu,cpuacct/cpu.cfs_quota_us", quota)
    write(tmp_path / "fs/cpu,cpuacct/cpu.cfs_period_us", "100000")
    write(tmp_path / "fs/memory/cpu.max", "100000 100000")
    assert usable_cores() == expected
