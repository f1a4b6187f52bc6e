"""Answers of raters, from the page (JSON) or from a sheet (CSV), checked against the key."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from tuna_exp.datasets.reading import read_text
from tuna_exp.errors import DataError, nearest
from tuna_exp.records import Record
from tuna_exp.study.key import Key, Ranks, dense
from tuna_exp.study.sheets import verdict_columns

_SHOWN = 5
_DELIMITERS = ",;\t"
_DIGITS = 9  # of a seat or a place, more than any study has
# What a verdict on a pair says about the places of its first and second response.
_PLACES = {"1": (1, 2), "2": (2, 1), "0": (1, 1)}


@dataclass(frozen=True)
class Answers:
    """What one rater said: ranks of each item's texts in the key's order, by item id."""

    rater: str
    ranks: dict[str, Ranks]


class _Reply(Record):
    """Places of an item's responses in the order shown, 1 is best, equal ones tie."""

    item: str
    places: tuple[int, ...]


class _Sheet(Record):
    """A rater's answers as the page exports them; `seat` counts from 1."""

    study: str
    rater: str = Field(min_length=1)
    seat: int
    answers: tuple[_Reply, ...]


def read_answers(paths: Sequence[Path], key: Key, allow_missing: bool) -> list[Answers]:
    """Read one file per rater.

    Raises:
        DataError: a file of another study, an unknown item, one answered twice or (unless
            `allow_missing`) not at all, places that cannot be, a rater who occurs twice.
    """
    read: dict[str, tuple[Path, Answers]] = {}
    for path in paths:
        answers = _checked(path, _sheet(path, key), key, allow_missing)
        if answers.rater in read:
            raise DataError(
                f"{path}: rater '{answers.rater}' has answered in {read[answers.rater][0]} "
                "already; each rater counts once. Cure: leave one of the files out, or give two "
                "people two names."
            )
        read[answers.rater] = path, answers
    return [answers for _, answers in read.values()]


def _sheet(path: Path, key: Key) -> _Sheet:
    text = read_text(path)
    if not text.lstrip().startswith("{"):
        return _from_csv(path, text, key)
    try:
        return _Sheet.model_validate(json.loads(text))
    except (ValidationError, ValueError, RecursionError) as error:
        place = ""
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            place = f" ({'.'.join(map(str, first['loc']))}: {first['msg']})"
        raise DataError(
            f"{path} is not an export of the study's page{place}. Cure: export it again with the "
            "page's button."
        ) from error


def _from_csv(path: Path, text: str, key: Key) -> _Sheet:
    """Read a filled sheet; the rater is the file's name, because a sheet has no place for one."""
    header = text.splitlines()[0]
    delimiter = max(_DELIMITERS, key=header.count)
    lines = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    try:
        rows = [line for line in lines if any(line.values())]
    except csv.Error as error:  # a field longer than any of ours, say
        raise DataError(
            f"{path} is no table of comma-separated values ({error}). Cure: fill in study.csv and "
            "keep its columns."
        ) from error
    needed = ["study", "seat", "item", *verdict_columns(key)]
    missing = [column for column in needed if not rows or column not in rows[0]]
    if missing:
        raise DataError(
            f"{path} has no column {', '.join(missing)}, or no line; allowed is a sheet of this "
            f"study ({', '.join(needed)}) or an export of its page. Cure: fill in study.csv and "
            "keep its columns."
        )
    sheets = {(row["study"], row["seat"]) for row in rows}
    if len(sheets) > 1:
        raise DataError(f"{path} mixes lines of several sheets. Cure: one file per rater.")
    study, seat = sheets.pop()
    replies = [_reply(path, row, key) for row in rows]
    return _Sheet(
        study=study,
        rater=path.stem,
        seat=_number(seat),
        answers=tuple(reply for reply in replies if reply),
    )


def _reply(path: Path, row: dict[str, str], key: Key) -> _Reply | None:
    """One line's places; None where nothing was filled in."""
    said = [(row[column] or "").strip() for column in verdict_columns(key)]
    if not any(said):
        return None
    if key.kind == "pairs":
        if said[0] not in _PLACES:
            raise DataError(
                f"{path}: verdict '{said[0]}' on {row['item']}; allowed: 1 (the first is better), "
                "2 (the second is) or 0 (a tie). Cure: write one of them."
            )
        return _Reply(item=row["item"], places=_PLACES[said[0]])
    if not all(_number(place) for place in said if place):
        raise DataError(
            f"{path}: places '{' '.join(said)}' on {row['item']}; allowed are whole numbers, 1 for "
            "the best. Cure: write them so."
        )
    return _Reply(item=row["item"], places=tuple(_number(place) for place in said if place))


def _number(text: str) -> int:
    """Read a number of a few plain digits; 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else 0


def _checked(path: Path, sheet: _Sheet, key: Key, allow_missing: bool) -> Answers:
    if sheet.study != key.digest:
        raise DataError(
            f"{path} answers study '{sheet.study}'; this folder's is '{key.digest}'. Cure: import "
            "it into the folder it was exported from."
        )
    if not 1 <= sheet.seat <= len(key.seats):
        raise DataError(
            f"{path}: seat {sheet.seat}; allowed: 1 to {len(key.seats)}. Cure: restore the seat "
            "that the sheet had."
        )
    orders = {shown.item: shown.order for shown in key.seats[sheet.seat - 1]}
    ranks: dict[str, Ranks] = {}
    for reply in sheet.answers:
        _check_reply(path, reply, orders)
        places = dict(zip(orders[reply.item], reply.places, strict=True))
        ranks[reply.item] = dense([places[index] for index in range(len(places))])
    twice = [item for item, times in Counter(r.item for r in sheet.answers).items() if times > 1]
    missing = [item for item in orders if item not in ranks]
    if twice:
        raise DataError(f"{path}: {_told(twice)} answered twice. Cure: keep one answer each.")
    if missing and not (allow_missing and ranks):
        raise DataError(
            f"{path}: no verdict on {_told(missing)}. Cure: let the rater finish, or import with "
            "--allow-missing."
        )
    return Answers(sheet.rater, ranks)


def _check_reply(path: Path, reply: _Reply, orders: dict[str, tuple[int, ...]]) -> None:
    if reply.item not in orders:
        raise DataError(
            f"{path}: item '{reply.item}' is not in the study.{nearest(reply.item, orders)} Cure: "
            "keep the item ids as they were exported."
        )
    number = len(orders[reply.item])
    if len(reply.places) != number or not all(1 <= place <= number for place in reply.places):
        raise DataError(
            f"{path}: places {list(reply.places)} on {reply.item}; allowed: {number} whole numbers "
            f"from 1 to {number}, equal ones for a tie. Cure: one place for each response."
        )


def _told(items: Sequence[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return f"{', '.join(items[:_SHOWN])}{more}"
