import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lightning_seg.locks import HeldError, holding, is_held, this_process

HOLDER = """
import sys, time
from pathlib import Path
from lightning_seg.locks import holding
with holding(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold_elsewhere(path: Path, seconds: float) -> "subprocess.Popen[str]":
    other = subprocess.Popen([sys.executable, "-c", HOLDER, str(path), str(seconds)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    return other


def test_a_second_process_is_told_who_holds_it_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "folder" / ".lock"
    with hold_elsewhere(path, 60) as other:
        with pytest.raises(HeldError) as caught, holding(path):
            pass
        assert f"process {other.pid} on " in caught.value.owner
        other.send_signal(signal.SIGKILL)
    with holding(path):
        assert path.read_text().strip() == this_process()


def test_waiting_lasts_until_the_other_lets_go(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with hold_elsewhere(path, 1.0) as other:
        started = time.monotonic()
        with holding(path, wait=True):
            assert time.monotonic() - started > 0.5
        assert other.wait() == 0


FORKING = """
import os, sys, time
from pathlib import Path
from lightning_seg.locks import holding
with holding(Path(sys.argv[1])):
    if os.fork() == 0:
        print("held", flush=True)
        time.sleep(20)
        os._exit(0)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is forked there")
def test_a_worker_of_a_killed_process_does_not_keep_its_lock(tmp_path: Path) -> None:
    """As those of a loader live on for some seconds."""
    path = tmp_path / ".lock"
    command = [sys.executable, "-c", FORKING, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(HeldError), holding(path):
            pass
        other.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        with holding(path):
            assert path.read_text().strip() == this_process()
        os.killpg(other.pid, signal.SIGKILL)


def test_turns_leave_no_file_and_everybody_has_one(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom lightning_seg.locks import taking_turns\n"
        "folder = Path(sys.argv[1])\n"
        "for _ in range(20):\n"
        "    with taking_turns(folder / 'lock'):\n"
        "        count = int((folder / 'count').read_text())\n"
        "        time.sleep(0.002)\n"
        "        (folder / 'count').write_text(str(count + 1))\n"
    )
    (tmp_path / "count").write_text("0")
    processes = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert (tmp_path / "count").read_text() == "60"
    assert [path.name for path in tmp_path.iterdir()] == ["count"]


def test_who_looks_at_a_lock_does_not_take_it(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    assert not is_held(path)
    with hold_elsewhere(path, 60) as other:
        assert is_held(path)
        other.send_signal(signal.SIGKILL)
    assert not is_held(path)
