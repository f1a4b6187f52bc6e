"""What methods took, in words and as points of a plot; unknown is not nothing."""

from dataclasses import replace

import pytest

from tuna_exp.comparison import efficiency
from tuna_exp.comparison.costs import Compute, Inference, compute_of, inference_of, mean_of
from tuna_exp.comparison.pareto import frontier, pareto_charts
from tuna_exp.comparison.results import Comparison, rivals


def test_stages_are_added_up_and_one_unknown_makes_the_sum_so() -> None:
    facts = [
        {"flops": 2e9, "joules": 1.0, "peak_memory_bytes": 5},
        {"flops": 0, "joules": None, "peak_memory_bytes": 9},
    ]
    assert compute_of(facts) == Compute(2e9, None, 9)
    assert compute_of([*facts, {}]).flops is None
    assert compute_of([]) == Compute(0.0, 0.0, None)


def test_runs_have_a_mean_and_the_largest_peak() -> None:
    assert mean_of([Compute(2.0, 1.0, 5), Compute(4.0, None, 9)]) == Compute(3.0, None, 9)


def test_one_answer_is_a_share_of_all() -> None:
    """4 items in 2 seconds with 10 tokens and 8 operations."""
    facts = {"items": 4, "generated_tokens": 10, "flops": 8.0}
    assert inference_of(facts, 2.0) == Inference(5.0, 0.5, 2.0, None, None)
    assert inference_of({}, 2.0) is None


@pytest.mark.parametrize(
    "points, on",
    [
        ([(1, 5), (2, 6), (3, 6)], [True, True, False]),
        ([(1, 5), (1, 6)], [False, True]),
        ([(1, 5), (1, 5)], [True, True]),
    ],
)
def test_the_frontier(points: list[tuple[float, float]], on: list[bool]) -> None:
    assert frontier(points) == on


def spending(comparison: Comparison, **flops: float | None) -> Comparison:
    methods = tuple(
        replace(
            m, compute=Compute(flops.get(m.method)), inference=Inference(5.0, 0.5, None, None, None)
        )
        for m in comparison.methods
    )
    found = tuple(rivals(methods, comparison.bootstrap))
    return replace(comparison, methods=methods, rivals=found)


def test_a_method_is_compared_with_the_best_that_cost_no_more(comparison: Comparison) -> None:
    """tuna_c at 3 may be held against sft at 2 and tuna_p at 3.1, not against one at 4."""
    made = spending(comparison, base=0.0, sft=2.0, tuna_p=3.1, tuna_c=3.0)
    found = {one.method: one.rival for one in made.rivals if one.cost == "FLOPs"}
    assert found["sft"] == "base" and found["tuna_c"] == "tuna_p"
    rows = efficiency.rival_rows(made)
    assert "tuna_p" in next(row[1] for row in rows if row[0] == "tuna_c")


def test_unknown_is_a_dash(comparison: Comparison) -> None:
    made = spending(comparison, base=0.0, sft=2e12, tuna_p=None, tuna_c=3e12)
    rows = {row[0]: row for row in efficiency.training_rows(made)}
    assert rows["tuna_p"][2] == "–" and rows["sft"][2] == "2 T"
    assert {row[4] for row in efficiency.answering_rows(made)[1:]} == {"–"}
    assert any("compute" in chart.title for chart in pareto_charts(made))
