"""The W&B workspace and report: what they hold, offline; and that a second call updates them."""

import json
import sys
from typing import Any

import pytest

from tests.tracking.conftest import wandb_server
from tests.wandb_server.server import Server
from tuna_exp.dashboard import online
from tuna_exp.dashboard.command import main as dashboard
from tuna_exp.errors import UserError

__all__ = ["wandb_server"]  # a fixture
HEADINGS = [
    "Methods side by side", "Ablation with intervals", "Curves over examples",
    "Curves over tokens", "Ranking health", "Cost", "Samples", "Runs and settings",
]  # fmt: skip


def spec_of(made: Any) -> dict[str, Any]:
    """What is sent: the library has no public name for it."""
    text = made._to_model().spec.model_dump_json(by_alias=True, exclude_none=True)
    return dict(json.loads(text))


def found(value: Any, key: str) -> list[Any]:
    """Every value of a key, however deep."""
    if isinstance(value, dict):
        own = [value[key]] if key in value else []
        return own + [one for inner in value.values() for one in found(inner, key)]
    return [one for inner in value for one in found(inner, key)] if isinstance(value, list) else []


def test_a_workspace_has_a_section_for_every_question() -> None:
    pytest.importorskip("wandb_workspaces", reason="the extra workspaces is not installed")
    spec = spec_of(online.workspace("me", "it"))
    shown = spec["section"]["panelBankConfig"]["sections"]
    assert [one["name"] for one in shown if one["panels"]] == HEADINGS
    views = [[panel["viewType"] for panel in one["panels"]] for one in shown]
    assert views[2] == ["Run History Line Plot"] * len(online.CURVES)
    assert {"Parallel Coordinates Plot", "Run Comparer"} <= set(views[7])
    (first, *_) = found(shown[2], "config")
    assert first["xAxis"] == "examples" and first["groupAgg"] == "mean"
    assert first["groupArea"] == "stderr" and "method" in json.dumps(first["groupBy"])
    (grouping,) = found(spec["section"]["runSets"], "grouping")
    assert [one["name"].partition(".")[0] for one in grouping] == ["method", "seed"]
    (intervals, *_) = found(shown[1], "metrics")
    assert [m["name"] if isinstance(m, dict) else m for m in intervals] == [
        "difference_low", "difference", "difference_high"
    ]  # fmt: skip


def test_a_report_has_the_same_sections_of_compared_methods() -> None:
    """Without an entity, as the library asks the server for the number of one's project."""
    pytest.importorskip("wandb_workspaces", reason="the extra workspaces is not installed")
    spec = spec_of(online.report("", "it", ("ranking_loss", "seed")))
    heads = [b["children"][0]["text"] for b in spec["blocks"] if b["type"] == "heading"]
    assert heads == HEADINGS
    grids = [block for block in spec["blocks"] if block["type"] == "panel-grid"]
    filters = [json.dumps(found(grid, "filters")) for grid in grids]
    assert [at for at, one in enumerate(filters) if "evaluate" in one] == [0, 1, 5, 7]
    assert found(grids[0], "grouping")[0][0]["name"].startswith("ranking_loss")


def test_a_second_call_updates_what_the_first_made(
    wandb_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("wandb_workspaces", reason="the extra workspaces is not installed")
    for _ in range(2):
        assert dashboard(["wandb=tester/ranked"]) == 0
        views = list(wandb_server.records.views.values())
        assert sorted(view["type"] for view in views) == ["project-view", "runs"]
    told = capsys.readouterr().out
    assert told.count("workspace: ") == 2 and "/tester/ranked" in told
    dashboard(["wandb=tester/ranked", "group=ranking_loss"])
    assert len(wandb_server.records.views) == 2
    assert all("ranking_loss" in view["spec"] for view in wandb_server.records.views.values())


def test_without_login_or_library_the_local_page_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="ENTITY/PROJECT"):
        dashboard(["wandb=ranked"])
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    with pytest.raises(UserError, match=r"tuna_exp\[workspaces\].*runs=FOLDER"):
        dashboard(["wandb=me/ranked"])


def test_without_a_login_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    monkeypatch.setattr(online, "_needed", lambda: None)
    monkeypatch.setattr(wandb, "login", lambda **_: False)
    with pytest.raises(UserError, match="no login.*runs=FOLDER"):
        dashboard(["wandb=me/ranked"])
