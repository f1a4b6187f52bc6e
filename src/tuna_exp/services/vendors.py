"""The batch APIs of both vendors, as one: create, find again, look after, read what came of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tuna_exp.services.ledger import Batch
from tuna_exp.services.requests import ServiceError

LISTED_SINCE = 600.0  # seconds; the clocks of two machines differ
NAME = "tuna_exp"
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Row:
    """What became of one row: the reply, or why there is none.

    `charged` says whether it may have cost something all the same, `lasting` whether asking again
    is useless.
    """

    key: str
    reply: str | None
    words: str = ""
    charged: bool = False
    lasting: bool = False


class BatchService(Protocol):
    """A vendor's batch API."""

    async def create(self, name: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        """Create a batch of (key, body) and return the vendor's name for it."""

    async def find(self, batch: Batch, keys: Sequence[str], known: set[str]) -> str | None:
        """Return the vendor's name of a batch that may have been created, or None.

        `known` are the names that belong to others of ours.
        """

    async def has_ended(self, remote: str) -> bool:
        """Whether results can be had. Raises ServiceError where the whole batch was refused."""

    def results(self, remote: str) -> AsyncIterator[Row]:
        """Return what became of each row, in any order."""


class OpenAIBatches:
    """OpenAI's files and batches."""

    def __init__(self, client: Any, url: str) -> None:
        self.client = client
        self.url = url

    async def create(self, name: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        """Upload the rows and create a batch that carries our name."""
        lines = [
            json.dumps({"custom_id": key, "method": "POST", "url": self.url, "body": body})
            for key, body in rows
        ]
        content = "\n".join(lines).encode()
        file = await self.client.files.create(file=(f"{name}.jsonl", content), purpose="batch")
        batch = await self.client.batches.create(
            input_file_id=file.id,
            endpoint=self.url,
            completion_window="24h",
            metadata={NAME: name},
        )
        return str(batch.id)

    async def find(self, batch: Batch, keys: Sequence[str], known: set[str]) -> str | None:
        """Search the list for our name."""
        async for listed in self.client.batches.list(limit=100):
            if (listed.metadata or {}).get(NAME) == batch.name:
                return str(listed.id)
            if listed.created_at < batch.begun - LISTED_SINCE:
                return None
        return None

    async def has_ended(self, remote: str) -> bool:
        """Whether it is completed, expired or cancelled."""
        batch = await self.client.batches.retrieve(remote)
        if batch.status == "failed":
            errors = (batch.errors.data if batch.errors else None) or []
            words = "; ".join(f"{e.code}: {e.message}" for e in errors) or "no reason given"
            raise ServiceError(
                f"batch {remote} was refused: {words}. Cure: correct what it names "
                "(endpoint.model, parameters); nothing was charged."
            )
        return batch.status in ("completed", "expired", "cancelled")

    async def results(self, remote: str) -> AsyncIterator[Row]:
        """Read the files of answers and of errors."""
        batch = await self.client.batches.retrieve(remote)
        for file in (batch.output_file_id, batch.error_file_id):
            if file:
                content = await self.client.files.content(file)
                for line in content.text.splitlines():
                    if line.strip():
                        yield openai_row(json.loads(line))


def openai_row(line: Mapping[str, Any]) -> Row:
    """Read a line of an output or error file."""
    key, response, error = line["custom_id"], line.get("response"), line.get("error")
    if response and response.get("status_code") == 200:
        body = response["body"]
        return Row(key, body if isinstance(body, str) else json.dumps(body))
    status = (response or {}).get("status_code")
    words = json.dumps(error or (response or {}).get("body"))[:300]
    return Row(key, None, words, lasting=status in (400, 401, 403, 404, 422))


class AnthropicBatches:
    """Anthropic's message batches, which carry no name: they are known by their rows."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def create(self, name: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        """Create a batch."""
        requests = [{"custom_id": key, "params": body} for key, body in rows]
        batch = await self.client.messages.batches.create(requests=requests)
        return str(batch.id)

    async def find(self, batch: Batch, keys: Sequence[str], known: set[str]) -> str | None:
        """Search the list for a batch of our size whose results are of our rows.

        What they are of can be seen only when they are there, so this waits for them.
        """
        async for listed in self.client.messages.batches.list(limit=100):
            if listed.created_at.timestamp() < batch.begun - LISTED_SINCE:
                return None
            counts = listed.request_counts
            size = sum(counts.model_dump().values())
            if listed.id in known or size != batch.size:
                continue
            while not await self.has_ended(listed.id):
                await asyncio.sleep(LOOK_SECONDS)
            async for row in self.results(listed.id):
                if row.key in set(keys):
                    return str(listed.id)
                break
        return None

    async def has_ended(self, remote: str) -> bool:
        """Whether all rows have been processed."""
        batch = await self.client.messages.batches.retrieve(remote)
        return bool(batch.processing_status == "ended")

    async def results(self, remote: str) -> AsyncIterator[Row]:
        """Read the results."""
        async for entry in await self.client.messages.batches.results(remote):
            yield anthropic_row(entry)


def anthropic_row(entry: Any) -> Row:
    """Read one result."""
    result = entry.result
    if result.type == "succeeded":
        return Row(entry.custom_id, result.message.to_json(indent=None))
    error = getattr(result, "error", None)
    # One vendor's error is nested, that of servers which imitate it is not always.
    kind = getattr(getattr(error, "error", error), "type", "")
    words = error.to_json(indent=None) if error is not None else result.type
    return Row(entry.custom_id, None, words[:300], lasting=kind == "invalid_request_error")
