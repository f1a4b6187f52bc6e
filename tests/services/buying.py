"""Parts for tests that buy from the loopback server."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.services.loopback import Loopback
from tuna_exp.services.account import Account, Budget
from tuna_exp.services.courier import Courier, Event, Orders
from tuna_exp.services.endpoint import Endpoint
from tuna_exp.services.ledger import Entry, Ledger, Purse
from tuna_exp.services.prices import Price
from tuna_exp.services.requests import Request, Wire


def endpoint(server: Loopback, wire: Wire = "openai_chat", **changes: Any) -> Endpoint:
    """Return the server as an endpoint at $1 and $2 per million tokens."""
    settings: dict[str, Any] = {
        "wire": wire,
        "base_url": server.base_url,
        "model": "loopback-1",
        "key_variable": None,
        "price": Price(None, "loopback-1", 1.0, 2.0, None),
        "transport": "sync",
        "concurrency": 4,
        "requests_per_minute": None,
        "tokens_per_minute": None,
        "timeout_seconds": 5.0,
        "longest_wait_seconds": 0.3,
        "patience_minutes": 0.2,
        "poll_seconds": 0.2,
    }
    return Endpoint(**settings | changes)


def account(folder: Path, usd: float | None = None) -> Account:
    """Return an account with its ledger in a folder."""
    return Account(str(folder / "ledger.sqlite"), Budget("all", usd))


def requests(server: Loopback, count: int, wire: Wire = "openai_chat") -> list[Request]:
    """Return different requests."""
    longest = "max_completion_tokens" if wire == "openai_chat" else "max_tokens"
    bodies = [
        {
            "model": "loopback-1",
            "messages": [{"role": "user", "content": f"number {i}"}],
            longest: 20,
        }
        for i in range(count)
    ]
    return [Request(server.base_url, wire, body) for body in bodies]


def deliver(
    to: Endpoint, path: Path, wanted: Sequence[Request], cap: float | None = None
) -> tuple[dict[str, Entry], list[Event]]:
    """Have a courier in this process answer requests; return what the ledger then has, and events.

    It ends as soon as all are answered or it says that no more will come.
    """
    book = Ledger(path)
    book.want(wanted)
    keys = [request.key for request in wanted]
    events: list[Event] = []

    async def run() -> None:
        asked: asyncio.Queue[Sequence[str] | None] = asyncio.Queue()
        left = set(keys)

        def hear(event: Event) -> None:
            events.append(event)
            left.difference_update(event.answered)
            if not left or event.over:
                asked.put_nowait(None)

        asked.put_nowait(keys)
        await Courier(Orders(str(path), to, Purse("all", cap)), hear).run(asked)

    asyncio.run(asyncio.wait_for(run(), 60))
    entries = book.entries(keys)
    book.close()
    return entries, events
