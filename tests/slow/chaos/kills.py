"""Kill a real run with SIGKILL at random instants, end it, and hold it against one left alone.

    python -m tests.slow.chaos.kills FOLDER KILLS SEED [OVERRIDE ...]

runs `tuna-exp OVERRIDE ...` in FOLDER/calm and FOLDER/killed, which must not be there yet, each
with artifacts of its own. What must hold: the same artifacts with the same files to the byte
(weights, samples, rankings, predictions; logs tell times and are left out), the same final table
but for the time taken, and each stage done once: what had been finished at a kill is untouched at
the end, and no kill cost more than one attempt. The last line tells the counts; the exit status is
1 where something differs.
"""

import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.slow.chaos.ending import differences, finished, results, stamp
from tuna_exp.store import Store

PLACES = ["artifacts=artifacts", "hydra.run.dir=run"]


def start(folder: Path, overrides: list[str]) -> subprocess.Popen[bytes]:
    """Start the command in a folder; what it shows is appended to `said` there."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tuna_exp", *overrides, *PLACES]
    with (folder / "said").open("ab") as said:
        return subprocess.Popen(command, cwd=folder, stderr=said, stdout=said)


def wait_for_work(child: subprocess.Popen[bytes], folder: Path, before: int) -> None:
    """Return when the command has said more than `before` bytes, or has ended."""
    while child.poll() is None and (folder / "said").stat().st_size <= before:
        time.sleep(0.01)


def run_to_the_end(folder: Path, overrides: list[str]) -> float:
    """Run the command and return the seconds from its first step on; tell why it failed."""
    before = said_so_far(folder)
    child = start(folder, overrides)
    wait_for_work(child, folder, before)
    began = time.monotonic()
    if child.wait() != 0:
        sys.exit((folder / "said").read_text()[-2000:])
    return time.monotonic() - began


def said_so_far(folder: Path) -> int:
    """Bytes that the command has shown in a folder."""
    said = folder / "said"
    return said.stat().st_size if said.exists() else 0


def kill_at(seconds: float, folder: Path, overrides: list[str]) -> str | None:
    """Start the command and kill it so long after its first step began.

    Returns what it was doing, or None where it had ended.
    """
    before = said_so_far(folder)
    child = start(folder, overrides)
    wait_for_work(child, folder, before)
    time.sleep(seconds)
    child.kill()
    hit = child.wait() < 0
    lines = (folder / "said").read_text().splitlines()
    return lines[-1] if hit else None


def repetitions(killed: Path, stamps: dict[str, tuple[int, int]], hits: int) -> Iterator[str]:
    """Yield each sign of a stage that was done twice or left open."""
    entries = Store(killed / "artifacts").entries()
    yield from (f"{e.folder.name} is {e.state}" for e in entries if e.state != "finished")
    now = {key: stamp(entry) for key, entry in finished(killed).items()}
    yield from (f"{key} was built again" for key in stamps if stamps[key] != now.get(key))
    lines = (killed / "said").read_text().splitlines()
    told = Counter(m[1] for line in lines if (m := re.match(r"\[.*?\] (.*): done in", line)))
    yield from (f"'{label}' was told as done {n} times" for label, n in told.items() if n > 1)
    extra = attempts(killed) - len(now)
    if extra > hits:
        yield f"{extra} attempts more than stages after {hits} kills"


def attempts(folder: Path) -> int:
    """All attempts that the finished artifacts took."""
    return sum(entry.manifest["attempts"] for entry in finished(folder).values())


def chaos(folder: Path, kills: int, luck: random.Random, overrides: list[str]) -> list[str]:
    """Run both, kill one, and return what is wrong; tells what each kill hit."""
    calm, killed = folder / "calm", folder / "killed"
    if calm.exists() or killed.exists():
        sys.exit(f"{folder} holds an earlier demonstration. Cure: another folder.")
    seconds = run_to_the_end(calm, overrides)
    say(f"left alone: {seconds:.0f} s, {len(finished(calm))} artifacts")
    stamps: dict[str, tuple[int, int]] = {}
    hits = 0
    for number in range(kills):
        hit = kill_at(luck.uniform(0, 1.5 * seconds / kills), killed, overrides)
        if hit is None:
            say(f"kill {number + 1}: the run had ended")
            break
        hits += 1
        stamps |= {key: stamp(e) for key, e in finished(killed).items() if key not in stamps}
        say(f"kill {number + 1}: {hit}; {len(stamps)} artifacts finished")
    run_to_the_end(killed, overrides)
    wrong = [*differences(calm, killed), *repetitions(killed, stamps, hits)]
    files = sum(len(results(entry)) for entry in finished(calm).values())
    say(
        f"{hits} kills hit a run; {len(finished(killed))} artifacts with {files} files "
        f"in {attempts(killed)} attempts; {len(wrong)} differences or repetitions"
    )
    return wrong


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Run the demonstration with the arguments of the command line."""
    folder, kills, seed, *overrides = sys.argv[1:]
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # sums in one order: equal to the byte
    found = chaos(Path(folder).absolute(), int(kills), random.Random(int(seed)), overrides)
    sys.stderr.write("".join(f"{text}\n" for text in found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
