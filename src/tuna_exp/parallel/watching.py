"""The processes that a leader has started: what they ended with, and that it does not outwait them.

A leader that waits for one in the middle of a training, in a library's code, may learn very late
that it is gone: while connections are made, and on GPUs always. Python cannot raise anything there,
so after some time the leader is ended from beside, as a kill would, with words. What was saved is
whole then as after a kill.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tuna_exp.errors import Terminated, UserError

CONTINUES = "the same command continues from the last checkpoint"
# Exit statuses of a process that follows, as those of the command; LOST is the fate of another one.
FAULT, USER_ERROR, LOST, TERMINATED = 1, 2, 3, 143
_NOTICING = 60.0  # seconds in which the leader should have noticed by itself
_ENDING = 20.0  # seconds after a broken connection until a process has ended
_POLL = 0.1
_SAID = 5  # last lines of what a process wrote that are shown
WORDS = "tuna-exp: "  # before the words of a process that ends by an error of the user's

Followers = Mapping[int, "subprocess.Popen[bytes]"]  # by rank


def ended(others: Followers) -> dict[int, int]:
    """Return the exit statuses of those that have ended, by rank; negative for a signal."""
    return {rank: told for rank, o in others.items() if (told := o.poll()) is not None}


def reason(others: Followers, screen: Callable[[int], Path]) -> BaseException | None:
    """Return what a leader that has lost one of the others raises; None where all are there.

    Where one is gone others end for that reason alone: the first cause is told.
    """
    until = time.monotonic() + _ENDING
    while set(ended(others).values()) <= {LOST} and time.monotonic() < until:
        time.sleep(_POLL)
    found = sorted(ended(others).items(), key=lambda one: one[1] == LOST)
    return cause(*found[0], screen(found[0][0])) if found else None


def cause(rank: int, status: int, screen: Path) -> BaseException:
    """Return what a process's exit status and last words mean for the training."""
    if status in (TERMINATED, -signal.SIGTERM):
        return Terminated()
    said = screen.read_text(errors="replace").rpartition(WORDS)[2].strip()
    words = " ".join(said.splitlines()[-_SAID:]) or "without a word"
    who = f"process {rank} of the training"
    if status < 0:
        by = f"signal {-status} ({signal.strsignal(-status)})"
        short = ", which the kernel sends where memory is short"
        often = short if status == -signal.SIGKILL else ""
        return UserError(
            f"{who} was killed by {by}{often}. Cure: {CONTINUES}. What it said: {screen}"
        )
    told = f"{who} ended with status {status}: {words} (all of it: {screen})"
    return UserError(told) if status in (USER_ERROR, LOST) else RuntimeError(told)


@contextmanager
def watched(others: Followers, screen: Callable[[int], Path]) -> Iterator[None]:
    """End this process if one of the others is gone and this one still waits for it."""
    left = threading.Event()
    threading.Thread(target=_watch, args=(others, screen, left), daemon=True).start()
    try:
        yield
    finally:
        left.set()


def _watch(others: Followers, screen: Callable[[int], Path], left: threading.Event) -> None:
    while not ended(others):
        if left.wait(1.0):
            return
    if left.wait(_NOTICING):
        return
    told = reason(others, screen)
    for other in others.values():
        other.kill()
        other.wait()
    sys.stderr.write(f"tuna-exp: {told or 'told to end'}\n")
    sys.stderr.flush()
    if isinstance(told, Terminated):
        os._exit(TERMINATED)
    os._exit(USER_ERROR if isinstance(told, UserError) else FAULT)
