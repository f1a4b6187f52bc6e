"""What the leader says, and that those who wait for it can be told to end."""

import signal
import time
from pathlib import Path

import pytest
import torch.distributed as dist

from tuna_exp.errors import UserError
from tuna_exp.parallel.contact import LostError, in_contact
from tuna_exp.parallel.team import Call, Joined

CALL = Call("tuna_p", Path("models/start"), Path("artifacts/train/x"), {"tokens": Path("t")})


def pair() -> tuple[Joined, Joined]:
    store = dist.HashStore()
    return Joined(0, 2, store), Joined(1, 2, store)


def test_what_is_said_is_heard_in_order() -> None:
    leader, other = pair()
    with leader.together(CALL):
        pass
    with leader.together(Call("sft", Path("a"), Path("b"), {})):
        pass
    assert [other.hear(), other.hear()] == [CALL, Call("sft", Path("a"), Path("b"), {})]
    other.dismiss()  # it has left already
    began = time.monotonic()
    leader.dismiss()
    assert other.hear() is None and time.monotonic() - began < 1


def test_a_training_that_failed_is_not_followed_by_a_word() -> None:
    leader, other = pair()
    with pytest.raises(ValueError, match="slip"), leader.together(CALL):
        raise ValueError("slip")
    leader.dismiss()
    assert other.hear() == CALL
    with pytest.raises(TimeoutError):
        heard_within_a_second(other)


def test_one_that_waits_for_a_word_can_be_told_to_end() -> None:
    with pytest.raises(TimeoutError):
        heard_within_a_second(pair()[1])


def heard_within_a_second(team: Joined) -> None:
    def ring(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        team.hear()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    "error, lost",
    [
        (RuntimeError("[/x/gloo/transport/tcp/pair.cc:547] Connection closed by peer"), True),
        (RuntimeError("[/x/gloo/transport/tcp/unbound_buffer.cc:78] Timed out waiting 9ms"), True),
        (dist.DistNetworkError("failed to recv, got 0 bytes"), True),
        (RuntimeError("[enforce fail at /x/gloo/transport/tcp/pair.cc:446] 8 vs 4"), False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (UserError("gloo/x: closed"), False),
    ],
)
def test_a_lost_process_is_told_from_other_faults(error: Exception, lost: bool) -> None:
    with pytest.raises(LostError if lost else type(error)) as told, in_contact():
        raise error
    assert not lost or "Cure" in str(told.value)
