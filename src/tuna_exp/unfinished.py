"""What an unfinished artifact remembers from one attempt to the next, in `.work/` of its folder.

Facts are a journal of JSON lines, attempts are empty files named by their start whose modification
time is a heartbeat: both survive a kill at any instant without a clean-up. The store deletes the
memory at commit, after it has gone into the manifest.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

MEMORY = ".work"
# The fact that is the machine's and not the stage's: memory and energy (`efficiency.meters`).
METERS = "meters"
_HEARTBEAT_SECONDS = 0.5
_log = logging.getLogger(__name__)


class Notebook:
    """The memory of the unfinished artifact in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._memory = folder / MEMORY

    def note(self, facts: Mapping[str, Any]) -> None:
        """Append facts (JSON values) and return once they are on the disk."""
        line = json.dumps(facts, allow_nan=False)
        self._memory.mkdir(parents=True, exist_ok=True)
        with (self._memory / "facts.jsonl").open("ab") as journal:
            # The newline in front closes a line that a kill has torn.
            journal.write(f"\n{line}\n".encode())
            journal.flush()
            os.fsync(journal.fileno())

    def facts(self) -> dict[str, Any]:
        """All facts noted so far, the later one where a name was noted twice.

        A torn line is skipped with a warning: its `note` never returned, so the step that noted it
        does so again.
        """
        path = self._memory / "facts.jsonl"
        facts: dict[str, Any] = {}
        for line in path.read_bytes().split(b"\n") if path.exists() else []:
            if not line.strip():
                continue
            try:
                facts.update(json.loads(line))
            except (ValueError, TypeError):
                _log.warning("%s: skipped a torn line of %d bytes", path, len(line))
        return facts

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Count one attempt and keep its time while the block runs."""
        self._memory.mkdir(parents=True, exist_ok=True)
        began = time.time_ns()
        heart = self._memory / f"attempt-{began}"
        heart.touch()
        stop = threading.Event()
        beating = threading.Thread(target=_beat, args=(heart, began, stop), daemon=True)
        beating.start()
        try:
            yield
        finally:
            stop.set()
            beating.join()

    @property
    def attempts(self) -> int:
        """How many attempts were begun."""
        return len(list(self._memory.glob("attempt-*")))

    @property
    def seconds(self) -> float:
        """Wall time of all attempts; a killed one counts up to its last heartbeat."""
        hearts = self._memory.glob("attempt-*")
        spans = (h.stat().st_mtime - int(h.name.partition("-")[2]) / 1e9 for h in hearts)
        return sum(max(span, 0.0) for span in spans)


def _beat(heart: Path, began: int, stop: threading.Event) -> None:
    started, stopped = time.monotonic_ns(), False
    while True:
        # From the start on, as the clock may be set meanwhile.
        now = began + time.monotonic_ns() - started
        # A missed heartbeat costs a moment of bookkeeping; it must not end the step.
        with suppress(OSError):
            os.utime(heart, ns=(now, now))
        if stopped:
            return
        stopped = stop.wait(_HEARTBEAT_SECONDS)
