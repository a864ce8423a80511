"""Who may ask the page for what, and what it tells nobody: requests to a page of a model that computes nothing."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lightning_seg.app.server import LARGEST_UPLOAD, address_of, is_local, listen
from lightning_seg.app.sources import Source
from lightning_seg.errors import ConfigError

Ask = Callable[..., tuple[int, str, HTTPResponse]]
BORDER = "line-between-parts"
FORM = {"Content-Type": f"multipart/form-data; boundary={BORDER}"}
JSON = {"Content-Type": "application/json"}


def form(content: bytes, name: str = "photo.png") -> bytes:
    head = f'--{BORDER}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    return head.encode() + content + f"\r\n--{BORDER}--\r\n".encode()


@pytest.fixture(scope="module")
def page(served: Callable[..., tuple[str, Path]], masks: Source) -> tuple[str, Path]:
    return served(masks)


@pytest.fixture(scope="module")
def ask(page: tuple[str, Path]) -> Ask:
    parts = urlsplit(page[0])

    def send(path: str, body: Any = None, method: str = "GET", **headers: str) -> tuple[int, str, HTTPResponse]:
        connection = HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        connection.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}, encode_chunked=True
        )
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace"), answer

    return send


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_page_and_all_that_it_loads_is_its_own(ask: Ask) -> None:
    status, page, answer = ask("/")
    assert status == 200
    loaded = re.findall(r"""<(?:link|script|img|iframe)\b[^>]*?(?:href|src)=["']?([^"'\s>]+)""", page)
    assert loaded
    elsewhere = [one for one in loaded if re.match(r"(?:\w+:)?//", one)]
    assert elsewhere == []
    assert "default-src 'self'" in str(answer.getheader("content-security-policy"))
    assert "http" not in str(answer.getheader("content-security-policy"))
    _, theme, _ = ask("/theme.css")
    assert not re.search(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", theme)


def test_nothing_is_told_to_anybody(ask: Ask) -> None:
    status, config, _ = ask("/config")
    assert status == 200
    content = json.loads(config)
    assert content["analytics_enabled"] is False
    assert not content.get("footer_links")
    assert "api.gradio.app" not in config


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/file=/etc/passwd",
        "/gradio_api/file=../../../../etc/passwd",
        "/gradio_api/file=%2Fetc%2Fpasswd",
        "/gradio_api/file={here}",
        "/gradio_api/file={folder}/../{here}",
        "/static/../../../../../../etc/passwd",
        "/assets/..%2f..%2f..%2f..%2f..%2fetc/passwd",
        "/gradio_api/file=http://127.0.0.1:9/x",
        "/gradio_api/proxy=http://127.0.0.1:9/x",
    ],
)
def test_other_files_are_not_served(path: str, ask: Ask, page: tuple[str, Path]) -> None:
    path = path.format(here=Path(__file__).resolve(), folder=page[1])
    status, text, _ = ask(path)
    assert 400 <= status < 500
    assert "root:" not in text
    assert "Who may ask" not in text


def test_pages_elsewhere_cannot_reach_it_under_a_name_of_theirs(ask: Ask) -> None:
    assert ask("/", Host="evil.example")[0] == 400
    assert ask("/", Host="localhost:80")[0] == 200


def test_an_upload_can_be_read_again_and_nothing_beside_it(ask: Ask, page: tuple[str, Path]) -> None:
    status, text, _ = ask("/gradio_api/upload", form(b"some photo"), "POST", **FORM)
    assert status == 200
    (path,) = json.loads(text)
    assert Path(path).is_relative_to(page[1])
    assert ask(f"/gradio_api/file={path}")[:2] == (200, "some photo")
    Path(path).unlink()


@pytest.mark.parametrize("name", ["../../escaped.png", "/tmp/escaped.png", "..%2f..%2fescaped.png"])
def test_an_upload_stays_in_its_folder(name: str, ask: Ask, page: tuple[str, Path]) -> None:
    status, text, _ = ask("/gradio_api/upload", form(b"x" * 9, name), "POST", **FORM)
    assert status == 200
    (path,) = json.loads(text)
    assert Path(path).resolve().is_relative_to(page[1].resolve())
    Path(path).unlink()


def test_what_is_too_large_leaves_nothing(ask: Ask, page: tuple[str, Path]) -> None:
    """By its announced length, and in pieces of no announced length."""
    before = files_in(page[1])
    status, text, _ = ask("/gradio_api/upload", b"", "POST", **FORM, Content_Length=str(500 * 2**20))
    assert (status, text) == (413, "The file is larger than 64 MB.")

    def pieces() -> Iterator[bytes]:
        yield form(b"").partition(b"\r\n--")[0]
        for _ in range(LARGEST_UPLOAD // 2**20 + 2):
            yield bytes(2**20)

    # It may hang up before all was sent.
    with suppress(BrokenPipeError, ConnectionResetError):
        assert ask("/gradio_api/upload", pieces(), "POST", **FORM, Transfer_Encoding="chunked")[0] == 413
    assert files_in(page[1]) == before


@pytest.mark.parametrize("path", ["http://127.0.0.1:9/a.png", "ftp://x/y", "file:/etc/passwd"])
def test_a_file_that_lies_elsewhere_is_not_fetched(path: str, ask: Ask) -> None:
    photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
    body = json.dumps({"data": [photo, 50, [], 0, "none", 0], "fn_index": 0, "session_hash": "abc"})
    assert ask("/gradio_api/queue/join", body, "POST", **JSON)[:2] == (403, "Only files of this page.")
    assert ask("/gradio_api/queue/join", b"x" * (2 * 2**20), "POST", **JSON)[0] == 413


def test_a_port_that_is_taken_is_a_line_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} of host 127.0.0.1 cannot be had .*--port 0 for a free one"):
            listen("127.0.0.1", port)
    for host, port in (("no.such.host.invalid", 7860), ("127.0.0.1", 99999)):
        with pytest.raises(ConfigError, match="cannot be had"):
            listen(host, port)


def test_addresses() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert address_of(taken, "127.0.0.1") == f"http://127.0.0.1:{port}/"
        assert address_of(taken, "0.0.0.0") == f"http://127.0.0.1:{port}/"
        assert address_of(taken, "::1") == f"http://[::1]:{port}/"
    assert [is_local(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "10.0.0.2", "name")] == [
        *[True] * 3,
        *[False] * 3,
    ]
