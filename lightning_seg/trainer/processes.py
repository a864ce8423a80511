"""Several processes of a command: shared set-up, and an end for all when one is lost."""

import atexit
import os
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch.distributed as dist
from lightning_fabric.strategies.launchers.subprocess_script import _ChildProcessObserver
from torch.distributed import TCPStore  # type: ignore[attr-defined]
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from lightning_seg.runs import epochs_done
from lightning_seg.trainer.run_folder import run_folder_of
from lightning_seg.trainer.silence import silence_libraries

SECONDS = 2.0
"""Between two signs of life."""
PATIENCE = 20
"""Missing signs of life before a process counts as lost."""
LOST = 1
"""Exit code when another process was lost."""
CLOSED = re.compile(
    r"Connection closed by peer|Connection reset by peer|Connection refused|Broken pipe|[Tt]imed out|[Tt]imeout|"
    r"Socket closed|recv, got 0 bytes|Failed to recv|failed to connect|remote process exited|communicator was aborted|"
    r"unhandled system error"
)
"""Messages of gloo, NCCL and torch's store about a closed connection."""


class LostError(Exception):
    """Another process has ended, or cannot be reached. The message is empty if that process has printed the reason."""

    def __init__(self, message: str, code: int = LOST) -> None:
        super().__init__(message)
        self.code = code


def is_loss(error: BaseException) -> bool:
    """Whether an error of this process means that another one is gone."""
    if isinstance(error, ProcessExitedException):
        return True
    text = str(error)
    if isinstance(error, ProcessRaisedException):
        return "RuntimeError: " in text and CLOSED.search(text.strip().splitlines()[-1]) is not None
    return isinstance(error, RuntimeError) and dist.is_initialized() and CLOSED.search(text) is not None


def end(error: LostError) -> int:
    """Print the message and return the exit code, or exit here if torch would wait for closed connections."""
    if str(error):
        print(f"lightning-seg: error: {error}", file=sys.stderr, flush=True)
    if not dist.is_initialized():
        return error.code
    # Temporary files go.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(error.code)


class Processes(pl.Callback):
    """In every process: libraries are silent, and it ends within a minute when another process is gone.

    Processes on one machine notice it by their connections. A machine without power closes none, and NCCL waits for
    half an hour; so each process gives a sign of life every two seconds, and watches for that of the next one.
    """

    def __init__(self) -> None:
        self.folder: str | None = None
        """The run folder of a training, known to all processes."""
        self.watch: Watch | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Here a process begins that was spawned.
        self.__dict__.update(state)
        silence_libraries()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit":
            self.folder = trainer.strategy.broadcast(_folder_of(trainer))
        if trainer.world_size > 1 and dist.is_initialized():
            trainer.strategy.barrier()
            self.watch = Watch(trainer.global_rank, trainer.world_size, started_by(trainer), self.folder)
            self.watch.start()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self.watch is not None:
            self.watch.leave()
            self.watch = None


def started_by(trainer: pl.Trainer) -> list["subprocess.Popen[bytes]"]:
    """The processes that this one has started for the training."""
    children: list[subprocess.Popen[bytes]] = getattr(trainer.strategy.launcher, "procs", [])
    return [child for child in children if isinstance(child, subprocess.Popen)]


def dismiss_observer() -> None:
    """Lightning's own thread kills this process without a word where it finds that another one has ended."""
    for thread in threading.enumerate():
        if isinstance(thread, _ChildProcessObserver):
            # It is asleep, and looks once more before it ends.
            thread._run = lambda: True  # type: ignore[method-assign]


class Watch(threading.Thread):
    """Ends this process, whose main thread may wait forever, when another one gives no sign of life.

    Args:
        rank: of this process.
        size: number of processes.
        children: of this process.
        folder: of the run.
    """

    _numbers = count()

    def __init__(
        self, rank: int, size: int, children: Sequence["subprocess.Popen[bytes]"], folder: str | None = None
    ) -> None:
        super().__init__(name="watch", daemon=True)
        self.rank, self.next, self.children, self.folder = rank, (rank + 1) % size, children, folder
        # A job that torchrun has started again finds the signs of the first time.
        self.key = f"lightning_seg/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}/{next(self._numbers)}"
        self.left = threading.Event()
        self.heard, self.failure = 0, ""
        dismiss_observer()

    def run(self) -> None:
        signs = threading.Thread(target=self._exchange, daemon=True)
        signs.start()
        heard, missed = -1, 0
        while not self.left.wait(SECONDS):
            missed = 0 if self.heard != heard else missed + 1
            heard = self.heard
            ended = any(child.poll() for child in self.children)
            if ended or self.failure or missed >= PATIENCE:
                self._end()

    def leave(self) -> None:
        """This process has finished its work."""
        self.left.set()

    def _exchange(self) -> None:
        """Signs of life, in a thread of its own, since the store may stop answering."""
        try:
            store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), timeout=timedelta(seconds=30))
            while not self.left.wait(SECONDS):
                store.add(f"{self.key}/{self.rank}", 1)
                done = store.check([f"{self.key}/{self.next} left"])
                # Looks alone: nothing is added to it.
                heard = self.heard + 1 if done else store.add(f"{self.key}/{self.next}", 0)
                if store.check([f"{self.key} lost"]):
                    raise RuntimeError("a process is lost")
                self.heard = heard
            store.set(f"{self.key}/{self.rank} left", "")
        except RuntimeError as error:
            self.failure = str(error)

    def _end(self) -> None:
        """The main thread may have noticed and be ending; if not, it waits for nothing."""
        if self.left.wait(5 * SECONDS):
            return
        self._tell_others()
        message = what_was_lost(self.children, self.folder)
        if message:
            print(f"lightning-seg: error: {message}", file=sys.stderr, flush=True)
        for child in self.children:
            child.kill()
        os._exit(exit_code(self.children))

    def _tell_others(self) -> None:
        if self.failure:
            return

        def tell() -> None:
            address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
            TCPStore(address, port, timeout=timedelta(seconds=5)).set(f"{self.key} lost", "")

        telling = threading.Thread(target=tell, daemon=True)
        telling.start()
        telling.join(5)


def loss_of(error: BaseException, trainer: pl.Trainer) -> LostError:
    """The error to report when an error shows that another process has ended."""
    watcher = next((one for one in trainer.callbacks if isinstance(one, Processes)), None)  # type: ignore[attr-defined]
    children = started_by(trainer)
    for child in children:
        try:
            child.wait(2 * SECONDS)
        except subprocess.TimeoutExpired:
            continue
        break
    folder = (watcher and watcher.folder) or _folder_of(trainer)
    return LostError(what_was_lost(children, folder), exit_code(children))


def _folder_of(trainer: pl.Trainer) -> str | None:
    folder = run_folder_of(trainer)
    return None if folder is None else str(folder)


def exit_code(children: Sequence["subprocess.Popen[bytes]"]) -> int:
    """The exit code of a child that has printed its own error."""
    return next((child.returncode for child in children if child.poll() is not None and child.returncode > 0), LOST)


def what_was_lost(children: Sequence["subprocess.Popen[bytes]"], folder: str | None) -> str:
    """One line, with the command that continues; empty if a child has printed its own error."""
    if any(child.poll() is not None and child.returncode > 0 for child in children):
        return ""
    killed = [str(child.pid) for child in children if child.poll() is not None and child.returncode < 0]
    who = f"process {', '.join(killed)} was killed" if killed else "another process has ended or cannot be reached"
    return f"{who}, so this one ends, too; {how_to_go_on(folder)}"


def how_to_go_on(folder: str | None) -> str:
    if folder is None:
        return "start the command again"
    last = Path(folder) / "checkpoints" / "last.ckpt"
    if not last.is_file():
        return f"no epoch was finished, so there is nothing to go on from: {folder}"
    # torchrun would take --run for a flag of its own.
    how = "by torchrun ... -m -- lightning_seg" if "TORCHELASTIC_RUN_ID" in os.environ else "started in the same way"
    return f"fit --run {folder}, {how}, goes on after {epochs_done(last)} finished epochs"
