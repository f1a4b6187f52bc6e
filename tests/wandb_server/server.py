"""A W&B-compatible server on loopback, for the real client: online runs, sync and the public API.

It proves what our calls send and that the client takes the answers; not that the real server
filters or draws alike. Left out: who may do what, and every check of types.
"""

import base64
import gzip
import json
import re
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlparse

from tests.wandb_server.graphql import execute
from tests.wandb_server.reading import Reading
from tests.wandb_server.records import Records
from tests.wandb_server.writing import Writing

KEY = "0123456789" * 4  # what the client takes for an API key
_STREAM = re.compile(r"/files/([^/]+)/([^/]+)/([^/]+)/file_stream")
_CONTENT = re.compile(r"/artifactsV2/.*/([0-9a-f]{32})(/.*)?")


class Server(ThreadingHTTPServer):
    """Loopback only, on a free port; what came in is in `records`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.records = Records(base=f"http://127.0.0.1:{self.server_port}")
        reading = Reading(self.records)
        self.writing = Writing(self.records, reading)
        self.root = {**reading.root(), **self.writing.root()}

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead a client here."""
        return {"WANDB_BASE_URL": self.records.base, "WANDB_API_KEY": KEY}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that clients drop."""

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer a GraphQL request."""
        records = self.records
        try:
            name, data = execute(asked["query"], asked.get("variables"), self.root, records.unknown)
        except Exception as error:  # a test shall see it as the server's, not as a lost connection
            told = "".join(traceback.format_exception(error))
            records.operations.append(f"failed: {told}")
            return {"data": None, "errors": [{"message": repr(error), "path": []}]}
        records.operations.append(name)
        return {"data": data}

    def content_of(self, digest: str) -> bytes | None:
        """The bytes of an artifact's file by its MD5 in hex."""
        wanted = base64.b64encode(bytes.fromhex(digest)).decode()
        for made in self.records.artifacts.values():
            for name, found in made["files"].items():
                if found == wanted:
                    return self.records.blobs.get(f"{made['id']}/{name}")
        return None


class Handler(BaseHTTPRequestHandler):
    """HTTP around the records."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    @property
    def route(self) -> str:
        return unquote(urlparse(self.path).path)

    def do_POST(self) -> None:
        body, server = self._body(), self.server
        with server.records.lock:
            if self.route == "/graphql":
                return self._reply(server.answer(json.loads(body)))
            if found := _STREAM.fullmatch(self.route):
                return self._reply(server.writing.stream(found[2], found[3], json.loads(body)))
            server.records.unknown.add(f"POST {self.route}")
        return self._reply({}, 404)

    def do_PUT(self) -> None:
        body = self._body()
        kind, _, rest = self.route.removeprefix("/storage/").partition("/")
        with self.server.records.lock:
            if kind == "file":
                project, run, name = rest.split("/", 2)
                self.server.records.files[project, run, name] = body
            else:
                self.server.records.blobs[rest if kind == "blob" else f"{kind}/{rest}"] = body
        self._reply({})

    def do_GET(self) -> None:
        with self.server.records.lock:
            found = self._stored()
        if found is None:
            self.server.records.unknown.add(f"GET {self.route}")
            return self._reply({}, 404)
        return self._reply(found)

    do_HEAD = do_GET

    def _stored(self) -> bytes | None:
        records = self.server.records
        if found := _CONTENT.fullmatch(self.route):
            return self.server.content_of(found[1])
        kind, _, rest = self.route.removeprefix("/storage/").partition("/")
        if kind == "file" and rest.count("/") >= 2:
            project, run, name = rest.split("/", 2)
            return records.files.get((project, run, name))
        return records.blobs.get(rest if kind == "blob" else f"{kind}/{rest}")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        headers = [v for k, v in self.headers.items() if k.lower() != "authorization"]
        self.server.records.received.append("\n".join([self.path, *headers]).encode() + body)
        return body

    def _reply(self, content: Any, status: int = 200) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content, default=str).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def running() -> Iterator[Server]:
    """Serve while the block runs."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
