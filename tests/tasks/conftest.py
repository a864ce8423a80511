import hashlib
import json
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

CountReads = Callable[[Callable[[], object]], int]
MoveHub = Callable[[str, Path], None]
Publish = Callable[[str, str, dict[str, Tensor], dict[str, Any]], None]


@pytest.fixture
def move_hub(monkeypatch: pytest.MonkeyPatch) -> MoveHub:
    """What HF_ENDPOINT and HF_HUB_CACHE would do if they were set before the first import."""

    def move(url: str, cache: Path) -> None:
        monkeypatch.setattr(constants, "ENDPOINT", url.rstrip("/"))
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))

    return move


@pytest.fixture
def publish(
    tmp_path: Path, serve: Callable[[Path], str], move_hub: MoveHub, monkeypatch: pytest.MonkeyPatch
) -> Publish:
    """A Hugging Face hub on this machine: repository, revision, weights and config."""

    def end_headers(handler: SimpleHTTPRequestHandler) -> None:
        handler.send_header("ETag", f'"{hashlib.sha256(handler.path.encode()).hexdigest()}"')
        handler.send_header("X-Repo-Commit", "0" * 40 if "/main/" in handler.path else handler.path.split("/")[4])
        plain(handler)

    def write(repository: str, revision: str, state: dict[str, Tensor], config: dict[str, Any]) -> None:
        files = folder / repository / "resolve" / revision
        files.mkdir(parents=True)
        save_file(state, files / "model.safetensors")
        (files / "config.json").write_text(json.dumps(config))

    plain = SimpleHTTPRequestHandler.end_headers
    monkeypatch.setattr(SimpleHTTPRequestHandler, "end_headers", end_headers)
    folder = tmp_path / "www"
    folder.mkdir()
    move_hub(serve(folder), tmp_path / "cache")
    return write


@pytest.fixture
def no_hub(tmp_path: Path, closed_url: str, move_hub: MoveHub) -> str:
    move_hub(closed_url, tmp_path / "cache")
    return closed_url


class Reads(TorchDispatchMode):
    """Counts how often numbers are fetched from their device."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.number = 0
        plain = Tensor.tolist

        def counted(tensor: Tensor) -> Any:
            self.number += 1
            return plain(tensor)

        # It passes by the dispatcher.
        monkeypatch.setattr(Tensor, "tolist", counted)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.number += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.fixture
def count_reads(monkeypatch: pytest.MonkeyPatch) -> CountReads:
    """Runs a function, and returns how often it has waited for numbers."""

    def count(function: Callable[[], object]) -> int:
        with monkeypatch.context() as patch, Reads(patch) as reads:
            function()
        return int(reads.number)

    return count
