"""What a stage asks of whoever works on its batches, and the answer of this process."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

# What is made once for many batches (a loaded model, a ranker), a batch, and what comes of it.
S = TypeVar("S")
B = TypeVar("B")
R = TypeVar("R")
S_co = TypeVar("S_co", covariant=True)


class Session(Protocol[S_co]):
    """Workers that have what they need."""

    def map(self, do: Callable[[S_co, B], R], batches: Iterable[B]) -> Iterator[R]:
        """Yield `do(made, batch)` for each batch, in their order, as they come.

        Batches are taken no faster than they are worked on. A batch may be begun twice, where a
        worker is lost, and comes out once.
        """


class Executor(Protocol):
    """Starts workers."""

    def check(self) -> None:
        """Raise UserError where it can be told that no worker could start."""

    def start(
        self, make: Callable[[], S], end: Callable[[S], None]
    ) -> AbstractContextManager[Session[S]]:
        """Start workers, each with what `make` gives it, to be let go of by `end`."""


@dataclass(frozen=True)
class InProcess:
    """This process does it, one batch after another."""

    def check(self) -> None:
        """Nothing is needed."""

    @contextmanager
    def start(self, make: Callable[[], S], end: Callable[[S], None]) -> "Iterator[_Alone[S]]":
        """Make it here. What fails is not waited for: a service may have answers under way."""
        made = make()
        yield _Alone(made)
        end(made)


@dataclass(frozen=True)
class _Alone(Session[S]):
    made: S

    def map(self, do: Callable[[S, B], R], batches: Iterable[B]) -> Iterator[R]:
        return (do(self.made, batch) for batch in batches)
