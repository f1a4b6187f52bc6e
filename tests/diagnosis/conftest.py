"""Builders of ranked sets for a diagnosis."""

from collections.abc import Callable, Sequence

import pytest

from tuna_exp.diagnosis.loading import RankedSet
from tuna_exp.records import Instruction, RankedExample

MakeSet = Callable[..., RankedSet]


@pytest.fixture
def make_set() -> MakeSet:
    """Texts best first, or by scores; the instruction is the id where none is given."""

    def make(
        name: str, texts: Sequence[str], scores: Sequence[float] = (), instruction: str = ""
    ) -> RankedSet:
        asked = Instruction(id=name, instruction=instruction or f"Task {name}", reference="yes")
        given = list(scores) or [-float(i) for i in range(len(texts))]
        return RankedSet(RankedExample.from_scores(asked, list(texts), given), tuple(texts))

    return make
