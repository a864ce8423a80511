"""A fit that is told to end while it compiles: real processes, a real compiler, and all that it has started."""

import signal
import sys
import time
from pathlib import Path

import pytest

from lightning_seg.process_tree import Process, descendants
from tests.survival.test_signals import FIT, LIMIT, Ended, Folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts processes in /proc"),
]
COMPILE = str(Path(__file__).parents[2] / "configs" / "overrides" / "compile.yaml")


class Watch:
    """Looks at the processes that a command has started, whatever session they have made their own.

    Args:
        word: what the command line of one of them holds once the moment has come.
        delay: seconds after it.
    """

    def __init__(self, word: str, delay: float) -> None:
        self.word, self.delay = word, delay
        self.seen = set[Process]()
        self._begun: float | None = None

    def has_come(self) -> bool:
        found = descendants()
        self.seen |= found
        if self._begun is None and any(self.word in command_of(process) for process in found):
            self._begun = time.monotonic()
        return self._begun is not None and time.monotonic() - self._begun >= self.delay


def command_of(process: Process) -> str:
    try:
        return Path(f"/proc/{process.number}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def is_running(process: Process) -> bool:
    try:
        fields = Path(f"/proc/{process.number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z" and int(fields[19]) == process.start


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """With a run of one epoch."""
    # Nothing is compiled already.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    folder = Folder(tmp_path)
    folder.run(*FIT, "--trainer.max_epochs", "1")
    return folder


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    ("word", "delay"),
    # While Python traces the network and asks what the compiler can do, and while kernels are compiled in threads.
    [("cc1plus", 0.0), (".main.cpp", 1.0)],
)
def test_a_signal_ends_a_fit_that_compiles(folder: Folder, word: str, delay: float, name: str) -> None:
    watch = Watch(word, delay)
    number = signal.Signals[name]
    words = ["fit", "--config", COMPILE, "--run", "runs/small", "--trainer.max_epochs", "3"]
    check(folder, folder.stop(words, number, come=watch.has_come), number)
    assert len(watch.seen) > 1
    assert nothing_runs_of(watch.seen)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_processes_that_compile_for_a_card_end_with_it(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "2")
    watch = Watch("torch/_inductor/compile_worker", 0.0)
    number = signal.Signals[name]

    def has_come() -> bool:
        return watch.has_come() and (folder.path / "mark").is_file()

    words = ["fit", "--run", "runs/small", "--trainer.max_epochs", "3"]
    check(folder, folder.stop(words, number, "compilers", come=has_come), number)
    # The command, the process that torch has started, and its workers.
    assert len(watch.seen) >= 3
    assert nothing_runs_of(watch.seen)


def check(folder: Folder, ended: Ended, number: signal.Signals) -> None:
    run = folder.path / "runs" / "small" / "version_0"
    saved = f"1 of 3 epochs are done and saved; lightning-seg fit --run {run} goes on"
    assert (ended.code, ended.line) == (128 + number, f"lightning-seg: stopped by {number.name}: {saved}")
    assert ended.seconds < LIMIT
    assert folder.epochs("runs/small/version_0") == 1


def nothing_runs_of(processes: set[Process]) -> bool:
    deadline = time.monotonic() + 3
    while any(is_running(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
