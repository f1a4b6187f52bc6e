"""A small comparison with every part filled, and builders for its pieces."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tuna_exp.comparison.between_rankers import agreements
from tuna_exp.comparison.ranking_quality import assess
from tuna_exp.comparison.reliability import measure
from tuna_exp.comparison.results import (
    Comparison,
    MethodResult,
    StageCost,
    Tokens,
    Trust,
    compare,
)
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.comparison.verdicts import verdicts
from tuna_exp.records import Instruction, Judgement, Prediction, RankedExample

Predict = Callable[..., list[Prediction]]
HOSTILE = '</script><script>document.title="owned"</script><img src=x onerror=alert(1)>'


@pytest.fixture
def bootstrap() -> Bootstrap:
    return Bootstrap(confidence=0.95, resamples=999, seed=0)


@pytest.fixture
def predict() -> Predict:
    """Turn scores into predictions with ids i0, i1, ...: two kinds of three were in training."""

    def build(
        scores: Sequence[float], text: str = "an answer", tokens: int = 5
    ) -> list[Prediction]:
        kinds = [
            ("sort/up", "held_out"),
            ("count/words", "held_out"),
            ("rhyme/end", "held_out_kind"),
        ]
        instructions = [
            Instruction(
                id=f"i{n}", instruction=f"Task {n}", kind=kinds[n % 3][0], split=kinds[n % 3][1]
            )
            for n in range(len(scores))
        ]
        return [
            Prediction(instruction=i, text=text, tokens=tokens, passed=score == 1, score=score)
            for i, score in zip(instructions, scores, strict=True)
        ]

    return build


@pytest.fixture
def comparison(predict: Predict, bootstrap: Bootstrap) -> Comparison:
    """30 items: base scores 0, sft 1/3, tuna_p 2/3, tuna_c as sft."""
    third = [1.0, 0.0, 0.0] * 10
    curve = [{"step": str(n), "loss": str(1 / (n + 1)), "ranking_loss": ""} for n in range(5)]
    methods = [
        MethodResult("base", predict([0.0] * 30, HOSTILE), 0.0, Tokens()),
        MethodResult("sft", predict(third), 60.0, Tokens(trained=1000), curve),
        MethodResult(
            "tuna_p",
            predict([1.0, 1.0, 0.0] * 10, tokens=9),
            3720.0,
            Tokens(1, 2_500_000, 7300),
            curve,
        ),
        MethodResult("tuna_c", predict(third), 61.0, Tokens(1200)),
    ]
    examples = [
        RankedExample.from_scores(p.instruction, ["a", "bb", "ccc"], [1.0, 2.0, 3.0])
        for p in methods[0].predictions
    ]
    ranking = assess(
        "samples", "verifier", examples, lambda _, text: len(text), {"no order": 2}, bootstrap
    )
    stages = [
        StageCost("sft", "train", 60.0, Tokens(1000), reused=True, digest="ab12"),
        StageCost("tuna_p", "train", 90.0, Tokens(2000), reused=False, digest="cd34"),
    ]
    return compare(methods, [ranking], stages, "sft", 0.95, 999, 0)


@pytest.fixture
def trusted(comparison: Comparison) -> Comparison:
    """The same with two rankings of 30 sets: a judge that takes the first slot, and its reverse.

    Tuna-p cost half a dollar, and its stage with it.
    """
    texts = ["a", "bb", "ccc"]
    rankings = {
        name: [
            RankedExample.from_scores(
                p.instruction, texts, scores, judgements=[Judgement(shown=texts, scores=scores)]
            )
            for p in comparison.methods[0].predictions
        ]
        for name, scores in (("judge", [2.0, 1.0, 0.0]), ("reverse", [0.0, 1.0, 2.0]))
    }
    trust = []
    for name, examples in rankings.items():
        figures = measure(examples, {}, comparison.bootstrap)
        trust.append(Trust(name, "contextual", figures, tuple(verdicts(figures))))
    base, sft, tuna_p, tuna_c = comparison.methods
    return replace(
        comparison,
        methods=(base, sft, replace(tuna_p, tokens=replace(tuna_p.tokens, usd=0.5)), tuna_c),
        stages=tuple(replace(s, tokens=replace(s.tokens, usd=0.5)) for s in comparison.stages),
        trust=tuple(trust),
        agreements=tuple(agreements(rankings, comparison.bootstrap)),
    )


@pytest.fixture
def tiny(predict: Predict) -> Comparison:
    """One item per method: nothing can be said of it, and nothing may fail on it."""
    methods = [MethodResult(name, predict([1.0]), math.nan, Tokens()) for name in ("sft", "tuna_p")]
    return compare(methods, [], [], "sft", 0.95, 999, 0)
