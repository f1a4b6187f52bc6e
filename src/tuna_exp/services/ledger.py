"""The ledger: every request before it is sent, every reply before it counts, every dollar.

One SQLite file that any number of processes share. A request is `wanted`, then `sent` by a courier
that has reserved what it may cost at most, then `answered` with what it did cost. Each change is on
the disk (fsync) when its transaction returns. SQLite was chosen because it is in Python, is never
half-written, and can be read with any tool years later.

What a courier had sent when it died may have been paid for: it counts as `uncertain`, stays charged
at its bound, and is asked again. Left out: network file systems, which SQLite cannot lock.
"""

import json
import math
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tuna_exp.durable import disk_failures
from tuna_exp.errors import UserError
from tuna_exp.services.liveness import is_alive
from tuna_exp.services.requests import Request, Taken, Wire

VERSION = 1
NANOS = 10**9  # money is kept in whole billionths of a dollar: sums of fractions do not end at 0
BUSY_SECONDS = 60.0
CHUNK = 500  # variables of one statement; SQLite allows more, but plans them slowly
BALLAST = 4 << 20  # bytes kept free for paid answers when the disk is full
_TABLES = """
CREATE TABLE IF NOT EXISTS requests (
  key TEXT PRIMARY KEY, service TEXT NOT NULL, wire TEXT NOT NULL, body TEXT NOT NULL,
  part TEXT NOT NULL, state TEXT NOT NULL, wanted REAL NOT NULL, courier TEXT, batch TEXT,
  budget TEXT, bound INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
  uncertain INTEGER NOT NULL DEFAULT 0, reply TEXT, answered REAL, read INTEGER, cached INTEGER,
  generated INTEGER, nanos INTEGER);
CREATE INDEX IF NOT EXISTS requests_sent ON requests (courier) WHERE state = 'sent';
CREATE INDEX IF NOT EXISTS requests_batch ON requests (batch) WHERE batch IS NOT NULL;
CREATE TABLE IF NOT EXISTS budgets (
  name TEXT PRIMARY KEY, spent INTEGER NOT NULL DEFAULT 0, reserved INTEGER NOT NULL DEFAULT 0,
  uncertain INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS batches (
  name TEXT PRIMARY KEY, service TEXT NOT NULL, wire TEXT NOT NULL, courier TEXT NOT NULL,
  remote TEXT, begun REAL NOT NULL, size INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0);
"""
State = Literal["wanted", "sent", "answered"]


@dataclass(frozen=True)
class Entry:
    """A request as the ledger knows it; `reply` is None until it is answered."""

    key: str
    state: State
    courier: str | None
    batch: str | None
    reply: str | None
    usd: float


@dataclass(frozen=True)
class Claim:
    """What came of asking for the right to send: `foreign` ones are another courier's already."""

    own: tuple[str, ...]
    foreign: tuple[str, ...]
    answered: tuple[str, ...]
    unaffordable: tuple[str, ...]


@dataclass(frozen=True)
class Spent:
    """Dollars of a budget: `spent` and `reserved` for requests under way; `uncertain` of the spent
    may not have been charged by the service.
    """

    spent: float
    reserved: float
    uncertain: float


@dataclass(frozen=True)
class Purse:
    """Whose money it is and how much there is; `cap` None is no limit."""

    name: str
    cap: float | None


@dataclass(frozen=True)
class Batch:
    """A batch that was sent or is about to be; `remote` is the service's name for it."""

    name: str
    courier: str
    remote: str | None
    begun: float
    size: int


class Ledger:
    """The ledger in a file; one object per thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with disk_failures(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.ballast = path.with_name(path.name + ".ballast")
        with _told(path):
            self._sql = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            self._sql.execute("PRAGMA journal_mode=WAL")
            self._sql.execute("PRAGMA synchronous=FULL")
            version = self._sql.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                raise UserError(
                    f"{path} is a ledger of version {version}; this tuna_exp reads version "
                    f"{VERSION}. Cure: the tuna_exp that wrote it, or another account.ledger."
                )
            if version == 0:
                self._sql.executescript(f"{_TABLES} PRAGMA user_version={VERSION};")

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything in the block one change, on the disk when it ends.

        Raises UserError where the disk is full or the file is damaged; nothing is changed then.
        """
        with _told(self.path):
            self._sql.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._sql.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._sql.execute("ROLLBACK")
                raise

    def want(self, requests: Iterable[Request]) -> None:
        """Write requests down before anything is sent; those that are known stay as they are."""
        now = time.time()
        rows = [
            (r.key, r.service, r.wire, json.dumps(r.body), r.part, "wanted", now) for r in requests
        ]
        with self.transaction():
            self._sql.executemany(
                "INSERT OR IGNORE INTO requests (key, service, wire, body, part, state, wanted) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def entries(self, keys: Sequence[str]) -> dict[str, Entry]:
        """Return what is known about requests, by key."""
        found = {}
        for some in _chunks(keys):
            for row in self._sql.execute(
                "SELECT key, state, courier, batch, reply, coalesce(nanos, 0) FROM requests "
                f"WHERE key IN ({_places(some)})",
                some,
            ):
                key, state, courier, batch, reply, nanos = row
                found[key] = Entry(key, state, courier, batch, reply, nanos / NANOS)
        return found

    def request(self, key: str) -> Request | None:
        """Return a request by its key, or None where there is no such one."""
        row = self._sql.execute(
            "SELECT service, wire, body, part FROM requests WHERE key = ?", [key]
        ).fetchone()
        return None if row is None else Request(row[0], row[1], json.loads(row[2]), row[3])

    def claim(
        self, bounds: Mapping[str, float], courier: str, purse: Purse, batch: str | None = None
    ) -> Claim:
        """Within a transaction: take requests that nobody has sent, with what each may cost.

        What does not fit under the cap with all that is spent and reserved is left.
        """
        entries = self.entries(list(bounds))
        of_state: dict[State, list[str]] = {"wanted": [], "sent": [], "answered": []}
        for key in bounds:
            of_state[entries[key].state].append(key)
        nanos = {key: math.ceil(usd * NANOS) for key, usd in bounds.items()}
        left = self._left(purse)
        own: list[str] = []
        for key in of_state["wanted"]:
            if left is not None and nanos[key] > left:
                break  # the later ones wait their turn: small ones must not starve a large one
            left = None if left is None else left - nanos[key]
            own.append(key)
        self._sql.executemany(
            "UPDATE requests SET state = 'sent', courier = ?, batch = ?, budget = ?, bound = ?, "
            "attempts = attempts + 1 WHERE key = ?",
            [(courier, batch, purse.name, nanos[key], key) for key in own],
        )
        self._charge(purse.name, reserved=sum(nanos[key] for key in own))
        unaffordable = tuple(of_state["wanted"][len(own) :])
        return Claim(tuple(own), tuple(of_state["sent"]), tuple(of_state["answered"]), unaffordable)

    def _left(self, purse: Purse) -> int | None:
        """Return what a purse may still reserve, in nanodollars; None where there is no cap."""
        if purse.cap is None:
            return None
        spent, reserved, _ = self._nanos(purse.name)
        return math.floor(purse.cap * NANOS) - spent - reserved

    def settle(self, key: str, reply: str, taken: Taken, usd: float) -> None:
        """Within a transaction: write down a reply and what it did cost."""
        row = self._sql.execute(
            "SELECT budget, bound, state FROM requests WHERE key = ?", [key]
        ).fetchone()
        budget, bound, state = row
        paid = round(usd * NANOS)
        if state == "answered":
            return  # a batch's row that came twice
        self._sql.execute(
            "UPDATE requests SET state = 'answered', reply = ?, answered = ?, read = ?, "
            "cached = ?, generated = ?, nanos = ? WHERE key = ?",
            (reply, time.time(), taken.read, taken.cached, taken.generated, paid, key),
        )
        self._charge(budget, spent=paid, reserved=-bound if state == "sent" else 0)

    def give_up(self, key: str, certain: bool) -> None:
        """Within a transaction: a request that was sent has no answer and may be asked again.

        Where it is not `certain` that nothing was charged, its bound stays charged.
        """
        row = self._sql.execute(
            "SELECT budget, bound FROM requests WHERE key = ? AND state = 'sent'", [key]
        ).fetchone()
        if row is None:
            return
        self._sql.execute(
            "UPDATE requests SET state = 'wanted', courier = NULL, batch = NULL, bound = 0, "
            "uncertain = uncertain + ? WHERE key = ?",
            (0 if certain else 1, key),
        )
        lost = 0 if certain else row[1]
        self._charge(row[0], spent=lost, reserved=-row[1], uncertain=lost)

    def spent(self, budget: str) -> Spent:
        """Return what a budget has paid and reserved so far."""
        return Spent(*(nanos / NANOS for nanos in self._nanos(budget)))

    def _nanos(self, budget: str) -> tuple[int, int, int]:
        row = self._sql.execute(
            "SELECT spent, reserved, uncertain FROM budgets WHERE name = ?", [budget]
        ).fetchone()
        return row or (0, 0, 0)

    def _charge(self, budget: str, spent: int = 0, reserved: int = 0, uncertain: int = 0) -> None:
        self._sql.execute(
            "INSERT INTO budgets (name, spent, reserved, uncertain) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET spent = spent + excluded.spent, "
            "reserved = reserved + excluded.reserved, uncertain = uncertain + excluded.uncertain",
            (budget, spent, reserved, uncertain),
        )

    def begin_batch(self, batch: Batch, service: str, wire: str) -> None:
        """Within a transaction: write down a batch before it is sent."""
        self._sql.execute(
            "INSERT INTO batches (name, service, wire, courier, begun, size) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (batch.name, service, wire, batch.courier, batch.begun, batch.size),
        )

    def change_batch(self, name: str, **values: Any) -> None:
        """Within a transaction: set columns of a batch."""
        columns = ", ".join(f"{column} = ?" for column in values)
        self._sql.execute(f"UPDATE batches SET {columns} WHERE name = ?", [*values.values(), name])

    def open_batches(self, service: str, wire: str) -> list[Batch]:
        """Return the batches of a service that have not ended."""
        rows = self._sql.execute(
            "SELECT name, courier, remote, begun, size FROM batches "
            "WHERE service = ? AND wire = ? AND ended = 0 ORDER BY begun",
            [service, wire],
        )
        return [Batch(*row) for row in rows]

    def known_remotes(self, service: str) -> set[str]:
        """Return the service's own names of all batches that were written down."""
        rows = self._sql.execute(
            "SELECT remote FROM batches WHERE service = ? AND remote IS NOT NULL", [service]
        )
        return {row[0] for row in rows}

    def sent_in(self, batch: str) -> list[str]:
        """Return the keys of a batch that have no answer yet."""
        rows = self._sql.execute(
            "SELECT key FROM requests WHERE batch = ? AND state = 'sent'", [batch]
        )
        return [row[0] for row in rows]

    def orphans(self) -> list[tuple[str, str]]:
        """Return (key, courier) of requests that were sent one by one and have no answer."""
        rows = self._sql.execute(
            "SELECT key, courier FROM requests WHERE state = 'sent' AND batch IS NULL"
        )
        return [(row[0], row[1]) for row in rows]

    def recover(self, me: str) -> int:
        """Give up what dead couriers had sent one by one; return how many those were."""
        couriers = {courier for _, courier in self.orphans()} - {me}
        dead = {courier for courier in couriers if not is_alive(self.path, courier)}
        if not dead:
            return 0
        with self.transaction():
            # Read again: another courier may have done the same a moment ago.
            lost = [key for key, courier in self.orphans() if courier in dead]
            for key in lost:
                self.give_up(key, certain=False)
        return len(lost)

    def find(self, beginning: str) -> dict[str, Any]:
        """Return everything about the one request whose key begins so. Raises UserError."""
        columns = (
            "key, service, wire, body, part, state, wanted, answered, attempts, uncertain, budget, "
            "batch, reply, read, cached, generated, nanos / 1e9"
        )
        rows = self._sql.execute(
            f"SELECT {columns} FROM requests WHERE key >= ? AND key < ? LIMIT 2",
            [beginning, beginning + "g"],
        ).fetchall()
        if len(rows) != 1 or not beginning:
            many = "several requests begin" if rows else "no request begins"
            raise UserError(f"{many} with '{beginning}' in {self.path}. Cure: give the whole key.")
        names = [name.strip() for name in columns.split(",")]
        found = dict(zip([*names[:-1], "usd"], rows[0], strict=True))
        for name in ("body", "reply"):
            with suppress(ValueError, TypeError):
                found[name] = json.loads(found[name])
        return found

    def all_requests(self) -> Iterator[tuple[Wire, dict[str, Any], State, int]]:
        """Yield wire, body, state and the number of uncertain sendings of every request."""
        rows = self._sql.execute("SELECT wire, body, state, uncertain FROM requests")
        for wire, body, state, uncertain in rows:
            yield wire, json.loads(body), state, uncertain

    def totals(self) -> list[tuple[str, str, int, int, int, float, int]]:
        """Return per service and model: answers, tokens read and generated, dollars, uncertain."""
        return self._sql.execute(
            "SELECT service, json_extract(body, '$.model'), sum(state = 'answered'), "
            "coalesce(sum(read), 0), coalesce(sum(generated), 0), coalesce(sum(nanos), 0) / 1e9, "
            "sum(uncertain) FROM requests GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()

    def budgets(self) -> list[tuple[str, float, float, float]]:
        """Return name, dollars spent, reserved and uncertain of every budget."""
        return self._sql.execute(
            "SELECT name, spent / 1e9, reserved / 1e9, uncertain / 1e9 FROM budgets ORDER BY name"
        ).fetchall()

    def keep_ballast(self) -> None:
        """Hold some space on the disk, to be freed for paid answers when there is none left."""
        with suppress(OSError):
            if not self.ballast.exists():
                self.ballast.write_bytes(b"\0" * BALLAST)

    def drop_ballast(self) -> None:
        """Free that space."""
        with suppress(OSError):
            self.ballast.unlink()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Raise what SQLite says in the user's words."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise UserError(
            f"{path}: {error}. What was paid for is kept. Cure: free some space and make the "
            "folder writable, or name another file with account.ledger=; the same command then "
            "continues."
        ) from error
    except sqlite3.DatabaseError as error:
        raise UserError(
            f"{path} is no sound ledger: {error}. Cure: put it back from a copy, or name another "
            "file with account.ledger=."
        ) from error


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(keys), CHUNK):
        yield keys[first : first + CHUNK]


def _places(keys: Sequence[str]) -> str:
    return ", ".join("?" * len(keys))
