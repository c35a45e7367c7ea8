"""A small hub of repositories on this machine, to fetch from in tests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any


class Hub:
    """Serves folders as data sets and models of the hub are served.

    A file on GitHub has the same path as one of a model, but without
    ``resolve``.  ``seen`` are the requests so far.
    """

    commit = 40 * "c"  # what the branch "main" of every model is

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.folders: dict[str, Path] = {}
        kind = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def add(self, name: str, folder: Path) -> None:
        """Publish a folder as the repository ``owner/name``."""
        self.folders[name] = folder

    def close(self) -> None:
        """From now on there is no network."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str) -> tuple[bytes, dict[str, str]] | None:
        """What is served at a path, with its headers."""
        parts = path.partition("?")[0].strip("/").split("/")
        if parts[0] == "api":
            if self.error(path):
                return None
            name = "/".join(parts[2:4])
            if parts[4] == "revision":
                about = {"id": name, "sha": self.commit, "siblings": []}
                return json.dumps(about).encode(), {}
            return self._listing(name), {}
        if parts[0] == "datasets":
            parts = parts[1:]
        if parts[2:3] == ["resolve"]:
            del parts[2]
        owner, name, revision, *rest = [*parts, "", "", ""][: len(parts) + 2]
        folder = self.folders.get(f"{owner}/{name}")
        file = folder and folder.joinpath(*rest)
        if not file or not file.is_file():
            return None
        data = file.read_bytes()
        return data, {"X-Repo-Commit": revision, "ETag": f'"{_oid(data)}"'}

    def error(self, path: str) -> str:
        """What the real hub says of a model that is not there."""
        parts = path.partition("?")[0].strip("/").split("/")
        if parts[:2] != ["api", "models"]:
            return ""
        if "/".join(parts[2:4]) not in self.folders:
            return "RepoNotFound"
        known = parts[-1] in ("main", self.commit)
        return "" if known else "RevisionNotFound"

    def _listing(self, name: str) -> bytes:
        folder = self.folders.get(name, Path("nowhere"))
        files = [path for path in folder.rglob("*") if path.is_file()]
        entries = [
            {
                "type": "file",
                "path": path.relative_to(folder).as_posix(),
                "size": path.stat().st_size,
                "oid": _oid(path.read_bytes()),
            }
            for path in files
        ]
        return json.dumps(entries).encode()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self._reply(body=False)

    def do_GET(self) -> None:
        self._reply(body=True)

    def _reply(self, body: bool) -> None:
        self.hub.seen.append(self.path)
        found = self.hub.answer(self.path)
        code = self.hub.error(self.path) or "EntryNotFound"
        data, headers = found or (b"", {"X-Error-Code": code})
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


def write_parquet(columns: Mapping[str, Any], path: Path) -> None:
    """A table as the hub keeps it."""
    import datasets

    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(dict(columns)).to_parquet(str(path))


def _oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()
