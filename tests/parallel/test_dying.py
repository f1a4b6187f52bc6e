"""What happens when a process of a training ends: in bounded time all of them do, with words.

The same command then ends as if nothing had happened.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.parallel.dying import WHEN
from tuna_exp.stages.inputs import read_curve

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
SECONDS = 200.0  # until all have ended, from the start of the command
LOCAL = [sys.executable, "-m", "tuna_exp"]
TORCHRUN = [
    sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
    "-m", "tuna_exp",
]  # fmt: skip
RUN = [
    "model=tiny", "method=sft", "logger=csv", "dataset.count=24", "batching.batch_size=4",
    "model.dtype=float32", "trainer.precision=32-true", "trainer.accelerator=cpu",
    "+callbacks.dies._target_=tests.parallel.dying.Dies", "objective.checkpoint_steps=1",
    "evaluation.limit=2", "evaluation.verifiable.max_new_tokens=4", "comparison.resamples=100",
    "comparison.tracking=disabled", "artifacts=artifacts", "hydra.run.dir=run",
]  # fmt: skip
TWO = ["strategy=ddp", "trainer.devices=2"]


@dataclass
class Ended:
    """A command that has ended: its status, what it said, and how long it took."""

    status: int
    said: str
    seconds: float


class Place:
    """A folder in which the command runs, with a mark by which its processes are known."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.folder.mkdir(exist_ok=True)
        paths = (str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", ""))
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "TUNA_EXP_CACHE": str(cache),
            "OMP_NUM_THREADS": "1",
            "TUNA_EXP_TEST_MARK": str(folder),
        }
        self.environment.pop("TUNA_EXP_ARTIFACTS", None)

    def start(self, command: list[str], overrides: list[str], death: str = "") -> Ended:
        """Run the command until it has ended."""
        began = time.monotonic()
        environment = self.environment | ({WHEN: death} if death else {})
        done = subprocess.run(
            [*command, *RUN, *overrides], cwd=self.folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, time.monotonic() - began)

    def left(self) -> list[int]:
        """Processes of the command that are still there."""
        mark = f"TUNA_EXP_TEST_MARK={self.folder}\0".encode()
        return [pid for pid in _processes() if mark in _environment(pid)]

    def curve(self) -> list[dict[str, float]]:
        """Every figure of every step."""
        (folder,) = (self.folder / "artifacts" / "train").glob("????????????????")
        return [
            {k: float(v or 0) for k, v in row.items() if k != "epoch"} for row in read_curve(folder)
        ]

    def last_words(self, rank: int) -> str:
        """What a process said that the leader has started."""
        return (self.folder / "run" / f"process-{rank}.log").read_text()


def _processes() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def assert_ended_alike(one: Place, other: Place) -> None:
    ours, theirs = one.curve(), other.curve()
    assert len(ours) == len(theirs) == 6
    for mine, yours in zip(ours, theirs, strict=True):
        assert mine == pytest.approx(yours, abs=1e-6)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tiny model is made."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Place:
    """A training that nobody disturbs."""
    place = Place(tmp_path_factory.mktemp("calm"), cache)
    done = place.start(LOCAL, TWO)
    assert done.status == 0, done.said
    return place


# How it ends, the exit status where the leader starts the others, and what is said then.
ENDS = [
    ("0:2:SIGTERM", 143, "told to end"),
    ("1:2:SIGTERM", 143, "told to end"),
    ("all:2:SIGTERM", 143, "told to end"),
    ("0:2:SIGKILL", -signal.SIGKILL, ""),
    ("1:2:SIGKILL", 2, "process 1 of the training was killed by signal 9 (Killed)"),
    ("0:2:DataError", 2, "tuna-exp: record 7 is damaged. Cure: mend record 7."),
    ("1:2:DataError", 2, "process 1 of the training ended with status 2: record 7 is damaged."),
    ("0:2:memory", 2, "out of memory in step 3: "),
    ("1:2:memory", 2, "out of memory in step 3: "),
    ("0:2:backward", 2, "out of memory in step 3: "),
    ("1:2:backward", 2, "out of memory in step 3: "),
    ("0:2:fault", 1, "a fault of tuna_exp: ZeroDivisionError: a slip"),
    ("1:2:fault", 1, "ZeroDivisionError: a slip"),
]


def assert_ended(place: Place, done: Ended, words: str) -> None:
    """In bounded time, with words, and all of it."""
    assert done.seconds < SECONDS, done.said
    assert words in " ".join(done.said.split()), done.said
    until = time.monotonic() + 10.0  # a process that is orphaned looks once a second
    while place.left() and time.monotonic() < until:
        time.sleep(0.1)
    assert place.left() == []


def continued(place: Place, command: list[str]) -> None:
    """The same command again: it goes on from the last checkpoint."""
    done = place.start(command, TWO)
    assert done.status == 0, done.said


@pytest.mark.parametrize("death, status, words", ENDS, ids=[death for death, *_ in ENDS])
def test_all_end_and_the_same_command_goes_on(
    death: str, status: int, words: str, tmp_path: Path, cache: Path, calm: Place
) -> None:
    place = Place(tmp_path, cache)
    done = place.start(LOCAL, TWO, death)
    assert done.status == status, done.said
    assert_ended(place, done, words)
    continued(place, LOCAL)
    assert_ended_alike(place, calm)


# Under torchrun, which tells of a signal itself, and whose exit status is always 1.
THERE = [
    ("1:2:SIGTERM", "told to end"),
    ("0:2:SIGKILL", "(SIGKILL)"),
    ("1:2:SIGKILL", "(SIGKILL)"),
    ("1:2:DataError", "tuna-exp: record 7 is damaged. Cure: mend record 7."),
    ("0:2:fault", "a fault of tuna_exp: ZeroDivisionError: a slip"),
]


@pytest.mark.parametrize("death, words", THERE, ids=[death for death, _ in THERE])
def test_so_they_do_under_torchrun(
    death: str, words: str, tmp_path: Path, cache: Path, calm: Place
) -> None:
    place = Place(tmp_path, cache)
    done = place.start(TORCHRUN, TWO, death)
    assert done.status == 1, done.said
    assert_ended(place, done, words)
    continued(place, TORCHRUN)
    assert_ended_alike(place, calm)
