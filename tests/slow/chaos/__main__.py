"""Play rounds: in each a fault strikes a run at a random instant, and the same command ends it.

    python -m tests.slow.chaos [--rounds 200] [--seed 0] [--only KIND,KIND] [--out FILE] [--keep]

What must hold after each: the same artifacts to the byte as those of a run that was left alone
(divergences 0), nothing done again that had been finished (lost 0), and a run that could not go on
said so in words, with no traceback (told badly 0). Faults that this machine cannot make are named
and left out. The last line tells the counts; the exit status is 1 where one of them is not 0.
"""

import argparse
import os
import platform
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.slow.chaos.faults import FAULTS, Fault, Network, possible
from tests.slow.chaos.rounds import Outcome, Rounds, Scene
from tests.slow.chaos.runs import preload

TINY = ["experiment=tiny", "comparison.resamples=199", "objective.checkpoint_steps=1"]
PRICE = ["vendor=null", "model=loopback-1", "read=1.0", "generated=2.0"]


def bought(network: Network) -> list[str]:
    """Overrides of a run whose teacher and judge are services that cost."""
    places = ["teacher.endpoint", "extra_rankers.judge.judge.endpoint"]
    own = ["key_variable=null", "timeout_seconds=3", "longest_wait_seconds=1", "model=loopback-1"]
    return [
        *TINY,
        "method=tuna_p",
        "teacher=openai",
        "ranker@extra_rankers.judge=anthropic",
        "budget.usd=5",
        *(f"{place}.base_url={network.server.base_url}" for place in places),
        *(f"{place}.{setting}" for place in places for setting in own),
        *(f"{place}.price.{price}" for place in places for price in PRICE),
    ]


def kinds(only: str) -> list[type[Fault]]:
    """Return the faults that are wanted and can be made; say which can't."""
    wanted = [f for f in FAULTS if not only or f.kind in only.split(",")]
    for fault in wanted:
        if reason := possible(fault):
            say(f"left out: {reason}")
    return [fault for fault in wanted if not possible(fault)]


def play(given: argparse.Namespace, folder: Path) -> list[Outcome]:
    """Play all rounds, every kind as often as the others, in an order of luck's."""
    luck, outcomes = random.Random(given.seed), []
    faults = kinds(given.only)
    network = Network(folder / "served")
    scenes = [
        Scene("tiny", TINY, folder / "calm" / "tiny"),
        Scene("bought", bought(network), folder / "calm" / "bought"),
    ]
    try:
        for scene in scenes:
            began = time.monotonic()
            scene.run_calmly()
            say(f"{scene.name}, left alone: {time.monotonic() - began:.0f} s")
        rounds = Rounds(folder, scenes, network, luck, given.minute, given.keep)
        for number in range(given.rounds):
            if number % len(faults) == 0:
                luck.shuffle(faults)
            began = time.monotonic()
            outcome = rounds.play(number, faults[number % len(faults)])
            outcomes.append(outcome)
            tell(number, outcome, time.monotonic() - began)
    finally:
        network.close()
    return outcomes


def tell(number: int, outcome: Outcome, seconds: float) -> None:
    """Say how a round went."""
    say(f"{number + 1}: {outcome.kind} in {outcome.told} -> {outcome.status} ({seconds:.0f} s)")
    for what in ("divergences", "lost", "badly"):
        for words in getattr(outcome, what):
            say(f"    {what}: {words}")


def counted(outcomes: Sequence[Outcome]) -> str:
    """Return the counts in a line."""
    by_kind = Counter(outcome.kind for outcome in outcomes)
    kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(by_kind.items()))
    figures = (sum(map(len, _of(outcomes, what))) for what in ("divergences", "lost", "badly"))
    return "{} rounds ({}): divergences {}, lost {}, told badly {}".format(
        len(outcomes), kinds, *figures
    )


def _of(outcomes: Sequence[Outcome], what: str) -> list[list[str]]:
    return [getattr(outcome, what) for outcome in outcomes]


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Play, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="kinds of fault, with commas")
    parser.add_argument("--minute", type=float, default=60.0, help="the longest stop, in seconds")
    parser.add_argument("--out", type=Path, help="file for the last lines")
    parser.add_argument("--keep", type=Path, help="folder in which what went wrong is kept")
    given = parser.parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = "1"  # sums in one order: equal to the byte
    os.environ.pop("TUNA_EXP_ARTIFACTS", None)
    preload()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        os.environ["TUNA_EXP_CACHE"] = str(folder / "cache")
        outcomes = play(given, folder.absolute())
    minutes = (time.monotonic() - began) / 60
    last = counted(outcomes)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(
            f"make chaos ROUNDS={given.rounds} SEED={given.seed}, {datetime.now(UTC):%Y-%m-%d}, "
            f"{os.cpu_count()} cores, Python {platform.python_version()}, {minutes:.0f} minutes\n"
            f"{last}\n",
            encoding="utf-8",
        )
    say(last)
    return int(any(o.divergences or o.lost or o.badly for o in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
