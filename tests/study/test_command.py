"""`tuna-exp study`: from rankings to a page, from answers to agreement."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.study.conftest import Folders
from tests.study.test_answers import exported, write
from tuna_exp.cli import SETTINGS
from tuna_exp.errors import UserError
from tuna_exp.study.command import main
from tuna_exp.study.key import Key


@pytest.mark.parametrize("kind", ["pairs", "lists"])
def test_export_and_import(
    rankings: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """Both raters find the longer better: "longest" agrees on 100 %, "shortest" on none."""
    folders, out = [str(folder) for folder in rankings()], tmp_path / "study"
    main(["export", *folders, "--out", str(out), "--kind", kind, "--raters", "2"], SETTINGS)
    assert "study.html" in capsys.readouterr().out
    key = Key.read(out)
    paths = [
        str(write(tmp_path, exported(key, r, seat), f"{r}.json")) for seat, r in enumerate("ab")
    ]
    main(["import", str(out), *paths], SETTINGS)
    told = capsys.readouterr().out
    assert "longest ranker agrees with a person on 100.0 %" in told and "agreement.html" in told
    main(["import", str(out), *paths, "--json"], SETTINGS)
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((out / "agreement.json").read_text())
    assert [r["majority"]["agreement"]["value"] for r in result["rankers"]] == [1.0, 0.0]
    page = (out / "agreement.html").read_text()
    assert "longest ranker agrees" in page and page.count('data-plot="') == 2


def test_the_readme_s_commands_run(
    rankings: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the names that they have there for folders and raters."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    export, read = re.findall(r"^tuna-exp study (.*)$", readme, re.MULTILINE)
    for folder, name in zip(rankings(), ("DIGEST", "OTHER"), strict=True):
        shutil.copytree(folder, tmp_path / "artifacts" / "rank" / name)
    monkeypatch.chdir(tmp_path)
    main(shlex.split(export, comments=True), SETTINGS)
    for seat, rater in enumerate(("first_rater", "second_rater")):
        write(tmp_path, exported(Key.read(Path("study")), rater, seat), f"answers-{rater}.json")
    assert main(shlex.split(read, comments=True), SETTINGS) == 0


def test_a_count_of_nothing_is_told(rankings: Folders, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--count is 0; allowed: 1 or more"):
        main(["export", str(rankings()[0]), "--out", str(tmp_path), "--count", "0"], SETTINGS)
