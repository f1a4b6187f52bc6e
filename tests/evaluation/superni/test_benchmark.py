"""The benchmark: its items, what decides it, its scores, and the published figures."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.superni.data import NEEDS_SHARED, SHARED, benchmark, checkout, packed, task
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.errors import ConfigError, DataError, UserError
from tuna_exp.evaluation.superni import SuperNIBenchmark
from tuna_exp.evaluation.superni.official import (
    CATEGORIES,
    INSTANCES,
    TASKS,
    is_official,
    task_instances,
)
from tuna_exp.evaluation.superni.scoring import Answer, exact_match, figures
from tuna_exp.models.tiny import TinyModel
from tuna_exp.records import Candidate, Instruction, Prediction

QUICK = Bootstrap(confidence=0.95, resamples=100, seed=0)


@pytest.fixture
def made(tmp_path: Path) -> SuperNIBenchmark:
    tasks = {"task1_a": task(), "task2_b": task("Data to Text", 1), "task3_c": task(instances=0)}
    return benchmark(checkout(tmp_path / "ni", tasks))


def answered(bench: SuperNIBenchmark, text: str) -> list[Prediction]:
    return [bench.score(item, Candidate(text=text)) for item in bench.items()]


def predicted(name: str, category: str, number: int, passed: bool, score: float) -> Prediction:
    answer = Answer(task=name, category=category, references=("x",))
    item = Instruction(id=f"{name}/{number}", instruction="x", check=answer.check())
    return Prediction(instruction=item, text="", tokens=0, passed=passed, score=score)


def test_an_item_holds_prompt_task_and_references(made: SuperNIBenchmark) -> None:
    items = made.items()
    assert [item.id for item in items] == ["task1_a/i0", "task1_a/i1", "task1_a/i2", "task2_b/i0"]
    assert items[0].instruction.endswith("Input: Is 0 big?\nOutput: ")
    assert (items[0].kind, items[0].reference, items[0].split) == ("task1_a", "yes", "test")
    assert Answer.of(items[3]) == Answer(
        task="task2_b", category="Data to Text", references=("yes",)
    )


def test_examples_and_the_limit_of_tokens_reach_the_prompt(
    made: SuperNIBenchmark, caplog: Any
) -> None:
    assert "Positive Example 2" in replace(made, shots=2).items()[0].instruction
    with caplog.at_level(logging.WARNING):
        cut = replace(made, shots=2, max_source_tokens=20).items()[0].instruction
    assert "Positive Example" not in cut and "Output" not in cut
    assert "4 of 4 prompts are cut at 20 tokens" in caplog.text


def test_too_few_examples_are_told(made: SuperNIBenchmark) -> None:
    with pytest.raises(UserError, match=r"task1_a has 2 positive examples, 3 are needed\. Cure"):
        replace(made, shots=3).items()


def test_a_source_is_needed(made: SuperNIBenchmark) -> None:
    with pytest.raises(ConfigError, match="path=null and hub_id=null; one of them is needed"):
        replace(made, path=None).items()


def test_tasks_without_any_instance_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the 1 tasks of .* have no instance. Cure"):
        benchmark(checkout(tmp_path / "ni", {"task1_a": task(instances=0)})).items()


def test_a_local_source_has_no_revision(made: SuperNIBenchmark) -> None:
    with pytest.raises(ConfigError, match="revision=main with path=.*Cure: revision=null"):
        replace(made, revision="main").items()


def test_examples_cannot_come_from_the_hub(made: SuperNIBenchmark) -> None:
    with pytest.raises(ConfigError, match="shots=2 with hub_id=a/b.*Cure: shots=0"):
        replace(made, path=None, hub_id="a/b", shots=2).items()


@pytest.mark.parametrize(
    ("text", "passed", "score"), [("Yes.", True, 1.0), ("Yes it is", False, 0.5), ("", False, 0.0)]
)
def test_score_is_rouge_l_and_passed_exact_match(
    made: SuperNIBenchmark, text: str, passed: bool, score: float
) -> None:
    """yes / yes it is: P = 1/3, R = 1, F = 2/3 / (4/3) = 0.5."""
    one = answered(made, text)[0]
    assert (one.passed, one.score, one.text) == (passed, pytest.approx(score), text)


@pytest.mark.parametrize(
    ("text", "reference", "equal"),
    [
        (" The  U.S.\nflag!", "the us flag", True),
        ("flag", "the flag", False),  # articles stay
        ("a-b", "a b", False),  # punctuation goes without a blank
        ("“x”", "x", False),  # only ASCII punctuation
    ],
)
def test_exact_match(text: str, reference: str, equal: bool) -> None:
    assert exact_match(["other", reference], text) == equal


def test_missing_data_is_logged_and_marked(made: SuperNIBenchmark, caplog: Any) -> None:
    """Task 3 has no instance: it is named, and no figure counts it as 0."""
    with caplog.at_level(logging.WARNING):
        predictions = answered(made, "yes")
    assert "tasks without an instance (1): task3_c" in caplog.text
    found = {f.group: f.interval.value for f in made.figures(predictions, QUICK)}
    assert found == {
        "all (not the official test set; tasks: 2, instances: 4)": 1.0,
        "Word Analogy (1 of 8 tasks, 3 of 800 instances)": 1.0,
        "Data to Text (1 of 9 tasks, 1 of 826 instances)": 1.0,
        "task1_a (3 of 100 instances)": 1.0,
        "task2_b (1 of 100 instances)": 1.0,
    }


def test_overall_is_the_mean_over_instances_and_its_interval_is_over_tasks() -> None:
    """9 instances of score 1 in a task and 1 of score 0 in another: 0.9, not 0.5."""
    high = [predicted("task1_a", "", n, True, 1.0) for n in range(9)]
    first = figures([*high, predicted("task2_b", "", 0, False, 0.0)], ["task1_a"], QUICK)[0]
    assert (first.metric, first.interval.value, first.interval.items) == ("ROUGE-L", 0.9, 10)
    assert first.interval.high - first.interval.low > 0.5  # two units are few


def test_no_category_no_figure_of_one() -> None:
    made = figures([predicted("task1_a", "", 0, True, 1.0)], ["task1_a"], QUICK)
    assert [f.group.split(" ")[0] for f in made] == ["all", "all", "task1_a", "task1_a"]


@pytest.mark.parametrize(
    "change",
    [
        {"shots": 1}, {"instances": 2}, {"max_source_tokens": 9}, {"max_new_tokens": 9},
        {"batch_size": 9},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_the_digest_changes_with_what_decides_the_result(
    made: SuperNIBenchmark, change: dict[str, Any]
) -> None:
    assert replace(made, **change).digest() != made.digest()


def test_the_digest_tells_what_was_there_and_not_where(
    made: SuperNIBenchmark, tmp_path: Path
) -> None:
    digest = made.digest()
    assert (digest["tasks"], digest["instances"], digest["whole"]) == (2, 4, False)
    assert replace(made, path=str(packed(tmp_path / "ni", tmp_path / "x.tgz"))).digest() == digest
    other = checkout(tmp_path / "other", {"task1_a": task(Definition=["Do."])})
    assert replace(made, path=str(other)).digest() != digest


def test_the_limit_counts_with_its_tokenizer(made: SuperNIBenchmark) -> None:
    limited = replace(made, max_source_tokens=9)
    assert replace(limited, tokenizer_of=TinyModel(seed=1)).digest() != limited.digest()


def published() -> tuple[dict[str, float], dict[str, str]]:
    """The metrics of Tk-Instruct 3B by name in lower case, and the category of each task."""
    metrics = json.loads((SHARED / "tk_instruct_3b_def_pos_metrics.json").read_text().lower())
    lines = [json.loads(line) for line in (SHARED / "MANIFEST.jsonl").read_text().splitlines()]
    return metrics, {line["task"]: line["category"] for line in lines}


@NEEDS_SHARED
def test_the_published_figures_of_tk_instruct_come_out() -> None:
    """Each task's items get the published values of the task; all and categories must follow.

    Published values are rounded to 4 decimals of a percentage: means of them by up to 0.00005, and
    the published mean by as much again.
    """
    metrics, categories = published()
    predictions = []
    for name, category in categories.items():
        count = task_instances(name)
        passed = round(metrics[f"predict_exact_match_for_{name}"] * count / 100)
        score = metrics[f"predict_rougel_for_{name}"] / 100
        predictions += [predicted(name, category, n, n < passed, score) for n in range(count)]
    found = figures(predictions, list(categories), QUICK)
    assert len(predictions) == INSTANCES == 11_810
    assert len(found) == 2 * (1 + 12 + 119)
    for figure in found:
        key = "predict_" + figure.metric.lower().replace("-", "").replace(" ", "_")
        if figure.group != "all":
            key += "_for_" + "_".join(figure.group.lower().split())
        value = metrics[key]
        assert 100 * figure.interval.value == pytest.approx(value, abs=1.01e-4), figure.group


@NEEDS_SHARED
def test_the_official_counts_are_those_of_the_published_list() -> None:
    _, categories = published()
    assert is_official((SHARED / "test_tasks.txt").read_text().split())
    assert not is_official(list(categories)[1:])
    assert TASKS == 119
    for name, category in CATEGORIES.items():
        members = [task for task, of in categories.items() if of == name]
        assert category.tasks == len(members)
        assert category.instances == sum(map(task_instances, members))


@NEEDS_SHARED
def test_the_collected_part_of_the_real_tasks_is_read_and_marked() -> None:
    """118 tasks have an instance, 3,359 in all; every one's own reference scores 1."""
    bench = benchmark(SHARED / "tasks.tar.gz", shots=2)
    items = bench.items()
    assert len(items) == len({item.id for item in items}) == 3_359
    assert str(bench.coverage()) == "118 of 119 tasks, 3,359 of 11,810 instances"
    own = [bench.score(item, Candidate(text=item.reference or "")) for item in items]
    assert all(one.passed for one in own)
    first = bench.figures(own, QUICK)[0]
    assert first.group == "all (118 of 119 tasks, 3,359 of 11,810 instances)"
