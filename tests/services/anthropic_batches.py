"""Anthropic's message batches: /v1/messages/batches."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from tests.services.batches import Batch, BatchRow, BatchWork, page
from tests.services.faults import RefusedError, error_body
from tests.services.protocols import unique

_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MESSAGES = "/v1/messages"


class AnthropicBatches:
    """The message batches of one server."""

    def __init__(self, work: BatchWork) -> None:
        self.work = work
        self.batches: dict[str, Batch] = {}

    def reset(self) -> None:
        """Forget all batches."""
        self.batches.clear()

    def routes(self) -> list[web.RouteDef]:
        """Return what this answers to."""
        place = f"{_MESSAGES}/batches"
        return [
            web.post(place, self.create),
            web.get(place, self.list_batches),
            web.get(place + "/{id}", self.get_batch),
            web.post(place + "/{id}/cancel", self.cancel),
            web.get(place + "/{id}/results", self.results),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Make a batch of the requests in the body."""
        rows = _rows((await request.json()).get("requests"))
        batch = await self.work.begin(request.path, unique("msgbatch_"), rows, {})
        self.batches[batch.id] = batch
        if batch.fails("create_then_drop") and request.transport is not None:
            request.transport.close()
        return web.json_response(_shown(batch, request))

    async def list_batches(self, request: web.Request) -> web.Response:
        """Show the batches, newest first."""
        query = request.query
        items = [_shown(batch, request) for batch in reversed(self.batches.values())]
        limit = int(query.get("limit", 20))
        return web.json_response(page(items, query.get("after_id"), query.get("before_id"), limit))

    async def get_batch(self, request: web.Request) -> web.Response:
        """Show a batch; this is a poll."""
        batch = self._batch(request)
        batch.poll()
        return web.json_response(_shown(batch, request))

    async def cancel(self, request: web.Request) -> web.Response:
        """Give up on what is left of a batch."""
        batch = self._batch(request)
        if batch.ended_at is not None:
            raise RefusedError(400, f"Batch {batch.id} cannot be canceled: it has ended")
        batch.cancel()
        return web.json_response(_shown(batch, request))

    async def results(self, request: web.Request) -> web.Response:
        """Give the results of an ended batch, one JSON object per line."""
        batch = self._batch(request)
        if batch.ended_at is None:
            raise RefusedError(404, f"Batch {batch.id} has no results yet")
        lines = [json.dumps(_line(row)) + "\n" for row in batch.results()]
        return web.Response(text="".join(lines), content_type="application/x-jsonl")

    def _batch(self, request: web.Request) -> Batch:
        name = request.match_info["id"]
        if name not in self.batches:
            raise RefusedError(404, f"Batch {name} not found")
        return self.batches[name]


def _rows(requests: Any) -> list[BatchRow]:
    if not requests:
        raise RefusedError(400, "requests: List should have at least 1 item")
    rows, known = [], set()
    for index, line in enumerate(requests):
        name = line.get("custom_id")
        if not isinstance(name, str) or not _CUSTOM_ID.fullmatch(name):
            raise RefusedError(
                400, f"requests.{index}.custom_id: String should match [a-zA-Z0-9_-]{{1,64}}"
            )
        if name in known:
            raise RefusedError(400, f"requests.{index}.custom_id: duplicate custom_id {name!r}")
        known.add(name)
        rows.append(BatchRow(name, _MESSAGES, line.get("params") or {}))
    return rows


def _shown(batch: Batch, request: web.Request) -> dict[str, Any]:
    ended = batch.ended_at is not None
    going = "in_progress" if batch.cancelled is None else "canceling"
    counted = ("succeeded", "errored", "expired", "canceled")
    counts = {outcome: batch.count(outcome) if ended else 0 for outcome in counted}
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": "ended" if ended else going,
        "request_counts": {**counts, "processing": 0 if ended else len(batch.rows)},
        "created_at": _moment(batch.created),
        "expires_at": _moment(batch.created, days=1),
        "ended_at": _moment(batch.ended_at),
        "cancel_initiated_at": _moment(batch.cancelled),
        "archived_at": None,
        "results_url": f"http://{request.host}{_MESSAGES}/batches/{batch.id}/results"
        if ended
        else None,
    }


def _moment(seconds: float | None, days: int = 0) -> str | None:
    if seconds is None:
        return None
    return (datetime.fromtimestamp(seconds, UTC) + timedelta(days=days)).isoformat()


def _line(row: BatchRow) -> dict[str, Any]:
    result: dict[str, Any] = {"type": row.outcome}
    if row.outcome == "succeeded":
        result["message"] = row.reply
    elif row.outcome == "errored":
        result["error"] = error_body(True, RefusedError(row.status, row.reply), unique("req_"))
    return {"custom_id": row.custom_id, "result": result}
