"""Batches: many requests at half the price, answered within a day, by both vendors' batch APIs.

A batch is in the ledger before it is created, so a crash between the two is found out: the
service's list is searched before anything is sent again. Results come in any order and are matched
by id, which is the request's key. Rows that failed, expired or are missing go into a next batch.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tuna_exp.services.endpoint import failure
from tuna_exp.services.ledger import Batch, Claim, Ledger
from tuna_exp.services.liveness import is_alive
from tuna_exp.services.requests import ReplyError, Request, ServiceError
from tuna_exp.services.vendors import (
    LOOK_SECONDS,
    AnthropicBatches,
    BatchService,
    OpenAIBatches,
    Row,
)
from tuna_exp.services.wires import token_bound

if TYPE_CHECKING:
    from tuna_exp.services.courier import Courier

# The stricter of both vendors' limits: 50,000 rows (OpenAI), 200 MB (OpenAI).
MOST_ROWS, MOST_BYTES = 50_000, 180 * 10**6
TRIES = 3  # of a row


class BatchWork:
    """Answers what a courier is asked in batches."""

    def __init__(self, courier: "Courier", client: Any) -> None:
        self.courier = courier
        self.orders = courier.orders
        self.endpoint = courier.endpoint
        if self.endpoint.wire == "anthropic_messages":
            self.service: BatchService = AnthropicBatches(client)
        else:
            self.service = OpenAIBatches(client, courier.wire.url)
        self.tries: dict[str, int] = {}
        self.keys: list[str] = []

    async def run(self, asked: "asyncio.Queue[Sequence[str] | None]") -> None:
        """Answer the keys of the queue until None comes."""
        while (keys := await asked.get()) is not None and not self.courier.is_over:
            try:
                await self._answer(list(keys))
            except ServiceError as error:
                self.courier.end("stop", str(error))
            except Exception as error:
                self.courier.end("stop", f"a batch failed: {type(error).__name__}: {error}")
                raise

    async def _answer(self, keys: list[str]) -> None:
        self.keys = keys
        missing = dict.fromkeys(keys)
        while missing and not self.courier.is_over:
            await self.courier.writer.read(lambda ledger: ledger.recover(self.courier.name))
            await self._adopt()
            claim = await self._send(list(missing))
            for key in claim.answered:
                missing.pop(key, None)
            if claim.answered:
                self.courier.tell_answered(claim.answered)
            batches = await self._mine()
            if not batches and claim.unaffordable and not claim.own:
                bound = await self._bound(claim.unaffordable[0])
                if await self.courier.is_spent(bound):
                    return
            await self._collect(batches)

    async def _adopt(self) -> None:
        """Take over the batches of couriers that are gone, and find out what became of them."""
        for batch in await self._open():
            me = self.courier.name
            if batch.courier != me and not is_alive(self.courier.path, batch.courier):
                await self._change(batch, courier=me)
        for batch in await self._mine():
            if batch.remote is None:
                await self._find(batch)

    async def _find(self, batch: Batch) -> None:
        """Find out whether a batch was created whose courier died before it could write so."""
        keys = await self.courier.writer.read(lambda ledger: ledger.sent_in(batch.name))
        known = await self.courier.writer.read(
            lambda ledger: ledger.known_remotes(self.endpoint.base_url)
        )
        remote = await self._patiently(lambda: self.service.find(batch, keys, known))
        if remote is not None:
            await self._change(batch, remote=remote)
        elif not self.courier.is_over:
            await self._end(batch, keys, certain=True)

    async def _send(self, keys: list[str]) -> Claim:
        """Send what nobody has sent in as many batches as it takes; return the last claim."""
        requests = await self.courier.writer.read(
            lambda ledger: {key: ledger.request(key) for key in keys}
        )
        claims = [Claim((), (), (), ())]
        for some in chunks(requests):
            bounds = {key: self._price(request) for key, request in some.items()}
            claims.append(await self._send_one(some, bounds))
        return Claim(
            own=tuple(key for claim in claims for key in claim.own),
            foreign=tuple(key for claim in claims for key in claim.foreign),
            answered=tuple(key for claim in claims for key in claim.answered),
            unaffordable=tuple(key for claim in claims for key in claim.unaffordable),
        )

    async def _send_one(
        self, requests: Mapping[str, Request], bounds: Mapping[str, float]
    ) -> Claim:
        name = uuid4().hex
        me, purse = self.courier.name, self.orders.purse

        def begin(ledger: Ledger) -> Claim:
            claim = ledger.claim(bounds, me, purse, batch=name)
            if claim.own:
                batch = Batch(name, me, None, time.time(), len(claim.own))
                ledger.begin_batch(batch, self.endpoint.base_url, self.endpoint.wire)
            return claim

        claim = await self.courier.writer.change(begin)
        if claim.own:
            rows = [(key, requests[key].body) for key in claim.own]
            batch = next(b for b in await self._mine() if b.name == name)
            await self._create(batch, rows)
        return claim

    async def _create(self, batch: Batch, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        try:
            remote = await self.service.create(batch.name, rows)
        except Exception as error:
            told = failure(error, self.endpoint)
            if told.kind == "stop":
                self.courier.end("stop", told.words)
                await self._end(batch, [key for key, _ in rows], certain=True)
            # Else it may have been created all the same: `_adopt` looks for it.
            self.courier.note(f"waiting: {told.words[:80]}")
            await asyncio.sleep(LOOK_SECONDS)
            return
        await self._change(batch, remote=remote)

    async def _collect(self, batches: Sequence[Batch]) -> None:
        """Look after batches once, with a pause that grows with their age."""
        for batch in batches:
            if batch.remote is None or self.courier.is_over:
                continue
            if await self._has_ended(batch, batch.remote):
                await self._settle(batch, batch.remote)
        self.courier.note(f"{len(batches)} batches under way")
        age = min((time.time() - batch.begun for batch in batches), default=0.0)
        pause = min(max(age / 10, LOOK_SECONDS / 5), self.endpoint.poll_seconds)
        ends = time.monotonic() + pause
        while time.monotonic() < ends and not self.courier.is_over:
            await asyncio.sleep(0.1)

    async def _has_ended(self, batch: Batch, remote: str) -> bool:
        try:
            return bool(await self._patiently(lambda: self.service.has_ended(remote)))
        except ServiceError:
            keys = await self.courier.writer.read(lambda ledger: ledger.sent_in(batch.name))
            await self._end(batch, keys, certain=True)
            raise

    async def _settle(self, batch: Batch, remote: str) -> None:
        """Write down the results of a batch; rows without one may be asked again."""
        rows = await self._patiently(lambda: self._rows(remote))
        if rows is None:
            return
        for row in rows:
            await self._settle_row(row)
        answered = tuple(row.key for row in rows if row.reply is not None)
        self.courier.tell_answered(answered)
        missing = await self.courier.writer.read(lambda ledger: ledger.sent_in(batch.name))
        for key in missing:
            self._count(key, "its row is missing from the results")
        # A row that is not there may have been charged; nobody says.
        await self._end(batch, missing, certain=False)

    async def _rows(self, remote: str) -> list[Row]:
        return [row async for row in self.service.results(remote)]

    async def _settle_row(self, row: Row) -> None:
        writer, reply = self.courier.writer, row.reply
        if reply is None:
            await writer.change(lambda ledger: ledger.give_up(row.key, not row.charged))
            if row.lasting:
                self.courier.end(
                    "stop",
                    f"{self.endpoint.base_url} refused a row for model {self.endpoint.model}: "
                    f"{row.words}. Cure: correct the request's settings.",
                )
            self._count(row.key, row.words)
            return
        try:
            taken = self.courier.wire.read(reply).taken
        except ReplyError as error:
            await writer.change(lambda ledger: ledger.give_up(row.key, False))
            self._count(row.key, str(error))
            return
        usd = self.endpoint.price.usd(taken, batch=True)
        await writer.change(lambda ledger: ledger.settle(row.key, reply, taken, usd))

    def _count(self, key: str, words: str) -> None:
        """Count a row that brought nothing; end where it has failed too often."""
        self.tries[key] = self.tries.get(key, 0) + 1
        if self.tries[key] == TRIES:
            self.courier.end(
                "stop",
                f"a row failed in {TRIES} batches: {words}. All answers so far are kept. Cure: "
                "transport=sync shows what is wrong with it sooner.",
            )

    async def _end(self, batch: Batch, keys: Sequence[str], certain: bool) -> None:
        def end(ledger: Ledger) -> None:
            for key in keys:
                ledger.give_up(key, certain)
            ledger.change_batch(batch.name, ended=1)

        await self.courier.writer.change(end)

    async def _change(self, batch: Batch, **values: Any) -> None:
        await self.courier.writer.change(lambda ledger: ledger.change_batch(batch.name, **values))

    async def _open(self) -> list[Batch]:
        """Return the batches that hold what was asked of us and have not ended."""

        def look(ledger: Ledger) -> list[Batch]:
            ours = {entry.batch for entry in ledger.entries(self.keys).values()}
            batches = ledger.open_batches(self.endpoint.base_url, self.endpoint.wire)
            return [batch for batch in batches if batch.name in ours]

        return await self.courier.writer.read(look)

    async def _mine(self) -> list[Batch]:
        return [batch for batch in await self._open() if batch.courier == self.courier.name]

    async def _bound(self, key: str) -> float:
        request = await self.courier.writer.read(lambda ledger: ledger.request(key))
        return self._price(request)

    def _price(self, request: Request | None) -> float:
        return self.endpoint.price.usd(token_bound(request.body), batch=True) if request else 0.0

    async def _patiently(self, call: Any) -> Any:
        """Return what a call gives, called again while the service is overloaded; None when over.

        Looking is free, so it goes on for as long as patience lasts.
        """
        began, tries = time.monotonic(), 0
        while not self.courier.is_over:
            try:
                return await call()
            except ServiceError:
                raise
            except Exception as error:
                tries += 1
                await self.courier.bear(failure(error, self.endpoint), tries, began)
        return None


def chunks(requests: Mapping[str, Request | None]) -> list[dict[str, Request]]:
    """Divide requests into batches within the vendors' limits."""
    parts: list[dict[str, Request]] = [{}]
    size = 0
    for key, request in requests.items():
        if request is None:
            continue
        length = len(json.dumps(request.body)) + 200
        if parts[-1] and (len(parts[-1]) == MOST_ROWS or size + length > MOST_BYTES):
            parts.append({})
            size = 0
        parts[-1][key] = request
        size += length
    return [part for part in parts if part]
