"""A server on this machine that speaks both vendors' protocols, counts, and fails by plan.

    python -m tests.services.loopback --port 0 --state FOLDER [--latency 0.2] [--faults JSON] ...

prints `PORT n` once it listens; in a test, `with running(...) as server:`. It is a process of its
own, so that clients can be killed while it lives on. Every setting is a field of `Settings`.

What it says (`answers`, `protocols`) follows from the request alone; what was served is counted
in `ledger`, what goes wrong stands in `faults`. Beside the vendors' paths:

    GET  /_loopback/served   answers per digest (`ledger.digest_of`), per custom id, and US dollars
    GET  /_loopback/stats    requests at once and per minute, paths, statuses, faults that struck
    POST /_loopback/faults   a new plan: a JSON list of `faults.Rule`
    POST /_loopback/reset    forget answers, files, batches and numbers; the plan of the start again

A request whose client is gone is answered and charged all the same, as real services do.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from tests.services.answering import Answerer, Prices
from tests.services.anthropic_batches import AnthropicBatches
from tests.services.batches import BatchWork
from tests.services.faults import PLAN, SPOILT, WIRE, Faults, RefusedError, Rule, error_body
from tests.services.ledger import Ledger, Traffic, digest_of
from tests.services.openai_batches import OpenAIBatches
from tests.services.protocols import ANSWERING, count_input, unique

CHECKOUT = Path(__file__).parents[2]
_LARGEST_BODY = 2**29
_HANG_LOOKS = 0.05
Handler = Any


@dataclass(frozen=True)
class Settings:
    """Everything that can be set; the command line has an option for each field.

    `latency` (seconds) is of each answer asked directly; a batch takes `batch_seconds` and
    `batch_polls`. `key` empty accepts any. Prices are US dollars per token, and `batch_price` the
    share of it that batches cost. `faults` is a JSON list of rules, drawn with `seed`.
    """

    port: int = 0
    state: str = ""
    key: str = ""
    models: str = "loopback-1"
    latency: float = 0.0
    batch_seconds: float = 0.0
    batch_polls: int = 2
    usd_in: float = 1e-6
    usd_out: float = 2e-6
    batch_price: float = 0.5
    faults: str = "[]"
    seed: int = 0


class Service:
    """The server's parts, and the paths that are neither files nor batches."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        ledger = Ledger(Path(settings.state) / "served.jsonl")
        prices = Prices(settings.usd_in, settings.usd_out, settings.batch_price)
        self.answerer = Answerer(ledger, prices, self._plan(settings.faults))
        self.traffic = Traffic()
        work = BatchWork(self.answerer, settings.batch_seconds, settings.batch_polls)
        self.batches = (OpenAIBatches(work), AnthropicBatches(work))

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[self.meet])
        app.add_routes([web.post(path, self.answer) for path in ANSWERING])
        for batches in self.batches:
            app.add_routes(batches.routes())
        app.add_routes(
            [
                web.get("/v1/models", self.models),
                web.get("/v1/models/{id}", self.model),
                web.post("/v1/messages/count_tokens", self.count_tokens),
                web.get("/_loopback/served", self.served),
                web.get("/_loopback/stats", self.stats),
                web.post("/_loopback/faults", self.plan),
                web.post("/_loopback/reset", self.reset),
            ]
        )
        return app

    @web.middleware
    async def meet(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count a vendor's request, let faults strike, and put failures in the vendor's shape."""
        if not request.path.startswith("/v1/"):
            return await handler(request)
        self.traffic.begin(f"{request.method} {request.path}")
        status = 0
        try:
            response = await self._met(request, handler)
            status = response.status
        finally:
            self.traffic.end(status)
        return response

    async def _met(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._let_in(request)
            text = await _read(request)
            digest = sha256(f"{request.method} {request.path_qs} {text}".encode()).hexdigest()
            rule = self.answerer.faults.strike(WIRE, request.path, digest, text)
            if rule is not None:
                await _suffer(rule, request)
            response = await handler(request)
        except web.HTTPException as failure:
            return _failed(request, RefusedError(failure.status, failure.reason))
        except RefusedError as failure:
            return _failed(request, failure)
        response.headers["request-id"] = response.headers["x-request-id"] = unique("req_")
        if rule is not None and rule.fault == "garbage":
            return web.Response(text="<html>This page is busy.</html>", content_type="text/html")
        if rule is not None and rule.fault == "cut":
            await _cut(request, response)
        return response

    def _let_in(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        keys = {given, request.headers.get("x-api-key", "")} - {""}
        if not keys or (self.settings.key and self.settings.key not in keys):
            raise RefusedError(401, "Incorrect API key provided")

    async def answer(self, request: web.Request) -> web.Response:
        """Answer and charge."""
        body = await request.json()
        await asyncio.sleep(self.settings.latency)
        digest, text = digest_of(request.path, body), await request.text()
        rule = self.answerer.faults.strike(SPOILT, request.path, digest, text)
        return web.json_response(self.answerer.answer(request.path, body, rule))

    async def count_tokens(self, request: web.Request) -> web.Response:
        """Count the tokens of a message's texts, free of charge."""
        return web.json_response({"input_tokens": count_input(await request.json())})

    async def models(self, request: web.Request) -> web.Response:
        """Show the models' names; others are answered for too."""
        shown = [_model(request, name) for name in self.settings.models.split(",")]
        ends = {"has_more": False, "first_id": shown[0]["id"], "last_id": shown[-1]["id"]}
        return web.json_response({"object": "list", "data": shown, **ends})

    async def model(self, request: web.Request) -> web.Response:
        """Show one model."""
        name = request.match_info["id"]
        if name not in self.settings.models.split(","):
            raise RefusedError(404, f"The model '{name}' does not exist")
        return web.json_response(_model(request, name))

    async def served(self, request: web.Request) -> web.Response:
        """Tell what was served."""
        return web.json_response(self.answerer.ledger.told())

    async def stats(self, request: web.Request) -> web.Response:
        """Tell how the server was used."""
        return web.json_response({**self.traffic.told(), "faults": self.answerer.faults.told()})

    async def plan(self, request: web.Request) -> web.Response:
        """Take a new plan of faults; what the old one remembered is forgotten."""
        try:
            self.answerer.faults = self._plan(await request.text())
        except ValidationError as failure:
            return web.json_response({"error": str(failure)}, status=400)
        return web.json_response(self.answerer.faults.told())

    async def reset(self, request: web.Request) -> web.Response:
        """Be as at the start."""
        self.answerer.ledger.reset()
        self.answerer.faults = self._plan(self.settings.faults)
        self.traffic = Traffic()
        for batches in self.batches:
            batches.reset()
        return web.json_response({})

    def _plan(self, rules: str) -> Faults:
        return Faults(PLAN.validate_json(rules), self.settings.seed)


def _is_anthropic(request: web.Request) -> bool:
    return request.path.startswith("/v1/messages") or "anthropic-version" in request.headers


async def _read(request: web.Request) -> str:
    """Return a body as text, of a form its file; raises RefusedError for broken JSON."""
    if request.content_type == "multipart/form-data":
        file = (await request.post()).get("file")
        if not isinstance(file, web.FileField):
            return ""
        text = file.file.read().decode(errors="replace")
        file.file.seek(0)
        return text
    text = await request.text()
    if request.content_type == "application/json" and text:
        try:
            json.loads(text)
        except ValueError as failure:
            raise RefusedError(400, f"We could not parse the JSON body: {failure}") from None
    return text


async def _suffer(rule: Rule, request: web.Request) -> None:
    """Do what a fault does before a request is handled; `cut` comes afterwards."""
    if rule.fault == "slow":
        await asyncio.sleep(rule.seconds)
    elif rule.fault == "hang":
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(_HANG_LOOKS)
        raise RefusedError(408, "nobody waits any more")
    elif rule.fault not in ("cut", "garbage"):
        message = f"loopback fault {rule.fault}"
        raise RefusedError(int(rule.fault), message, rule.code, rule.retry_after)


def _failed(request: web.Request, failure: RefusedError) -> web.StreamResponse:
    request_id = unique("req_")
    headers = {"request-id": request_id, "x-request-id": request_id}
    if failure.retry_after is not None:
        headers["Retry-After"] = f"{failure.retry_after:g}"
    body = error_body(_is_anthropic(request), failure, request_id)
    return web.json_response(body, status=failure.status, headers=headers)


async def _cut(request: web.Request, response: web.Response) -> None:
    """Send the first half of an answer and close the connection."""
    body = response.body
    assert isinstance(body, bytes)
    half = web.StreamResponse(headers=response.headers)
    half.content_length = len(body)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()


def _model(request: web.Request, name: str) -> dict[str, Any]:
    if _is_anthropic(request):
        about = {"display_name": name, "created_at": "2026-01-01T00:00:00Z"}
        return {"type": "model", "id": name, "lifecycle": "active", **about}
    return {"object": "model", "id": name, "created": 1_767_225_600, "owned_by": "loopback"}


@dataclass(frozen=True)
class Loopback:
    """A running server, as a test sees it."""

    process: subprocess.Popen[str]
    base_url: str
    state: Path

    @property
    def openai_url(self) -> str:
        """The `base_url` for OpenAI's client; Anthropic's takes `base_url` itself."""
        return f"{self.base_url}/v1"

    def served(self) -> dict[str, Any]:
        """Return `counts` per digest, `custom_ids`, `answers` in all and `usd`."""
        return self._ask("served")

    def stats(self) -> dict[str, Any]:
        """Return how the server was used."""
        return self._ask("stats")

    def set_faults(self, *rules: dict[str, Any]) -> None:
        """Set the plan of faults."""
        self._ask("faults", list(rules))

    def reset(self) -> None:
        """Make it be as at the start."""
        self._ask("reset", {})

    def _ask(self, what: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.base_url}/_loopback/{what}", data, 30) as answer:
            return json.load(answer)


@contextmanager
def running(*, faults: Any = (), **settings: Any) -> Iterator[Loopback]:
    """Run a server with settings (fields of `Settings`) until the block ends."""
    with tempfile.TemporaryDirectory() as scratch:
        given = {"state": scratch, "faults": json.dumps(list(faults)), **settings}
        options = [text for key, value in given.items() for text in (_option(key), str(value))]
        command = [sys.executable, "-m", "tests.services.loopback", *options]
        paths = [str(CHECKOUT), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            first = process.stdout.readline().split()
            if first[:1] != ["PORT"]:
                raise RuntimeError(f"the loopback server did not start: {command}")
            yield Loopback(process, f"http://127.0.0.1:{first[1]}", Path(given["state"]))
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _option(field: str) -> str:
    return "--" + field.replace("_", "-")


async def serve(settings: Settings) -> None:
    """Serve until the process is ended."""
    runner = web.AppRunner(Service(settings).app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", settings.port, backlog=4096).start()
    sys.stdout.write(f"PORT {runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def main() -> None:
    """Read the settings from the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    for field in fields(Settings):
        required = field.name == "state"
        parser.add_argument(
            _option(field.name), type=type(field.default), default=field.default, required=required
        )
    asyncio.run(serve(Settings(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
