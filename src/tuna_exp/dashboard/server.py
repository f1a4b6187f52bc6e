"""The dashboard served on loopback, and what has changed since a page's last question.

Nothing but this machine can reach it, and a page of another site cannot read it: the address it
was asked by must be one of its own (else a name that leads here would let that site in). Left out:
any request that changes something.
"""

import gzip
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tuna_exp.dashboard.page import page
from tuna_exp.dashboard.snapshot import PARTS
from tuna_exp.errors import UserError

HOST = "127.0.0.1"
# How often a page asks, and the least time between two readings of the disk, in seconds.
EVERY, REST = 2.0, 1.0
_POLICY = "frame-ancestors 'none'"
_SMALL = 2000


class Feed:
    """Readings, numbered: each new one tells what differs from any earlier."""

    def __init__(self, read: Callable[[], Mapping[str, Any]]) -> None:
        self.name = secrets.token_hex(8)
        self._read = read
        self._lock = threading.Lock()
        self._generation = 0
        self._told: Mapping[str, Any] = {}
        self._changed: dict[tuple[str, str], int] = {}
        self._heads = 0
        self._next = 0.0

    def since(self, server: str, generation: int) -> dict[str, Any]:
        """Return what is new since a generation of this server; all to one that knows another."""
        with self._lock:
            self._refresh()
            fresh = server != self.name
            known = -1 if fresh else generation
            news = {
                part: {
                    key: value
                    for key, value in self._told[part].items()
                    if self._changed[part, key] > known
                }
                for part in PARTS
            }
            heads = {key: self._told[key] for key in ("common", "runs") if self._heads > known}
            return {
                "server": self.name,
                "generation": self._generation,
                "at": self._told["at"],
                **heads,
                **news,
            }

    def _refresh(self) -> None:
        if time.monotonic() < self._next:
            return
        told = self._read()
        now, before = self._generation + 1, self._told
        changed = [
            (part, key)
            for part in PARTS
            for key, value in told[part].items()
            if key not in before.get(part, {}) or _differs(before[part][key], value)
        ]
        heads = any(told[key] != before.get(key) for key in ("common", "runs"))
        if changed or heads:
            self._generation = now
            self._changed |= dict.fromkeys(changed, now)
            self._heads = now if heads else self._heads
        self._told = told
        self._next = time.monotonic() + REST


def _differs(one: Any, other: Any) -> bool:
    # Finished artifacts are read once, so that most values are the very same object.
    return one is not other and bool(one != other)


def make_server(read: Callable[[], Mapping[str, Any]], port: int) -> ThreadingHTTPServer:
    """Return a server on loopback that is not yet running; port 0 takes a free one.

    Raises UserError where the port cannot be had, and what `read` raises at first.
    """
    feed = Feed(read)
    feed.since("", 0)

    class Answers(_Answers):
        pass

    Answers.feed = feed
    try:
        return ThreadingHTTPServer((HOST, port), Answers)
    except (OSError, OverflowError) as error:
        raise UserError(
            f"--port {port}: {HOST}:{port} cannot be had ({error}). Cure: --port 0 takes a free "
            "one."
        ) from error


class _Answers(BaseHTTPRequestHandler):
    """GET / and GET /data.json."""

    feed: Feed
    server_version = "tuna-exp"

    def do_GET(self) -> None:
        """Answer; a reading that fails is told as a 503, and the page tries again."""
        asked = urlsplit(self.path)
        if not self._is_ours():
            self._send(HTTPStatus.FORBIDDEN, "text/plain", "this address is not served here\n")
            return
        try:
            if asked.path == "/":
                told = self.feed.since("", 0)
                self._send(HTTPStatus.OK, "text/html; charset=utf-8", page(told, EVERY))
            elif asked.path == "/data.json":
                query = parse_qs(asked.query)
                since = query.get("since", ["0"])[0]
                told = self.feed.since(
                    query.get("server", [""])[0], int(since) if since.isdecimal() else 0
                )
                text = json.dumps(told, ensure_ascii=False, allow_nan=False)
                self._send(HTTPStatus.OK, "application/json", text)
            else:
                self._send(HTTPStatus.NOT_FOUND, "text/plain", "there is / and /data.json\n")
        except (UserError, OSError) as error:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", f"{error}\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the terminal for the user."""

    def _is_ours(self) -> bool:
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        return host in (HOST, "localhost")

    def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode()
        packed = len(body) > _SMALL and "gzip" in self.headers.get("Accept-Encoding", "")
        if packed:
            body = gzip.compress(body, 1)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)
