"""Answers: what a rater saw is put back into the key's order, and what cannot be is told."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.study.test_drawing import key_of
from tuna_exp.errors import DataError
from tuna_exp.study.answers import read_answers
from tuna_exp.study.key import Key
from tuna_exp.study.sheets import sheet

Change = Callable[[dict[str, Any]], object]


def exported(key: Key, rater: str, seat: int = 0) -> dict[str, Any]:
    """What the page writes for a rater who finds the longer text better."""
    texts = {item.id: item.texts for item in key.items}
    answers = []
    for shown in key.seats[seat]:
        lengths = [len(texts[shown.item][index]) for index in shown.order]
        places = [1 + sum(other > length for other in lengths) for length in lengths]
        answers.append({"item": shown.item, "places": places})
    return {"study": key.digest, "rater": rater, "seat": seat + 1, "answers": answers}


def write(folder: Path, answers: dict[str, Any], name: str = "first_rater.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(answers))
    return path


@pytest.mark.parametrize("kind", ["pairs", "lists"])
@pytest.mark.parametrize("seat", [0, 1])
def test_orders_are_undone(tmp_path: Path, kind: str, seat: int) -> None:
    """Who finds the longer text better says what the ranker "longest" said, from any seat."""
    key = key_of(kind)
    (first_rater,) = read_answers(
        [write(tmp_path, exported(key, "first_rater", seat))], key, allow_missing=False
    )
    assert first_rater.rater == "first_rater"
    assert first_rater.ranks == {item.id: item.verdicts["longest"] for item in key.items}


def filled(key: Key, seat: int, delimiter: str = ",") -> str:
    """A sheet filled in as `exported` answers."""
    rows = list(csv.DictReader(sheet(key, seat).splitlines()))
    places = {a["item"]: a["places"] for a in exported(key, "x", seat)["answers"]}
    lines = [delimiter.join(["study", "seat", "item", *[c for c in rows[0] if c in _VERDICTS]])]
    for row in rows:
        said = places[row["item"]]
        cells = [{(1, 2): "1", (2, 1): "2"}[tuple(said)]] if key.kind == "pairs" else map(str, said)
        lines.append(delimiter.join([row["study"], row["seat"], row["item"], *cells]))
    return "\n".join(lines)


_VERDICTS = {"verdict", *(f"place_{n}" for n in range(1, 5))}


@pytest.mark.parametrize("kind", ["pairs", "lists"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_sheet_says_the_same_as_the_page(tmp_path: Path, kind: str, delimiter: str) -> None:
    key = key_of(kind)
    path = tmp_path / "second_rater.csv"
    # As spreadsheets save it: with a mark, and with empty lines below.
    path.write_text(filled(key, 1, delimiter) + f"\n{delimiter * 3}", encoding="utf-8-sig")
    page = write(tmp_path, exported(key, "first_rater", 1))
    second_rater, first_rater = read_answers([path, page], key, allow_missing=False)
    assert second_rater.rater == "second_rater" and second_rater.ranks == first_rater.ranks


BAD: dict[str, Change] = {
    "answers study 'x'; this folder's is": lambda a: a.update(study="x"),
    "seat 3; allowed: 1 to 2": lambda a: a.update(seat=3),
    "item 'item-99' is not in the study. Did you mean": lambda a: a["answers"][0].update(
        item="item-99"
    ),
    r"places \[1\] on item": lambda a: a["answers"][0].update(places=[1]),
    r"places \[0, 1\] on item": lambda a: a["answers"][0].update(places=[0, 1]),
    "answered twice": lambda a: a["answers"].append(a["answers"][0]),
    "no verdict on item-": lambda a: a["answers"].pop(),
    r"not an export of the study's page \(rater": lambda a: a.update(rater=""),
}


@pytest.mark.parametrize("told", BAD)
def test_what_cannot_be_is_told(tmp_path: Path, told: str) -> None:
    key = key_of()
    answers = exported(key, "first_rater")
    BAD[told](answers)
    with pytest.raises(DataError, match=rf"first_rater.json.*{told}.*Cure"):
        read_answers([write(tmp_path, answers)], key, allow_missing=False)


def test_a_rater_counts_once(tmp_path: Path) -> None:
    key = key_of()
    paths = [write(tmp_path, exported(key, "first_rater", seat), f"{seat}.json") for seat in (0, 1)]
    with pytest.raises(DataError, match="rater 'first_rater' has answered in .*0.json already"):
        read_answers(paths, key, allow_missing=False)


def test_items_may_be_left_out_where_that_is_said(tmp_path: Path) -> None:
    key = key_of()
    answers = exported(key, "first_rater")
    gone = answers["answers"].pop()["item"]
    (first_rater,) = read_answers([write(tmp_path, answers)], key, allow_missing=True)
    assert gone not in first_rater.ranks and len(first_rater.ranks) == 11


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace(",verdict", ",said"), "has no column verdict"),
        (lambda text: text[:-1] + "3", "verdict '3' on item-.*allowed: 1"),
        (lambda text: text[:-1], "no verdict on item-"),
    ],
)
def test_a_sheet_that_cannot_be_is_told(
    tmp_path: Path, change: Callable[[str], str], told: str
) -> None:
    key = key_of()
    path = tmp_path / "second_rater.csv"
    path.write_text(change(filled(key, 0)))
    with pytest.raises(DataError, match=rf"second_rater.csv.*{told}.*Cure"):
        read_answers([path], key, allow_missing=False)
