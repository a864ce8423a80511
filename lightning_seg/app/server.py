"""Serving the page from this machine: who may ask for what, until a signal ends it."""

import json
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from lightning_seg.errors import ConfigError
from lightning_seg.temporary import temporary_folder

LARGEST_UPLOAD = 64 * 2**20
"""Bytes of a photo; what surrounds it in a request is allowed for."""
ROOM = 2**20
ELSEWHERE = "Only files of this page."
PATIENCE = 5.0
"""Seconds that open connections have to end."""
PREFIX = "lightning_seg_app_"
ANALYTICS = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "GRADIO_RUN_HISTORY": "False"}
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
"""Browsers load nothing from elsewhere for a page that comes with it, whatever stands in it."""
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Guard:
    """Refuses requests that are larger than a photo or ask for addresses elsewhere, and adds ``POLICY`` to answers."""

    def __init__(self, app: Application) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            _check_address(scope)
            if scope["method"] == "POST" and not scope["path"].endswith("/upload"):
                receive = await _checked_body(receive)
        except RefusedRequest as refused:
            await _answer(send, refused.status, str(refused))
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        await self.app(scope, receive, send_with_policy)


class RefusedRequest(Exception):  # noqa: N818, since it is no fault of the program
    """What a browser asked for is not given."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def _check_address(scope: Message) -> None:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    if not length.isdigit() or int(length) > LARGEST_UPLOAD + ROOM:
        raise RefusedRequest(413, f"The file is larger than {LARGEST_UPLOAD // 2**20} MB.")
    # The library would fetch the address for whoever asks.
    _, _, asked = scope["path"].partition("file=")
    if "://" in asked or ":/" in asked or "/proxy=" in scope["path"]:
        raise RefusedRequest(403, ELSEWHERE)


async def _checked_body(receive: Receive) -> Receive:
    """What was received, again, once it is known to be small and to name no file elsewhere."""
    body = bytearray()
    message = await receive()
    while message["type"] == "http.request":
        body += message.get("body", b"")
        if len(body) > ROOM:
            raise RefusedRequest(413, f"The request is larger than {ROOM // 2**20} MB.")
        if not message.get("more_body"):
            break
        message = await receive()
    if _names_address(body):
        raise RefusedRequest(403, ELSEWHERE)
    first = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again


def _names_address(body: bytearray) -> bool:
    """Whether a file of a request lies elsewhere: the library would fetch it."""
    try:
        left = [json.loads(body or b"null")]
    # Of deep nesting.
    except (ValueError, RecursionError):
        return False
    while left:
        one = left.pop()
        if isinstance(one, dict):
            if ":" in str(one.get("path", "")).partition("/")[0]:
                return True
            left += one.values()
        elif isinstance(one, list):
            left += one
    return False


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder for uploads and pictures of the page, removed at the end, with the library told to use it alone.

    What a killed page has left goes when the next one begins.
    """
    with temporary_folder(PREFIX) as folder:
        before = {name: os.environ.get(name) for name in (*ANALYTICS, "GRADIO_TEMP_DIR")}
        os.environ.update(ANALYTICS, GRADIO_TEMP_DIR=str(folder))
        try:
            yield folder
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def listen(host: str, port: int) -> socket.socket:
    """A socket that nobody else has.

    Raises:
        ConfigError: if the port is taken, or the address is none of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"port {port} of host {host} cannot be had ({reason}); give another --port, or --port 0 for a free one"
        ) from error


def address_of(taken: socket.socket, host: str) -> str:
    """What to open in a browser on this machine."""
    port = taken.getsockname()[1]
    name = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


def is_local(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def serving(app: Any, taken: socket.socket, host: str) -> Iterator[threading.Thread]:
    """The application at work in a thread while the block lasts; afterwards its connections end within seconds."""
    import uvicorn
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    guarded: Any = Guard(app)
    if is_local(host):
        # Pages from elsewhere could otherwise reach it under a name of theirs.
        guarded = TrustedHostMiddleware(guarded, allowed_hosts=["127.0.0.1", "localhost", host])
    config = uvicorn.Config(guarded, log_level="critical", lifespan="on", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True, name="page")
    thread.start()
    try:
        yield thread
    finally:
        server.should_exit = True
        # It closes the socket itself.
        thread.join(PATIENCE)
