"""Who works on a stage's batches: the run's executor, or this process where only it may.

What a service answers is asked and paid for from here, where the ledger is. Models that are loaded
from a folder may be loaded anywhere that sees it.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import chain
from typing import Protocol, TypeVar

import numpy as np

from tuna_exp.executors.base import Executor, InProcess, Session
from tuna_exp.llms.base import LLM, OpenLLM
from tuna_exp.plan import Workspace
from tuna_exp.records import Instruction
from tuna_exp.sequences import Places
from tuna_exp.services.billing import judges

# Prompts measured in one call: enough that the call is no part of the time.
_MEASURED = 256


class Releasable(Protocol):
    """A ranker, or a judge of pairs."""

    def release(self) -> None:
        """Let go of the models it has loaded."""


K = TypeVar("K", bound=Releasable)


def answering_by(
    llm: LLM, instructions: Sequence[Instruction], work: Workspace
) -> AbstractContextManager[Session[OpenLLM]]:
    """Open an LLM wherever it is to answer; it is told which instructions are to come."""
    return _executor(work, [llm]).start(partial(opened, llm, instructions), close)


def ranking_by(ranker: K, work: Workspace) -> AbstractContextManager[Session[K]]:
    """Take a ranker, or a judge of pairs, to wherever the models that it asks are to be loaded."""
    asked = [judge for _, judge in judges(ranker)]
    return _executor(work, asked).start(partial(_itself, ranker), release)


def opened(llm: LLM, instructions: Sequence[Instruction]) -> OpenLLM:
    """Load an LLM."""
    made = llm.open()
    if instructions:
        made.remember(instructions)
    return made


def close(opened: OpenLLM) -> None:
    """Let go of an LLM."""
    opened.close()


def release(ranker: Releasable) -> None:
    """Let go of a ranker's models."""
    ranker.release()


def prompt_lengths(
    session: Session[OpenLLM], instructions: Sequence[Instruction], room: int
) -> Places:
    """Return the tokens of each instruction's prompt, shape (instructions,).

    Raises ContextError where `room` more would not fit the model's context.
    """
    starts = range(0, len(instructions), _MEASURED)
    some = (instructions[i : i + _MEASURED] for i in starts)
    measured = session.map(partial(measure, room=room), some)
    return np.fromiter(chain.from_iterable(measured), dtype=np.int64)


def measure(opened: OpenLLM, instructions: Sequence[Instruction], room: int) -> list[int]:
    """Return the tokens of some prompts."""
    return [opened.prompt_length(instruction, room) for instruction in instructions]


def _executor(work: Workspace, asked: Sequence[LLM]) -> Executor:
    here = all(hasattr(llm, "source") for llm in asked)  # weights in a folder, not a service
    return work.executor if asked and here else InProcess()


def _itself(value: K) -> K:
    return value
