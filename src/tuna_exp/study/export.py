"""What raters get: one page that works from a disk, and the same questions for a spreadsheet.

Neither names a ranker, a model or a rank. The page forbids itself the network by its content
policy; texts reach the screen as text only. Left out: a server that collects answers.
"""

from pathlib import Path

from tuna_exp.comparison.report import environment, script_json
from tuna_exp.study.key import Key
from tuna_exp.study.sheets import sheet, sheet_name

PAGE = "study.html"


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
