"""The table of methods for a paper: LaTeX with the booktabs package, one row per method.

Left out: everything but all items of the first benchmark; the other tables are in table.md.
"""

from tuna_exp.comparison import efficiency, wording
from tuna_exp.comparison.benchmarks import ALL
from tuna_exp.comparison.results import Comparison

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "–": "--",
}


def to_latex(comparison: Comparison) -> str:
    """Return a table environment; its caption says what the columns are and how many items."""
    rows = comparison.rows_of(ALL)
    base, level = comparison.baseline, wording.level(comparison)
    head = ["Method", "Seeds", "Score", f"Points on {base}", "$p$ (Holm)", "Verdict"]
    head += efficiency.cost_head(comparison)
    body = [
        [
            row.method,
            str(row.seeds),
            wording.percents(row.score),
            wording.points(row.difference.interval if row.difference else None),
            wording.p_value(row.difference),
            wording.verdict(row.difference),
            *efficiency.cost_cells(comparison, row.method),
        ]
        for row in rows
    ]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\begin{{tabular}}{{lr{'l' * (len(head) - 2)}}}",
        r"\toprule",
        _line([cell if cell.startswith("$") else escaped(cell) for cell in head]),
        r"\midrule",
        *(_line(list(map(escaped, cells))) for cells in body),
        r"\bottomrule",
        r"\end{tabular}",
        rf"\caption{{Score in per cent and difference to {escaped(base)} in percentage points over "
        rf"{escaped(wording.held_out(comparison, rows[0]))}, with {escaped(level)} intervals.}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Return text as LaTeX prints it: every character with a meaning of its own is escaped."""
    return "".join(_SPECIAL.get(character, character) for character in text)


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
