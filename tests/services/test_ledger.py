"""The ledger: whatever happens in whatever order, money and answers add up."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuna_exp.errors import UserError
from tuna_exp.services.ledger import Batch, Ledger, Purse
from tuna_exp.services.liveness import is_alive, living
from tuna_exp.services.requests import Request, Taken

PURSE = Purse("all", 1.0)
MOVES = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["claim", "settle", "lose", "return"])),
    max_size=40,
)


def request(number: int) -> Request:
    return Request("http://x", "openai_chat", {"model": "m", "n": number})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite")


def claim(ledger: Ledger, bounds: dict[str, float], purse: Purse = PURSE) -> tuple[str, ...]:
    with ledger.transaction():
        return ledger.claim(bounds, "me", purse).own


def test_a_key_covers_all_that_decides_the_answer() -> None:
    """Base URL, wire format, body and part; the order of a body's names does not."""
    body = {"model": "m", "seed": 1}
    keys = [
        Request("a", "openai_chat", body).key,
        Request("b", "openai_chat", body).key,
        Request("a", "openai_completions", body).key,
        Request("a", "openai_chat", {**body, "seed": 2}).key,
        Request("a", "openai_chat", body, "again").key,
    ]
    assert len(set(keys)) == 5
    assert Request("a", "openai_chat", {"seed": 1, "model": "m"}).key == keys[0]


@settings(max_examples=60, deadline=None)
@given(MOVES, st.floats(0.01, 0.5), st.floats(0, 1))
def test_spent_and_reserved_never_exceed_the_cap(
    tmp_path_factory: pytest.TempPathFactory,
    moves: list[tuple[int, str]],
    bound: float,
    part: float,
) -> None:
    """Claims reserve the bound, an answer costs part of it, a loss all of it, a return nothing."""
    book = Ledger(tmp_path_factory.mktemp("book") / "ledger.sqlite")
    book.want([request(n) for n in range(6)])
    spent = 0.0
    for number, move in moves:
        key = request(number).key
        state = book.entries([key])[key].state
        if move == "claim":
            claim(book, {key: bound})
        elif state == "sent":
            with book.transaction():
                if move == "settle":
                    book.settle(key, "{}", Taken(1, 0, 1), bound * part)
                else:
                    book.give_up(key, certain=move == "return")
            spent += {"settle": bound * part, "lose": bound, "return": 0.0}[move]
        now = book.spent("all")
        assert now.spent + now.reserved <= 1.0
        assert now.spent == pytest.approx(spent, abs=1e-7)
    under_way = sum(
        e.state == "sent" for e in book.entries([request(n).key for n in range(6)]).values()
    )
    assert book.spent("all").reserved == pytest.approx(under_way * bound, abs=1e-7)
    book.close()


def test_one_of_two_gets_to_send(ledger: Ledger) -> None:
    key = request(0).key
    ledger.want([request(0), request(0)])
    other = Ledger(ledger.path)
    assert claim(ledger, {key: 0.1}) == (key,)
    with other.transaction():
        assert other.claim({key: 0.1}, "other", PURSE).foreign == (key,)
    with ledger.transaction():
        ledger.settle(key, "first", Taken(1, 0, 1), 0.05)
        ledger.settle(key, "second", Taken(1, 0, 1), 0.05)  # a row that came twice
    with other.transaction():
        assert other.claim({key: 0.1}, "other", PURSE).answered == (key,)
    assert other.entries([key])[key].reply == "first" and other.spent("all").spent == 0.05


def test_what_does_not_fit_waits_its_turn(ledger: Ledger) -> None:
    """0.6 + 0.6 > 1: the second and all after it are left, however small."""
    ledger.want([request(n) for n in range(3)])
    bounds = {request(0).key: 0.6, request(1).key: 0.6, request(2).key: 0.1}
    with ledger.transaction():
        made = ledger.claim(bounds, "me", PURSE)
    assert made.own == (request(0).key,)
    assert made.unaffordable == (request(1).key, request(2).key)


def test_what_a_dead_courier_had_sent_is_uncertain(ledger: Ledger) -> None:
    """Its bound stays charged, and it may be asked again; that of a living one is left alone."""
    ledger.want([request(0), request(1)])
    with ledger.transaction():
        ledger.claim({request(0).key: 0.25}, "dead", PURSE)
        ledger.claim({request(1).key: 0.25}, "alive", PURSE)
    with living(ledger.path, "alive"):
        assert is_alive(ledger.path, "alive") and not is_alive(ledger.path, "dead")
        assert ledger.recover("me") == 1
    assert list(ledger.path.parent.glob("*.couriers/*")) == []
    now = ledger.spent("all")
    assert (now.spent, now.reserved, now.uncertain) == (0.25, 0.25, 0.25)
    states = ledger.entries([request(0).key, request(1).key])
    assert [states[request(n).key].state for n in (0, 1)] == ["wanted", "sent"]


def test_batches_are_known_by_name(ledger: Ledger) -> None:
    ledger.want([request(0)])
    with ledger.transaction():
        ledger.claim({request(0).key: 0.1}, "me", PURSE, batch="b")
        ledger.begin_batch(Batch("b", "me", None, 5.0, 1), "http://x", "openai_chat")
    with ledger.transaction():
        ledger.change_batch("b", remote="batch_1")
    assert ledger.open_batches("http://x", "openai_chat") == [Batch("b", "me", "batch_1", 5.0, 1)]
    assert ledger.known_remotes("http://x") == {"batch_1"}
    assert ledger.sent_in("b") == [request(0).key] and ledger.orphans() == []
    with ledger.transaction():
        ledger.change_batch("b", ended=1)
    assert ledger.open_batches("http://x", "openai_chat") == []


def test_a_failed_transaction_changes_nothing(ledger: Ledger) -> None:
    ledger.want([request(0)])
    with pytest.raises(ZeroDivisionError), ledger.transaction():
        ledger.claim({request(0).key: 0.1}, "me", PURSE)
        _ = 1 / 0
    assert ledger.spent("all").reserved == 0


def test_unsound_and_newer_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "torn.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(UserError, match="no sound ledger"):
        Ledger(tmp_path / "torn.sqlite")
    newer = sqlite3.connect(tmp_path / "newer.sqlite")
    newer.execute("PRAGMA user_version=99")
    newer.close()
    with pytest.raises(UserError, match="version 99"):
        Ledger(tmp_path / "newer.sqlite")


def test_a_request_is_found_by_how_its_key_begins(ledger: Ledger) -> None:
    ledger.want([request(0), request(1)])
    found = ledger.find(request(0).key[:12])
    assert found["key"] == request(0).key and found["body"] == {"model": "m", "n": 0}
    for beginning in ("", "zz"):
        with pytest.raises(UserError, match="give the whole key"):
            ledger.find(beginning)
