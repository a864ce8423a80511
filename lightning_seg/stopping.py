"""Answers of a command to Ctrl-C, SIGTERM and SIGHUP: one line, the signal's exit code, within ten seconds.

The signal raises ``Stopped`` in the main thread, wherever it is, so blocks are left as after any error. A thread ends
the process if the main thread does not end in time, or a second signal comes.
"""

import atexit
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from lightning_seg.process_tree import Process, descendants, dying_with, kill, kill_workers

ANSWERED = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
LIMIT = 7.5
"""Seconds that the main thread has to end."""
SAME = 1.0
"""Seconds within which a second signal is an echo: from the other processes, or from a sender that signals twice."""
FIRST_PROCESS = "LIGHTNING_SEG_FIRST_PROCESS"
"""Variable that tells the processes of a training who has started them."""
OVER = b"\0"


class Stopped(BaseException):
    """Raised in the main thread by a signal; no ``Exception``, so that nobody handles it and continues."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Stake(NamedTuple):
    """What is kept and lost if a command ends now."""

    tell: Callable[[], str]
    """What is kept and how to continue, in a line."""
    end_others: Callable[[], None]
    """Called at once, to end processes that work on the same task."""


def answered(run: Callable[[], int], whole_process: bool) -> int:
    """Run a command and return its exit code: 128 plus its number if a signal has stopped it.

    Args:
        run: the command.
        whole_process: nothing else runs in this process, so it may be ended.
    """
    answer = _Answer(whole_process)
    code = None
    try:
        with answer.listening():
            code = run()
    except BaseException as error:
        # What goes wrong while processes end is no news.
        answer.number = answer.number or signal_of(error)
        if answer.number is None:
            raise
    if answer.number is None:
        return code or 0
    answer.say()
    answer.end_children()
    return 128 + answer.number


def at_stake(tell: Callable[[], str], end_others: Callable[[], None] = lambda: None) -> None:
    """From now on ``tell`` says what is kept and how to continue if a signal comes; see ``Stake``."""
    if _Answer.current is not None:
        _Answer.current.stake = Stake(tell, end_others)


def is_stopping() -> bool:
    """Whether a signal has come; later errors are then not reported."""
    return _Answer.current is not None and _Answer.current.number is not None


def signal_of(error: BaseException | None) -> int | None:
    """The signal behind an error: Lightning turns Ctrl-C into an exit."""
    if isinstance(error, Stopped):
        return error.number
    if isinstance(error, KeyboardInterrupt):
        return signal.SIGINT
    return signal_of(error.__context__) if isinstance(error, SystemExit) else None


class _Answer:
    """One command and its signal."""

    current: "_Answer | None" = None

    def __init__(self, whole_process: bool) -> None:
        self.whole_process = whole_process
        self.number: int | None = None
        self.raised = False
        self.stake: Stake | None = None
        self._first_process: int | None = None
        self._said = threading.Lock()
        self._before = set[Process]() if whole_process else descendants()
        self._family = set[Process]()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handlers and watcher for the length of the block; none outside of the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        if self.whole_process:
            self._join_family()
            # The first one that is registered is the last one that is called.
            atexit.register(self._leave_at_last)
        outer, _Answer.current = _Answer.current, self
        self._hook, sys.unraisablehook = sys.unraisablehook, self._raise_again
        # What is ignored, by nohup for instance, stays so.
        handlers = {one: signal.getsignal(one) for one in ANSWERED if signal.getsignal(one) != signal.SIG_IGN}
        wakeup = self._start_watching()
        for one in handlers:
            signal.signal(one, self._handle)
        try:
            yield
        finally:
            # A late signal must not break this up.
            self.raised = True
            # A process that is at its end is watched to the last.
            if not self.whole_process:
                for one, handler in handlers.items():
                    signal.signal(one, handler)
                signal.set_wakeup_fd(wakeup)
                self._mouth.send(OVER)
                _Answer.current, sys.unraisablehook = outer, self._hook

    def _handle(self, number: int, frame: Any) -> None:
        self.number = self.number or number
        if self.raised:
            return
        self.raised = True
        if self.stake is None and self.whole_process:
            # While libraries are imported, nothing has to be left in order, and some swallow all errors.
            self.leave()
        # Once a compiler for instance is killed on the way to the end, nobody knows whom it has started.
        self._family = descendants() - self._before
        if self.whole_process:
            # Loaders take the end of a worker for an error, and wait for one that is in the middle of a batch.
            if hasattr(signal, "SIGCHLD"):
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            kill_workers()
        raise Stopped(self.number)

    def _raise_again(self, lost: Any) -> None:
        """Python ignores errors that are raised while an object is deleted."""
        if not isinstance(lost.exc_value, Stopped):
            self._hook(lost)
            return
        self.raised = False
        threading.Timer(0.02, os.kill, (os.getpid(), lost.exc_value.number)).start()

    def _start_watching(self) -> int:
        """Signals also wake a thread, whatever the main thread is doing. Returns the wakeup descriptor that was set
        before.
        """
        self._ears, self._mouth = socket.socketpair()
        self._mouth.setblocking(False)
        threading.Thread(target=self._watch, daemon=True, name="stopping").start()
        return signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)

    def _watch(self) -> None:
        if first := self._hear(None):
            self.number = self.number or first
            start = time.monotonic()
            self._spread()
            if self._runs_out(start + LIMIT, start + SAME) and self.whole_process:
                self.leave()
        self._ears.close()
        self._mouth.close()

    def _spread(self) -> None:
        if self.stake is not None:
            with suppress(Exception):
                self.stake.end_others()
        self._tell_first_process()

    def _runs_out(self, limit: float, echo: float) -> bool:
        """Wait until the time is over or a second signal comes; False if the command ends before."""
        while (left := limit - time.monotonic()) > 0:
            again = self._hear(left)
            if again == 0:
                return False
            if again is not None and time.monotonic() > echo:
                return True
        return True

    def _hear(self, seconds: float | None) -> int | None:
        """The next signal; 0 when the command is over, None after so many seconds."""
        end = time.monotonic() + (seconds or 0)
        while True:
            self._ears.settimeout(None if seconds is None else max(0.01, end - time.monotonic()))
            try:
                heard = self._ears.recv(1)
            except TimeoutError:
                return None
            if heard in (b"", OVER):
                return 0
            # All signals with a handler arrive here.
            if heard[0] in ANSWERED:
                return heard[0]

    def say(self) -> None:
        """Print the signal, what is kept and how to continue, once, and from one process of a training."""
        if not self._said.acquire(blocking=False) or _rank():
            return
        told = ""
        with suppress(Exception):
            told = self.stake.tell() if self.stake else "nothing had begun; the same command begins anew"
        name = signal.Signals(self.number or signal.SIGINT).name
        # The terminal may be gone.
        with suppress(OSError, ValueError, RuntimeError):
            print(f"lightning-seg: stopped by {name}: {told or 'what was written stays'}", file=sys.stderr, flush=True)

    def end_children(self) -> None:
        """End all processes that the command has started."""
        kill((self._family | descendants()) - self._before)

    def leave(self) -> None:
        """End the process, whatever it is doing."""
        self._tell_first_process()
        # In a thread, because who reads a file or prints may wait without end.
        speaker = threading.Thread(target=self.say, daemon=True)
        speaker.start()
        speaker.join(1.5)
        kill(self._family | descendants())
        os._exit(128 + (self.number or 0))

    def _leave_at_last(self) -> None:
        """End before libraries clean up, which raises errors once another process is gone."""
        if self.number is None:
            return
        self.say()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, RuntimeError, AttributeError):
                stream.flush()
        os._exit(128 + self.number)

    def _join_family(self) -> None:
        """A process of a training on this machine ends with the first one, and the first one with it."""
        parent = os.getppid()
        # Other programs that start the processes of a training look after them.
        self._first_process = parent if _rank() and os.environ.get(FIRST_PROCESS) == str(parent) else None
        os.environ[FIRST_PROCESS] = str(os.getpid())
        if self._first_process and (ask := dying_with(parent)):
            ask()

    def _tell_first_process(self) -> None:
        if self._first_process:
            with suppress(ProcessLookupError):
                os.kill(self._first_process, self.number or signal.SIGTERM)

    def forget(self) -> None:
        """In a forked process: it ends when its parent says so, and prints nothing."""
        signal.set_wakeup_fd(-1)
        self._ears.close()
        self._mouth.close()
        for one in ANSWERED:
            # What a terminal sends to everybody is the parent's business.
            signal.signal(one, signal.SIG_DFL if one == signal.SIGTERM else signal.SIG_IGN)
        _Answer.current = None


def _rank() -> int:
    """The number of this process in its training."""
    return next((int(os.environ[name]) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID") if name in os.environ), 0)


def _forget() -> None:
    if _Answer.current is not None:
        _Answer.current.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
