"""The courier against a server that fails in every way: paid once, told why, nothing lost."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.services.buying import deliver, endpoint, requests
from tests.services.loopback import Loopback, running
from tuna_exp.services.ledger import Ledger
from tuna_exp.services.requests import Request

PASSING = ["429", "500", "503", "529"]
LASTING = {"400": "settings", "401": "check the key", "403": "may do", "404": "endpoint.model"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.mark.parametrize("wire", ["openai_chat", "anthropic_messages"])
@pytest.mark.parametrize("fault", PASSING)
def test_overload_is_waited_for_and_not_charged(
    fault: str, wire: Any, server: Loopback, path: Path
) -> None:
    """The first two attempts fail; a Retry-After of an hour counts 0.3 s, as longest_wait says."""
    server.set_faults({"fault": fault, "first": 2, "retry_after": 3600})
    began = time.monotonic()
    entries, _ = deliver(endpoint(server, wire), path, requests(server, 6, wire))
    assert time.monotonic() - began < 10
    assert {entry.state for entry in entries.values()} == {"answered"}
    assert server.served()["answers"] == 6
    book = Ledger(path)
    assert book.spent("all").spent == pytest.approx(server.served()["usd"])
    assert (book.spent("all").reserved, book.spent("all").uncertain) == (0, 0)


@pytest.mark.parametrize("fault", LASTING)
def test_what_is_useless_to_ask_again_stops_at_once(
    fault: str, server: Loopback, path: Path
) -> None:
    server.set_faults({"fault": fault})
    _, events = deliver(endpoint(server, concurrency=1), path, requests(server, 3))
    assert [event.over for event in events if event.over] == ["stop"]
    assert LASTING[fault] in events[-1].words and fault in events[-1].words
    assert sum(server.stats()["statuses"].values()) == 1
    book = Ledger(path)
    assert (book.spent("all").spent, book.spent("all").reserved) == (0, 0)


def test_no_credit_is_not_waited_for(server: Loopback, path: Path) -> None:
    server.set_faults({"fault": "429", "code": "insufficient_quota"})
    _, events = deliver(endpoint(server), path, requests(server, 2))
    assert events[-1].over == "stop" and "credit" in events[-1].words


@pytest.mark.parametrize("fault", ["cut", "hang"])
def test_an_answer_that_got_lost_is_told(fault: str, server: Loopback, path: Path) -> None:
    """Nobody can tell whether it was charged: its bound stays charged and is called uncertain."""
    server.set_faults({"fault": fault, "first": 1})
    entries, _ = deliver(endpoint(server, timeout_seconds=1.0), path, requests(server, 3))
    assert all(entry.state == "answered" for entry in entries.values())
    now = Ledger(path).spent("all")
    assert 0 < now.uncertain < now.spent and now.reserved == 0
    assert now.spent >= server.served()["usd"]


def test_replies_that_are_no_answers_end_it_after_three(server: Loopback, path: Path) -> None:
    """Such as a proxy's page with status 200; all three may have been charged."""
    server.set_faults({"fault": "garbage"})
    _, events = deliver(endpoint(server, concurrency=1), path, requests(server, 1))
    assert events[-1].over == "stop" and "cannot be read" in events[-1].words
    assert server.served()["answers"] == 3 and Ledger(path).spent("all").uncertain > 0


def test_a_request_that_cannot_be_made_is_not_waited_for(server: Loopback, path: Path) -> None:
    """A body that the SDK cannot send: a fault, not an overload."""
    bad = Request(server.base_url, "openai_chat", {"model": "loopback-1"})
    _, events = deliver(endpoint(server), path, [bad])
    assert events[-1].over == "stop" and "messages" in events[-1].words


def test_patience_ends(server: Loopback, path: Path) -> None:
    server.set_faults({"fault": "503"})
    _, events = deliver(endpoint(server, patience_minutes=0.02), path, requests(server, 1))
    assert "gave no answer for 0.02 minutes" in events[-1].words


def test_a_cap_is_kept_to(server: Loopback, path: Path) -> None:
    """Each may cost 175 tokens read at most and 20 generated: bounds, not costs, must fit."""
    wanted = requests(server, 40)
    entries, events = deliver(endpoint(server), path, wanted, cap=0.001)
    answered = sum(entry.state == "answered" for entry in entries.values())
    (over,) = [event for event in events if event.over]
    assert 0 < answered < 40 and over.over == "budget"
    assert Ledger(path).spent("all").spent <= 0.001
    assert "Cure: a higher budget.usd" in over.words
    before = server.served()["answers"]
    entries, _ = deliver(endpoint(server), path, wanted, cap=1.0)
    assert all(entry.state == "answered" for entry in entries.values())
    assert (before, server.served()["answers"]) == (answered, 40)


def test_at_most_so_many_at_once_and_per_minute(path: Path) -> None:
    """240 a minute is one every 0.25 s: the sixth leaves 1.25 s after the first."""
    with running(latency=0.1) as server:
        deliver(endpoint(server, concurrency=3), path, requests(server, 12))
        assert server.stats()["most_in_flight"] == 3
        began = time.monotonic()
        six = [r for r in requests(server, 18) if r not in requests(server, 12)]
        deliver(endpoint(server, requests_per_minute=240), path, six)
        assert time.monotonic() - began >= 1.25


def test_tokens_per_minute(path: Path) -> None:
    """A request counts about 40 tokens; 60 a minute let the second go 20 s later: it has not."""
    with running() as server:
        wanted = requests(server, 2)
        to = endpoint(server, tokens_per_minute=60, patience_minutes=0.01)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            deliver_within(2.0, to, path, wanted)
        assert time.monotonic() - began < 10 and server.served()["answers"] == 1


def deliver_within(seconds: float, to: Any, path: Path, wanted: Any) -> None:
    import asyncio

    from tuna_exp.services.courier import Courier, Orders
    from tuna_exp.services.ledger import Purse

    Ledger(path).want(wanted)

    async def run() -> None:
        asked: asyncio.Queue[Any] = asyncio.Queue()
        asked.put_nowait([request.key for request in wanted])
        courier = Courier(Orders(str(path), to, Purse("all", None)), lambda event: None)
        await asyncio.wait_for(courier.run(asked), seconds)

    asyncio.run(run())
