"""A site on this machine that serves files with ranges and marks, and misbehaves as it is told."""

from __future__ import annotations

import gzip
import random
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from nbrelapse.readers import PublicFile, PublicStudy, Terms, _download

TEXT = random.Random(1).randbytes(300_000)
CONTENT = gzip.compress(TEXT, mtime=0)
"""About as long as the text: random bytes do not pack."""


class Site(ThreadingHTTPServer):
    """`files` by path; `faults` of a path are used up, a request each; `requests` are what came in."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {"/table.txt.gz": CONTENT}
        self.etags: dict[str, str | None] = {}
        self.modified: str | None = None
        self.faults: dict[str, list[tuple[str, Any]]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.sent = 0

    def address(self, path: str = "/table.txt.gz") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def study(self, *paths: str, limit_mb: int = 2, **about: Any) -> PublicStudy:
        terms = Terms(short="open", title="Open terms", address="https://example.org/terms", text="Cite what you use.")
        files = [PublicFile(address=self.address(path), limit_mb=limit_mb) for path in paths or ["/table.txt.gz"]]
        facts: dict[str, Any] = {"title": "A study", "citation": "Nobody 2026", "people": 2, "assays": ["clinical"]}
        where = {"source": "here", "page": "https://example.org", "reader": "geo"}
        return PublicStudy(**{**facts, **where, "terms": [terms], "files": files, **about})

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.close_connection = True
        self.server.requests.append((self.path, dict(self.headers)))
        queue = self.server.faults.get(self.path, [])
        kind, what = queue.pop(0) if queue else ("", None)
        if kind == "status":
            self.send_response(what[0])
            self._end({"Content-Length": "0", **what[1]})
        elif kind == "redirect":
            self.send_response(302)
            self._end({"Content-Length": "0", "Location": what})
        elif self.path not in self.server.files:
            self.send_response(404)
            self._end({"Content-Length": "0"})
        else:
            self._serve(kind, what)

    def _serve(self, kind: str, what: Any) -> None:
        content, etag = self.server.files[self.path], self.server.etags.get(self.path, '"v1"')
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        mark = self.server.modified if etag is None or etag.startswith("W/") else etag
        if kind == "no ranges" or (kind != "careless" and self.headers.get("If-Range") != mark):
            start = 0
        marks = {"ETag": etag, "Last-Modified": self.server.modified}
        marks = {name: text for name, text in marks.items() if text is not None}
        if start and start >= len(content):
            self.send_response(416)
            self._end({"Content-Length": "0", "Content-Range": f"bytes */{len(content)}", **marks})
            return
        start = max(start + (what if kind == "elsewhere" else 0), 0)
        body = content[start : start + what if kind == "short" else None]
        self.send_response(206 if start else 200)
        place = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        length = {"Content-Length": str(what if kind == "length" else len(body))}
        self._end({**({} if kind == "endless" else length), **place, **marks})
        if kind == "slow":
            time.sleep(what)
        body = body * 100 if kind == "endless" else body[:what] if kind == "break" else body
        self.wfile.write(body)
        self.server.sent += len(body)

    def _end(self, headers: dict[str, str]) -> None:
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The site; no proxy of this machine is asked, and no time is lost between tries."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(_download, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(_download, "LONGEST_WAIT", 0.01)
    monkeypatch.setattr(_download, "_BLOCK", 2**14)
    with Site() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def content() -> bytes:
    return CONTENT


@pytest.fixture
def offered(site: Site, monkeypatch: pytest.MonkeyPatch) -> Callable[..., PublicStudy]:
    """Make a study of the site the only one that there is, called `here`."""

    def offer(*paths: str, **about: Any) -> PublicStudy:
        study = site.study(*paths, **about)
        monkeypatch.setattr("nbrelapse.readers.fetch.public_studies", lambda: {"here": study})
        return study

    return offer
