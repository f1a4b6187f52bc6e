"""The writer: many changes in one commit, and a full disk that is waited for."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

from tests.services.buying import account, endpoint, requests
from tests.services.loopback import running
from tuna_exp.errors import UserError
from tuna_exp.services.desk import Desk
from tuna_exp.services.writer import Writer


def test_changes_are_committed_in_groups(tmp_path: Path) -> None:
    """While the first commits, the other 99 gather and go together: far fewer than 100 commits."""
    commits = []

    class Counting(Writer):
        def _commit(self, changes: list) -> list:  # type: ignore[type-arg]
            commits.append(len(changes))
            return super()._commit(changes)

    async def run() -> list[int]:
        writer = Counting(tmp_path / "l.sqlite", lambda words: None)
        results = await asyncio.gather(*(writer.change(lambda _, n=n: n) for n in range(100)))
        writer.close()
        return results

    assert asyncio.run(run()) == list(range(100))
    assert sum(commits) == 100 and len(commits) <= 5


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here (needs root)")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_loses_no_answer(small_disk: Path) -> None:
    """The run is told, the courier holds what it bought until there is room, nobody buys again."""
    filler = small_disk / "filler"
    with running() as server:
        to, payer = endpoint(server, concurrency=2), account(small_disk)
        first, *others = requests(server, 30)
        desk = Desk(to, payer)
        desk.ask([first])
        server.set_faults({"fault": "slow", "seconds": 1.0})
        told: list[str] = []

        def buy() -> None:
            told.append(failure_of(partial(Desk(to, payer).ask, others)))

        asking = Thread(target=buy)
        asking.start()
        while not server.stats()["in_flight"]:
            time.sleep(0.02)
        fill(filler)
        (small_disk / "ledger.sqlite.ballast").unlink(missing_ok=True)
        fill(small_disk / "more")
        asking.join()
        assert "disk is full" in told[0] and "holds the answers" in told[0]
        bought = server.served()["answers"]
        filler.unlink()
        (small_disk / "more").unlink()
        server.set_faults()
        desk.ask(others)
        desk.close()
        assert server.served()["answers"] == 30 and bought > 1
        assert set(server.served()["counts"].values()) == {1}


def fill(path: Path) -> None:
    """Write until there is no room."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass


def failure_of(do: Callable[[], object]) -> str:
    """Return the words of the failure that something ends with."""
    try:
        do()
    except UserError as error:
        return str(error)
    return "no failure"
