"""What raters get names no ranker and runs nothing that a model wrote."""

import csv
import json
import re
from pathlib import Path

import pytest

from tests.study.test_drawing import key_of
from tuna_exp.errors import UserError
from tuna_exp.study.export import page, write_study
from tuna_exp.study.key import Item, Key, Shown
from tuna_exp.study.sheets import sheet


def embedded(text: str) -> dict[str, object]:
    """The questions inside a page."""
    found = re.search(r'<script type="application/json" id="study">(.*?)</script>', text)
    assert found
    questions: dict[str, object] = json.loads(found[1])
    return questions


@pytest.mark.parametrize("kind", ["pairs", "lists"])
def test_page_and_sheet_are_blind(kind: str) -> None:
    key = key_of(kind)
    for text in (page(key), sheet(key, 0)):
        assert "longest" not in text and "shortest" not in text
        assert "rare" not in text and '"i1"' not in text
    assert set(embedded(page(key))) == {"study", "kind", "items", "seats"}


def test_page_has_no_address_and_no_markup_of_a_model() -> None:
    texts = ("</script><script>alert(1)</script>", "<!-- <img src=http://x.invalid/y>")
    item = Item(id="a", instruction="<b>&", texts=texts, verdicts={"r": (0, 1)})
    text = page(Key.of("pairs", 0, [item], [[Shown(item="a", order=(1, 0))]]))
    assert "alert(1)</script>" not in text and "<img" not in text and "<b>" not in text
    of_ours = text.replace("src=http://x.invalid", "")
    assert not re.search(r"https?:|innerHTML|fetch\(|import\(", of_ours)
    assert embedded(text)["items"] == {"a": {"instruction": "<b>&", "texts": list(texts)}}


def test_sheet_shows_the_seat_s_order_and_disarms_formulas() -> None:
    """Every text of the examples starts with "=", as a formula does."""
    key = key_of()
    rows = list(csv.DictReader(sheet(key, 1).splitlines()))
    texts = {item.id: item.texts for item in key.items}
    assert [row["item"] for row in rows] == [shown.item for shown in key.seats[1]]
    for row, shown in zip(rows, key.seats[1], strict=True):
        said = [row["response_1"], row["response_2"]]
        assert said == [f"'{texts[shown.item][index]}" for index in shown.order]
        assert row["verdict"] == ""


def test_a_folder_keeps_its_study(tmp_path: Path) -> None:
    paths = write_study(key_of(), tmp_path)
    assert [path.name for path in paths] == ["study.html", "study.csv", "study-2.csv"]
    assert Key.read(tmp_path) == key_of()
    write_study(key_of(), tmp_path)
    with pytest.raises(UserError, match=r"key.json belongs to another study.*Cure"):
        write_study(key_of(seed=1), tmp_path)


def test_a_changed_key_is_refused(tmp_path: Path) -> None:
    write_study(key_of(), tmp_path)
    path = tmp_path / "key.json"
    path.write_text(path.read_text().replace("Say 1", "Say one"))
    with pytest.raises(UserError, match="not those of digest"):
        Key.read(tmp_path)
    with pytest.raises(UserError, match="is not there"):
        Key.read(tmp_path / "nowhere")
