"""Who a method is measured against for no more compute or money, and who is on the frontier."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.comparison import efficiency, table
from tuna_exp.comparison.costs import Compute
from tuna_exp.comparison.pareto import frontier, write_plots
from tuna_exp.comparison.results import Comparison, MethodResult, Tokens, compare

POINTS = st.lists(st.tuples(st.floats(0, 9), st.floats(0, 1)), min_size=1, max_size=9)


def method(
    predict, name: str, scores: Sequence[float], flops: float | None, usd: float = 0.0, **more
) -> MethodResult:
    return MethodResult(
        name, predict(scores), 1.0, Tokens(usd=usd), compute=Compute(flops), seed="0", more=more
    )


@pytest.fixture
def made(predict) -> Comparison:
    """Right on 0, 10, 15, 20 of 30 for 0, 100, 104 and 300 FLOPs; a judge's are not known.

    The best of no more, within 5 %: sft has dear's cheaper one (104 is 100 within 5 %), which has
    sft; long has that of 15. Of dollars the judge took 1, the rest none.
    """
    return compare(
        [
            method(predict, "base", [0.0] * 30, 0.0),
            method(predict, "sft", [1.0, 0.0, 0.0] * 10, 100.0),
            method(predict, "near", [1.0, 0.0] * 15, 104.0),
            method(predict, "long", [1.0, 1.0, 0.0] * 10, 300.0),
            method(predict, "judged", [1.0, 1.0, 1.0] * 10, None, usd=1.0),
        ],
        [], [], "sft", 0.95, 999, 0,
    )  # fmt: skip


def rivals(made: Comparison, cost: str) -> dict[str, str]:
    return {one.method: one.rival for one in made.rivals if one.cost == cost}


def test_the_rival_is_the_best_that_cost_no_more(made: Comparison) -> None:
    assert rivals(made, "FLOPs") == {"sft": "near", "near": "sft", "long": "near"}
    assert rivals(made, "dollars") == {
        "base": "long", "sft": "long", "near": "long", "long": "near", "judged": "long",
    }  # fmt: skip


def test_rivals_of_one_cost_are_one_table(made: Comparison) -> None:
    """Three comparisons by FLOPs: Holm's adjusted p is up to 3 times a comparison's own."""
    by_flops = [one.difference for one in made.rivals if one.cost == "FLOPs"]
    smallest = min(by_flops, key=lambda one: one.p_value)
    assert smallest.adjusted_p == pytest.approx(min(1, 3 * smallest.p_value))


def test_a_rival_is_chosen_by_all_seeds(predict) -> None:
    """By its first seed lucky is the best, over both it is behind steady: 15 of 60 and 20."""
    lucky = method(predict, "lucky", [1.0, 0.0] * 15, 1.0, **{"1": predict([0.0] * 30)})
    steady = method(
        predict, "steady", [1.0, 0.0, 0.0] * 10, 1.0, **{"1": predict([1.0, 0.0, 0.0] * 10)}
    )
    sft = method(predict, "sft", [0.0] * 30, 9.0)
    found = rivals(compare([sft, lucky, steady], [], [], "sft", 0.95, 999, 0), "FLOPs")
    assert found["sft"] == "steady"


def test_they_are_in_words_and_in_files(made: Comparison) -> None:
    lines = csv.DictReader(io.StringIO(table.to_csv(made)))
    rows = {row["method"]: row for row in lines if row["split"] == "all"}
    assert rows["long"]["equal_flops_rival"] == "near"
    assert float(rows["long"]["equal_flops_difference"]) == pytest.approx(1 / 6)
    assert rows["base"]["equal_flops_rival"] == rows["judged"]["equal_flops_verdict"] == ""
    cells = efficiency.cost_cells(made, "judged")
    assert cells[:3] == ["–", "$1.00", "–"] and cells[3].endswith(" on long, better")
    assert "on near, " in table.to_markdown(made)


@given(POINTS)
def test_of_any_points_some_are_on_the_frontier_and_the_rest_are_beaten_by_one(points) -> None:
    on = frontier(points)
    kept = [point for point, is_on in zip(points, on, strict=True) if is_on]
    assert kept
    for (cost, quality), is_on in zip(points, on, strict=True):
        if not is_on:
            assert any(c <= cost and q >= quality and (c, q) != (cost, quality) for c, q in kept)


def test_plots_are_written_as_pictures(made: Comparison, tmp_path: Path) -> None:
    """By compute, time; the one dollar is only one method's."""
    paths = write_plots(made, tmp_path)
    assert [p.name for p in paths] == [
        "pareto-compute.svg", "pareto-compute.png", "pareto-time.svg", "pareto-time.png",
    ]  # fmt: skip
    svg, png, *_ = (path.read_bytes() for path in paths)
    assert png.startswith(b"\x89PNG") and b"near" in svg and b"judged" not in svg


def test_methods_without_costs_have_no_rivals(tiny: Comparison) -> None:
    assert tiny.rivals == () and efficiency.rival_rows(tiny) == []
    assert math.isnan(efficiency.rival_numbers(tiny, "sft")["equal_flops_adjusted_p"])  # type: ignore[arg-type]
