"""The desk and its courier as a process: what a run sees, and what is left when it is killed."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.buying import account, endpoint, requests
from tests.services.loopback import Loopback, running
from tuna_exp.services.desk import Desk
from tuna_exp.services.ledger import Ledger
from tuna_exp.services.requests import BudgetError, ServiceError

ROOT = Path(__file__).parents[2]
BUYER = """
import sys
from pathlib import Path
from tests.services.buying import account, endpoint, requests
from tests.services.loopback import Loopback
from tuna_exp.services.desk import Desk
server = Loopback(None, sys.argv[1], Path("."))
desk = Desk(endpoint(server, concurrency=4), account(Path(sys.argv[2])))
desk.ask(requests(server, 24))
desk.close()
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[Loopback]:
    with running(latency=0.2) as server:
        yield server


@pytest.fixture
def server(shared: Loopback) -> Loopback:
    shared.reset()
    return shared


def buyer(server: Loopback, folder: Path) -> subprocess.Popen[bytes]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    return subprocess.Popen(
        [sys.executable, "-c", BUYER, server.base_url, str(folder)],
        env={**os.environ, "PYTHONPATH": paths},
        start_new_session=True,
    )


def test_answers_come_in_the_order_asked_and_only_once(server: Loopback, tmp_path: Path) -> None:
    desk = Desk(endpoint(server), account(tmp_path))
    wanted = requests(server, 5)
    entries = desk.ask([*wanted, wanted[0]])
    assert set(entries) == {request.key for request in wanted}
    assert all(entry.reply for entry in entries.values())
    assert desk.ask(wanted[:2]) == {r.key: entries[r.key] for r in wanted[:2]}
    desk.close()
    assert server.served()["answers"] == 5
    assert sum(entry.usd for entry in entries.values()) == pytest.approx(server.served()["usd"])


def test_a_killed_run_loses_nothing_and_buys_nothing_twice(
    server: Loopback, tmp_path: Path
) -> None:
    """SIGKILL to the whole group while requests are under way: the courier brings them home."""
    for _ in range(2):
        run = buyer(server, tmp_path)
        before = server.served()["answers"]
        while server.served()["answers"] < before + 3:
            time.sleep(0.02)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    assert buyer(server, tmp_path).wait() == 0
    assert set(server.served()["counts"].values()) == {1} and server.served()["answers"] == 24
    assert Ledger(tmp_path / "ledger.sqlite").spent("all").uncertain == 0


def test_two_runs_at_once_share_what_they_buy(server: Loopback, tmp_path: Path) -> None:
    runs = [buyer(server, tmp_path) for _ in range(2)]
    assert [run.wait() for run in runs] == [0, 0]
    assert set(server.served()["counts"].values()) == {1} and server.served()["answers"] == 24


def test_a_killed_courier_is_told_and_called_uncertain(server: Loopback, tmp_path: Path) -> None:
    """What it had sent may have been paid: at most its concurrency, asked again and counted."""
    desk = Desk(endpoint(server, concurrency=3), account(tmp_path))
    desk.ask(requests(server, 1))
    assert desk._courier is not None
    os.kill(desk._courier.pid, signal.SIGKILL)
    desk._courier.wait()
    run = buyer(server, tmp_path)
    while server.served()["answers"] < 6:
        time.sleep(0.02)
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    assert run.wait() == 1  # "the process that sends requests ended ..."
    desk.ask(requests(server, 24))
    desk.close()
    counts = Counter(server.served()["counts"].values())
    book = Ledger(tmp_path / "ledger.sqlite")
    uncertain = sum(row[6] for row in book.totals())
    assert counts[2] <= uncertain <= 4 and set(counts) <= {1, 2}


def test_errors_reach_the_run_as_the_users(server: Loopback, tmp_path: Path) -> None:
    server.set_faults({"fault": "401"})
    desk = Desk(endpoint(server), account(tmp_path))
    with pytest.raises(ServiceError, match="status 401"):
        desk.ask(requests(server, 2))
    server.set_faults()
    capped = Desk(endpoint(server), account(tmp_path, 0.00001))
    with pytest.raises(BudgetError, match="budget 'all' has"):
        capped.ask(requests(server, 2))
    desk.ask(requests(server, 2))
    desk.close()
