"""Pairs to be compared, and bootstrap settings that take no time."""

from collections.abc import Callable

import pytest

from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.evaluation.open_ended.judging import AnswerPair
from tuna_exp.records import Instruction

MakePair = Callable[..., AnswerPair]


@pytest.fixture(scope="session")
def bootstrap() -> Bootstrap:
    return Bootstrap(confidence=0.95, resamples=199, seed=0)


@pytest.fixture(scope="session")
def make_pair() -> MakePair:
    def make(name: str, answer: str, other: str, kind: str = "") -> AnswerPair:
        return AnswerPair(Instruction(id=name, instruction="Do it.", kind=kind), answer, other)

    return make
