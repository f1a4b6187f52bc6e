"""Both benchmarks: what they read, what counts as right, and files that cannot be used."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.errors import ConfigError, DataError
from tuna_exp.evaluation.ambiguity.requests import AmbiguityBenchmark, is_unclear
from tuna_exp.evaluation.ambiguity.sentences import ReadingsBenchmark, labels_in
from tuna_exp.records import Candidate, Prediction

BOOTSTRAP = Bootstrap(0.95, 999, 0)
SHARED = Path(os.environ.get("TUNA_EXP_SHARED", Path(__file__).parents[4] / "shared"))
PROMPTS = SHARED / "data" / "prompts"


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def clamber(question: str, unclear: int, kind: str = "LA/polysemy") -> dict[str, Any]:
    category, _, subclass = kind.partition("/")
    asked = {"question": question, "context": "", "require_clarification": unclear}
    return {**asked, "category": category, "subclass": subclass}


def requests(path: Path, layout: Any = "clamber", unclear_from: int = 3) -> AmbiguityBenchmark:
    return AmbiguityBenchmark("ambiguity", str(path), layout, unclear_from, 9, 2)


def answer(text: str) -> Candidate:
    return Candidate(text=text, token_ids=(1,), token_logprobs=(-1.0,))


def answered(made: AmbiguityBenchmark, *texts: str) -> list[Prediction]:
    return [made.score(i, answer(t)) for i, t in zip(made.items(), texts, strict=True)]


def test_what_is_right(tmp_path: Path) -> None:
    """Asking and stating a reading are right where it is unclear, and wrong elsewhere."""
    rows = [clamber("Who is she?", 1), clamber("Who is he?", 1), clamber("Who is it?", 1)]
    rows += [clamber("1 + 1?", 0), clamber("2 + 2?", 0)]
    made = requests(written(tmp_path / "c.jsonl", rows))
    said = answered(
        made,
        "Who do you mean?",
        "Assuming you mean Amanda, her.",
        "Amanda.",
        "2",
        "What do you mean?",
    )
    assert [p.passed for p in said] == [True, True, False, True, False]
    figures = {(f.metric, f.group): f.interval.value for f in made.figures(said, BOOTSTRAP)}
    assert figures["balanced accuracy", "all"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert figures["accuracy", "all"] == pytest.approx(3 / 5)
    # Unclear: 2 found, 1 missed; clear: 1 taken for unclear.
    assert figures["F1 of unclear", "all"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert figures["balanced accuracy", "LA"] == figures["balanced accuracy", "all"]
    assert figures["asks", "unclear requests"] == pytest.approx(1 / 3)
    assert figures["states its reading", "unclear requests"] == pytest.approx(1 / 3)
    assert figures["asks", "clear requests"] == pytest.approx(1 / 2)
    assert figures["accuracy", "LA"] == pytest.approx(3 / 5)


@pytest.mark.parametrize(
    "text", ["It is so.", "What do you mean?", "Assuming you mean a bank, it is so."]
)
def test_always_the_same_is_chance(text: str, tmp_path: Path) -> None:
    rows = [clamber(f"{i}?", int(i < 9)) for i in range(12)]
    made = requests(written(tmp_path / "c.jsonl", rows))
    figure = made.figures(answered(made, *[text] * 12), BOOTSTRAP)[0]
    assert figure.metric == "balanced accuracy" and figure.interval.value == 0.5


def test_repeating_the_request_is_not_asking(tmp_path: Path) -> None:
    made = requests(written(tmp_path / "c.jsonl", [clamber("Who are you?", 1), clamber("2?", 0)]))
    assert not made.score(made.items()[0], answer("Who are you?")).passed
    assert made.score(made.items()[0], answer("Who are you? Do you mean me?")).passed


def test_clariq_has_one_item_per_request(tmp_path: Path) -> None:
    rows = [
        {"topic_id": topic, "initial_request": f"Find {topic}.", "clarification_need": need}
        for topic, need in (("1", "1"), ("1", "1"), ("2", "3"), ("3", "4"))
    ]
    path = written(tmp_path / "q.jsonl", rows)
    items = requests(path, "clariq").items()
    assert [(i.id, is_unclear(i)) for i in items] == [
        ("topic-1", False),
        ("topic-2", True),
        ("topic-3", True),
    ]
    with pytest.raises(ConfigError, match="of 3 requests 3 are unclear and 0 clear"):
        requests(path, "clariq", unclear_from=1).items()


def test_clariq_is_read_as_published(tmp_path: Path) -> None:
    """Tab-separated, a row for each facet and question of a request."""
    path = tmp_path / "dev.tsv"
    head = "topic_id\tinitial_request\ttopic_desc\tclarification_need\tquestion\n"
    rows = ("1\tFind it.\tIt.\t1\tWhich?\n", "2\tFind them.\tThem.\t4\tWho?\n")
    path.write_text(head + rows[0] * 2 + rows[1])
    items = requests(path, "clariq").items()
    assert [(i.id, i.text, is_unclear(i)) for i in items] == [
        ("topic-1", "Find it.", False),
        ("topic-2", "Find them.", True),
    ]


def test_a_file_of_another_layout_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path / "c.jsonl", [clamber("Who?", 1)])
    with pytest.raises(DataError, match="topic_id"):
        requests(path, "clariq").items()


@pytest.mark.parametrize(
    ("layout", "field", "expected"),
    [
        ("clamber", "require_clarification", "expected 0 or 1"),
        ("clamber", "context", "expected a string"),
        ("clariq", "clarification_need", 'expected "1", "2", "3" or "4"'),
    ],
)
def test_a_missing_field_is_told_with_what_it_holds(
    layout: str, field: str, expected: str, tmp_path: Path
) -> None:
    rows = {
        "clamber": clamber("Who?", 1),
        "clariq": {"topic_id": 1, "initial_request": "Who?", "clarification_need": "1"},
    }
    path = written(tmp_path / "c.jsonl", [{k: v for k, v in rows[layout].items() if k != field}])
    with pytest.raises(DataError, match=f"field '{field}' is missing; {expected}; found"):
        requests(path, layout).items()


def pair(labels: str, split: str = "test") -> dict[str, Any]:
    return {"split": split, "id": 1, "premise": "P.", "hypothesis": "H.", "labels": labels}


def readings(path: Path, split: str | None = "test") -> ReadingsBenchmark:
    return ReadingsBenchmark("readings", str(path), split, "Which?", 9, 2)


@pytest.mark.parametrize(
    "labels, text, score",
    [
        ("entailment, neutral", "Entailment or neutral.", 1.0),
        ("entailment, neutral", "It is entailed.", 0.5),
        ("neutral", "neutral, contradiction", 0.5),
        ("neutral", "It contradicts the premise.", 0.0),
        ("neutral", "I do not know.", 0.0),
    ],
)
def test_label_sets_are_compared(labels: str, text: str, score: float, tmp_path: Path) -> None:
    made = readings(written(tmp_path / "a.jsonl", [pair(labels)]))
    said = made.score(made.items()[0], answer(text))
    assert (said.score, said.passed) == (score, score == 1.0)


def test_a_published_file_names_no_split(tmp_path: Path) -> None:
    row = pair("neutral")
    del row["split"]
    (item,) = readings(written(tmp_path / "a.jsonl", [row]), None).items()
    assert (item.id, item.split) == ("pair-0", "")


def test_figures_by_number_of_readings(tmp_path: Path) -> None:
    made = readings(written(tmp_path / "a.jsonl", [pair("neutral"), pair("entailment, neutral")]))
    said = [made.score(item, answer("neutral")) for item in made.items()]
    figures = {(f.metric, f.group): f.interval.value for f in made.figures(said, BOOTSTRAP)}
    assert figures["label overlap", "all"] == 0.75
    assert figures["exact labels", "ambiguous"] == 0 and figures["exact labels", "one reading"] == 1
    assert figures["names several", "all"] == 0
    assert labels_in("") == set()


def test_splits_and_labels_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no pair of it .it has: dev"):
        readings(written(tmp_path / "a.jsonl", [pair("neutral", "dev")])).items()
    with pytest.raises(DataError, match="labels should be of entailment"):
        readings(written(tmp_path / "a.jsonl", [pair("maybe")])).items()


@pytest.mark.skipif(not PROMPTS.exists(), reason="the published prompts are not there")
def test_published_files_are_read_whole() -> None:
    """Of CLAMBER 1,601 of 3,202 are unclear, of ClariQ's 50 requests 25 from grade 3 on."""
    found = requests(PROMPTS / "clamber.jsonl.gz").items()
    assert (len(found), sum(map(is_unclear, found))) == (3202, 1601)
    found = requests(PROMPTS / "clariq_dev.jsonl.gz", "clariq").items()
    assert (len(found), sum(map(is_unclear, found))) == (50, 25)
    found = readings(PROMPTS / "ambient.jsonl.gz", None).items()
    assert (len(found), sum(i.kind == "ambiguous" for i in found)) == (1645, 579)
