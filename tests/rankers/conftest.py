"""Candidate sets to be ranked, and the tiny model as a judge."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tuna_exp.llms.hugging_face import HuggingFaceLLM, HuggingFaceSampler
from tuna_exp.models.student import Folder
from tuna_exp.records import Candidate, CandidateSet, Instruction

MakeSet = Callable[..., CandidateSet]


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
