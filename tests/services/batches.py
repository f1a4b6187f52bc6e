"""Batches of both vendors: what is done with their rows, whoever shows them.

Rows are answered in order over `batch_seconds`, at once where it is 0, whether or not anybody
polls; what is answered is charged. The batch is shown as ended once its rows are done and it has
been retrieved `batch_polls` times (at least once; lists do not count). A cancelled batch keeps what
was answered by then. Results come in another order than the rows. In memory only: a new server
knows none of them. Left out: limits of sizes, the 24 hours after which real batches expire.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from tests.services.answering import Answerer
from tests.services.faults import ROW, SPOILT, WHOLE, RefusedError, Rule
from tests.services.ledger import digest_of

Outcome = Literal["waiting", "succeeded", "errored", "expired", "canceled"]
_ROWS_AT_ONCE = 50


@dataclass
class BatchRow:
    """A request of a batch: `status` and `reply` are its answer, shown `copies` times."""

    custom_id: str
    path: str
    body: Mapping[str, Any]
    outcome: Outcome = "waiting"
    status: int = 0
    reply: Any = None
    copies: int = 1

    def end(self, outcome: Outcome, status: int = 0, reply: Any = None) -> None:
        """Set what became of it."""
        self.outcome, self.status, self.reply = outcome, status, reply


@dataclass
class Batch:
    """Rows on their way, of either vendor. Times are Unix seconds."""

    id: str
    rows: Sequence[BatchRow]
    about: Mapping[str, Any]
    polls_to_end: int
    rule: Rule | None = None
    created: float = field(default_factory=time.time)
    polls: int = 0
    cancelled: float | None = None
    ended_at: float | None = None
    files: tuple[str | None, str | None] = (None, None)

    def poll(self) -> None:
        """Note that somebody asked how far it is."""
        self.polls += 1
        enough = self.cancelled is not None or self.polls >= self.polls_to_end
        if self.ended_at is None and enough and self.count("waiting") == 0:
            self.ended_at = time.time()

    def cancel(self) -> None:
        """Give up on the rows that wait."""
        if self.ended_at is None and self.cancelled is None:
            self.cancelled = time.time()
            for row in self.rows:
                if row.outcome == "waiting":
                    row.end("canceled")

    def fails(self, fault: str) -> bool:
        """Say whether a fault is in the way of the whole batch."""
        return self.rule is not None and self.rule.fault == fault

    def count(self, outcome: Outcome) -> int:
        """Return how many rows ended so."""
        return sum(row.outcome == outcome for row in self.rows)

    def results(self) -> list[BatchRow]:
        """Return the rows as results, each as often as it is shown, never in the order asked."""
        mixed = sorted(self.rows, key=lambda row: sha256(row.custom_id.encode()).digest())
        if mixed == list(self.rows):
            mixed.reverse()
        return [row for row in mixed for _ in range(row.copies)]


class BatchWork:
    """Answers the rows of batches."""

    def __init__(self, answerer: Answerer, seconds: float, polls: int) -> None:
        self.answerer = answerer
        self.seconds = seconds
        self.polls = max(polls, 1)
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(
        self, path: str, batch_id: str, rows: Sequence[BatchRow], about: Mapping[str, Any]
    ) -> Batch:
        """Take on a batch posted to a path; its rows are answered here where that takes no time."""
        text = json.dumps([row.body for row in rows], ensure_ascii=False)
        digest = sha256(text.encode()).hexdigest()
        rule = self.answerer.faults.strike(WHOLE, path, digest, text)
        batch = Batch(batch_id, rows, about, self.polls, rule)
        task = asyncio.create_task(self._work(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self.seconds == 0:
            await task
        return batch

    async def _work(self, batch: Batch) -> None:
        for index, row in enumerate(batch.rows):
            due = batch.created + self.seconds * (index + 1) / len(batch.rows)
            wait = due - time.time() if self.seconds else 0
            if wait > 0 or index % _ROWS_AT_ONCE == 0:
                await asyncio.sleep(max(wait, 0))
            if batch.cancelled is not None:
                return
            if batch.fails("failed_batch"):
                row.end("errored", 500, "the batch failed")
            elif batch.fails("expired_batch") and 2 * index >= len(batch.rows):
                row.end("expired")
            else:
                self._answer(batch, row)

    def _answer(self, batch: Batch, row: BatchRow) -> None:
        text = json.dumps(row.body, ensure_ascii=False)
        digest = digest_of(row.path, row.body)
        rule = self.answerer.faults.strike(ROW, row.path, digest, text)
        fault = rule.fault if rule is not None else None
        if rule is not None and fault == "errored_rows":
            row.end("errored", rule.status, "this request failed")
            return
        if fault == "expired_rows":
            row.end("expired")
            return
        if fault == "missing_rows":
            row.end("succeeded", 200)  # so the counts say, though it is neither shown nor charged
            row.copies = 0
            return
        row.copies = 2 if fault == "duplicate_rows" else 1
        spoiling = self.answerer.faults.strike(SPOILT, row.path, digest, text)
        try:
            reply = self.answerer.answer(row.path, row.body, spoiling, batch.id, row.custom_id)
        except RefusedError as failure:
            row.end("errored", failure.status, str(failure))
        else:
            row.end("succeeded", 200, reply)


def page(
    items: Sequence[dict[str, Any]], after: str | None, before: str | None, limit: int
) -> dict[str, Any]:
    """Return a page of a list, newest first, in the shape that both vendors share."""
    ids = [item["id"] for item in items]
    begin = ids.index(after) + 1 if after in ids else 0
    end = ids.index(before) if before in ids else len(items)
    if before in ids:
        begin = max(begin, end - limit)
    shown = items[begin : min(end, begin + limit)]
    return {
        "data": list(shown),
        "has_more": begin > 0 if before in ids else begin + len(shown) < len(items),
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }
