"""A table that LaTeX reads: everything escaped, as many cells in each row."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.comparison.latex import escaped, to_latex
from tuna_exp.comparison.results import Comparison


@given(st.text(max_size=40))
def test_no_special_character_is_left(text: str) -> None:
    plain = escaped(text)
    for command in (
        "textbackslash",
        "textasciitilde",
        "textasciicircum",
        "textless",
        "textgreater",
    ):
        plain = plain.replace(f"\\{command}{{}}", "")
    for character in "&%$#_{}":
        plain = plain.replace(f"\\{character}", "")
    assert not set("\\&%$#_{}~^<>") & set(plain)


def test_rows_have_as_many_cells(comparison: Comparison) -> None:
    made = to_latex(comparison).splitlines()
    rows = [line for line in made if line.endswith(r" \\")]
    assert len(rows) == 1 + len(comparison.methods)
    assert {line.count(" & ") for line in rows} == {5}
    assert r"tuna\_p & 1 & " in "\n".join(rows)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_it_compiles(comparison: Comparison, tmp_path: Path) -> None:
    begin = r"\documentclass{article}\usepackage{booktabs}\begin{document}"
    text = begin + to_latex(comparison) + r"\end{document}"
    (tmp_path / "t.tex").write_text(text)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0
