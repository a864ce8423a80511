"""A hub on this machine that speaks the few endpoints which are asked here."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from huggingface_hub import constants


class LocalHub:
    """Repositories by name, each with its files by commit, and the commit of each branch."""

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}
        self.branches: dict[str, dict[str, str]] = {}
        self.private: dict[str, bool] = {}
        self.cards: list[str] = []
        """Those that were validated."""
        self.refuses_cards = False
        self.breaks_off: set[str] = set()
        self.before_commit: Callable[[], int] = lambda: 0
        """Called when a commit has been sent; gives the code of an error, or 0."""
        """Files of which half is sent, once."""
        self.asked: list[str] = []
        self.url = ""

    def newest(self, name: str, branch: str = "main") -> str:
        return self.branches[name][branch]

    def files(self, name: str, revision: str) -> dict[str, bytes] | None:
        branches = self.branches.get(name, {})
        return self.commits.get(name, {}).get(branches.get(revision, revision))

    def add(self, name: str, files: dict[str, bytes], branch: str = "main", gone: frozenset[str] = frozenset()) -> str:
        before = self.files(name, branch) or {}
        after = {one: held for one, held in {**before, **files}.items() if one not in gone}
        commit = hashlib.sha1(
            repr((branch, len(self.commits.get(name, {})), sorted(after.items()))).encode()
        ).hexdigest()
        self.commits.setdefault(name, {})[commit] = after
        self.branches.setdefault(name, {})[branch] = commit
        return commit


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: LocalHub

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def answer(self, content: Any, code: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, kind: str, code: int = 404) -> None:
        self.answer({"error": kind}, code, X_Error_Code=kind, X_Error_Message=kind)

    def do_POST(self) -> None:
        self.hub.asked.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        found = re.fullmatch(r"/api/models/(.+)/(preupload|commit|branch)/([^/]+)", self.path)
        if self.path == "/api/validate-yaml":
            self.validate(json.loads(body)["content"])
        elif self.headers.get("Authorization") != "Bearer hf_good":
            self.answer({"error": "Invalid credentials"}, 401)
        elif self.path == "/api/repos/create":
            self.create(json.loads(body))
        elif found and found[2] == "branch":
            self.hub.branches[found[1]][found[3]] = self.hub.newest(found[1])
            self.answer({})
        elif found and self.hub.files(found[1], found[3]) is None:
            self.refuse("RevisionNotFound")
        elif found and found[2] == "preupload":
            files = [file["path"] for file in json.loads(body)["files"]]
            self.answer({"files": [{"path": one, "uploadMode": "regular", "shouldIgnore": False} for one in files]})
        elif found:
            self.commit(found[1], found[3], [json.loads(line) for line in body.splitlines()])
        else:
            self.refuse("EntryNotFound")

    def validate(self, card: str) -> None:
        self.hub.cards.append(card)
        errors = [{"message": "the license does not exist"}] if self.hub.refuses_cards else []
        self.answer({"errors": errors, "warnings": []}, 400 if errors else 200)

    def create(self, given: dict[str, Any]) -> None:
        name = f"{given['organization']}/{given['name']}" if given.get("organization") else given["name"]
        there = name in self.hub.commits
        if not there:
            self.hub.add(name, {})
            self.hub.private[name] = bool(given.get("private")) or given.get("visibility") == "private"
        self.answer({"url": f"{self.hub.url}/{name}"}, 409 if there else 200)

    def commit(self, name: str, branch: str, lines: list[dict[str, Any]]) -> None:
        told = {
            kind: [line["value"] for line in lines if line["key"] == kind] for kind in ("header", "file", "deletedFile")
        }
        if code := self.hub.before_commit():
            self.answer({"error": "broken"}, code)
        elif told["header"][0].get("parentCommit") != self.hub.newest(name, branch):
            self.answer({"error": "A commit has happened since"}, 412)
        else:
            files = {file["path"]: base64.b64decode(file["content"]) for file in told["file"]}
            oid = self.hub.add(name, files, branch, frozenset(file["path"] for file in told["deletedFile"]))
            self.answer({"success": True, "commitUrl": f"{self.hub.url}/{name}/commit/{oid}", "commitOid": oid})

    def do_GET(self) -> None:
        self.hub.asked.append(self.path)
        path = self.path.partition("?")[0]
        if found := re.fullmatch(r"/api/models/(.+?)(?:/(revision|tree)/([^/]+))?", path):
            self.of_repository(found[1], found[2], found[3] or "main")
        elif found := re.fullmatch(r"/(.+)/resolve/([^/]+)/(.+)", path):
            self.of_file(found[1], found[2], found[3])
        else:
            self.refuse("EntryNotFound")

    def do_HEAD(self) -> None:
        self.do_GET()

    def of_repository(self, name: str, what: str | None, revision: str) -> None:
        files = self.hub.files(name, revision)
        private = self.hub.private.get(name) and self.headers.get("Authorization") != "Bearer hf_good"
        if name not in self.hub.commits or private:
            self.refuse("RepoNotFound", 401)
        elif files is None:
            self.refuse("RevisionNotFound")
        elif what == "tree":
            listed = [(one, hashlib.sha1(held).hexdigest(), len(held)) for one, held in files.items()]
            self.answer([{"type": "file", "path": one, "oid": oid, "size": size} for one, oid, size in listed])
        else:
            oid = self.hub.branches[name].get(revision, revision)
            self.answer({"id": name, "sha": oid, "siblings": [{"rfilename": one} for one in files]})

    def of_file(self, name: str, revision: str, file: str) -> None:
        content = (self.hub.files(name, revision) or {}).get(file)
        if content is None:
            self.refuse("EntryNotFound")
            return
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(asked[1]) if asked else 0
        tag = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X_Repo_Commit": revision}
        if self.command == "GET" and file in self.hub.breaks_off:
            self.hub.breaks_off.remove(file)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        told = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        self.answer(content[start:], 206 if start else 200, **tag, **told)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """What HF_ENDPOINT, HF_HUB_CACHE and HF_TOKEN would do if they were set before the first import."""
    made = LocalHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": made}))
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    monkeypatch.setenv("LIGHTNING_SEG_CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.setattr(constants, "ENDPOINT", made.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", made.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub_cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
