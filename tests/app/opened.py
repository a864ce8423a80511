"""The command ``lightning-seg app`` at work in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

COMMAND = (sys.executable, "-m", "lightning_seg")


@contextmanager
def opened(
    *words: str, folder: Path, command: Sequence[str] = COMMAND
) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The command at work, with its temporary files in a folder, and the lines that it has printed."""
    folder.mkdir(exist_ok=True)
    with subprocess.Popen(
        [*command, "app", *words, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stdout is not None
        said = ""
        while "the page is at" not in said:
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            said += line
        yield process, said
        process.kill()


def address_in(said: str) -> str:
    return said.partition("the page is at ")[2].split()[0]


def fetch(address: str) -> str:
    with build_opener(ProxyHandler({})).open(address, timeout=30) as answer:
        return str(answer.read().decode())
