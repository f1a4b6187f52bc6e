"""A process that stays alive and does what it is asked, one line of JSON after another.

The coordinator starts it (`python -m experiments.speed.worker`). Whatever libraries print goes to
standard error, so that standard output carries answers alone.
"""

import os
import sys
from typing import TextIO

from tuna_exp.quiet import quiet_libraries

quiet_libraries()

import torch  # noqa: E402

from experiments.speed.memory import settle  # noqa: E402
from experiments.speed.protocol import Answer, Request  # noqa: E402
from experiments.speed.sampling import Sampler  # noqa: E402
from experiments.speed.training import Subject  # noqa: E402


class Worker:
    """Holds the model it was last asked about."""

    def __init__(self) -> None:
        self.key: tuple[object, ...] = ()
        self.subject: Subject | None = None
        self.sampler: Sampler | None = None

    def answer(self, request: Request) -> Answer:
        """Do what is asked; where memory does not suffice, say so."""
        try:
            return self._do(request)
        except (RuntimeError, MemoryError) as failure:
            if not out_of_memory(failure):
                raise
            failed = f"out of memory: {(str(failure).splitlines() or [''])[0]}"
        # Outside the handler: the failure holds on to the tensors of its step.
        if self.subject is not None:
            self.subject.optimizer.zero_grad()
            settle(self.subject.device)
        return Answer(failed=failed)

    def _do(self, request: Request) -> Answer:
        if request.sampling is not None:
            if self.sampler is None:
                self.sampler = Sampler(request.shape)
            return self.sampler.measure(request.form, request.sampling, request.seed)
        case = request.case
        if case is None:
            raise ValueError("a request has case=None and sampling=None")
        subject = self._subject(request.shape, case.vocabulary)
        return subject.step(request.form, case, request.precision, request.seed, request.reference)

    def _subject(self, shape: str, vocabulary: int | None) -> Subject:
        """Return the model of this shape, loaded when it is first asked for."""
        if self.subject is None or self.key != (shape, vocabulary):
            self.subject = None  # freed before the next one is loaded
            self.subject = Subject(shape, vocabulary)
            self.key = (shape, vocabulary)
        return self.subject


def out_of_memory(failure: Exception) -> bool:
    """Say whether a failure is that memory did not suffice, on a GPU or a CPU."""
    kinds = (torch.OutOfMemoryError, MemoryError)
    return isinstance(failure, kinds) or "can't allocate memory" in str(failure)


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer every line until there are no more."""
    worker = Worker()
    for line in requests:
        answer = worker.answer(Request.model_validate_json(line))
        answers.write(answer.model_dump_json() + "\n")
        answers.flush()


def main() -> None:
    """Keep standard output for answers and serve."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
