"""The harness asked through us: its own figures come out, and nothing runs that was not allowed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tuna_exp.comparison.benchmarks import values_behind
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.errors import ConfigError, UserError
from tuna_exp.evaluation.lm_eval import package
from tuna_exp.evaluation.lm_eval.benchmark import LmEvalBenchmark
from tuna_exp.evaluation.lm_eval.samples import Sample
from tuna_exp.evaluation.subset import Subset
from tuna_exp.llms.hugging_face import HuggingFaceLLM, HuggingFaceSampler
from tuna_exp.models.student import Folder
from tuna_exp.plan import json_value

BOOTSTRAP = Bootstrap(0.95, 200, 0)
Make = Callable[..., LmEvalBenchmark]


@pytest.fixture
def make(tasks: Path) -> Make:
    def made(*names: str, **changes: Any) -> LmEvalBenchmark:
        benchmark = LmEvalBenchmark(
            name="lm_eval",
            tasks=names,
            include_path=str(tasks),
            num_fewshot=None,
            apply_chat_template=False,
            gen_kwargs={},
            metric=None,
            unsafe_tasks=(),
            trust_remote_code=False,
            batch_size=4,
        )
        return replace(benchmark, **changes)

    return made


@pytest.fixture
def llm(tiny_folder: Path) -> HuggingFaceLLM:
    sampler = HuggingFaceSampler("float32", "sdpa")
    return HuggingFaceLLM(Folder(tiny_folder), "chat", None, (), False, sampler)


def asked(benchmark: LmEvalBenchmark | Subset, llm: HuggingFaceLLM) -> list[Sample]:
    """What the stage does, without keeping it."""
    harness = benchmark.harness
    assert harness is not None
    session = harness.open(llm)
    kinds = dict.fromkeys(item.kind for item in benchmark.items())
    tasks = [[i for i in benchmark.items() if i.kind == kind] for kind in kinds]
    return [sample for items in tasks for sample in harness.ask(session, items)]


def test_its_own_command_gives_the_same_figures(
    make: Make, tasks: Path, tiny_folder: Path, llm: HuggingFaceLLM
) -> None:
    """`simple_evaluate` on the folder, with two examples before each item; groups too."""
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    lm = HFLM(pretrained=str(tiny_folder), device="cpu", dtype="float32", batch_size=4)
    names = ["own_group", "own_answer", "own_text"]
    theirs: Any = simple_evaluate(
        lm,
        tasks=names,
        num_fewshot=2,
        bootstrap_iters=0,
        task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
    )
    expected = {
        (name, key.removesuffix(",none")): value
        for name, metrics in theirs["results"].items()
        for key, value in metrics.items()
        if "," in key and "_stderr" not in key
    }
    benchmark = make(*names, "own_even", num_fewshot=2)
    figures = benchmark.figures_of(asked(benchmark, llm), BOOTSTRAP)
    ours = {(f.group, f.metric): f.interval for f in figures}
    assert len(expected) == 12 and expected.keys() < ours.keys()
    for key, value in expected.items():
        assert ours[key].value == pytest.approx(value, rel=1e-5, abs=1e-12), key
        assert ours[key].low <= ours[key].value <= ours[key].high, key
    # 0.5 · (acc of 12 + acc of 7), not weighed by size.
    even = (ours["own_choice", "acc"].value + ours["own_more", "acc"].value) / 2
    assert ours["own_even", "acc"].value == pytest.approx(even)
    assert figures[0].metric == "score" and figures[0].group == "all"


def test_a_difference_is_paired_over_what_a_task_is_marked_by(
    make: Make, llm: HuggingFaceLLM
) -> None:
    """By acc, its first metric, or by the one that is named; the other has no difference."""
    for metric in ("acc", "acc_norm"):
        benchmark = make("own_choice", metric=None if metric == "acc" else metric)
        samples = asked(benchmark, llm)
        predictions = [sample.prediction for sample in samples]
        figures = benchmark.figures_of(samples, BOOTSTRAP)
        assert (figures[0].metric, figures[0].group) == (metric, "all")
        assert [p.score for p in predictions] == [s.metrics[metric] for s in samples]
        assert values_behind(figures[0], predictions) == predictions
        assert [p.passed for p in predictions] == [p.score == 1 for p in predictions]


def test_a_subset_is_asked_what_all_are(make: Make, llm: HuggingFaceLLM) -> None:
    """8 of 21 items, of every task in proportion; the same prompts, so the same values."""
    benchmark = make("own_choice", "own_answer")
    subset = Subset(benchmark, 8)
    some, all_of_them = asked(subset, llm), asked(benchmark, llm)
    assert subset.of == 21 and len(some) == 8
    assert {s.prediction.instruction.kind for s in some} == {"own_choice", "own_answer"}
    whole = {sample.prediction.instruction.id: sample for sample in all_of_them}
    for sample in some:
        other = whole[sample.prediction.instruction.id]
        assert sample.prediction == other.prediction
        assert sample.metrics == other.metrics
    assert subset.digest()["subset"] and subset.digest() != benchmark.digest()


def test_prompts_take_the_models_format(make: Make, llm: HuggingFaceLLM, tiny_folder: Path) -> None:
    """A conversation with an example is what our encoder makes of it, in every format."""
    from transformers import AutoTokenizer

    from tuna_exp.models.prompts import PromptEncoder
    from tuna_exp.records import Instruction

    history = [("system", "Be brief."), ("user", "1 + 1?"), ("assistant", "2"), ("user", "2 + 2?")]
    turns = [{"role": role, "content": content} for role, content in history]
    tokenizer = AutoTokenizer.from_pretrained(tiny_folder)
    example = Instruction(id="e", instruction="1 + 1?", reference="2")
    for prompt_format in ("chat", "alpaca", "raw"):
        llm.prompt_format = prompt_format
        lm = make("own_text").open(llm).lm
        encoder = PromptEncoder(tokenizer, prompt_format, "Be brief.", (example,))
        expected = encoder.prompt_text(Instruction(id="q", instruction="2 + 2?"))
        assert lm.apply_chat_template(turns) == expected
        begun = [*turns, {"role": "assistant", "content": "It is"}]
        assert lm.apply_chat_template(begun, add_generation_prompt=False) == f"{expected}It is"
        if prompt_format == "chat":
            own = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            assert own == expected


def test_who_only_answers_is_asked_the_same(make: Make, llm: HuggingFaceLLM) -> None:
    """The tiny model once by its weights and once as a service would: one message, greedily."""
    elsewhere = SimpleNamespace(
        open=llm.open, together=llm.together, usd=lambda read, generated: read
    )
    benchmark = make("own_answer", apply_chat_template=True)
    weights = asked(benchmark, llm)
    answers = asked(benchmark, elsewhere)  # type: ignore[arg-type]
    assert [s.prediction.text for s in answers] == [s.prediction.text for s in weights]
    assert [s.metrics for s in answers] == [s.metrics for s in weights]
    assert all(0 < s.prediction.tokens <= 6 for s in answers)
    ((texts, decoding),) = benchmark.asked(benchmark.items())
    assert [one.instruction for one in texts] == [f"Say {i}." for i in range(9)]
    assert decoding.max_new_tokens == 6 and decoding.temperature == 0
    with pytest.raises(ConfigError, match=r"1 of 2 tasks .*'own_text': loglikelihood_rolling"):
        both = make("own_answer", "own_text", apply_chat_template=True)
        both.check_model(elsewhere)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="apply_chat_template=true"):
        make("own_answer").check_model(elsewhere)  # type: ignore[arg-type]


def test_what_decides_the_figures_is_in_the_digest(make: Make, tmp_path: Path) -> None:
    """A json value, equal each time; another version, other examples or other data change it."""
    told = json_value(make("own_choice", "own_answer").digest(), "digest")
    again = json_value(make("own_choice", "own_answer").digest(), "digest")
    assert told == again and told["lm_eval"] == package.lm_eval_version()
    assert told["tasks"]["own_choice"]["version"] == "2.0"
    assert told["seeds"]["fewshot"] == 1234
    for other in (
        make("own_choice", "own_answer", num_fewshot=1),
        make("own_choice", "own_answer", gen_kwargs={"max_gen_toks": 9}),
        make("own_choice", "own_answer", apply_chat_template=True),
        make("own_choice"),
    ):
        assert json_value(other.digest(), "digest") != told
    assert " at 0x" not in json.dumps(told)


def test_longer_answers_are_given_by_gen_kwargs(make: Make) -> None:
    assert make("own_answer").decoding().max_new_tokens == 6
    assert make("own_answer", gen_kwargs={"max_gen_toks": 9}).decoding().max_new_tokens == 9


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("metric_list: [{metric: glue}]", "metric 'glue', .* from the Hub and run.*trust_remote"),
        ("metric_list: [{metric: acc, hf_evaluate: true}]", "metric 'acc'.*trust_remote_code=true"),
        ("doc_to_image: image", "shows images"),
    ],
)
def test_what_must_be_allowed_is_refused(
    make: Make, tasks: Path, tmp_path: Path, yaml: str, message: str
) -> None:
    data = (tasks / "own_text.yaml").read_text().partition("output_type")[0]
    path = tmp_path / "made.yaml"
    path.write_text(
        f"{data.replace('own_text', 'made', 1)}doc_to_text: a\ndoc_to_target: b\n{yaml}\n"
    )
    with pytest.raises(ConfigError, match=message):
        make(str(path)).items()


def test_code_of_the_model_runs_only_where_its_task_is_named(make: Make) -> None:
    with pytest.raises(ConfigError, match=r"own_code runs code .*unsafe_tasks=\[own_code\]"):
        make("own_code").items()
    assert len(make("own_code", unsafe_tasks=["own_code"]).items()) == 1


def test_data_that_is_not_there_is_told_with_its_cure(
    make: Make, tasks: Path, tmp_path: Path
) -> None:
    """Of the Hub, which tests may not reach, and of this machine."""
    own = (tasks / "own_text.yaml").read_text()
    hub = own.replace("dataset_path: json", "dataset_path: nobody/nothing")
    hub = "\n".join(line for line in hub.split("\n") if "data" not in line or "_path" in line)
    (tmp_path / "hub.yaml").write_text(hub)
    with pytest.raises(UserError, match="could not be reached.*Cure: run once with a network"):
        make(str(tmp_path / "hub.yaml")).items()
    (tmp_path / "gone.yaml").write_text(own.replace("own_text.jsonl", "gone.jsonl"))
    with pytest.raises(UserError, match=r"gone.yaml cannot be loaded.*gone\.jsonl.*Cure"):
        make(str(tmp_path / "gone.yaml")).items()
    with pytest.raises(ConfigError, match="no such folder"):
        make("own_text", include_path=str(tmp_path / "nowhere")).items()


def test_a_metric_that_is_none_is_told_with_those_there_are(
    make: Make, llm: HuggingFaceLLM
) -> None:
    with pytest.raises(UserError, match="own_choice has acc, mcc, acc_norm.*Did you mean 'acc_no"):
        asked(make("own_choice", metric="acc_nrm"), llm)


def test_a_missing_package_is_a_line_of_pip(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'tuna_exp\[lm_eval\]'"):
        make("own_choice").items()
