"""Sampling in every form on the tiny model, and the chart of growth."""

from pathlib import Path

import pytest

from experiments.speed import plot
from experiments.speed.cases import GROWTH, SamplingCase
from experiments.speed.protocol import Answer
from experiments.speed.results import CaseResult, Variant
from experiments.speed.sampling import FORMS, Sampler

CASE = SamplingCase(name="few", prompts=3, responses=2, max_new_tokens=4, batch_size=2)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_draws_all_answers(form: str, tiny_folder: Path) -> None:
    answer = Sampler("tiny").measure(form, CASE, seed=0)
    assert 3 * 2 <= answer.tokens <= 3 * 2 * 4
    assert answer.seconds > 0


def test_growth_has_a_chart_for_each_axis_and_measure() -> None:
    rounds = [Answer(seconds=1, tokens=2, memory=2**20)]
    found = [
        CaseResult(
            case=case,
            shared_worker=False,
            variants=[Variant(form="released", precision="fp32", rounds=rounds)],
        )
        for case in GROWTH
    ]
    data = [plot.datum(one, one.variants[0]) for one in found]
    assert [one["at"] for one in data] == [2, 4, 8, 64, 128, 256, 8192, 32768, 131072]
    assert [len(row["hconcat"]) for row in plot.growth(data).to_dict()["vconcat"]] == [2, 2, 2]
