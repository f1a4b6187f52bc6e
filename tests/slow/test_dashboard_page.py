"""The dashboard in a real browser, over runs of the command on a random model.

Playwright drives a Chromium that is installed already; without either the tests are skipped.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.slow.test_study_page import Visit, browser
from tuna_exp.dashboard.command import main as dashboard
from tuna_exp.dashboard.server import make_server
from tuna_exp.dashboard.snapshot import Board

__all__ = ["browser"]  # a fixture
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
TABS = ("runs", "curves", "ablation", "settings", "diff", "samples", "rankings", "cost")
HOSTILE = "</script><script>document.title='run'</script><img src=x onerror=alert(1)>"
SMALL = (
    "experiment=tiny", "logger=csv", "comparison.tracking=disabled", "comparison.resamples=100",
    "artifacts=artifacts",
)  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods with two seeds, one with another loss, one that failed; all answers hostile."""
    place = tmp_path_factory.mktemp("dashboard")

    def tuna_exp(*arguments: str, status: int = 0) -> None:
        command = [sys.executable, "-m", "tuna_exp", *SMALL, *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
        assert done.returncode == status, done.stderr

    tuna_exp("-m", "method=sft,tuna_c", "seed=0,1", "hydra.sweep.dir=runs/sweep")
    tuna_exp("method=tuna_c", "ranking_loss=rrhf", "hydra.run.dir=runs/rrhf")
    broken = ("method=sft", "objective.sft.learning_rate=1e30", "seed=7")
    tuna_exp(*broken, "hydra.run.dir=runs/broken", status=2)
    for number, path in enumerate(sorted(place.glob("artifacts/evaluate/*/predictions.jsonl"))):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for item, row in enumerate(rows):
            row |= {"text": HOSTILE, "score": float((item + number) % 3 == 0)}
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place / "runs"


@pytest.fixture(scope="module")
def file(runs: Path) -> str:
    """The page as a file."""
    out = runs.parent / "page.html"
    assert dashboard([f"runs={runs}", f"out={out}"]) == 0
    return out.as_uri()


@pytest.fixture
def visit(browser: Any, file: str) -> Iterator[Visit]:
    """The page on a wide screen; nothing may be complained of, nothing fetched, nothing run."""
    visit = Visit(browser, viewport={"width": 1280, "height": 900})
    visit.page.goto(file)
    yield visit
    assert visit.complaints == [] and "run " not in visit.page.title()
    assert all(url.startswith(("file:", "blob:", "data:")) for url in visit.requests)


def tab(visit: Visit, name: str) -> None:
    visit.page.click(f"#tab-{name}")


def charts(visit: Visit) -> int:
    """Draw all charts and count them."""
    visit.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    visit.page.wait_for_timeout(800)
    return int(visit.page.locator(".plot svg, .plot canvas").count())


def rows(visit: Visit) -> list[str]:
    return [str(row) for row in visit.page.locator("tr[data-run]").all_inner_texts()]


def chips(visit: Visit) -> list[str]:
    return [str(text) for text in visit.page.locator("main .chip").all_inner_texts()]


def test_runs_are_filtered_and_grouped_and_one_says_why_it_failed(visit: Visit) -> None:
    assert visit.page.inner_text("#headline") == "6 runs: 5 finished, 1 failed"
    assert len(rows(visit)) == 6
    visit.page.click("#states .chip:has-text('failed')")
    (failed,) = rows(visit)
    assert "the training diverged" in failed and "objective.sft.learning_rate=1e30" in failed
    visit.page.click("#clear")
    for query, count in (
        ("method=tuna_c rrhf", 1),
        ("method=tuna_c", 3),
        ("seed=1", 2),
        ("-state=failed method=sft", 2),
    ):
        visit.page.fill("#query", query)
        visit.page.wait_for_timeout(100)
        assert len(rows(visit)) == count, query
    visit.page.click("#clear")
    visit.page.select_option("#group", "seed")
    visit.page.wait_for_timeout(100)
    heads = visit.page.locator("tr.group").all_inner_texts()
    assert [head.split(" ")[1].strip() for head in heads] == ["7", "0", "1"] or len(heads) == 3


def test_curves_are_smoothed_with_a_band_and_told_apart(visit: Visit) -> None:
    tab(visit, "curves")
    assert chips(visit) == ["sft", "tuna_c"] and charts(visit) >= 3
    assert "tuna_c by ranking_loss" in visit.page.inner_text("#body")
    slider = visit.page.locator('[data-key="smooth"]')
    slider.evaluate("s => { s.value = '0.6'; s.dispatchEvent(new Event('input')); }")
    visit.page.select_option('[data-key="band"]', "t")
    visit.page.wait_for_timeout(300)
    assert "Student's t" in visit.page.inner_text("#body") and charts(visit) >= 3
    assert "smooth=0.6" in visit.page.url
    visit.page.select_option("#and", "ranking_loss")
    visit.page.wait_for_timeout(300)
    assert chips(visit) == ["sft", "tuna_c", "tuna_c · ranking_loss=rrhf"]
    visit.page.click("main .chip >> nth=0")
    visit.page.wait_for_timeout(100)
    assert visit.page.locator('main .chip[aria-pressed="false"]').all_inner_texts() == ["sft"]


def test_an_ablation_pools_seeds_alone(visit: Visit) -> None:
    tab(visit, "ablation")
    assert chips(visit) == ["base", "sft", "tuna_c", "tuna_c · ranking_loss=rrhf"]
    assert charts(visit) == 2
    told = [row.split("\t") for row in visit.page.locator("tbody tr").all_inner_texts()]
    assert {row[0]: row[1] for row in told}["tuna_c"] == "2" and told[1][4] == "baseline"
    assert "[" in told[2][3] and "[" in told[2][4]
    visit.page.select_option('[data-key="baseline"]', "base")
    visit.page.wait_for_timeout(300)
    assert "Against base" in visit.page.inner_text("#body")


def test_settings_configs_and_samples_side_by_side(visit: Visit) -> None:
    tab(visit, "settings")
    assert charts(visit) == 1
    assert "ranking_loss" in visit.page.locator(".plot svg").inner_html()
    tab(visit, "diff")
    listed = visit.page.locator('[data-key="one"] option').all_inner_texts()
    find = lambda words: next(one for one in listed if words in one)  # noqa: E731
    visit.page.select_option('[data-key="one"]', label=find("tuna_c · seed 0 (sweep"))
    visit.page.select_option('[data-key="other"]', label=find("rrhf"))
    visit.page.wait_for_timeout(100)
    differing = visit.page.locator("tr.differs td:first-child").all_inner_texts()
    assert any(name.startswith("ranking_loss") for name in differing)
    tab(visit, "samples")
    assert visit.page.locator(".answer h4").all_inner_texts()[0] == "base"
    assert visit.page.locator(".answer pre").all_inner_texts() == [HOSTILE, HOSTILE]
    visit.press("ArrowRight")
    visit.page.wait_for_timeout(100)
    assert visit.page.inner_text('[data-stepper="item"] span') == "item 2 of 24"


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_fits_and_complains_of_nothing(
    browser: Any, file: str, width: int, scheme: str
) -> None:
    visit = Visit(browser, viewport={"width": width, "height": 900}, color_scheme=scheme)
    visit.page.goto(file)
    for name in TABS:
        tab(visit, name)
        charts(visit)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert len(visit.page.inner_text("#body")) > 40, name
    ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 200) == (scheme == "dark")
    assert visit.complaints == []


def test_a_served_page_follows_a_run(browser: Any, runs: Path) -> None:
    """A run that is begun, writes its curve, and dies is shown without a reload."""
    server = make_server(Board([runs]).snapshot, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    visit = Visit(browser)
    visit.page.goto(f"http://127.0.0.1:{server.server_port}/#tab=curves")
    going = runs / "going"
    try:
        visit.page.wait_for_selector("#live:has-text('live')")
        planned = json.loads((runs / "rrhf" / "steps.json").read_text())
        own = [step for step in planned["steps"] if "Tuna-c" in step["label"]]
        text = json.dumps(planned | {"pid": os.getpid(), "began": 2e9})
        for step in own:  # another run of the same, none of whose own steps is finished
            text = text.replace(step["key"], f"ffff{step['key'][4:]}")
        going.mkdir()
        (going / "steps.json").write_text(text)
        visit.page.wait_for_selector("h1:has-text('7 runs: 1 running')")
        train = next(step["key"][4:] for step in own if step["stage"] == "train")
        logs = runs.parent / "artifacts" / "train" / f"ffff{train}.partial" / "logs"
        logs.mkdir(parents=True)
        path = logs / "metrics.csv"
        path.write_text("step,news\n0,1.0\n1,2.0\n")
        news = "figure:has(h3:text-is('news'))"
        visit.page.wait_for_selector(news)
        visit.page.locator(news).scroll_into_view_if_needed()
        visit.page.wait_for_selector(f"{news} svg")
        with path.open("a") as more:
            more.write("2,77.0\n")
        visit.page.wait_for_selector(f"{news} svg:has-text('60')")
        tab(visit, "runs")
        visit.page.wait_for_selector("tr[data-run='going']:has-text('train Tuna-c')")
        shutil.rmtree(going)
        visit.page.wait_for_selector("h1:has-text('6 runs')")
        assert visit.complaints == [], visit.complaints
    finally:
        shutil.rmtree(going, ignore_errors=True)
        server.shutdown()
        server.server_close()
    visit.page.wait_for_selector("#live.lost", timeout=10000)
    assert all("net::ERR_" in told for told in visit.complaints), visit.complaints
