"""A study's questions for a spreadsheet: one sheet per seat, with blank columns for verdicts."""

import csv
import io

from tuna_exp.study.key import Item, Key

# Text that a spreadsheet would run as a formula: OWASP, "CSV injection".
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def sheet_name(seat: int) -> str:
    """study.csv for the first seat, study-2.csv for the second."""
    return f"study-{seat + 1}.csv" if seat else "study.csv"


def verdict_columns(key: Key) -> list[str]:
    """The blank columns: one verdict per pair, one place per response of a list."""
    if key.kind == "pairs":
        return ["verdict"]
    return [f"place_{slot + 1}" for slot in range(_widest(key))]


def sheet(key: Key, seat: int) -> str:
    """One line per item in a seat's order, with the shown order of responses."""
    by_id = {item.id: item for item in key.items}
    responses = [f"response_{slot + 1}" for slot in range(_widest(key))]
    blank = verdict_columns(key)
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(["study", "seat", "item", *blank, "instruction", *responses])
    for shown in key.seats[seat]:
        item: Item = by_id[shown.item]
        texts = [_harmless(item.texts[index]) for index in shown.order]
        said = ["" for _ in blank]
        lines.writerow([key.digest, seat + 1, item.id, *said, _harmless(item.instruction), *texts])
    return text.getvalue()


def _widest(key: Key) -> int:
    return max(len(item.texts) for item in key.items)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
