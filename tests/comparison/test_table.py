"""The terminal at two widths, and the three files."""

import csv
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from tuna_exp.comparison import table
from tuna_exp.comparison.results import Comparison, MethodResult, Tokens, compare


def shown(comparison: Comparison, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(table.render(comparison))
    return console.export_text()


@pytest.mark.parametrize("width", [80, 120])
def test_each_method_fits_on_one_line(comparison: Comparison, width: int) -> None:
    lines = shown(comparison, width).splitlines()
    assert max(map(len, lines)) <= width
    scores = next(line for line in lines if line.startswith("tuna_p"))
    assert "66.7 [" in scores and "+33.3 [" in scores and "better" in scores


def test_cost_and_rankings_are_shown(comparison: Comparison) -> None:
    text = shown(comparison, 80)
    assert "1 h 02 m" in text and "2.5 M" in text and "7.3 k" in text
    assert "30 of 30" in text and "no order 2" in text


def test_unknown_intervals_are_dashes(tiny: Comparison) -> None:
    assert "100.0 [–]" in shown(tiny, 80)


def test_names_are_no_markup(predict) -> None:
    methods = [
        MethodResult(name, predict([1.0, 0.0]), 0.0, Tokens()) for name in ("sft", "[red]x[/]")
    ]
    assert "[red]x[/]" in shown(compare(methods, [], [], "sft", 0.95, 999, 0), 80)


def test_json_reads_back(comparison: Comparison, tmp_path: Path) -> None:
    table.write(comparison, tmp_path / "new")
    content = json.loads((tmp_path / "new" / "comparison.json").read_text(encoding="utf-8"))
    assert content["headline"].startswith("Ranked training helped")
    assert len(content["rows"]) == 12
    assert content["rankings"][0]["agreement"]["value"] == 1


def test_json_has_null_for_unknown(tiny: Comparison) -> None:
    content = json.loads(table.to_json(tiny), parse_constant=pytest.fail)
    assert content["rows"][0]["score"]["low"] is None


def test_csv_has_a_line_per_split_and_method(comparison: Comparison) -> None:
    rows = list(csv.DictReader(io.StringIO(table.to_csv(comparison))))
    assert len(rows) == 12
    assert float(rows[2]["difference"]) == pytest.approx(1 / 3)
    assert rows[1]["difference"] == ""


def test_markdown_rows_have_as_many_cells_as_the_head(comparison: Comparison) -> None:
    lines = [line for line in table.to_markdown(comparison).splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in lines[:13]} == {15}


@pytest.mark.parametrize("width", [80, 120])
def test_trust_and_dollars_are_shown(trusted: Comparison, width: int) -> None:
    """The judge takes the first slot each time; the rankings are each other's reverse."""
    text = shown(trusted, width)
    assert max(map(len, text.splitlines())) <= width
    assert "$0.50" in text and "first 100.0" in " ".join(text.split()) and "-1.00 [" in text
    assert '"judge": The first slot wins 100 %' in " ".join(text.split())


def test_dollars_are_not_shown_where_nothing_was_paid(comparison: Comparison) -> None:
    assert "dollars" not in shown(comparison, 120) + table.to_markdown(comparison)


def test_trust_is_in_every_file(trusted: Comparison) -> None:
    content = json.loads(table.to_json(trusted))
    assert content["trust"][0]["figures"]["slots"][0]["won"]["value"] == pytest.approx(1)
    assert content["agreements"][0]["rankings"] == ["judge", "reverse"]
    assert "| judge / reverse | 30 | -1.00" in table.to_markdown(trusted)
    rows = list(csv.DictReader(io.StringIO(table.to_csv(trusted))))
    assert {row["usd"] for row in rows if row["method"] == "tuna_p"} == {"0.5"}
