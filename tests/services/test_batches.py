"""Batches: results matched by id in any order, rows resent, crashes between two calls found out."""

from pathlib import Path
from typing import Any

import pytest

from tests.services.buying import deliver, endpoint, requests
from tests.services.loopback import Loopback
from tuna_exp.services.batches import MOST_BYTES, MOST_ROWS, chunks
from tuna_exp.services.ledger import Batch, Ledger, Purse
from tuna_exp.services.requests import Request, Wire

VENDORS: list[Wire] = ["openai_chat", "anthropic_messages"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.mark.parametrize("wire", VENDORS)
@pytest.mark.parametrize(
    "fault", [None, "errored_rows", "expired_rows", "expired_batch", "duplicate_rows"]
)
def test_every_row_is_answered_and_paid_once(
    fault: str | None, wire: Wire, server: Loopback, path: Path
) -> None:
    """At half the price; what failed goes into a second batch."""
    server.set_faults(*([{"fault": fault, "first": 2}] if fault else []))
    wanted = requests(server, 7, wire)
    entries, _ = deliver(endpoint(server, wire, transport="batch"), path, wanted)
    assert all(entry.state == "answered" for entry in entries.values())
    assert set(server.served()["counts"].values()) == {1}
    now = Ledger(path).spent("all")
    assert now.spent == pytest.approx(server.served()["usd"]) and now.reserved == 0


@pytest.mark.parametrize("wire", VENDORS)
def test_missing_rows_are_asked_again_and_called_uncertain(
    wire: Wire, server: Loopback, path: Path
) -> None:
    server.set_faults({"fault": "missing_rows", "first": 2})
    entries, _ = deliver(endpoint(server, wire, transport="batch"), path, requests(server, 5, wire))
    assert all(entry.state == "answered" for entry in entries.values())
    assert Ledger(path).spent("all").uncertain > 0


@pytest.mark.parametrize("wire", VENDORS)
def test_a_batch_created_though_the_answer_was_lost_is_found(
    wire: Wire, server: Loopback, path: Path
) -> None:
    """By its name, or where a vendor takes none by its rows; it is not created twice."""
    server.set_faults({"fault": "create_then_drop", "first": 1})
    deliver(endpoint(server, wire, transport="batch"), path, requests(server, 4, wire))
    created = [n for call, n in server.stats()["requests"].items() if call.endswith(("/batches",))]
    assert set(server.served()["counts"].values()) == {1} and created


@pytest.mark.parametrize("wire", VENDORS)
def test_a_batch_that_was_never_created_is_sent_again(
    wire: Wire, server: Loopback, path: Path
) -> None:
    """Its courier died before it could create it; another batch of that size is not ours."""
    wanted = requests(server, 3, wire)
    book = Ledger(path)
    book.want(wanted)
    with book.transaction():
        bounds = {request.key: 0.1 for request in wanted}
        book.claim(bounds, "dead", Purse("all", None), batch="gone")
        book.begin_batch(Batch("gone", "dead", None, 0.0, 3), server.base_url, wire)
    others = requests(server, 6, wire)[3:]
    deliver(endpoint(server, wire, transport="batch"), path.with_name("others"), others)
    entries, _ = deliver(endpoint(server, wire, transport="batch"), path, wanted)
    assert all(entry.state == "answered" for entry in entries.values())
    assert set(server.served()["counts"].values()) == {1} and server.served()["answers"] == 6


def test_a_refused_batch_is_told(server: Loopback, path: Path) -> None:
    server.set_faults({"fault": "failed_batch", "path": "batches"})
    _, events = deliver(endpoint(server, transport="batch"), path, requests(server, 2))
    assert events[-1].over == "stop" and "was refused" in events[-1].words
    assert Ledger(path).spent("all").reserved == 0


def test_what_sync_has_paid_for_a_batch_does_not_buy(server: Loopback, path: Path) -> None:
    wanted = requests(server, 4)
    deliver(endpoint(server), path, wanted[:2])
    deliver(endpoint(server, transport="batch"), path, wanted)
    deliver(endpoint(server), path, wanted)
    assert server.served()["answers"] == 4


def test_a_batch_costs_at_most_the_cap(server: Loopback, path: Path) -> None:
    entries, events = deliver(
        endpoint(server, transport="batch"), path, requests(server, 60), cap=0.0005
    )
    answered = sum(entry.state == "answered" for entry in entries.values())
    assert 0 < answered < 60 and [e.over for e in events if e.over] == ["budget"]
    assert Ledger(path).spent("all").spent <= 0.0005


def test_batches_keep_to_the_vendors_limits() -> None:
    """Rows: 50,001 are two batches. Bytes: three of 0.4 x the limit are two batches."""
    small: dict[str, Any] = {str(i): Request("x", "openai_chat", {}) for i in range(MOST_ROWS + 1)}
    assert [len(part) for part in chunks(small)] == [MOST_ROWS, 1]
    text = "x" * (MOST_BYTES * 2 // 5)
    large: dict[str, Any] = {str(i): Request("x", "openai_chat", {"t": text}) for i in range(3)}
    assert [len(part) for part in chunks(large)] == [2, 1]
