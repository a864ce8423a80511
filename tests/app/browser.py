"""Chromium without a window, driven by its own DevTools protocol over a pair of pipes: no driver and no library."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--force-prefers-reduced-motion"),
)
# The pipes have these numbers.
START = 'exec "$0" "$@" --remote-debugging-pipe 3<&{asked} 4>&{answered}'
KEYS = {"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39, "ArrowLeft": 37, "ArrowDown": 40}


class Browser:
    """One tab."""

    def __init__(self, process: "subprocess.Popen[bytes]", asks: Any, answers: Any) -> None:
        self.process, self.asks, self.answers = process, asks, answers
        self.number, self.session, self.heard = 0, "", b""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "DOM", "Accessibility"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """The answer to one command; events that come before it are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session and not method.startswith("Target."):
            message["sessionId"] = self.session
        self.asks.write(json.dumps(message).encode() + b"\0")
        self.asks.flush()
        while True:
            said = self._next()
            if said.get("id") == self.number:
                assert "error" not in said, f"{method}: {said['error']}"
                return said["result"]
            self.events.append(said)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.heard:
            part = self.answers.read(65536)
            assert part, "the browser has ended"
            self.heard += part
        message, _, self.heard = self.heard.partition(b"\0")
        said: dict[str, Any] = json.loads(message)
        return said

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        said = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def wait(self, script: str, seconds: float = 60) -> Any:
        """The value of an expression as soon as it is something."""
        end = time.monotonic() + seconds
        while not (value := self.run(f"(one => one instanceof Node || one)({script})")):
            assert time.monotonic() < end, f"{script} is not so after {seconds} s: {self.text()}"
            time.sleep(0.05)
        return value

    def text(self) -> str:
        return str(self.run("document.body.innerText"))

    def give_file(self, selector: str, path: Path) -> None:
        """Choose a file, as in the dialog of an upload."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        assert node, f"no {selector}"
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path.resolve())])

    def click(self, script: str) -> None:
        """With the mouse, in the middle of the element that an expression gives."""
        place = self.wait(
            f"(() => {{ const one = {script}; if (!one) return null; one.scrollIntoView({{block: 'center'}}); "
            "const box = one.getBoundingClientRect(); "
            "return box.width ? [box.x + box.width / 2, box.y + box.height / 2] : null })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", buttons=1, clickCount=1
            )

    def tab(self, name: str) -> None:
        """Open a tab of the page."""
        button = f"[...document.querySelectorAll('button[role=tab]')].find(one => one.innerText.trim() === '{name}')"

        def is_open() -> bool:
            # A click before the page has come to life is lost.
            self.click(button)
            return bool(self.run(f"{button}.getAttribute('aria-selected') === 'true'"))

        assert eventually(is_open)

    def choose(self, label: str, choice: str) -> None:
        """Take a choice of a dropdown, the first that ends in these words."""
        field = f"document.querySelector('input[role=combobox][aria-label=\"{label}\"]')"
        shown = "[...document.querySelectorAll('ul[role=listbox] [role=option]')]"
        self.click(field)
        self.click(f"{shown}.find(one => one.innerText.trim().endsWith({json.dumps(choice)}))")

    def slide(self, label: str, value: float) -> None:
        """Type the value of a slider into the field beside it."""
        field = f"document.querySelector('input[aria-label=\"number input for {label}\"]')"
        self.click(field)
        self.run(f"{field}.select()")
        self.call("Input.insertText", text=str(value))
        self.press("Tab")

    def save_downloads(self, folder: Path) -> None:
        session, self.session = self.session, ""
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self.session = session

    def press(self, key: str) -> None:
        code = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": KEYS[key]}
        text = {"text": {"Enter": "\r", " ": " "}[key]} if key in ("Enter", " ") else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def size(self, width: int, height: int, dark: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path, whole: bool = True) -> None:
        """A screenshot as PNG."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def asked(self) -> list[str]:
        """The addresses that the page has asked for."""
        self.call("Runtime.evaluate", expression="0")
        wanted = ("Network.requestWillBeSent", "Network.webSocketCreated")
        sent = [event["params"] for event in self.events if event.get("method") in wanted]
        return [params["request"]["url"] if "request" in params else params["url"] for params in sent]

    def controls(self) -> list[tuple[str, str]]:
        """Role and accessible name of everything that can be operated, as screen readers find it."""
        roles = {"button", "checkbox", "combobox", "slider", "spinbutton", "textbox", "radio", "tab", "link", "listbox"}
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        shown = [node for node in nodes if not node.get("ignored") and node["role"]["value"] in roles]
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in shown]


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, ended with the block."""
    assert CHROMIUM is not None
    asked, asks = os.pipe()
    answers, answered = os.pipe()
    start = START.format(asked=asked, answered=answered)
    words = [*FLAGS, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(
        ["bash", "-c", start, CHROMIUM, *words],
        pass_fds=(asked, answered),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "no_proxy": "*"},
    )
    os.close(asked)
    os.close(answered)
    with os.fdopen(asks, "wb") as writing, os.fdopen(answers, "rb", buffering=0) as reading:
        try:
            browser = Browser(process, writing, reading)
            yield browser
            # Told so, it ends with all of its processes.
            browser.session = ""
            browser.call("Browser.close")
            process.wait(20)
        finally:
            process.kill()
            process.wait(20)


def eventually(is_so: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether something is so before the time is over."""
    end = time.monotonic() + seconds
    while not (said := is_so()) and time.monotonic() < end:
        time.sleep(0.1)
    return said
