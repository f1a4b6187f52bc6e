"""Published verdicts come out with their published agreement.

PandaLM: README of WeOpenML/PandaLM. Cohen's kappa of the three annotators 0.85, 0.88 and 0.86, and
labels 105 / 422 / 472 (0 / 1 / 2) in every version; accuracy of gpt-3.5-turbo 71.07 % and of
PandaLM-7B 66.77 % as of commit 5c0a029. The paper's later figures (arXiv 2306.05087v2: GPT-4, other
sizes of PandaLM, another GPT-3.5 run) cannot be had from the released verdicts.

LLMBar: the statistics.json beside each result in princeton-nlp/LLMBar, which its README calls the
ones of the paper (arXiv 2310.07641): "correct_average" is accuracy over both orders, "equal" the
positional agreement rate, "kappa_agreement" Cohen's kappa of the two orders. The human agreement of
94 % cannot be reproduced: the experts' own verdicts are not released, only the gold label.

Tülu: no figure of the paper (arXiv 2306.04751) could be had to compare with. What is checked is the
definition in its published human_eval/compute_metrics.py ("comparison_agreement": the share of
equal verdicts of the first two experts, where there are two), computed here apart from it.
"""

from collections import Counter
from pathlib import Path

import pytest

from tests.study.published import SHARED, TIE, llmbar, pandalm, returned, tulu
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.study.agreement import measure

pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the human-labelled sets are not beside the checkout"
)
BOOTSTRAP = Bootstrap(0.95, 200, 0)


def test_pandalm_annotators(tmp_path: Path) -> None:
    key, said = pandalm(TIE)
    result = measure(key, returned(tmp_path, key, said), BOOTSTRAP)
    assert result.people is not None and result.items == 999 and result.undecided == 0
    published = {("1", "2"): 0.85, ("1", "3"): 0.88, ("2", "3"): 0.86}
    for two in result.people.pairs:
        value = published[two.first[-1], two.second[-1]]
        assert two.kappa.value == pytest.approx(value, abs=0.005)
    assert 0.85 < result.people.alpha.value < 0.88


def test_pandalm_labels(tmp_path: Path) -> None:
    """The labels of its README are the majority of the three annotators."""
    key, said = pandalm(TIE)
    people = [answers.ranks for answers in returned(tmp_path, key, said)]
    votes = [Counter(person[item.id] for person in people) for item in key.items]
    assert sorted(Counter(v.most_common(1)[0][0] for v in votes).values()) == [105, 422, 472]


def test_pandalm_rankers(tmp_path: Path) -> None:
    """Accuracy against the majority, in percent to two places, with unreadable replies as ties."""
    key, said = pandalm(TIE)
    rankers = measure(key, returned(tmp_path, key, said), BOOTSTRAP).rankers
    accuracy = {r.name: round(100 * r.majority.agreement.value, 2) for r in rankers}
    assert accuracy == {"gpt-3.5-turbo": 71.07, "PandaLM-7B": 66.77}


def test_unreadable_replies_do_not_agree_here(tmp_path: Path) -> None:
    """As ties, 13 of the 25 agree: 710 of 999. Without a verdict none does: 697 of 999."""
    key, said = pandalm(None)
    ranker = measure(key, returned(tmp_path, key, said), BOOTSTRAP).rankers[0]
    assert ranker.unanswered == 25
    assert ranker.majority.agreement.value == pytest.approx(697 / 999)


# Subset, prompt: correct in the given and in the swapped order, of how many.
LLMBAR = {
    ("LLMBar/Natural", "Vanilla"): (95, 96, 100),
    ("LLMBar/Natural", "Metrics_Reference"): (95, 97, 100),
    ("LLMBar/Adversarial/Neighbor", "Vanilla"): (104, 107, 134),
    ("LLMBar/Adversarial/Neighbor", "Metrics_Reference"): (115, 114, 134),
    ("LLMBar/Adversarial/GPTInst", "Vanilla"): (78, 81, 92),
    ("LLMBar/Adversarial/GPTOut", "Vanilla"): (35, 38, 47),
    ("LLMBar/Adversarial/Manual", "Vanilla"): (35, 39, 46),
}


@pytest.mark.parametrize(("subset", "prompt"), LLMBAR)
def test_llmbar_accuracy_of_gpt4(tmp_path: Path, subset: str, prompt: str) -> None:
    key, said = llmbar(subset, prompt)
    rankers = measure(key, returned(tmp_path, key, said), BOOTSTRAP).rankers
    *correct, items = LLMBAR[subset, prompt]
    found = sorted(r.majority.agreement.value for r in rankers)
    assert found == pytest.approx(sorted(n / items for n in correct))


@pytest.mark.parametrize(
    ("subset", "equal", "kappa"),
    [
        ("LLMBar/Natural", 95 / 100, 0.897708674304419),
        ("LLMBar/Adversarial/Neighbor", 125 / 134, 0.8651308432118094),
        ("LLMBar/Adversarial/Manual", 38 / 46, 0.6521739130434783),
    ],
)
def test_llmbar_agreement_of_the_two_orders(
    tmp_path: Path, subset: str, equal: float, kappa: float
) -> None:
    """The two orders are two raters here, to whom nobody is compared."""
    key, _ = llmbar(subset, "Vanilla")
    orders = {
        order: [(i.id, ranks) for i in key.items if (ranks := i.verdicts[order]) is not None]
        for order in key.rankers
    }
    people = measure(key, returned(tmp_path, key, orders), BOOTSTRAP).people
    assert people is not None
    assert people.mean.agreement.value == pytest.approx(equal)
    assert people.pairs[0].kappa.value == pytest.approx(kappa)


@pytest.mark.parametrize(("other", "twice"), [("chatgpt", 63), ("tulu_7B", 56)])
def test_tulu_experts(tmp_path: Path, other: str, twice: int) -> None:
    """332 pairs, `twice` of them seen by two experts or more."""
    key, said = tulu(other)
    people = measure(key, returned(tmp_path, key, said), BOOTSTRAP).people
    assert people is not None and len(key.items) == len(said["first"]) == 332
    assert len(said["second"]) == people.mean.agreement.items == twice
    first, second = dict(said["first"]), dict(said["second"])
    equal = sum(first[item] == ranks for item, ranks in second.items())
    assert people.mean.agreement.value == pytest.approx(equal / twice)
    assert 0.2 < people.mean.kappa.value < people.mean.agreement.value
