import multiprocessing
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import start_processes

from lightning_seg.__main__ import main
from lightning_seg.synthetic.carvana import write_carvana
from lightning_seg.synthetic.flowers import write_flowers
from lightning_seg.synthetic.oxford_pets import write_oxford_pets
from lightning_seg.synthetic.scenes import write_scenes
from lightning_seg.synthetic.stanford_dogs import write_stanford_dogs


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Threads that share their cores with other programs wait for each other: 22 s instead of 3 s for one test file."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def answered_signals() -> Iterator[None]:
    """What scripts in the background (Ctrl-C) and ``nohup`` (SIGHUP) let all that they start ignore."""
    kept: dict[int, Any] = {signal.SIGINT: signal.default_int_handler}
    if hasattr(signal, "SIGHUP"):
        kept[signal.SIGHUP] = signal.SIG_DFL
    before = {number: signal.signal(number, handler) for number, handler in kept.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def nothing_beside_real_data(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found out about real samples is not remembered in their folder."""
    if request.node.get_closest_marker("real_data"):
        monkeypatch.setenv("LIGHTNING_SEG_CACHE_DIR", str(tmp_path / "caches"))


def copy_of(root: Path, copy: Path) -> Path:
    """Without the caches that other tests have left there."""
    return Path(shutil.copytree(root, copy, ignore=shutil.ignore_patterns(".lightning_seg_cache")))


@pytest.fixture(scope="session")
def pets_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic pets, 6 trainval and 2 test pictures of each of 4 breeds; not to be changed."""
    root = tmp_path_factory.mktemp("oxford_pets") / "root"
    write_oxford_pets(root, num_trainval=24, num_test=8, num_breeds=4, seed=0)
    return root


@pytest.fixture
def pets_copy(pets_root: Path, tmp_path: Path) -> Path:
    """The same pets, for tests that damage them."""
    return copy_of(pets_root, tmp_path / "pets_copy")


@pytest.fixture(scope="session")
def carvana_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic cars, 4 views of each of 6; not to be changed."""
    root = tmp_path_factory.mktemp("carvana") / "root"
    write_carvana(root, num_cars=6, num_views=4, size=(48, 72), seed=0)
    return root


@pytest.fixture
def carvana_copy(carvana_root: Path, tmp_path: Path) -> Path:
    """The same cars, for tests that damage them."""
    return copy_of(carvana_root, tmp_path / "carvana_copy")


@pytest.fixture(scope="session")
def flowers_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic flowers, 6 of each of the five classes; not to be changed."""
    root = tmp_path_factory.mktemp("flowers") / "root"
    write_flowers(root, num_per_class=6, seed=0)
    return root


@pytest.fixture
def flowers_copy(flowers_root: Path, tmp_path: Path) -> Path:
    """The same flowers, for tests that damage them."""
    return copy_of(flowers_root, tmp_path / "flowers_copy")


@pytest.fixture(scope="session")
def dogs_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic dogs, 6 to train and 2 to test on of each of 3 breeds; not to be changed."""
    root = tmp_path_factory.mktemp("stanford_dogs") / "root"
    write_stanford_dogs(root, num_train=18, num_test=6, num_breeds=3, seed=0)
    return root


@pytest.fixture
def dogs_copy(dogs_root: Path, tmp_path: Path) -> Path:
    """The same dogs, for tests that damage them."""
    return copy_of(dogs_root, tmp_path / "dogs_copy")


@pytest.fixture(scope="session")
def scenes_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four synthetic scenes, and 3 single flowers of each of the five kinds and of none; not to be changed."""
    root = tmp_path_factory.mktemp("scenes") / "root"
    write_scenes(root, num_scenes=4, num_per_class=3, seed=0)
    return root


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real samples of the datasets."""
    folder = os.environ.get("LIGHTNING_SEG_REAL_DATA")
    if not folder:
        pytest.skip("LIGHTNING_SEG_REAL_DATA names no folder with real samples")
    return Path(folder)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], str]]:
    """Publishes a folder on this machine and returns its address, which ends in a slash."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ExitStack() as stack:

        def start(folder: Path) -> str:
            handler = partial(QuietHandler, directory=str(folder))
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), handler))
            stack.callback(server.shutdown)
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            return f"http://127.0.0.1:{server.server_port}/"

        yield start


def _in_process(rank: int, store: str, function: Callable[..., Any], results: Any, *args: Any) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    try:
        results.put((rank, function(rank, *args)))
        dist.barrier()
    finally:
        dist.destroy_process_group()


@pytest.fixture
def in_two_processes(tmp_path: Path) -> Callable[..., list[Any]]:
    """Calls a function with 0 and with 1 in two processes that know each other, and returns both plain answers."""

    def call(function: Callable[..., Any], *args: Any) -> list[Any]:
        results = multiprocessing.get_context("fork").SimpleQueue()
        store = str(tmp_path / "store")
        start_processes(_in_process, (store, function, results, *args), nprocs=2, start_method="fork")  # type: ignore[no-untyped-call]
        return [answer for _, answer in sorted((results.get() for _ in range(2)), key=lambda pair: pair[0])]

    return call


@pytest.fixture
def closed_url(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address of this machine where nobody listens."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/"


@pytest.fixture
def mistake(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[str]], str]:
    """Runs a command that must fail, and returns the one line that it leaves on stderr."""
    monkeypatch.chdir(tmp_path)

    def fail(arguments: list[str]) -> str:
        try:
            code: object = main(arguments)
        except SystemExit as stop:
            code = stop.code
        lines = [line for line in capfd.readouterr().err.splitlines() if "error" in line.lower()]
        assert code == 2
        assert len(lines) == 1, lines
        assert lines[0].startswith("lightning-seg: error: ")
        assert "Traceback" not in lines[0]
        return lines[0]

    return fail
