"""What was served and must be paid: one line of `served.jsonl` per answered request.

A line is written (to the system, not through to the disk) before the answer leaves, so a client
that is killed meanwhile has still paid.
Requests are told apart by `digest_of`, the same for a request asked directly and as a batch's row.
"""

import json
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

UNDECISIVE = ("stream", "metadata", "user")
MINUTE = 60.0


def digest_of(path: str, body: Mapping[str, Any], method: str = "POST") -> str:
    """Return the digest (hex) of what decides an answer: method, path and the body's content."""
    decisive = {key: value for key, value in body.items() if key not in UNDECISIVE}
    content = json.dumps([method, path, decisive], sort_keys=True, ensure_ascii=False)
    return sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Bill:
    """What one answered request is to be charged with; tokens as `answers.pieces` counts them."""

    path: str
    digest: str
    tokens_in: int
    tokens_out: int
    usd: float
    batch: str | None = None
    custom_id: str | None = None


@dataclass
class Ledger:
    """The bills so far, those of an earlier server with the same state folder included."""

    file: Path
    counts: Counter[str] = field(default_factory=Counter)
    custom_ids: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    usd: float = 0.0

    def __post_init__(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        if self.file.exists():
            for line in self.file.read_text(encoding="utf-8").splitlines():
                self._add(json.loads(line))

    def charge(self, bill: Bill) -> None:
        """Count an answer, first in the file."""
        line = {**vars(bill), "time": time.time()}
        with self.file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(line) + "\n")
        self._add(line)

    def reset(self) -> None:
        """Forget everything, the file's lines too."""
        self.file.write_text("", encoding="utf-8")
        self.counts.clear()
        self.custom_ids.clear()
        self.usd = 0.0

    def told(self) -> dict[str, object]:
        """Return answers per digest, per digest of each custom id, in all, and US dollars."""
        return {
            "counts": self.counts,
            "custom_ids": self.custom_ids,
            "answers": self.counts.total(),
            "usd": self.usd,
        }

    def _add(self, line: Mapping[str, Any]) -> None:
        self.counts[line["digest"]] += 1
        if line["custom_id"] is not None:
            self.custom_ids[line["custom_id"]][line["digest"]] += 1
        self.usd += line["usd"]


@dataclass
class Traffic:
    """How much the server was asked at once, and in the busiest minute."""

    in_flight: int = 0
    most_in_flight: int = 0
    most_per_minute: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    recent: deque[float] = field(default_factory=deque)

    def begin(self, name: str) -> None:
        """Note a request ("METHOD path") that came in."""
        now = time.monotonic()
        self.recent.append(now)
        while self.recent[0] <= now - MINUTE:
            self.recent.popleft()
        self.requests[name] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.most_per_minute = max(self.most_per_minute, len(self.recent))

    def end(self, status: int) -> None:
        """Note how a request ended; 0 where it got no answer."""
        self.in_flight -= 1
        self.statuses[status] += 1

    def told(self) -> dict[str, object]:
        """Return the numbers as JSON values."""
        now = time.monotonic()
        return {
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
            "requests_last_minute": sum(moment > now - MINUTE for moment in self.recent),
            "most_requests_per_minute": self.most_per_minute,
            "requests": self.requests,
            "statuses": self.statuses,
        }
