"""The courier: the process that sends requests, and outlives the run that wants them.

A run can be killed at any moment; an answer that is on its way then has been paid for. So requests
are sent by a process of their own, in a session of its own. When its run is gone it sends nothing
more, waits for what is under way, writes it into the ledger and ends. The same command then finds
the answers there.

It is told what to do in lines of JSON: first its `Orders`, then {"keys": [...]} of requests that
stand in the ledger; it tells what happens in lines of JSON (`Event`). Left out: answering through a
socket to several runs. Each run has its own courier, and the ledger sees to it that no two send the
same request.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from aiolimiter import AsyncLimiter
from pydantic import TypeAdapter

from tuna_exp.services.batches import BatchWork
from tuna_exp.services.endpoint import Endpoint, Failure, failure, send
from tuna_exp.services.ledger import Purse
from tuna_exp.services.liveness import living
from tuna_exp.services.requests import ReplyError, Request
from tuna_exp.services.wires import WIRES, token_bound
from tuna_exp.services.writer import Writer

LOOK_SECONDS = 0.2
FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 16.0
TRIES_TO_READ = 3
BYTES_PER_TOKEN = 4  # of English text, to keep to a limit of tokens per minute


@dataclass(frozen=True)
class Orders:
    """What a courier is sent out with; the key is not in it but in the environment."""

    ledger: str
    endpoint: Endpoint
    purse: Purse


@dataclass(frozen=True)
class Event:
    """What a courier tells: answers that are in the ledger, or words.

    `over` says that no more will come of what was asked: kind `stop` (the service), `budget` or
    `disk`. `note` is for the progress bar.
    """

    answered: tuple[str, ...] = ()
    over: Literal["", "stop", "budget", "disk"] = ""
    words: str = ""
    note: str = ""


@dataclass
class Courier:
    """Sends what it is asked to; `tell` gets its events."""

    orders: Orders
    tell: Callable[[Event], None]
    name: str = field(default_factory=lambda: uuid4().hex[:16])
    is_over: bool = False
    _paused_until: float = 0.0

    def __post_init__(self) -> None:
        self.endpoint = self.orders.endpoint
        self.path = Path(self.orders.ledger)
        self.writer = Writer(self.path, self._stuck)
        self.wire = WIRES[self.endpoint.wire]
        per_minute = self.endpoint.requests_per_minute
        tokens = self.endpoint.tokens_per_minute
        # One at a time, evenly: a minute's worth at once would meet the service's own limit.
        self._requests = AsyncLimiter(1, 60 / per_minute) if per_minute else None
        self._tokens = AsyncLimiter(tokens, 60) if tokens else None

    async def run(self, asked: "asyncio.Queue[Sequence[str] | None]") -> None:
        """Answer the keys of the queue until None comes; then end what is under way."""
        with living(self.path, self.name):
            await self.writer.read(lambda ledger: ledger.recover(self.name))
            async with self.endpoint.client() as client:
                if self.endpoint.transport == "batch":
                    await BatchWork(self, client).run(asked)
                else:
                    await self._run_sync(client, asked)
            self.writer.close()

    async def _run_sync(self, client: Any, asked: "asyncio.Queue[Sequence[str] | None]") -> None:
        keys: asyncio.Queue[str] = asyncio.Queue()
        workers = [
            asyncio.create_task(self._work(client, keys)) for _ in range(self.endpoint.concurrency)
        ]
        while (some := await asked.get()) is not None and not self.is_over:
            for key in some:
                keys.put_nowait(key)
        self.is_over = True
        for _ in workers:
            # Those without work wait for a key that will not come.
            keys.put_nowait("")
        await asyncio.gather(*workers)

    async def _work(self, client: Any, keys: "asyncio.Queue[str]") -> None:
        settling: set[asyncio.Task[None]] = set()
        while not self.is_over and (key := await keys.get()):
            try:
                task = await self._answer(client, key)
            except Exception as error:  # one worker that dies silently would be waited for for ever
                self.end("stop", f"a fault of the courier: {type(error).__name__}: {error}")
                raise
            if task is not None:
                settling.add(task)
                task.add_done_callback(settling.discard)
        await asyncio.gather(*settling)

    async def _answer(self, client: Any, key: str) -> "asyncio.Task[None] | None":
        """See to it that a key gets its answer; what is returned writes the answer down."""
        request = await self.writer.read(lambda ledger: ledger.request(key))
        if request is None:
            self.end("stop", f"request {key} is not in the ledger {self.path}. Cure: run again.")
            return None
        bound = self.endpoint.price.usd(token_bound(request.body))
        began, tries, unread = time.monotonic(), 0, 0
        while not self.is_over:
            await self._keep_to_limits(request)
            if self.is_over or not await self.claim(key, bound):
                return None
            try:
                raw = await send(client, self.endpoint.wire, request.body)
                taken = self.wire.read(raw).taken
            except ReplyError as error:
                unread += 1
                await self._give_up(key, certain=False)
                if unread == TRIES_TO_READ:
                    self.end("stop", f"{error} It came {unread} times.")
            except Exception as error:
                told = failure(error, self.endpoint)
                await self._give_up(key, certain=not told.charged)
                tries += 1
                await self.bear(told, tries, began)
            else:
                usd = self.endpoint.price.usd(taken)
                self._paused_until = min(self._paused_until, time.monotonic())
                return asyncio.create_task(self._settle(key, raw, taken, usd))
        return None

    async def _settle(self, key: str, raw: str, taken: Any, usd: float) -> None:
        await self.writer.change(lambda ledger: ledger.settle(key, raw, taken, usd))
        self.tell_answered((key,))

    async def _give_up(self, key: str, certain: bool) -> None:
        await self.writer.change(lambda ledger: ledger.give_up(key, certain))

    async def claim(self, key: str, bound: float) -> bool:
        """Get the right to send a request; False where it has its answer, or nothing is sent now.

        Waits while another courier has sent it, or while what others have reserved may become free.
        """
        seen = time.monotonic()
        while not self.is_over:
            claim = await self.writer.change(
                lambda ledger: ledger.claim({key: bound}, self.name, self.orders.purse)
            )
            if claim.own:
                return True
            if claim.answered:
                self.tell_answered((key,))
                return False
            if claim.unaffordable and await self.is_spent(bound):
                return False
            await asyncio.sleep(LOOK_SECONDS)
            if time.monotonic() - seen > 1:
                seen = time.monotonic()
                await self.writer.read(lambda ledger: ledger.recover(self.name))
        return False

    async def is_spent(self, bound: float) -> bool:
        """Whether no money can come back any more; the run is then told."""
        purse = self.orders.purse
        now = await self.writer.read(lambda ledger: ledger.spent(purse.name))
        if now.reserved > 0 or purse.cap is None:
            return False
        unsure = f" ({now.uncertain:.4f} of it perhaps not charged)" if now.uncertain else ""
        self.end(
            "budget",
            f"budget '{purse.name}' has ${purse.cap:.4f}, of which ${now.spent:.4f} are spent"
            f"{unsure}; the next request may cost ${bound:.4f}. All answers so far are kept. "
            f"Cure: a higher budget.usd, and the same command goes on.",
        )
        return True

    async def _keep_to_limits(self, request: Request) -> None:
        if self._requests:
            await self._requests.acquire()
        if self._tokens:
            bound = token_bound(request.body)
            tokens = bound.read / BYTES_PER_TOKEN + bound.generated
            await self._tokens.acquire(min(tokens, self._tokens.max_rate))
        while (left := self._paused_until - time.monotonic()) > 0 and not self.is_over:
            await asyncio.sleep(min(left, LOOK_SECONDS))

    async def bear(self, told: Failure, tries: int, began: float) -> None:
        """Wait after a failure that may pass, or end."""
        if told.kind == "stop":
            self.end("stop", told.words)
            return
        if time.monotonic() - began > 60 * self.endpoint.patience_minutes:
            self.end(
                "stop",
                f"{self.endpoint.base_url} gave no answer for {self.endpoint.patience_minutes:g} "
                f"minutes ({told.words}). All answers so far are kept. Cure: the same command "
                "later, fewer endpoint.requests_per_minute or less endpoint.concurrency.",
            )
            return
        self.note(f"waiting: {told.words[:80]}")
        backoff = min(FIRST_BACKOFF * 2 ** (tries - 1), LONGEST_BACKOFF)
        wait = backoff * random.uniform(0.75, 1.0)
        if told.seconds is not None:
            wait = max(wait, min(told.seconds, self.endpoint.longest_wait_seconds))
            # The service speaks of itself, not of one request: all others wait too.
            self._paused_until = max(self._paused_until, time.monotonic() + wait)
        ends = time.monotonic() + wait
        while (left := ends - time.monotonic()) > 0 and not self.is_over:
            await asyncio.sleep(min(left, LOOK_SECONDS))

    def end(self, kind: Literal["stop", "budget"], words: str) -> None:
        """Send nothing more and say why, once."""
        if not self.is_over:
            self.is_over = True
            self.tell(Event(over=kind, words=words))

    def tell_answered(self, keys: Sequence[str]) -> None:
        """Say that these have their answers."""
        self.tell(Event(answered=tuple(keys)))

    def note(self, words: str) -> None:
        """Say something for the progress bar."""
        self.tell(Event(note=words))

    def _stuck(self, words: str) -> None:
        held = f"Process {os.getpid()} holds the answers that are under way until there is room."
        self.tell(Event(over="disk", words=f"{words} {held}"))


def tell_line(event: Event) -> None:
    """Write an event to standard output; a run that is gone hears nothing."""
    with suppress(OSError, ValueError):
        sys.stdout.write(json.dumps({k: v for k, v in asdict(event).items() if v}) + "\n")
        sys.stdout.flush()


async def listen(asked: "asyncio.Queue[Sequence[str] | None]") -> None:
    """Put what comes on standard input into a queue; its end is None."""
    reader = asyncio.StreamReader(limit=2**26)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        with suppress(ValueError):
            asked.put_nowait(json.loads(line)["keys"])
    asked.put_nowait(None)


async def serve(orders: Orders) -> None:
    """Be a courier until the run that sent it out ends or is gone."""
    asked: asyncio.Queue[Sequence[str] | None] = asyncio.Queue()
    courier = Courier(orders, tell_line)
    listening = asyncio.create_task(listen(asked))

    async def stop_with_run() -> None:
        await listening
        courier.is_over = True

    watching = asyncio.create_task(stop_with_run())
    await courier.run(asked)
    watching.cancel()
    listening.cancel()


def main() -> None:
    """Read the orders and serve."""
    # A terminal's Ctrl-C and a polite kill are for the run; this ends by itself soon after.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    first = b""
    while not first.endswith(b"\n"):  # byte by byte: what follows belongs to `listen`
        byte = os.read(0, 1)
        if not byte:
            return
        first += byte
    asyncio.run(serve(TypeAdapter(Orders).validate_json(first)))


if __name__ == "__main__":
    main()
