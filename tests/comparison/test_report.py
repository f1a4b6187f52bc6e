"""The page: one file, no network, and model output that stays text."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tuna_exp.comparison.report import samples, script_json, write_report
from tuna_exp.comparison.results import Comparison


class Page(HTMLParser):
    """What stands in a page: tags, attributes that load something, and text outside scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def text(comparison: Comparison, tmp_path: Path) -> str:
    path = write_report(comparison, tmp_path / "new" / "report.html", {"model.name": "<b>tiny</b>"})
    return path.read_text(encoding="utf-8")


def test_it_is_one_small_file_that_loads_nothing(text: str) -> None:
    assert len(text) < 1_500_000
    assert Page(text).loads == []
    assert "default-src 'none'" in text


def test_model_output_stays_text(text: str) -> None:
    """Scripts: the bundle, the data, the drawing; an answer tries to add one more and an image."""
    tags = Page(text).tags
    assert (tags.count("script"), tags.count("img"), tags.count("b")) == (3, 0, 0)


def test_the_verdict_leads_and_the_first_chart_follows(text: str) -> None:
    body = text[text.index("<body>") :]
    assert body.index("Ranked training helped") < body.index('data-plot="0"') < body.index("<table")


def test_every_place_has_a_specification(text: str) -> None:
    specs = re.search(r'id="specs">(.*?)</script>', text, re.DOTALL)
    assert specs is not None
    places = {int(number) for number in re.findall(r'data-plot="(\d+)"', text)}
    assert places == set(range(len(json.loads(specs.group(1)))))


def test_settings_and_versions_are_told(text: str) -> None:
    words = " ".join(Page(text).words)
    assert "<b>tiny</b>" in words
    assert "transformers" in words


def test_trust_is_told_with_charts_and_dollars(trusted: Comparison, tmp_path: Path) -> None:
    """Every place has its own specification, those of trust behind the training's."""
    text = write_report(trusted, tmp_path / "report.html", {}).read_text(encoding="utf-8")
    specs = re.search(r'id="specs">(.*?)</script>', text, re.DOTALL)
    assert specs is not None
    places = sorted(int(number) for number in re.findall(r'data-plot="(\d+)"', text))
    assert places == list(range(len(json.loads(specs.group(1)))))
    words = " ".join(Page(text).words)
    assert "The first slot wins 100 %" in words and "$0.50" in words


def test_one_item_makes_a_page_too(tiny: Comparison, tmp_path: Path) -> None:
    assert write_report(tiny, tmp_path / "report.html", {}).is_file()


def test_samples_are_drawn_half_from_disagreements(comparison: Comparison) -> None:
    """Of 8 the first 4 are among the items on which methods differ, and none comes twice."""
    drawn = samples(comparison)
    differ = [len({prediction.passed for _, prediction in sample.answers}) > 1 for sample in drawn]
    assert all(differ[:4])
    assert len({sample.instruction for sample in drawn}) == 8
    assert drawn == samples(comparison)


def test_json_cannot_end_its_script() -> None:
    value = {"text": "</script><!-- & \u2028"}
    embedded = script_json(value)
    assert not set("<>&\u2028") & set(embedded)
    assert json.loads(embedded) == value
