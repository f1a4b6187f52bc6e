"""Rows that do not fit: one message with the good counted, the bad named, and the cure."""

import logging
import math

import pytest

from tuna_exp.datasets.checking import (
    Entry,
    check_lengths,
    collect,
    content_digest,
    fit,
    tell_missing_references,
)
from tuna_exp.datasets.mapping import MappedRow
from tuna_exp.datasets.reading import MalformedError, Rows
from tuna_exp.datasets.tuna_release import ProbabilisticRow
from tuna_exp.errors import DataError
from tuna_exp.records import Instruction

NAMES = {"instruction": "task", "output": "answer", "scores": "marks"}
GOOD = {"task": "Add.", "answer": "3", "marks": [1.0, 2]}


def rows_of(*ids: object) -> Rows:
    return Rows("mem.jsonl", list(ids), lambda index: f"mem.jsonl line {index + 1}")


def entry_of(index: int, value: object) -> Entry:
    if not isinstance(value, str):
        raise MalformedError(f"field 'id': expected a string, found {value}")
    return Entry(Instruction(id=value, instruction="Add."))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"task": 7}, "field 'task': expected a string that is not blank, found 7"),
        ({"task": ""}, "field 'task': expected a string that is not blank, found \"\""),
        ({"task": " \n"}, "field 'task': expected a string that is not blank"),
        ({"answer": ["x"]}, "field 'answer': expected a string or null, found [\"x\"]"),
        ({"marks": "1"}, "field 'marks': expected a list of finite numbers, found \"1\""),
        ({"marks": [1.0, math.nan]}, "field 'marks[1]': expected a list of finite numbers"),
        ({"marks": [True]}, "field 'marks[0]': expected a list of finite numbers, found true"),
    ],
)
def test_misfit_names_the_row_field_expected_and_found(change, told):
    with pytest.raises(MalformedError) as caught:
        fit(MappedRow, GOOD | change, NAMES)
    assert str(caught.value).startswith(told)


def test_fit_renames_and_fills_the_unnamed_with_none():
    row = fit(MappedRow, GOOD, NAMES)
    assert (row.instruction, row.input, row.scores) == ("Add.", None, [1.0, 2.0])


def test_missing_field_names_the_nearest_present_one():
    with pytest.raises(MalformedError) as caught:
        fit(MappedRow, {"task": "Add.", "answers": "3", "marks": []}, NAMES)
    assert "field 'answer' is missing; expected a string or null" in str(caught.value)
    assert "Did you mean 'answers'?" in str(caught.value)


def test_missing_nested_field_looks_at_its_own_object():
    row = {"orig": {"instructions": "Add.", "input": "", "output": ""}}
    with pytest.raises(MalformedError) as caught:
        fit(ProbabilisticRow, row)
    assert "field 'orig.instruction' is missing" in str(caught.value)
    assert "Did you mean 'instructions'?" in str(caught.value)


@pytest.mark.parametrize("row", [[], "text", 3, None])
def test_row_that_is_no_object(row):
    with pytest.raises(MalformedError, match="expected a JSON object, found"):
        fit(MappedRow, row, NAMES)


def test_misfits_are_counted_the_first_five_shown():
    """2 good of 9: 7 misfits, of which 5 are shown between the head and the cure."""
    with pytest.raises(DataError) as caught:
        collect(rows_of("a", *range(7), "b"), entry_of, "mend them.")
    lines = str(caught.value).splitlines()
    assert lines[0] == "mem.jsonl: 2 records are good, 7 are not; the first few:"
    assert lines[1] == "  mem.jsonl line 2: field 'id': expected a string, found 0"
    assert len(lines) == 7
    assert lines[-1] == "Cure: mend them."


def test_repeated_id_names_its_first_owner():
    with pytest.raises(DataError, match="line 3: field 'id'.*\"a\", which mem.jsonl line 1 has"):
        collect(rows_of("a", "b", "a"), entry_of, "mend them.")


def test_lengths_must_agree():
    check_lengths({"text": ["a", "b"], "score": [1.0, 2.0]})
    with pytest.raises(MalformedError, match="'score': expected 2 entries.*'text', found 1"):
        check_lengths({"text": ["a", "b"], "score": [1.0]})


def test_ranking_by_score_ties_and_by_order_keeps_the_best_place():
    task = Instruction(id="a", instruction="Add.")
    scored = Entry(task, ("x", "y", "z"), (1.0, 3.0, 1.0)).ranked()
    assert [(r.text, r.rank) for r in scored.responses] == [("y", 0), ("x", 1), ("z", 1)]
    ordered = Entry(task, ("x", "y", "x")).ranked()
    assert [(r.text, r.rank) for r in ordered.responses] == [("x", 0), ("y", 1)]


def test_content_digest_sees_every_part():
    task = Instruction(id="a", instruction="Add.")
    variants = [
        Entry(task),
        Entry(task, ("x",)),
        Entry(task, ("x",), (1.0,)),
        Entry(task.model_copy(update={"reference": "3"})),
    ]
    assert len({content_digest([variant]) for variant in variants}) == 4


def test_missing_references_are_told_once(caplog):
    with caplog.at_level(logging.WARNING):
        tell_missing_references([entry_of(0, "a"), entry_of(1, "b")], "mem.jsonl")
    assert [record.getMessage() for record in caplog.records] == [
        "mem.jsonl: 2 of 2 records have an empty response and so no reference to train on"
    ]
