"""The study's page in a real browser: keys, a reload, widths, schemes, and an export that is read.

Playwright drives a Chromium that is installed already; without either the tests are skipped.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.study.test_drawing import key_of
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.study import report
from tuna_exp.study.agreement import measure
from tuna_exp.study.answers import read_answers
from tuna_exp.study.export import write_study
from tuna_exp.study.key import Item, Key, Shown

pytestmark = pytest.mark.slow
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
WIDTHS, SCHEMES = (400, 1280), ("light", "dark")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Any Chromium of this machine."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()


class Visit:
    """An open page with all that it complained about, and every request it made."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, path: Path, query: str = "") -> None:
        """Open a file as a reader would."""
        self.page.goto(path.as_uri() + query)

    @property
    def answered(self) -> str:
        """What the progress bar says."""
        return str(self.page.inner_text("#count"))

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def export(self, folder: Path) -> Path:
        """Press the button and keep what is downloaded."""
        with self.page.expect_download() as download:
            self.page.click("#export")
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        return path


def shown_texts(visit: Visit) -> list[str]:
    """The responses on the screen."""
    return [str(text) for text in visit.page.locator("#responses .text").all_inner_texts()]


def test_pairs_by_keyboard_reload_undo_and_export(browser: Any, tmp_path: Path) -> None:
    key = key_of()
    page = write_study(key, tmp_path)[0]
    visit = Visit(browser)
    visit.open(page)
    visit.page.fill("#name", "Rater 1")
    visit.page.select_option("#seat", "2")
    visit.press("Enter")
    texts = {item.id: item.texts for item in key.items}
    for number, (shown, pressed) in enumerate(zip(key.seats[1], "120", strict=False)):
        assert visit.answered == f"{number} of 12"
        assert shown_texts(visit) == [texts[shown.item][index] for index in shown.order]
        visit.press(pressed)
    visit.page.reload()
    assert visit.answered == "3 of 12"
    visit.press("u")
    assert visit.answered == "2 of 12"
    visit.press("0")
    path = visit.export(tmp_path)
    assert path.name == "answers-Rater_1.json"
    (first_rater,) = read_answers([path], key, allow_missing=True)
    expected = {}
    for shown, places in zip(key.seats[1], ((0, 1), (1, 0), (0, 0)), strict=False):
        slots = dict(zip(shown.order, places, strict=True))
        expected[shown.item] = (slots[0], slots[1])
    assert first_rater.rater == "Rater 1" and first_rater.ranks == expected
    visit.press(*"1" * 9)
    assert visit.page.is_visible("#done") and visit.answered == "12 of 12"
    (first_rater,) = read_answers([visit.export(tmp_path)], key, allow_missing=False)
    assert len(first_rater.ranks) == 12 and visit.complaints == []
    assert all(url.startswith(("file:", "blob:")) for url in visit.requests)


def test_lists_by_keyboard_and_by_mouse(browser: Any, tmp_path: Path) -> None:
    """Places 2 1 2 4 by keys, 1 1 1 1 by mouse; nothing goes on before all have a place."""
    key = key_of("lists", count=2)
    visit = Visit(browser)
    visit.open(write_study(key, tmp_path)[0], "?rater=second&seat=1")
    visit.press("2", "1", "Enter")
    assert visit.answered == "0 of 2"
    visit.press("3", "ArrowUp", "2", "4", "Enter")
    assert visit.answered == "1 of 2"
    for slot in range(4):
        visit.page.click(f'[aria-label="Response {slot + 1}: place 1"]')
    visit.press("Enter")
    exported = json.loads(visit.export(tmp_path).read_text())
    assert [answer["places"] for answer in exported["answers"]] == [[2, 1, 2, 4], [1, 1, 1, 1]]
    assert visit.complaints == []


@pytest.mark.parametrize("kind", ["pairs", "lists"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_pages_fit_and_complain_of_nothing(
    browser: Any, tmp_path: Path, kind: str, width: int, scheme: str
) -> None:
    """Neither page is wider than the screen; the ground is dark where that is asked for."""
    key = key_of(kind)
    page = write_study(key, tmp_path)[0]
    raters = [Visit(browser) for _ in "ab"]
    answers = []
    for name, visit in zip("ab", raters, strict=True):
        visit.open(page, f"?rater={name}&seat=1")
        visit.press(*(["1"] * 12 if kind == "pairs" else ["1", "2", "3", "4", "Enter"] * 12))
        answers.append(visit.export(tmp_path))
    result = measure(key, read_answers(answers, key, False), Bootstrap(0.95, 100, 0))
    reports = report.write(result, tmp_path)
    visit = Visit(browser, viewport={"width": width, "height": 800}, color_scheme=scheme)
    for path, query in ((page, "?rater=c&seat=1"), (reports[-1], "")):
        visit.open(path, query)
        visit.page.wait_for_timeout(500)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, ground[4:-1].split(","))) < 200) == (scheme == "dark")
    assert visit.page.locator(".plot svg").count() == 2
    assert visit.complaints == []


def test_a_model_s_markup_stays_text(browser: Any, tmp_path: Path) -> None:
    """Nothing of it runs, nothing is fetched, and it is shown letter by letter."""
    hostile = "</script><script>document.title='run'</script><img src=x onerror=alert(1)>"
    item = Item(id="a", instruction=hostile, texts=(hostile, ""), verdicts={"r": (0, 1)})
    key = Key.of("pairs", 0, [item], [[Shown(item="a", order=(0, 1))]])
    visit = Visit(browser)
    visit.open(write_study(key, tmp_path)[0], "?rater=a")
    assert shown_texts(visit) == [hostile, "(empty)"] and visit.page.title() != "run"
    assert visit.complaints == [] and len(visit.requests) == 1
