"""The table as LaTeX: a document that compiles, with nothing that LaTeX takes for its own."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.comparison.latex import escaped, to_latex
from tuna_exp.comparison.results import Comparison

DOCUMENT = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs}
\begin{document}
\input{table}
\end{document}
"""


def hostile(comparison: Comparison) -> Comparison:
    """The same with a method whose name is full of LaTeX."""
    name = r"tuna_c \input{x} 50% & $1 #2 ~^ <|>"
    return replace(
        comparison,
        methods=tuple(
            replace(m, method=name) if m.method == "tuna_c" else m for m in comparison.methods
        ),
        rows=tuple(replace(r, method=name) if r.method == "tuna_c" else r for r in comparison.rows),
    )


def cells(line: str) -> list[str]:
    return re.split(r"(?<!\\)&", line)


def test_every_row_has_a_cell_for_each_column(comparison: Comparison) -> None:
    """Three splits of four methods, and the head."""
    table = to_latex(hostile(comparison))
    columns = re.search(r"\\begin\{tabular\}\{(l?r*)\}", table)
    assert columns is not None
    rows = [line for line in table.splitlines() if line.endswith(r"\\") and "multi" not in line]
    assert len(rows) == 13 and {len(cells(row)) for row in rows} == {len(columns[1])}
    assert r"\multicolumn{" + str(len(columns[1])) + "}" in table
    assert r"tuna\_p & 1 & 66.7 [" in table and "better" in table


@given(st.text(alphabet="ab\\{}&%$#_~^<>|"))
def test_escaped_text_has_nothing_of_latex_left(text: str) -> None:
    """What is left after our own commands are taken out: letters, and specials behind a \\."""
    rest = re.sub(r"\\text[a-z]+\{\}", "", escaped(text))
    rest = re.sub(r"\\[{}&%$#_]", "", rest)
    assert set(rest) <= set("ab")


def test_a_subset_is_marked_and_notes_are_below(comparison: Comparison) -> None:
    table = to_latex(comparison)
    assert r"\par Intervals tell what other items" in table
    assert "30 items" in table and table.count(r"\midrule") == 3


def test_it_compiles(comparison: Comparison, tmp_path: Path) -> None:
    compiler = shutil.which("pdflatex")
    if compiler is None:
        pytest.skip("no pdflatex here")
    (tmp_path / "table.tex").write_text(to_latex(hostile(comparison)))
    (tmp_path / "paper.tex").write_text(DOCUMENT)
    command = [compiler, "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]
