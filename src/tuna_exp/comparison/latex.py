r"""The table of methods for a paper: LaTeX with booktabs, one row per method and split.

The file is a `table` environment and stands in a document as it is, with \input and
\usepackage{booktabs}; rows that are wider than the page want \resizebox or a landscape page. Left
out: rankings and costs by stage, which the report has, and letters that pdfLaTeX does not know (a
method that is called so compiles with LuaLaTeX).
"""

from tuna_exp.comparison import efficiency, wording
from tuna_exp.comparison.benchmarks import ALL
from tuna_exp.comparison.results import Comparison, Row

_ESCAPED = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "–": "--",
    "−": "$-$",
    "·": r"$\cdot$",
    "τ": r"$\tau$",
    "β": r"$\beta$",
    "λ": r"$\lambda$",
    "…": r"\ldots{}",
}


def escaped(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return "".join(_ESCAPED.get(letter, letter) for letter in text)


def to_latex(comparison: Comparison) -> str:
    """The table, its verdict as caption, and the notes below it."""
    head = _head(comparison)
    body = [line for split in comparison.splits for line in _split(comparison, split, len(head))]
    notes = [rf"\par {escaped(note)}" for note in wording.notes(comparison)]
    lines = [
        r"% \usepackage[T1]{fontenc} \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(wording.headline(comparison))}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        r"\toprule",
        _line(head),
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        r"\begin{flushleft}\footnotesize",
        *notes,
        r"\end{flushleft}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _head(comparison: Comparison) -> list[str]:
    level = wording.level(comparison)
    return [
        "method",
        "seeds",
        f"score % [{level}]",
        f"points on {comparison.baseline} [{level}]",
        "p (Holm)",
        "verdict",
        *efficiency.cost_head(comparison),
    ]


def _split(comparison: Comparison, split: str, columns: int) -> list[str]:
    rows = comparison.rows_of(split)
    mark = f", {comparison.subset}" if comparison.subset else ""
    title = escaped(f"{wording.split_label(split)} ({wording.runs(rows[0])}{mark})")
    return [
        r"\midrule",
        rf"\multicolumn{{{columns}}}{{l}}{{\textit{{{title}}}}} \\",
        *(_line(_cells(comparison, row)) for row in rows),
    ]


def _cells(comparison: Comparison, row: Row) -> list[str]:
    difference = row.difference
    costs = efficiency.cost_cells(comparison, row.method)
    return [
        row.method,
        str(row.seeds),
        wording.percents(row.score),
        wording.points(difference.interval if difference else None),
        wording.p_value(difference),
        wording.verdict(difference),
        *(costs if row.split == ALL else [""] * len(costs)),
    ]


def _line(cells: list[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"
