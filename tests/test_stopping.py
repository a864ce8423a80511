"""Signals to programs that answer them: real processes, which import nothing but the answer."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest

from lightning_seg import stopping
from lightning_seg.__main__ import main
from tests.survival.sessions import no_process_is_left

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts processes in /proc")
PROGRAM = """
import ctypes, os, signal, subprocess, sys, time, threading
from lightning_seg import stopping
from lightning_seg.stopping import answered, at_stake

def ready():
    print("ready", flush=True)

def work():
{work}

if __name__ == "__main__":
    stopping.LIMIT, stopping.SAME = 1.5, 0.5
    sys.exit(answered(work, whole_process=True))
"""
AT_STAKE = "at_stake(lambda: 'two things are kept')\n"


class Ended(NamedTuple):
    code: int
    said: str
    seconds: float


@contextmanager
def started(work: str) -> Iterator["subprocess.Popen[str]"]:
    program = PROGRAM.format(work="    " + dedent(work).strip().replace("\n", "\n    "))
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def stop(work: str, *signals: int, pause: float = 0.8) -> Ended:
    """Send signals to a program at work, one after the other; nothing that it has started may be left."""
    with started(work) as process:
        start = time.monotonic()
        for number, one in enumerate(signals):
            time.sleep(pause if number else 0)
            process.send_signal(one)
        _, said = process.communicate(timeout=20)
        seconds = time.monotonic() - start
        assert no_process_is_left(process.pid)
    return Ended(process.returncode, said, seconds)


@pytest.mark.parametrize(
    ("number", "code", "name"),
    [(signal.SIGINT, 130, "SIGINT"), (signal.SIGTERM, 143, "SIGTERM"), (signal.SIGHUP, 129, "SIGHUP")],
)
def test_a_signal_is_one_line_and_its_own_exit_code(number: int, code: int, name: str) -> None:
    ended = stop(AT_STAKE + "ready()\nwhile True: time.sleep(0.01)", number)
    assert (ended.code, ended.said) == (code, f"lightning-seg: stopped by {name}: two things are kept\n")
    assert ended.seconds < 1.4


def test_blocks_are_left_in_order(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    work = f"{AT_STAKE}try:\n    ready()\n    time.sleep(30)\nfinally:\n    open({str(mark)!r}, 'w').write('left')"
    assert stop(work, signal.SIGTERM).code == 143
    assert mark.read_text() == "left"


def test_before_anything_is_at_stake_it_ends_at_once_whoever_swallows_errors() -> None:
    ended = stop("ready()\nwhile True:\n    try: time.sleep(1)\n    except BaseException: pass", signal.SIGTERM)
    assert ended.code == 143
    assert ended.said == "lightning-seg: stopped by SIGTERM: nothing had begun; the same command begins anew\n"
    assert ended.seconds < 1.4


@pytest.mark.parametrize(
    "stuck",
    [
        "while True:\n    try: time.sleep(1)\n    except BaseException: pass",
        # Code that no signal interrupts: a lock that waits for itself.
        "lock = ctypes.create_string_buffer(64)\nwhile True: ctypes.CDLL(None).pthread_mutex_lock(lock)",
    ],
)
def test_what_does_not_end_is_ended_with_the_line_and_the_code(stuck: str) -> None:
    # Not before it is stuck.
    ended = stop(AT_STAKE + "threading.Timer(0.5, ready).start()\n" + stuck, signal.SIGTERM)
    assert (ended.code, ended.said) == (143, "lightning-seg: stopped by SIGTERM: two things are kept\n")
    assert 1.4 < ended.seconds < 5


def test_a_second_signal_ends_it_at_once() -> None:
    ended = stop(AT_STAKE + "ready()\ntry: time.sleep(9)\nfinally: time.sleep(9)", signal.SIGINT, signal.SIGINT)
    assert (ended.code, ended.said) == (130, "lightning-seg: stopped by SIGINT: two things are kept\n")
    assert ended.seconds < 1.4


def test_an_echo_is_no_second_signal(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    work = f"try:\n    ready()\n    time.sleep(9)\nfinally:\n    time.sleep(0.7)\n    open({str(mark)!r}, 'w').close()"
    assert stop(AT_STAKE + work, signal.SIGTERM, signal.SIGHUP, pause=0.1).code == 143
    assert mark.is_file()


def test_what_is_lost_while_an_object_is_deleted_is_raised_again() -> None:
    work = "class Slow:\n    def __del__(self): ready(); time.sleep(0.4)\nslow = Slow()\ndel slow\ntime.sleep(9)"
    ended = stop(AT_STAKE + work, signal.SIGTERM)
    assert (ended.code, ended.said) == (143, "lightning-seg: stopped by SIGTERM: two things are kept\n")
    assert ended.seconds < 1.4


def test_errors_on_the_way_to_the_end_are_no_news() -> None:
    ended = stop(AT_STAKE + "ready()\ntry: time.sleep(9)\nfinally: raise RuntimeError('peer')", signal.SIGTERM)
    assert (ended.code, ended.said) == (143, "lightning-seg: stopped by SIGTERM: two things are kept\n")


def test_no_process_is_left_behind() -> None:
    child = "subprocess.Popen([sys.executable, '-c', 'import subprocess as s; s.run([\"sleep\", \"30\"])'])\n"
    ended = stop(AT_STAKE + child + "time.sleep(0.3)\nready()\ntime.sleep(9)", signal.SIGTERM)
    assert ended.code == 143


def test_what_a_killed_child_has_started_is_not_left_behind_either() -> None:
    """As a compiler is killed by whoever waits for it."""
    child = "subprocess.run([sys.executable, '-c', 'import subprocess as s; s.run([\"sleep\", \"30\"])'])\n"
    ready = "threading.Timer(0.6, ready).start()\n"
    assert stop(AT_STAKE + ready + child, signal.SIGTERM).code == 143


def test_a_worker_that_is_at_work_is_not_waited_for() -> None:
    work = """
        import multiprocessing
        at_stake(lambda: 'two things are kept')
        context = multiprocessing.get_context('spawn')
        lock = context.Lock()
        worker = context.Process(target=time.sleep, args=(30,), daemon=True)
        worker.start()
        try:
            ready()
            time.sleep(9)
        finally:
            worker.join(9)
    """
    ended = stop(work, signal.SIGTERM)
    # The lock is one of what Python's own process keeps account of.
    assert (ended.code, ended.said) == (143, "lightning-seg: stopped by SIGTERM: two things are kept\n")
    assert ended.seconds < 1.4


def test_a_forked_process_ends_when_it_is_asked_to_and_is_silent() -> None:
    work = """
        at_stake(lambda: 'two things are kept')
        child = os.fork()
        if child == 0:
            time.sleep(9)
            os._exit(0)
        time.sleep(0.2)
        os.kill(child, signal.SIGINT)
        os.kill(child, signal.SIGHUP)
        time.sleep(0.2)
        assert os.waitpid(child, os.WNOHANG) == (0, 0)
        os.kill(child, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -15
        ready()
        # Had the signals of the other process arrived here, it would end now.
        time.sleep(2)
        return 7
    """
    with started(work) as process:
        _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (7, "")


def test_what_is_ignored_stays_ignored() -> None:
    """As ``nohup`` leaves it."""
    program = PROGRAM.format(work="    ready()\n    time.sleep(1)\n    return 7")
    words = [sys.executable, "-c", program]
    with subprocess.Popen(
        ["nohup", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        assert process.wait(20) == 7


def test_a_signal_after_the_work_does_not_hang_or_trace() -> None:
    work = AT_STAKE + "import atexit\natexit.register(lambda: (ready(), time.sleep(0.7)))"
    ended = stop(work, signal.SIGTERM)
    assert (ended.code, ended.said) == (143, "lightning-seg: stopped by SIGTERM: two things are kept\n")


def test_a_command_called_from_python_leaves_the_handlers_as_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    handlers = {one: signal.getsignal(one) for one in stopping.ANSWERED}
    wakeup = signal.set_wakeup_fd(-1)
    assert main(["--help"]) == 0
    assert {one: signal.getsignal(one) for one in stopping.ANSWERED} == handlers
    assert signal.set_wakeup_fd(wakeup) == -1
    assert "usage" in capsys.readouterr().out


def test_a_command_called_from_python_is_stopped_and_the_process_lives(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        stopping.at_stake(lambda: "two things are kept")
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        return 0

    handler = signal.getsignal(signal.SIGTERM)
    assert stopping.answered(work, whole_process=False) == 143
    assert signal.getsignal(signal.SIGTERM) == handler
    assert capsys.readouterr().err == "lightning-seg: stopped by SIGTERM: two things are kept\n"
