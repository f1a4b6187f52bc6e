"""Prompt files as benchmarks: fields, reference answers, what is kept of an answer, bad files."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.open_ended.published import FOLDER, needs_reviews
from tests.rankers.conftest import Scripted
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.errors import ConfigError, DataError
from tuna_exp.evaluation.answers import AnswersFile, Stored
from tuna_exp.evaluation.open_ended.benchmark import OpenEndedBenchmark
from tuna_exp.evaluation.open_ended.judging import AnswerJudge
from tuna_exp.llms.decoding import Decoding
from tuna_exp.records import Candidate, write_records

Write = Callable[..., str]
KEY = "evaluation.qa.reference"
DECODING = Decoding(responses=1, temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=8)
JUDGE = AnswerJudge(Scripted(str), "verdict", "text", DECODING, 4, "both", 0)  # type: ignore[arg-type]
FIELDS = {"id": "question_id", "instruction": "text", "category": "category"}
PROMPTS = [
    {"question_id": 1, "text": "How?", "category": "generic"},
    {"question_id": 2, "text": "Why?", "category": "math"},
]
ANSWERS = [{"question_id": 1, "text": "So."}, {"question_id": 2, "text": ""}]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_rows(name: str, rows: list[dict[str, Any]]) -> str:
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(tmp_path / name)

    return write_rows


def benchmark(path: str, reference: AnswersFile | None = None, **fields: Any) -> OpenEndedBenchmark:
    return OpenEndedBenchmark("qa", path, fields or FIELDS, reference, JUDGE, DECODING, 2)


def answers(path: str, **where: str) -> AnswersFile:
    return AnswersFile(path, {"id": "question_id", "answer": "text"}, where)


def test_prompts_have_their_category_and_the_other_answer(write: Write) -> None:
    reference = answers(write("answers.jsonl", ANSWERS))
    first, second = benchmark(write("prompts.jsonl", PROMPTS), reference).items()
    assert (first.id, first.text, first.kind, first.reference) == ("1", "How?", "generic", "So.")
    assert (second.id, second.kind, second.reference) == ("2", "math", "")


def test_without_an_id_the_place_is_one(write: Write) -> None:
    made = benchmark(write("p.jsonl", PROMPTS), id=None, instruction="text", category=None)
    assert [(i.id, i.kind) for i in made.items()] == [("qa-000000", ""), ("qa-000001", "")]


def test_an_answer_is_kept_and_only_its_being_there_is_scored(
    write: Write, bootstrap: Bootstrap
) -> None:
    made = benchmark(write("p.jsonl", PROMPTS))
    first, second = made.items()
    predictions = [
        made.score(
            first, Candidate(text="Like so.", token_ids=(1, 2), token_logprobs=(-1.0, -1.0))
        ),
        made.score(second, Candidate(text=" \n")),
    ]
    assert [(p.text, p.tokens, p.passed, p.score) for p in predictions] == [
        ("Like so.", 2, True, 1.0),
        (" \n", 0, False, 0.0),
    ]
    (figure,) = made.figures(predictions, bootstrap)
    assert (figure.metric, figure.interval.value, figure.interval.items) == ("answered", 0.5, 2)


@needs_reviews
def test_the_published_files_are_read_as_they_are() -> None:
    """80 questions; of the answers of 8 models in one file those of one."""
    chosen = answers(str(FOLDER / "answers.jsonl.gz"), model_id="gpt-3.5-turbo:20230327")
    items = benchmark(str(FOLDER / "questions.jsonl"), chosen).items()
    assert len(items) == 80 and all(item.reference for item in items)
    assert len({item.kind for item in items}) == 9
    with pytest.raises(DataError, match="none of its 640 records has.*alpaca-13b:v1"):
        answers(str(FOLDER / "answers.jsonl.gz"), model_id="gpt-9").load(KEY)
    with pytest.raises(DataError, match=r"(?s)an id of its own.*reference\.where\.FIELD=VALUE"):
        answers(str(FOLDER / "answers.jsonl.gz")).load(KEY)


def test_predictions_of_ours_are_answers_too(write: Write, tmp_path: Path) -> None:
    made = benchmark(write("p.jsonl", PROMPTS))
    predictions = [made.score(item, Candidate(text=item.text * 2)) for item in made.items()]
    write_records(tmp_path / "predictions.jsonl", predictions)
    other = AnswersFile(str(tmp_path / "predictions.jsonl"), None, {})
    assert other.load(KEY) == {"1": Stored("How?How?", "How?"), "2": Stored("Why?Why?", "Why?")}
    items = benchmark(write("p.jsonl", PROMPTS), other).items()
    assert [item.reference for item in items] == ["How?How?", "Why?Why?"]
    changed = [{**row, "text": f"{row['text']} Be brief."} for row in PROMPTS]
    with pytest.raises(DataError, match="prompts.*2 of 2.*'1' is .*Be brief.* here.*How.* there"):
        benchmark(write("q.jsonl", changed), other).items()


def test_prompts_are_no_answers(write: Write) -> None:
    prompts = write("p.jsonl", PROMPTS)
    with pytest.raises(DataError, match=r"the place of answers. Cure: evaluation\.qa\.reference"):
        benchmark(prompts, answers(prompts)).items()


def test_what_cannot_be_used_is_told(write: Write) -> None:
    prompts = write("p.jsonl", PROMPTS)
    with pytest.raises(DataError, match="answers 1 of the 2 items.*none for '2'.*Cure"):
        benchmark(prompts, answers(write("a.jsonl", ANSWERS[:1]))).items()
    with pytest.raises(ConfigError, match="evaluation.qa.fields.*colour is no role"):
        benchmark(prompts, instruction="text", colour="red").items()
    with pytest.raises(ConfigError, match="no field is named for instruction"):
        benchmark(prompts, instruction=None).items()
    with pytest.raises(DataError, match=r"(?s)field 'prompt' is missing.*evaluation\.qa\.fields"):
        benchmark(prompts, instruction="prompt").items()
    with pytest.raises(ConfigError, match="evaluation.qa.reference.fields.*answer is null"):
        AnswersFile(prompts, {"id": "question_id", "answer": None}, {}).load(KEY)
    with pytest.raises(DataError, match="nowhere.jsonl does not exist"):
        benchmark("nowhere.jsonl").items()


def test_the_digest_changes_with_what_decides_the_answers(write: Write) -> None:
    path = write("p.jsonl", PROMPTS)
    one = benchmark(path)
    others = [
        benchmark(write("q.jsonl", PROMPTS[:1])),
        benchmark(path, answers(write("a.jsonl", ANSWERS))),
        benchmark(path, instruction="text"),
        replace(one, drawn=replace(DECODING, max_new_tokens=9)),
        replace(one, batch_size=3),
    ]
    assert len({json.dumps(b.digest()) for b in (one, *others)}) == 6
    copied = benchmark(write("copy.jsonl", PROMPTS))
    assert copied.digest() == one.digest()
