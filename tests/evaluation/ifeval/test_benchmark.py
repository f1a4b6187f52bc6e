"""IFEval as a benchmark: the published prompts, the four accuracies, files that are not so."""

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.errors import DataError
from tuna_exp.evaluation.ifeval.benchmark import IFEvalBenchmark, constraints_of
from tuna_exp.records import Candidate

_CHECKOUT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("TUNA_EXP_SHARED", _CHECKOUT.parent / "shared"))
PROMPTS = SHARED / "data" / "prompts" / "ifeval.jsonl.gz"
BOOTSTRAP = Bootstrap(confidence=0.95, resamples=199, seed=0)
TWO = {
    "key": 1,
    "prompt": "Say so without commas in quotation marks.",
    "instruction_id_list": ["punctuation:no_comma", "startend:quotation"],
    "kwargs": [{}, {"num_words": None}],
}
ONE = {
    "key": 2,
    "prompt": "Say it with a title.",
    "instruction_id_list": ["detectable_format:title"],
    "kwargs": [{}],
}
Make = Callable[..., IFEvalBenchmark]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make_one(*rows: dict[str, Any]) -> IFEvalBenchmark:
        path = tmp_path / "prompts.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return IFEvalBenchmark("ifeval", str(path), 100, 4)

    return make_one


@pytest.mark.skipif(not PROMPTS.is_file(), reason=f"the IFEval prompts are not at {PROMPTS}")
def test_the_published_prompts_are_read() -> None:
    """541 prompts, 834 constraints of 25 types (Zhou et al. 2023, section 2)."""
    items = IFEvalBenchmark("ifeval", str(PROMPTS), 100, 4).items()
    found = Counter(c.name for item in items for c in constraints_of(item))
    assert (len(items), found.total(), len(found)) == (541, 834, 25)
    assert items[0].id == "1000"


def test_an_answer_is_scored_by_the_share_it_keeps_to(make: Make) -> None:
    benchmark = make(TWO, ONE)
    two, one = benchmark.items()
    said = [("quotation alone, 1 of 2", '"a, b"', 0.5), ("both", '"a b"', 1.0)]
    for _, text, score in said:
        made = benchmark.score(two, Candidate(text=text, token_ids=(1,), token_logprobs=(-1.0,)))
        assert (made.score, made.passed, made.tokens) == (score, score == 1.0, 1)
    assert benchmark.score(one, Candidate(text="")).score == 0.0
    assert (benchmark.decoding().temperature, benchmark.decoding().max_new_tokens) == (0.0, 100)


def test_accuracies_over_prompts_and_constraints(make: Make) -> None:
    """Prompts strict 0 of 2, loose 1 of 2 (its first line dropped); constraints 2 of 3, 3 of 3."""
    benchmark = make(TWO, ONE)
    two, one = benchmark.items()
    predictions = [
        benchmark.score(two, Candidate(text='Sure\n"a b"')),
        benchmark.score(one, Candidate(text="<<A *title*>>")),
    ]
    figures = benchmark.figures(predictions, BOOTSTRAP)
    values = {(f.metric, f.group): f.interval.value for f in figures}
    assert figures[0].metric == "prompt accuracy, strict"
    assert values["prompt accuracy, strict", "all"] == 0.5
    assert values["prompt accuracy, loose", "all"] == 1.0
    assert values["instruction accuracy, strict", "all"] == pytest.approx(2 / 3)
    assert values["instruction accuracy, loose", "all"] == 1.0
    assert values["instruction accuracy, strict", "startend"] == 0.0
    assert values["instruction accuracy, strict", "punctuation"] == 1.0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kwargs": [{}]}, "field 'kwargs': expected 2 entries"),
        ({"kwargs": [{}, {"num_words": 3}]}, "'kwargs' of startend:quotation: num_words: Extra"),
        ({"instruction_id_list": []}, "a list of at least one constraint name"),
        ({"instruction_id_list": ["a:b", "startend:quotation"]}, "'a:b' is no constraint"),
        ({"prompt": None}, "field 'prompt': expected a string"),
        ({"key": 2}, "expected an id of its own"),
    ],
)
def test_rows_that_are_not_as_published_are_told(
    make: Make, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(DataError, match=f"(?s)1 records are good, 1 are not.*{told}.*Cure"):
        make(ONE, TWO | change).items()


def test_the_digest_changes_with_what_decides_the_result(make: Make) -> None:
    one = make(ONE)
    digests = [one.digest(), replace(one, max_new_tokens=9).digest()]
    digests += [replace(one, batch_size=9).digest(), make(ONE, TWO).digest()]
    assert len({json.dumps(digest) for digest in digests}) == 4
