"""OpenAI's files and batches: /v1/files and /v1/batches."""

import json
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.services.batches import Batch, BatchRow, BatchWork, page
from tests.services.faults import RefusedError, error_body
from tests.services.protocols import ANSWERING, unique

Body = Mapping[str, Any]
_DAY = 86_400
_METADATA_ITEMS, _KEY_LENGTH, _VALUE_LENGTH = 16, 64, 512


class OpenAIBatches:
    """The files and batches of one server."""

    def __init__(self, work: BatchWork) -> None:
        self.work = work
        self.files: dict[str, tuple[dict[str, Any], bytes]] = {}
        self.batches: dict[str, Batch] = {}

    def reset(self) -> None:
        """Forget all files and batches."""
        self.files.clear()
        self.batches.clear()

    def routes(self) -> list[web.RouteDef]:
        """Return what this answers to."""
        return [
            web.post("/v1/files", self.upload),
            web.get("/v1/files", self.list_files),
            web.get("/v1/files/{id}", self.get_file),
            web.delete("/v1/files/{id}", self.delete_file),
            web.get("/v1/files/{id}/content", self.content),
            web.post("/v1/batches", self.create),
            web.get("/v1/batches", self.list_batches),
            web.get("/v1/batches/{id}", self.get_batch),
            web.post("/v1/batches/{id}/cancel", self.cancel),
        ]

    async def upload(self, request: web.Request) -> web.Response:
        """Keep a file sent as a form."""
        form = await request.post()
        sent = form.get("file")
        if not isinstance(sent, web.FileField):
            raise RefusedError(400, "'file' is a required property")
        purpose, content = str(form.get("purpose")), sent.file.read()
        return web.json_response(self._keep(content, sent.filename, purpose))

    async def list_files(self, request: web.Request) -> web.Response:
        """Show the files, newest first."""
        purpose = request.query.get("purpose")
        about = [file for file, _ in reversed(self.files.values())]
        return _page(
            request, [file for file in about if purpose in (None, file["purpose"])], 10_000
        )

    async def get_file(self, request: web.Request) -> web.Response:
        """Show what a file is."""
        return web.json_response(self._file(request.match_info["id"])[0])

    async def delete_file(self, request: web.Request) -> web.Response:
        """Forget a file."""
        name = request.match_info["id"]
        self._file(name)
        del self.files[name]
        return web.json_response({"id": name, "object": "file", "deleted": True})

    async def content(self, request: web.Request) -> web.Response:
        """Give a file's bytes."""
        content = self._file(request.match_info["id"])[1]
        return web.Response(body=content, content_type="application/octet-stream")

    async def create(self, request: web.Request) -> web.Response:
        """Make a batch of an uploaded file's rows."""
        body = await request.json()
        if body.get("endpoint") not in ANSWERING:
            raise RefusedError(400, f"Invalid value for endpoint: {body.get('endpoint')!r}")
        if body.get("completion_window") != "24h":
            raise RefusedError(400, "completion_window must be '24h'")
        _check_metadata(body.get("metadata"))
        file = self._file(body.get("input_file_id"))[1]
        rows, errors = _rows(file, body["endpoint"])
        about = {**body, "errors": errors}
        batch = await self.work.begin(request.path, unique("batch_"), [] if errors else rows, about)
        self.batches[batch.id] = batch
        if batch.fails("create_then_drop") and request.transport is not None:
            request.transport.close()
        return web.json_response(self._shown(batch))

    async def list_batches(self, request: web.Request) -> web.Response:
        """Show the batches, newest first."""
        return _page(request, [self._shown(b) for b in reversed(self.batches.values())], 20)

    async def get_batch(self, request: web.Request) -> web.Response:
        """Show a batch; this is a poll."""
        batch = self._batch(request)
        batch.poll()
        return web.json_response(self._shown(batch))

    async def cancel(self, request: web.Request) -> web.Response:
        """Give up on what is left of a batch."""
        batch = self._batch(request)
        if batch.ended_at is not None:
            raise RefusedError(409, f"Cannot cancel a batch with status {_status(batch)!r}")
        batch.cancel()
        return web.json_response(self._shown(batch))

    def _keep(self, content: bytes, filename: str, purpose: str) -> dict[str, Any]:
        about = {
            "id": unique("file-"),
            "object": "file",
            "bytes": len(content),
            "created_at": int(time.time()),
            "filename": filename,
            "purpose": purpose,
            "status": "processed",
        }
        self.files[about["id"]] = (about, content)
        return about

    def _file(self, name: str | None) -> tuple[dict[str, Any], bytes]:
        if name not in self.files:
            raise RefusedError(404, f"No such File object: {name}", "not_found")
        return self.files[name]

    def _batch(self, request: web.Request) -> Batch:
        name = request.match_info["id"]
        if name not in self.batches:
            raise RefusedError(404, f"No batch found with id '{name}'.", "not_found")
        return self.batches[name]

    def _shown(self, batch: Batch) -> dict[str, Any]:
        status = _status(batch)
        if status in ("completed", "expired", "cancelled") and batch.files == (None, None):
            batch.files = self._write(batch)
        times = {f"{status}_at": int(batch.ended_at)} if batch.ended_at else {}
        times |= {"cancelling_at": int(batch.cancelled)} if batch.cancelled else {}
        errors = batch.about["errors"] or (_FAILED if batch.fails("failed_batch") else [])
        failed = status == "failed"
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": batch.about["endpoint"],
            "input_file_id": batch.about["input_file_id"],
            "completion_window": "24h",
            "metadata": batch.about.get("metadata"),
            "status": status,
            "errors": {"object": "list", "data": errors} if failed else None,
            "output_file_id": batch.files[0],
            "error_file_id": batch.files[1],
            "created_at": int(batch.created),
            "in_progress_at": int(batch.created) if batch.polls else None,
            "expires_at": int(batch.created) + _DAY,
            **times,
            "request_counts": {
                "total": 0 if failed else len(batch.rows),
                "completed": 0 if failed else batch.count("succeeded"),
                "failed": 0 if failed else batch.count("errored") + batch.count("expired"),
            },
        }

    def _write(self, batch: Batch) -> tuple[str | None, str | None]:
        """Write the output and the error file; a file without rows is not made."""
        rows = batch.results()
        good = [_line(row) for row in rows if row.outcome == "succeeded"]
        bad = [_line(row) for row in rows if row.outcome != "succeeded"]
        names = []
        for lines, kind in ((good, "output"), (bad, "error")):
            content = "".join(json.dumps(line) + "\n" for line in lines).encode()
            name = f"{batch.id}_{kind}.jsonl"
            names.append(self._keep(content, name, "batch_output")["id"] if lines else None)
        return names[0], names[1]


_FAILED = [
    {
        "code": "token_limit_exceeded",
        "message": "Enqueued token limit reached. Please try again once some batches have ended.",
        "param": None,
        "line": None,
    }
]


def _page(request: web.Request, items: list[dict[str, Any]], usual: int) -> web.Response:
    limit = int(request.query.get("limit", usual))
    return web.json_response(
        {"object": "list", **page(items, request.query.get("after"), None, limit)}
    )


def _status(batch: Batch) -> str:
    if batch.about["errors"] or batch.fails("failed_batch"):
        return "failed" if batch.polls else "validating"
    if batch.ended_at is None:
        if batch.cancelled is not None:
            return "cancelling"
        return "in_progress" if batch.polls else "validating"
    if batch.cancelled is not None:
        return "cancelled"
    return "expired" if batch.fails("expired_batch") else "completed"


def _rows(file: bytes, endpoint: str) -> tuple[list[BatchRow], list[dict[str, Any]]]:
    """Return a file's rows and what is wrong with them."""
    rows, errors, known = [], [], set()
    for number, text in enumerate(file.decode().splitlines(), start=1):
        try:
            line = json.loads(text)
            row = BatchRow(line["custom_id"], line["url"], line["body"])
        except (ValueError, KeyError, TypeError) as failure:
            errors.append(
                _mistake("invalid_json_line", f"This line cannot be used: {failure}", number)
            )
            continue
        if row.custom_id in known:
            errors.append(_mistake("duplicate_custom_id", "The custom_id is used twice.", number))
        if row.path != endpoint:
            errors.append(
                _mistake("mismatched_url", "The url is not the batch's endpoint.", number)
            )
        known.add(row.custom_id)
        rows.append(row)
    if not rows and not errors:
        errors.append(_mistake("empty_file", "The input file is empty.", None))
    return rows, errors


def _mistake(code: str, message: str, line: int | None) -> dict[str, Any]:
    return {"code": code, "message": message, "param": None, "line": line}


def _line(row: BatchRow) -> dict[str, Any]:
    """Return a row of the output or the error file."""
    head = {"id": unique("batch_req_"), "custom_id": row.custom_id}
    if row.outcome == "expired":
        message = "This request could not be executed before the completion window expired."
        return {**head, "response": None, "error": {"code": "batch_expired", "message": message}}
    if row.outcome == "canceled":
        message = "This request was not executed before the batch was cancelled."
        return {**head, "response": None, "error": {"code": "batch_cancelled", "message": message}}
    request_id, body = unique("req_"), row.reply
    if row.outcome == "errored":
        body = error_body(False, RefusedError(row.status, row.reply), request_id)
    response = {"status_code": row.status, "request_id": request_id, "body": body}
    return {**head, "response": response, "error": None}


def _check_metadata(metadata: Any) -> None:
    pairs = (metadata or {}).items()
    if len(pairs) > _METADATA_ITEMS or any(
        len(key) > _KEY_LENGTH or not isinstance(value, str) or len(value) > _VALUE_LENGTH
        for key, value in pairs
    ):
        raise RefusedError(400, "metadata: at most 16 texts of 512 characters, keys of 64")
