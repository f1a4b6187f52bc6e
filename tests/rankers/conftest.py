"""Candidate sets to be ranked, the tiny model as a judge, and judges that say what a test wants."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tuna_exp.llms.base import Form, Gift
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.hugging_face import HuggingFaceLLM, HuggingFaceSampler
from tuna_exp.models.student import Folder
from tuna_exp.records import Candidate, CandidateSet, Instruction

MakeSet = Callable[..., CandidateSet]


class Scripted:
    """A judge, closed and open: `say(shown texts, seed)` is its reply or its log-probabilities.

    `calls` are the tasks of each call, `forms` the form of each.
    """

    def __init__(self, say: Callable[..., object], *gives: Gift) -> None:
        self.say = say
        self.gives = frozenset(gives)
        self.calls: list[list[Instruction]] = []
        self.forms: list[Form | None] = []

    def together(self, asked: int) -> int:
        return asked

    def close(self) -> None:
        pass

    def open(self) -> "Scripted":
        return self

    def digest(self) -> dict[str, object]:
        return {"judge": "scripted"}

    def remember(self, instructions: Sequence[Instruction]) -> None:
        """Nothing is shared."""

    def prompt_length(self, instruction: Instruction, room: int) -> int:
        return 10

    def answer(
        self,
        instructions: Sequence[Instruction],
        decoding: Decoding,
        seed: int,
        form: Form | None = None,
    ) -> list[list[Candidate]]:
        self.calls.append(list(instructions))
        self.forms.append(form)
        said = [self.say(shown_in(task), seed) for task in instructions]
        return [[s if isinstance(s, Candidate) else Candidate(text=str(s))] for s in said]

    def choose(
        self, instructions: Sequence[Instruction], begun: str, options: Sequence[str]
    ) -> list[list[float]]:
        self.calls.append(list(instructions))
        return [self.say(shown_in(task), options) for task in instructions]  # type: ignore[misc]


def shown_in(task: Instruction) -> list[str]:
    """The responses of a judge's task, in the order shown."""
    return re.findall(r"### Response(?: [A-Z])?\n(.*?)\n\n", task.text, re.DOTALL)


@pytest.fixture(scope="session")
def make_set() -> MakeSet:
    def make(
        texts: Sequence[str], logps: Sequence[Sequence[float]] | None = None, name: str = "q"
    ) -> CandidateSet:
        given = logps or [[-1.0]] * len(texts)
        candidates = tuple(
            Candidate(text=text, token_ids=tuple(range(len(lp))), token_logprobs=tuple(lp))
            for text, lp in zip(texts, given, strict=True)
        )
        return CandidateSet(
            instruction=Instruction(id=name, instruction="Do it."), candidates=candidates
        )

    return make


@pytest.fixture(scope="module")
def judge(tiny_folder: Path) -> HuggingFaceLLM:
    return HuggingFaceLLM(
        Folder(tiny_folder), "chat", None, (), False, HuggingFaceSampler("float32", "sdpa")
    )


@pytest.fixture(scope="session")
def scripted() -> type[Scripted]:
    return Scripted
