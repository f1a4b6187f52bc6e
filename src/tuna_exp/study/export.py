"""What raters get: one page that works from a disk, and the same questions for a spreadsheet.

Neither names a ranker, a model or a rank. The page forbids itself the network by its content
policy; texts reach the screen as text only. Left out: a server that collects answers.
"""

import csv
import io
from pathlib import Path

from tuna_exp.comparison.report import environment, script_json
from tuna_exp.study.key import Item, Key

PAGE = "study.html"
# Text that a spreadsheet would run as a formula: OWASP, "CSV injection".
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_study(key: Key, folder: Path) -> list[Path]:
    """Write key, page and one sheet per seat; return their paths.

    Raises UserError where the folder holds another study.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key.write(folder)
    paths = [folder / PAGE, *(folder / sheet_name(seat) for seat in range(len(key.seats)))]
    paths[0].write_text(page(key), encoding="utf-8")
    for seat, path in enumerate(paths[1:]):
        # The mark tells spreadsheets that the file is UTF-8.
        path.write_text(sheet(key, seat), encoding="utf-8-sig", newline="")
    return paths


def sheet_name(seat: int) -> str:
    """study.csv for the first seat, study-2.csv for the second."""
    return f"study-{seat + 1}.csv" if seat else "study.csv"


def page(key: Key) -> str:
    """The page with its questions inside."""
    questions = {
        "study": key.digest,
        "kind": key.kind,
        "items": {
            item.id: {"instruction": item.instruction, "texts": item.texts} for item in key.items
        },
        "seats": [[[shown.item, shown.order] for shown in seat] for seat in key.seats],
    }
    return (
        environment("tuna_exp.study")
        .get_template("study.html.jinja")
        .render(study=script_json(questions))
    )


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
