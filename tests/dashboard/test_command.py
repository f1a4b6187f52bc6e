"""The page over run folders: written for a real run, whole, and with no script of a model's."""

from pathlib import Path

import pytest

from tuna_exp.cli import main
from tuna_exp.dashboard.command import main as dashboard
from tuna_exp.errors import UserError


def test_a_page_is_written_for_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["experiment=tiny", "method=sft", "dataset.count=8", "hydra.run.dir=run"]
    monkeypatch.setattr("sys.argv", ["tuna-exp", *arguments, "evaluation.verifiable.count=8"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert dashboard(["runs=run", "out=page.html"]) == 0
    assert "1 run(s)" in capsys.readouterr().out
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "sft" in page
    assert "Content-Security-Policy" in page


@pytest.mark.parametrize(
    "arguments, told",
    [(["runs=nowhere"], "nowhere"), (["run=x"], "runs="), (["wandb=me/it"], "not there yet")],
)
def test_what_cannot_be_shown_is_told(arguments: list[str], told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told):
        dashboard(arguments)
