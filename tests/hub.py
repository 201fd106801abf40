"""Hubs of datasets on this machine: they speak Hugging Face's protocol, and ModelScope's."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

SHA = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """What is on the hub: the files of each dataset, by their paths. ``asked`` is the log."""

    def __init__(self) -> None:
        self.url = ""
        self.datasets: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.asked: list[str] = []
        self.tokens: set[str | None] = set()
        self.refuses = False


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub that answers for as long as the block lasts."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body: bytes = b"") -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.hub.asked.append(f"{self.command} {path}")
        self.hub.tokens.add(self.headers.get("Authorization"))
        for pattern, answer in _ROUTES:
            if found := re.fullmatch(pattern, path):
                answer(self, *found.groups(), query=parse_qs(parts.query), body=body)
                return
        self._json({"error": "no such page"}, 404)

    def _json(self, value: Any, status: int = 200, **headers: str) -> None:
        self._send(json.dumps(value).encode(), status, **headers)

    def _send(self, data: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _files(self, name: str) -> dict[str, bytes] | None:
        files = self.hub.datasets.get(name)
        if files is None:
            self._json({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
        return files

    # -- Hugging Face ----------------------------------------------------------------------------

    def info(self, name: str, revision: str | None = None, **_: Any) -> None:
        if revision not in (None, "main", SHA):
            self._json({"error": "Invalid rev id"}, 404, X_Error_Code="RevisionNotFound")
        elif (files := self._files(name)) is not None:
            siblings = [{"rfilename": path} for path in files]
            self._json({"id": name, "sha": SHA, "private": False, "siblings": siblings, "tags": []})

    def tree(self, name: str, at: str | None, query: dict[str, list[str]], **_: Any) -> None:
        if (files := self._files(name)) is None:
            return
        below = [path for path in files if not at or path.startswith(at.strip("/") + "/")]
        if at and not below:
            self._json({"error": "not found"}, 404, X_Error_Code="EntryNotFound")
        elif query.get("recursive", [""])[0].lower() in ("true", "1"):
            folders = {path.rpartition("/")[0] for path in below} - {""}
            self._json([*map(_folder, sorted(folders)), *(_entry(p, files[p]) for p in below)])
        else:
            rest = {path: path.removeprefix(f"{at.strip('/')}/" if at else "") for path in below}
            direct = [_entry(path, files[path]) for path in below if "/" not in rest[path]]
            start = f"{at.strip('/')}/" if at else ""
            folders = {start + r.partition("/")[0] for r in rest.values() if "/" in r}
            self._json([*map(_folder, sorted(folders)), *direct])

    def paths_info(self, name: str, body: bytes, **_: Any) -> None:
        if (files := self._files(name)) is None:
            return
        if self.headers.get("Content-Type", "").startswith("application/json"):
            wanted = json.loads(body)["paths"]
        else:
            wanted = parse_qs(body.decode())["paths"]
        found = [_entry(path, files[path]) for path in wanted if path in files]
        for path in wanted:
            if path not in files and any(each.startswith(f"{path}/") for each in files):
                found.append(_folder(path))
        self._json(found)

    def resolve(self, name: str, path: str, **_: Any) -> None:
        if (files := self._files(name)) is None:
            return
        if path not in files:
            self._json({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")
            return
        data, status, headers = files[path], 200, {"Accept_Ranges": "bytes"}
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, end = int(found[1]), int(found[2] or len(data) - 1)
            headers["Content_Range"] = f"bytes {start}-{min(end, len(data) - 1)}/{len(data)}"
            data, status = data[start : end + 1], 206
        self._send(data, status, ETag=f'"{_oid(files[path])}"', X_Repo_Commit=SHA, **headers)

    def create(self, body: bytes, **_: Any) -> None:
        asked = json.loads(body)
        if self.hub.refuses:
            self._json({}, 403, X_Error_Message="You don't have the rights to create it")
            return
        name = f"{asked['organization']}/{asked['name']}"
        known = name in self.hub.datasets
        self.hub.datasets.setdefault(name, {})
        self.hub.private.setdefault(name, asked.get("visibility") == "private")
        self._json({"url": f"{self.hub.url}/datasets/{name}"}, 409 if known else 200)

    def preupload(self, name: str, body: bytes, **_: Any) -> None:
        files = json.loads(body)["files"]
        told = [{"path": each["path"], "uploadMode": "regular"} for each in files]
        self._json({"files": [{**each, "shouldIgnore": False} for each in told]})

    def commit(self, name: str, body: bytes, **_: Any) -> None:
        files = self.hub.datasets[name]
        for line in body.splitlines():
            step = json.loads(line)
            if step["key"] == "file":
                files[step["value"]["path"]] = base64.b64decode(step["value"]["content"])
            elif step["key"] == "deletedFile":
                files.pop(step["value"]["path"], None)
        commit = {"commitUrl": f"{self.hub.url}/datasets/{name}/commit/{SHA}"}
        self._json({**commit, "commitOid": SHA, "success": True})

    def valid(self, **_: Any) -> None:
        self._json({"errors": [], "warnings": []})

    # -- ModelScope ------------------------------------------------------------------------------

    def listed(self, name: str, query: dict[str, list[str]], **_: Any) -> None:
        files = self.hub.datasets.get(name)
        if files is None:
            self._json({"Code": 10010205001, "Message": "not found", "Success": False}, 404)
            return
        page, size = int(query["PageNumber"][0]), int(query["PageSize"][0])
        folders = {path.rpartition("/")[0] for path in files} - {""}
        found = [{"Path": each, "Type": "tree"} for each in sorted(folders)]
        found += [{"Path": p, "Type": "blob", "Size": len(files[p])} for p in files]
        part = found[(page - 1) * size : page * size]
        self._json({"Code": 200, "Data": {"Files": part}, "Success": True})


def _oid(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def _entry(path: str, data: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(data), "oid": _oid(data)}


def _folder(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "size": 0, "oid": _oid(path.encode())}


_ROUTES = (
    (r"/api/datasets/([\w-]+/[\w-]+)", _Handler.info),
    (r"/api/datasets/([\w-]+/[\w-]+)/revision/(\w+)", _Handler.info),
    (r"/api/datasets/([\w-]+/[\w-]+)/tree/\w+(/.*)?", _Handler.tree),
    (r"/api/datasets/([\w-]+/[\w-]+)/paths-info/\w+", _Handler.paths_info),
    (r"/datasets/([\w-]+/[\w-]+)/resolve/\w+/(.+)", _Handler.resolve),
    (r"/api/repos/create", _Handler.create),
    (r"/api/datasets/([\w-]+/[\w-]+)/preupload/\w+", _Handler.preupload),
    (r"/api/datasets/([\w-]+/[\w-]+)/commit/\w+", _Handler.commit),
    (r"/api/validate-yaml", _Handler.valid),
    (r"/api/v1/datasets/([\w-]+/[\w-]+)/repo/tree", _Handler.listed),
)
