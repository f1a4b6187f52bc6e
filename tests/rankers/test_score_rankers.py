"""Rankers that give each response a number: the teacher's likelihood, chance, the truth."""

from collections.abc import Callable

import pytest

from tuna_exp.datasets.verifiable import VerifiableDataset
from tuna_exp.errors import ConfigError, DataError
from tuna_exp.rankers.base import Refusal, ScoreRanker
from tuna_exp.rankers.probabilistic import ProbabilisticRanker
from tuna_exp.rankers.random import RandomRanker
from tuna_exp.rankers.verifier import VerifierRanker
from tuna_exp.records import Candidate, CandidateSet, Instruction

MakeSet = Callable[..., CandidateSet]


def ranks(ranker: ScoreRanker, candidates: CandidateSet) -> dict[str, int]:
    outcome = ranker.rank([candidates])[0]
    assert not isinstance(outcome, Refusal)
    return {response.text: response.rank for response in outcome.responses}


@pytest.mark.parametrize(
    "beta, scores, order",
    [
        (0.0, [-2.0, -3.0, -3.2], ["short", "even", "long"]),
        (1.0, [-2.0, -1.5, -0.8], ["long", "even", "short"]),
        (2.0, [-2.0, -0.75, -0.2], ["long", "even", "short"]),
    ],
)
def test_likelihood_by_hand(
    beta: float, scores: list[float], order: list[str], make_set: MakeSet
) -> None:
    """Sums -2, -3, -3.2 over 1, 2, 4 tokens, divided by 1, 2, 4 to the power of beta."""
    candidates = make_set(["short", "even", "long"], [[-2.0], [-1.0, -2.0], [-0.8] * 4])
    ranker = ProbabilisticRanker(beta)
    assert ranker.scores(candidates) == pytest.approx(scores)
    assert sorted(order, key=ranks(ranker, candidates).__getitem__) == order


def test_equal_likelihoods_tie_and_duplicates_keep_their_best(make_set: MakeSet) -> None:
    """ "a" is there with -3 and with -1: it counts once, with -1, as "b" does."""
    candidates = make_set(["a", "c", "b", "a"], [[-3.0], [-2.0], [-1.0], [-1.0]])
    assert ranks(ProbabilisticRanker(1.0), candidates) == {"a": 0, "b": 0, "c": 1}


def test_responses_without_log_probabilities_are_refused(make_set: MakeSet) -> None:
    with pytest.raises(DataError, match="'q'.*no token log-probabilities.*Cure"):
        ProbabilisticRanker(1.0).rank([make_set(["a", "b"], [[-1.0], []])])


def test_random_order_is_seeded_and_depends_on_the_instruction(make_set: MakeSet) -> None:
    texts = list("abcdefgh")
    first = ranks(RandomRanker(0), make_set(texts))
    assert ranks(RandomRanker(0), make_set(texts)) == first
    assert ranks(RandomRanker(1), make_set(texts)) != first
    assert ranks(RandomRanker(0), make_set(texts, name="other")) != first
    assert sorted(first.values()) == list(range(8))


def test_random_order_knows_nothing(make_set: MakeSet) -> None:
    """The first of two is best in half of 1,000 sets; four standard deviations are 63."""
    made = [ranks(RandomRanker(0), make_set(["a", "b"], name=str(i))) for i in range(1000)]
    assert abs(sum(ranks["a"] == 0 for ranks in made) - 500) < 63


def test_verifier_puts_the_right_answer_first() -> None:
    """The dataset's own response is right; an empty one is not."""
    for instruction in VerifiableDataset(count=8, seed=0).load():
        texts = ["", instruction.reference or ""]
        candidates = tuple(Candidate(text=text) for text in texts)
        made = ranks(VerifierRanker(), CandidateSet(instruction=instruction, candidates=candidates))
        assert made == {texts[1]: 0, texts[0]: 1}


def test_verifier_needs_a_checker() -> None:
    plain = Instruction(id="plain", instruction="Write a poem.")
    checked = VerifiableDataset(count=2, seed=0).load()
    VerifierRanker().check(checked)
    with pytest.raises(ConfigError, match=r"1 of 3 have none \(first: 'plain'\).*Cure"):
        VerifierRanker().check([*checked, plain])


def test_digests_hold_what_decides() -> None:
    assert ProbabilisticRanker(1.0).digest() != ProbabilisticRanker(0.0).digest()
    assert RandomRanker(0).digest() != RandomRanker(1).digest()
    assert VerifierRanker().digest() == VerifierRanker().digest()
    digests = [r.digest()["ranker"] for r in (VerifierRanker(), RandomRanker(0))]
    assert digests == ["VerifierRanker", "RandomRanker"]


def test_a_ranker_must_define_its_scores(make_set: MakeSet) -> None:
    with pytest.raises(NotImplementedError, match="scores"):
        ScoreRanker().rank([make_set(["a"])])
