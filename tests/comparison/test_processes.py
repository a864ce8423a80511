"""Programs that are called, and that end with their caller."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lightning_seg.comparison.processes import call, describe_signal
from lightning_seg.stopping import answered

CALLER = """
import sys
from lightning_seg.comparison.processes import call
with open(sys.argv[1], "w") as output:
    call([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"], output)
"""


def test_a_request_to_end_ends_the_program_too(tmp_path: Path) -> None:
    """Otherwise it would train on in a folder that the next call takes for interrupted."""
    mark = tmp_path / "mark"
    # The request comes from the program itself, so not before somebody waits for it.
    script = "import os, signal, time, pathlib; time.sleep(0.5); os.kill(os.getppid(), signal.SIGTERM); time.sleep(3); "
    script += f"pathlib.Path({str(mark)!r}).touch()"
    with (tmp_path / "log").open("w") as log:
        # As every command is run.
        code = answered(lambda: call([sys.executable, "-c", script], log), whole_process=False)
    assert code == 128 + signal.SIGTERM
    time.sleep(3)
    assert not mark.exists()


def is_running(process: int) -> bool:
    """Also false for one that has ended and that nobody has asked about."""
    status = Path(f"/proc/{process}/status")
    return status.is_file() and "State:\tZ" not in status.read_text()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone tells a process that its parent has died")
def test_who_is_killed_leaves_no_program_behind(tmp_path: Path) -> None:
    output = tmp_path / "output"
    with subprocess.Popen([sys.executable, "-c", CALLER, str(output)]) as caller:
        while not output.is_file() or not output.read_text().endswith("\n"):
            assert caller.poll() is None
            time.sleep(0.02)
        program = int(output.read_text())
        assert is_running(program)
        caller.kill()
        caller.wait()
    deadline = time.monotonic() + 10
    while is_running(program) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(program)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (0, None),
        (2, None),
        (-9, "it was killed (SIGKILL), as the system does where memory runs out; free some"),
        (-11, "it was ended by SIGSEGV; the same command goes on"),
        (143, "it was ended by SIGTERM; the same command goes on"),
        (130, "it was ended by SIGINT; the same command goes on"),
        (137, "it was killed (SIGKILL), as the system does where memory runs out; free some"),
        (128, None),
        (255, None),
    ],
)
def test_a_signal_is_named(code: int, expected: str | None) -> None:
    said = describe_signal(code)
    assert said is None if expected is None else said is not None and said.startswith(expected)
