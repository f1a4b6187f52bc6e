"""Try odd texts on every parser for so many seconds each.

    python -m tests.slow.fuzz [--seconds 600] [--processes N] [--only NAME] [--out FILE]

The last line tells how many texts, parsers and faults there were; the exit status is 1 where there
was a fault. A text that takes longer than 10 seconds is a fault too.
"""

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from hypothesis import HealthCheck, Phase, given, settings

from tests.parsers import PARSERS, texts, tried

LONGEST = 10


class HangError(Exception):
    """A text that took too long."""


def _hangs(number: int, frame: FrameType | None) -> None:
    raise HangError(f"longer than {LONGEST} s")


def fuzz(name: str, seconds: float) -> tuple[int, set[str]]:
    """Return how many texts were tried on a parser, and the faults."""
    signal.signal(signal.SIGALRM, _hangs)
    parse, count, faults = PARSERS[name], 0, set[str]()
    limit = time.monotonic() + seconds

    @settings(
        max_examples=200,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(texts())
    def once(text: str) -> None:
        nonlocal count
        if time.monotonic() > limit:
            return
        count += 1
        signal.alarm(LONGEST)
        try:
            tried(parse, text)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}"
            if kind not in {fault.partition(" by ")[0] for fault in faults}:
                faults.add(f"{kind} by {text[:200]!r}")
        finally:
            signal.alarm(0)

    while time.monotonic() < limit:
        once()
    return count, faults


def main(arguments: Sequence[str]) -> int:
    """Fuzz and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", choices=list(PARSERS), help="one parser")
    parser.add_argument("--out", type=Path)
    given_ = parser.parse_args(arguments)
    lines, texts_tried, faults_found = [], 0, 0
    names = [given_.only] if given_.only else list(PARSERS)
    with ProcessPoolExecutor(given_.processes) as pool:
        found = pool.map(fuzz, names, [given_.seconds] * len(names))
        for name, (count, faults) in zip(names, found, strict=True):
            texts_tried, faults_found = texts_tried + count, faults_found + len(faults)
            lines.append(f"{name}: {count} texts, {len(faults)} faults")
            sys.stdout.write("\n  ".join([lines[-1], *sorted(faults)]) + "\n")
            sys.stdout.flush()
    head = (
        f"make fuzz SECONDS={given_.seconds:g}, {datetime.now(UTC):%Y-%m-%d}, "
        f"{given_.processes} at a time on {os.cpu_count()} cores"
    )
    last = f"{texts_tried} texts, {len(lines)} parsers: {faults_found} faults"
    if given_.out:
        given_.out.parent.mkdir(parents=True, exist_ok=True)
        given_.out.write_text("\n".join([head, *lines, last]) + "\n", encoding="utf-8")
    sys.stdout.write(f"{last}\n")
    return int(faults_found > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
