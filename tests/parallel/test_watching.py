"""What a leader makes of the ends of the processes that it has started."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tuna_exp.errors import Terminated, UserError
from tuna_exp.parallel import watching
from tuna_exp.parallel.watching import Followers, reason

HERE = Path(__file__).parents[2]


def started(folder: Path, *programs: str) -> Followers:
    """A process for each program, numbered from 1; what it says goes to a file."""
    found = {}
    for rank, program in enumerate(programs, 1):
        with (folder / str(rank)).open("wb") as screen:
            command = [sys.executable, "-c", f"import os, sys, time\n{program}"]
            found[rank] = subprocess.Popen(command, stdout=screen, stderr=screen)
    return found


LATER = "time.sleep(0.5); "


@pytest.mark.parametrize(
    "programs, kind, words",
    [
        (["sys.exit('no.') or 1", "time.sleep(9)"], RuntimeError, "1 .* status 1: no. .all of it:"),
        (
            ["print('0 %'); print('tuna-exp: 7 odd.'); sys.exit(2)"],
            UserError,
            "1 .* 2: 7 odd. .all",
        ),
        (["sys.exit(3)", f"{LATER}sys.exit(2)"], UserError, "process 2 .* status 2: without a"),
        (["os.kill(os.getpid(), 9)"], UserError, r"by signal 9 \(Killed\), .*Cure: the same"),
        (["os.kill(os.getpid(), 15)"], Terminated, None),
        (["sys.exit(3)", f"{LATER}sys.exit(143)"], Terminated, None),
    ],
)
def test_the_first_cause_is_told(
    programs: list[str], kind: type[BaseException], words: str | None, tmp_path: Path
) -> None:
    """Status 3 is of one that ended because another was gone."""
    others = started(tmp_path, *programs)
    with pytest.raises(kind, match=words):
        raise reason(others, lambda rank: tmp_path / str(rank)) or AssertionError
    for other in others.values():
        other.kill()
        other.wait()


def test_nobody_is_blamed_where_all_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_ENDING", 0.2)
    others = started(tmp_path, "time.sleep(60)")
    assert reason(others, lambda rank: tmp_path / str(rank)) is None
    others[1].kill()
    others[1].wait()


LEADER = """
import subprocess, sys, time
from pathlib import Path
from tuna_exp.parallel import watching
watching._NOTICING = 0.2
Path("said").write_text("7 is odd.")
others = {n: subprocess.Popen([sys.executable, "-c", p]) for n, p in {
    1: "import sys; sys.exit(2)", 2: "import time; time.sleep(60)"}.items()}
print(others[2].pid, flush=True)
with watching.watched(others, lambda rank: Path("said")):
    time.sleep(60)
"""


def test_a_leader_that_waits_for_a_dead_process_is_ended(tmp_path: Path) -> None:
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", LEADER], cwd=tmp_path, capture_output=True, text=True, timeout=30,
        env={"PYTHONPATH": str(HERE / "src")},
    )  # fmt: skip
    assert ended.returncode == 2 and "process 1 of the training ended with status 2: 7 is odd." in (
        ended.stderr
    )
    assert time.monotonic() - began < 20
    assert not Path(f"/proc/{ended.stdout.strip()}").exists()
