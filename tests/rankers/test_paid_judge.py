"""A judge behind a service: what it says badly is counted by kind, kept raw, and paid once."""

from pathlib import Path

import pytest

from tests.services.buying import account, endpoint
from tests.services.loopback import Loopback
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.service import ServiceLLM
from tuna_exp.rankers.base import Refusal
from tuna_exp.rankers.contextual import ContextualRanker
from tuna_exp.records import Candidate, CandidateSet, Instruction

HOW = Decoding(responses=1, temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=300)
SETS = [
    CandidateSet(
        instruction=Instruction(id=f"q{n}", instruction=f"Say {n}."),
        candidates=tuple(Candidate(text=f"{n} {letter}") for letter in "xyz"),
    )
    for n in range(3)
]
KINDS = {
    "invalid_json": "not_json",
    "wrong_schema": "wrong_schema",
    "empty_content": "empty",
    "refusal": "declined",
}


def ranker(server: Loopback, folder: Path) -> ContextualRanker:
    judge = ServiceLLM(
        endpoint(server), account(folder), None, (), False, True, True, 1, {}, "test"
    )
    return ContextualRanker(judge, "auto", HOW, 2, 0, 1, 1)


@pytest.mark.parametrize("fault", KINDS)
def test_bad_replies_are_refusals_of_their_kind(
    fault: str, server: Loopback, tmp_path: Path
) -> None:
    server.set_faults({"fault": fault})
    judging = ranker(server, tmp_path)
    outcomes = judging.rank(SETS)
    judging.release()
    for outcome in outcomes:
        assert isinstance(outcome, Refusal) and outcome.kind == KINDS[fault]
        assert all(judgement.origin is not None for judgement in outcome.judgements)
    paid = sum(outcome.usage.usd for outcome in outcomes)
    assert paid == pytest.approx(server.served()["usd"])


def test_a_repeat_is_asked_anew_and_a_second_ranking_is_not(
    server: Loopback, tmp_path: Path
) -> None:
    """Three sets, each asked and repeated once: six requests, however often they are ranked."""
    for _ in range(2):
        judging = ranker(server, tmp_path)
        judging.rank(SETS)
        judging.release()
    assert server.served()["answers"] == 6
