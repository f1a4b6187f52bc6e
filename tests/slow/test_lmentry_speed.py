"""How long all of LMentry's published examples take to score: under a minute on one core.

Reference-like outputs: for each example the bare answer, a sentence that states it, or one that
states something else, in turn.
"""

import os
import time
from pathlib import Path

import pytest

from tuna_exp.evaluation.lmentry.benchmark import LMentryBenchmark
from tuna_exp.records import Candidate, Instruction

SHARED = Path(os.environ.get("TUNA_EXP_SHARED", Path(__file__).parents[3] / "shared"))
FULL = SHARED / "data" / "lmentry" / "full.tar.gz"


def reference_like(number: int, item: Instruction) -> str:
    arguments = item.check.arguments if item.check else {}
    answer = str(arguments.get("answer") or arguments.get("word") or "yes")
    other = str(arguments.get("distractor") or arguments.get("category") or answer)
    return (
        answer,
        f'The answer is "{answer}".',
        f"I think that the word {other} comes first, is bigger, longer and follows {answer}.",
    )[number % 3]


@pytest.mark.slow
@pytest.mark.skipif(not FULL.is_file(), reason="LMentry's data is not at hand")
def test_all_examples_are_scored_in_under_a_minute() -> None:
    benchmark = LMentryBenchmark("lmentry", str(FULL), None, False, 48, 32)
    items = benchmark.items()
    answers = [Candidate(text=reference_like(n, item)) for n, item in enumerate(items)]
    start = time.process_time()
    right = sum(benchmark.score(i, a).passed for i, a in zip(items, answers, strict=True))
    taken = time.process_time() - start
    assert len(items) == 110_703
    assert 0.3 < right / len(items) < 0.9
    assert taken < 60, f"{taken:.1f} s"
