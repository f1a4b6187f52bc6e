"""Kill runs that buy answers with SIGKILL at random instants, and count at the server.

    python -m tests.slow.spend [--kills 200] [--runs 1000] [--requests 10000] [--out FILE]

What must hold: every answer that the server was paid for is in the ledger (lost 0), none was bought
twice (0), what is written at the end is what an uninterrupted run writes, and no cap is exceeded by
runs at the same time. The server is our own on loopback, with failures that are not charged
(overload, errors) mixed in. Runs are forked from this process, which has imported everything
already: a kill then meets the run at its work. The last lines tell the counts; the exit status is 1
where something is not as it must be.

With `--kill-couriers` the courier is killed as well. What it had under way may then be bought
again; the ledger must say so (`uncertain`).
"""

import argparse
import os
import platform
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from tests.services.ledger import digest_of
from tests.services.loopback import Loopback, running
from tuna_exp.llms.base import Sampling
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.service import ServiceLLM
from tuna_exp.plan import Workspace
from tuna_exp.progress import NoBar
from tuna_exp.rankers.contextual import ContextualRanker
from tuna_exp.records import Candidate, CandidateSet, Instruction, write_records
from tuna_exp.services.account import Account, Budget
from tuna_exp.services.desk import Desk
from tuna_exp.services.endpoint import Endpoint, Transport
from tuna_exp.services.ledger import Ledger
from tuna_exp.services.prices import Price
from tuna_exp.services.requests import Request, Wire
from tuna_exp.services.wires import WIRES
from tuna_exp.stages.rank import RANKING, rank
from tuna_exp.stages.sample import CANDIDATES, Drawing, sample

SETS = 24
DECODING = Decoding(responses=4, temperature=1.0, top_p=1.0, top_k=0, max_new_tokens=32)
FAULTS = [
    {"fault": "429", "share": 0.05, "retry_after": 0.1},
    {"fault": "500", "share": 0.03},
    {"fault": "529", "share": 0.02},
    {"fault": "errored_rows", "share": 0.05},
    {"fault": "expired_rows", "share": 0.05},
    {"fault": "duplicate_rows", "share": 0.1},
]
MILLION = 1_000_000


@dataclass(frozen=True)
class Scene:
    """A stage that buys, from whom and how."""

    stage: Literal["sample", "rank"]
    wire: Wire
    transport: Transport


SCENES = [
    Scene(stage, wire, transport)
    for stage in ("sample", "rank")
    for wire in ("openai_chat", "anthropic_messages")
    for transport in ("sync", "batch")
]


def endpoint(server: Loopback, wire: Wire, transport: Transport, concurrency: int = 8) -> Endpoint:
    """Return the server as an endpoint that costs as the server says."""
    return Endpoint(
        wire=wire,
        base_url=server.base_url,
        model="loopback-1",
        key_variable=None,
        price=Price(None, "loopback-1", 1.0, 2.0, None),
        transport=transport,
        concurrency=concurrency,
        requests_per_minute=None,
        tokens_per_minute=None,
        timeout_seconds=60.0,
        longest_wait_seconds=1.0,
        patience_minutes=2.0,
        poll_seconds=0.5,
    )


def service(server: Loopback, scene: Scene, ledger: Path) -> ServiceLLM:
    """Return the server as teacher or judge."""
    is_openai = scene.wire == "openai_chat"
    account = Account(str(ledger), Budget("all", None))
    return ServiceLLM(
        endpoint=endpoint(server, scene.wire, scene.transport),
        account=account,
        system_prompt=None,
        examples=(),
        logprobs=is_openai,
        seeds=is_openai,
        forms=True,
        choices=2 if is_openai else 1,
        parameters={},
        licence="",
    )


def work(server: Loopback, scene: Scene, folder: Path, name: str) -> Path:
    """Run a stage to its end, and return the file that it has written."""
    llm = service(server, scene, folder / "ledger.sqlite")
    instructions = [
        Instruction(id=f"{name}-{i}", instruction=f"Say {i} of {name}.") for i in range(SETS)
    ]
    here, inputs = folder / scene.stage, folder / "candidates"
    here.mkdir(parents=True, exist_ok=True)
    inputs.mkdir(exist_ok=True)
    place = Workspace(here, {"candidates": inputs}, NoBar())
    if scene.stage == "sample":
        sample(Drawing(llm, Sampling(DECODING, 64, None), 0, None), instructions, place)
        return here / CANDIDATES
    sets = [
        CandidateSet(
            instruction=i, candidates=tuple(Candidate(text=f"{i.id} {n}") for n in range(4))
        )
        for i in instructions
    ]
    write_records(inputs / CANDIDATES, sets)
    judge = Decoding(responses=1, temperature=1.0, top_p=1.0, top_k=0, max_new_tokens=256)
    rank(ContextualRanker(llm, "form", judge, 8, 0, 2, 0), None, place)
    return here / RANKING


def forked(do: Callable[[], object], said: Path) -> int:
    """Do something in a child of its own group, and return its process id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setpgid(0, 0)
        sys.stderr = said.open("a")
        do()
        status = 0
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.stderr.flush()
    finally:
        os._exit(status)


def couriers_of(run: int) -> list[int]:
    """Return the process ids of a run's children."""
    with suppress(OSError):
        text = Path(f"/proc/{run}/task/{run}/children").read_text()
        return [int(word) for word in text.split()]
    return []


def kill(run: int, with_courier: bool) -> bool:
    """Kill a run with its group; whether it was still at work."""
    couriers = couriers_of(run) if with_courier else []
    with suppress(ProcessLookupError):
        os.killpg(run, signal.SIGKILL)
        for courier in couriers:
            os.kill(courier, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(run, 0)[1])


@dataclass
class Counts:
    """What came of killing: figures that must be 0 but the first, the fourth and the last."""

    kills: int = 0
    lost: int = 0
    twice: int = 0
    answers: int = 0
    differing: int = 0
    stuck: int = 0
    uncertain: int = 0

    def add(self, server: Loopback, ledger: Path, before: Counter[str]) -> None:
        """Hold the server's books against the ledger."""
        served = Counter(server.served()["counts"])
        served.subtract(before)
        book = Ledger(ledger)
        wanted: Counter[str] = Counter()
        have = 0
        for wire, body, state, uncertain in book.all_requests():
            digest = digest_of(WIRES[wire].url, body)
            wanted[digest] += 1
            have += state == "answered"
            self.uncertain += uncertain
        book.close()
        self.answers += have
        self.twice += sum(max(n - wanted[digest], 0) for digest, n in served.items())
        self.lost += max(sum(min(n, wanted[d]) for d, n in served.items()) - have, 0)


def kill_runs(kills: int, seed: int, with_courier: bool, folder: Path) -> Counts:
    """Kill runs of every scene until there were so many kills."""
    draw, counts = random.Random(seed), Counts()
    with running(
        latency=0.1, batch_seconds=0.5, faults=FAULTS, usd_in=1e-6, usd_out=2e-6
    ) as server:
        number = 0
        while counts.kills < kills:
            scene = SCENES[number % len(SCENES)]
            before = Counter(server.served()["counts"])
            place = folder / f"{number}"
            place.mkdir()
            name = f"round {seed}/{number}"
            limit = time.monotonic() + 120
            ended = False
            while not ended:
                run = forked(partial(work, server, scene, place, name), place / "said")
                if counts.kills < kills and draw.random() < 0.85:
                    time.sleep(draw.uniform(0.0, 2.5))
                    counts.kills += kill(run, with_courier)
                    ended = False
                else:
                    ended = os.waitpid(run, 0)[1] == 0
                if time.monotonic() > limit:
                    counts.stuck += 1
                    sys.stderr.write((place / "said").read_text()[-2000:])
                    break
            counts.add(server, place / "ledger.sqlite", before)
            counts.differing += not alike(server, scene, place, name)
            number += 1
            tell(f"kills {counts.kills}: {scene} {counts}")
    return counts


def alike(server: Loopback, scene: Scene, place: Path, name: str) -> bool:
    """Whether a run that was left alone, on the ledger as it is, writes the same file."""
    calm = place / "calm"
    calm.mkdir()
    (calm / "ledger.sqlite").symlink_to(place / "ledger.sqlite")
    written = place / scene.stage / (CANDIDATES if scene.stage == "sample" else RANKING)
    if not written.exists():
        return False
    run = forked(partial(work, server, scene, calm, name), calm / "said")
    ok = os.waitpid(run, 0)[1] == 0
    return ok and (calm / scene.stage / written.name).read_bytes() == written.read_bytes()


def spend_under_a_cap(runs: int, together: int, seed: int, folder: Path) -> tuple[int, int]:
    """Let runs share a cap at the same time; return how often it was exceeded, and answers.

    A run claims, waits for as long as an answer takes, and settles, on the ledger that all share.
    What it pays is drawn up to its bound.
    """
    path, exceeded, paid = folder / "cap.sqlite", 0, 0
    cap = runs * 0.004
    Ledger(path).close()
    for first in range(0, runs, together):
        some = [
            forked(lambda n=n: spend(path, cap, seed, n), folder / "said")
            for n in range(first, min(first + together, runs))
        ]
        for run in some:
            os.waitpid(run, 0)
        book = Ledger(path)
        spent = book.spent("all")
        exceeded += spent.spent + spent.reserved > cap + 1e-12
        paid = sum(row[2] for row in book.totals())
        book.close()
    return exceeded, paid


def spend(path: Path, cap: float, seed: int, number: int) -> None:
    """Buy answers of random cost until the cap lets no more through, or ten were bought."""
    from tuna_exp.services.ledger import Purse
    from tuna_exp.services.requests import Taken

    draw, book = random.Random(f"{seed}/{number}"), Ledger(path)
    requests = [Request("x", "openai_chat", {"n": f"{number}/{i}"}) for i in range(10)]
    book.want(requests)
    for request in requests:
        bound = draw.uniform(0.0001, 0.002)
        with book.transaction():
            claim = book.claim({request.key: bound}, f"run-{number}", Purse("all", cap))
        if not claim.own:
            return
        now = book.spent("all")
        if now.spent + now.reserved > cap + 1e-12:
            sys.exit("the cap was exceeded")
        time.sleep(draw.uniform(0.0, 0.01))
        with book.transaction():
            book.settle(request.key, "{}", Taken(1, 0, 1), bound * draw.random())


def throughput(requests: int, concurrency: int, folder: Path) -> tuple[float, float, int]:
    """Return seconds and ideal seconds of many requests, and the growth of the courier's memory."""
    latency = 0.2
    with running(latency=latency) as server:
        account = Account(str(folder / "many.sqlite"), Budget("all", 100.0))
        desk = Desk(endpoint(server, "openai_chat", "sync", concurrency), account)
        asked = [
            Request(
                server.base_url,
                "openai_chat",
                {
                    "model": "loopback-1",
                    "messages": [{"role": "user", "content": f"number {i}"}],
                    "max_completion_tokens": 16,
                },
            )
            for i in range(requests)
        ]
        desk.ask(asked[: 4 * concurrency])  # starting up is not what is measured
        memory = courier_memory()
        rest = asked[4 * concurrency :]
        began = time.monotonic()
        desk.ask(rest)
        seconds = time.monotonic() - began
        grown = courier_memory() - memory
        desk.close()
    return seconds, len(rest) * latency / concurrency, grown


def courier_memory() -> int:
    """Return KiB of memory that this process's courier holds."""
    for child in couriers_of(os.getpid()):
        command = Path(f"/proc/{child}/cmdline").read_text()
        if "courier" in command:
            status = Path(f"/proc/{child}/status").read_text()
            return int(status.split("VmRSS:")[1].split()[0])
    return 0


def tell(words: str) -> None:
    """Say how far it is."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Run all parts and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--kill-couriers", type=int, default=20)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="file for the last lines")
    given = parser.parse_args(arguments)
    lines, good = [], True
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for part in ("runs", "couriers", "cap"):
            (folder / part).mkdir()
        if given.kills:
            counts = kill_runs(given.kills, given.seed, False, folder / "runs")
            bad = (counts.lost, counts.twice, counts.differing, counts.stuck, counts.uncertain)
            good &= not any(bad)
            lines.append(
                f"{counts.kills} runs killed, {counts.answers} answers bought: lost {counts.lost}, "
                f"bought twice {counts.twice}, results that differ {counts.differing}, "
                f"never ended {counts.stuck}"
            )
        if given.kill_couriers:
            counts = kill_runs(given.kill_couriers, given.seed + 1, True, folder / "couriers")
            good &= counts.twice <= counts.uncertain and not counts.differing + counts.stuck
            lines.append(
                f"{counts.kills} runs killed with their couriers, {counts.answers} answers: bought "
                f"twice {counts.twice}, told as uncertain {counts.uncertain}"
            )
        if given.runs:
            exceeded, paid = spend_under_a_cap(given.runs, 50, given.seed, folder / "cap")
            good &= not exceeded and paid > given.runs
            lines.append(
                f"{given.runs} runs, 50 at a time, {paid} answers: cap exceeded {exceeded}"
            )
        if given.requests:
            seconds, ideal, grown = throughput(given.requests, given.concurrency, folder)
            lines.append(
                f"{given.requests} requests at 200 ms, {given.concurrency} at once: "
                f"{seconds:.1f} s, ideal {ideal:.1f} s ({seconds / ideal - 1:+.1%}); "
                f"courier's memory {grown:+} KiB"
            )
    tell("\n".join(lines))
    if given.out:
        told = " ".join(arguments).replace(str(given.out), given.out.name)
        head = f"python -m tests.slow.spend {told}"
        made = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.platform()}"
        given.out.write_text("\n".join([head, made, *lines, ""]), encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
