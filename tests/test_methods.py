"""The recipes as graphs of steps, and what changes which step's digest. Nothing runs here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from tuna_exp import methods
from tuna_exp.cli import SETTINGS
from tuna_exp.errors import ConfigError, DataError, UserError
from tuna_exp.experiment import build_lab, make
from tuna_exp.lab import Lab
from tuna_exp.llms.decoding import Decoding
from tuna_exp.plan import Step, in_order
from tuna_exp.records import Instruction, RankedExample, write_records
from tuna_exp.stages.rank import RANKING
from tuna_exp.store import Artifact

Recipe = Callable[[Lab], Step]
SFT = ["tokenise instructions", "train SFT"]
TEACHER = [*SFT, "sample teacher", "rank teacher's samples", "tokenise teacher's samples"]
SAMPLED = ["sample SFT model", "rank samples of SFT model", "tokenise samples of SFT model"]
STUDENT = [*SFT, *SAMPLED]
TUNA = [
    "train Tuna-p",
    "sample Tuna-p model",
    "rank samples of Tuna-p model",
    "tokenise samples of Tuna-p model",
]
BOTH = [*TEACHER[2:-1], *SAMPLED[:-1]]
MIXED = ["tokenise both kinds of samples", "train mixed"]
ABLATION: dict[str, Recipe] = {
    "sft": methods.sft,
    "tuna_p": methods.tuna_p,
    "tuna_c": methods.tuna_c,
    "tuna": methods.tuna,
}


@cache
def lab(*overrides: str) -> Lab:
    with initialize_config_dir(str(SETTINGS), version_base="1.3"):
        config = compose("config", ["experiment=tiny", *overrides])
    dataset = make(config.dataset)
    return build_lab(config, dataset, dataset.load())


def labels(steps: Sequence[Step]) -> list[str]:
    return [step.label for step in steps]


def digests(recipe: Recipe, made: Lab) -> dict[str, str]:
    return {step.label: step.digest for step in in_order([recipe(made)])}


@pytest.mark.parametrize(
    "name, stages",
    [
        ("sft", SFT),
        ("tuna_p", [*TEACHER, "train Tuna-p"]),
        ("tuna_c", [*STUDENT, "train Tuna-c"]),
        ("tuna", [*TEACHER, *TUNA, "train Tuna-c (Tuna)"]),
        ("reverse", [*STUDENT, "train Tuna-c", *TEACHER[2:], "train Tuna-p (reverse)"]),
        ("mixed", [*SFT, *BOTH, "rank both kinds of samples", *MIXED]),
        ("best_of_n", [*STUDENT[:-1], f"{SAMPLED[-1]}, best only", "train best of N"]),
    ],
)
def test_the_stages_of_a_recipe(name: str, stages: list[str]) -> None:
    assert labels(in_order([getattr(methods, name)(lab())])) == stages


def test_equal_stages_are_done_once() -> None:
    """Of 2 + 6 + 6 + 10 stages SFT is shared by all and the way to Tuna-p by the last two."""
    steps = in_order([recipe(lab()) for recipe in ABLATION.values()])
    assert labels(steps) == [
        *(*TEACHER, "train Tuna-p"),
        *(*SAMPLED, "train Tuna-c"),
        *(*TUNA[1:], "train Tuna-c (Tuna)"),
    ]


def test_every_model_starts_from_the_one_it_is_said_to() -> None:
    tuna = methods.tuna(lab())
    tuna_p, ranking = tuna.inputs["model"], tuna.inputs["tokens"].inputs["ranking"]
    assert ranking.inputs["candidates"].inputs["model"].digest == tuna_p.digest
    assert tuna_p.digest == methods.tuna_p(lab()).digest
    assert tuna_p.inputs["model"].digest == methods.sft(lab()).digest
    assert methods.tuna_c(lab()).inputs["model"].digest == methods.sft(lab()).digest
    teachers = tuna_p.inputs["tokens"].inputs["ranking"].inputs["candidates"]
    assert not teachers.inputs  # its own answers


def test_a_proxy_is_labelled_trained_and_ranks_as_steps_of_their_own() -> None:
    """Another way of training leaves the labels alone; another share labels anew."""
    chosen = ["ranker=proxy", "ranker@ranker.labels=random"]
    made = lab(*chosen)
    made.check()
    steps = in_order([methods.tuna_c(made)])
    assert labels(steps)[3:] == [
        "rank labels: samples of SFT model",
        "train proxy: samples of SFT model",
        *SAMPLED[1:],
        "train Tuna-c",
    ]
    assert [step.settings["limit"] for step in steps if step.stage == "rank"] == [6, None]
    first = digests(methods.tuna_c, made)
    for override, changed in (("training.epochs=3", 4), ("share=0.5", 5), ("batch_size=2", 0)):
        other = digests(methods.tuna_c, lab(*chosen, f"ranker.{override}"))
        assert sum(other[label] != first[label] for label in first) == changed


def test_a_judge_asked_more_is_expected_to_take_longer() -> None:
    """24 sets of 4 responses: one question each, three orders, 6 pairs in two orders."""
    options = ("random", "contextual", "contextual ranker.orders=3", "pairwise")
    made = [lab(*f"ranker={option}".split()) for option in options]
    works = [one.rank_by_reading(one.sample_student(one.train_sft())).work for one in made]
    assert [w - works[0] for w in works] == pytest.approx([9600.0 * n for n in (0, 1, 3, 12)])


def test_a_comparison_holds_base_and_sft_beside_the_methods() -> None:
    final = lab().compare({"tuna": methods.tuna(lab())})
    assert list(final.settings["methods"]) == ["base", "sft", "tuna"]
    made = labels(list(final.inputs.values()))
    assert made.count("train SFT") == made.count("evaluate SFT on verifiable") == 1
    assert {
        "evaluate base model on verifiable",
        "measure random ranker",
        "measure judge ranker",
    } <= set(made)


@pytest.fixture
def published() -> Lab:
    instruction = Instruction(id="p", instruction="Do it.", reference="Done.")
    ranked = RankedExample.from_scores(instruction, ["Done.", "No."], [1.0, 0.0])
    return replace(lab(), published=[ranked])


def test_a_published_ranking_replaces_the_first_ranking(published: Lab) -> None:
    taken = [*SFT, "take over published ranking", "tokenise published ranking"]
    assert labels(in_order([methods.sft(published)])) == SFT
    for recipe, name in ((methods.tuna_p, "Tuna-p"), (methods.tuna_c, "Tuna-c")):
        assert labels(in_order([recipe(published)])) == [*taken, f"train {name}"]
    stages = [*taken, *TUNA, "train Tuna-c (Tuna)"]
    assert labels(in_order([methods.tuna(published)])) == stages


TRAINED = {*TUNA, "train Tuna-c (Tuna)"}  # Tuna-p's training and what comes after it
STUDIED = {*TUNA[1:], "train Tuna-c (Tuna)"}
READ = {"tokenise teacher's samples"}
EVERYTHING = {*TEACHER, *TRAINED}
FROM_TEACHER = EVERYTHING - {*SFT}
FROM_SFT = EVERYTHING - {"tokenise instructions", *TEACHER[2:]}


@pytest.mark.parametrize(
    "override, changed",
    [
        ("ranking_loss.margin=0.2", TRAINED),
        ("ranking_loss=dpo", TRAINED),
        ("objective.mle_on=best", TRAINED | READ),
        ("objective.use_unordered=false", TRAINED | READ),
        ("objective.share=0.5", TRAINED | READ),
        ("objective.mixed.learning_rate=1e-4", set()),
        ("batching.workers=2", set()),
        ("objective.tuna_p.learning_rate=1e-4", TRAINED),
        ("objective.tuna_c.epochs=2", {"train Tuna-c (Tuna)"}),
        ("objective.sft.epochs=2", FROM_SFT),
        ("optimizer=adamw", FROM_SFT),
        ("batching.max_length=256", FROM_SFT | READ | {"tokenise instructions"}),
        ("lora=lora", FROM_SFT),
        ("trainer.precision=bf16-true", FROM_SFT),
        ("seed=1", FROM_SFT),
        ("model.dtype=bfloat16", EVERYTHING - {"tokenise instructions"}),
        ("model.source.seed=1", EVERYTHING),
        ("model.system_prompt=Hi", EVERYTHING),
        ("dataset.count=23", EVERYTHING),
        ("teacher_ranker.length_exponent=0", TRAINED | READ | {"rank teacher's samples"}),
        ("teacher.examples=[{instruction: a, reference: b}]", FROM_TEACHER),
        ("sampling.diversity=null", FROM_TEACHER),
        ("sampler.dtype=bfloat16", FROM_TEACHER),
        ("sampler=vllm", FROM_TEACHER),
        ("sampler.attn_implementation=eager", set()),
        ("ranker=random", STUDIED - {"sample Tuna-p model"}),
        ("objective.gradient_share_every=0", set()),
        ("objective.checkpoint_minutes=9", set()),
        ("objective.checkpoint_steps=9", set()),
        ("guard_rails=probing", set()),
        ("guard_rails.divergence.action=stop", FROM_SFT),
        ("model.gradient_checkpointing=true", set()),
        ("model.compile=true", set()),
        ("max_refused=0.5", set()),
        ("logger=none", set()),
        ("evaluation.verifiable.count=9", set()),
        ("comparison.resamples=1999", set()),
    ],
)
def test_a_setting_changes_what_it_decides_and_what_follows(
    override: str, changed: set[str]
) -> None:
    before, after = digests(methods.tuna, lab()), digests(methods.tuna, lab(override))
    assert {label for label in before if before[label] != after[label]} == changed


def test_the_teacher_may_be_sampled_otherwise_than_the_student() -> None:
    """All but SFT follows from the teacher's answers in Tuna, nothing in Tuna-c."""
    other = replace(lab().teacher_sampling, diversity=None)
    made = replace(lab(), teacher_sampling=other)
    for recipe, changed in ((methods.tuna, FROM_TEACHER), (methods.tuna_c, set())):
        before, after = digests(recipe, lab()), digests(recipe, made)
        assert {label for label in before if before[label] != after[label]} == changed


@pytest.mark.parametrize(
    "override, changed",
    [
        ("model.dtype=bfloat16", True),
        ("model.source.seed=1", True),
        ("sampler.dtype=bfloat16", True),
        ("model.system_prompt=Hi", True),
        ("evaluation.verifiable.max_new_tokens=13", True),
        ("evaluation.limit=7", True),
        ("evaluation.limit=24", False),  # all there are
        ("comparison.confidence=0.9", True),
        ("lora=lora", False),
        ("ranking_loss.margin=0.2", False),
    ],
)
def test_what_changes_the_score_of_the_base_model(override: str, changed: bool) -> None:
    before, after = (
        made.evaluate(None, None)["verifiable"].digest for made in (lab(), lab(override))
    )
    assert (before != after) == changed


@pytest.mark.parametrize(
    "override, words",
    [
        ("sampling.decoding.responses=1", "teacher samples 1 response"),
        (
            "sampling.decoding.temperature=0 sampling.diversity=null",
            "teacher samples at temperature 0",
        ),
        ("dataset.count=0", "instructions in the dataset: 0"),
        ("evaluation.verifiable.count=0", "evaluation.verifiable.items: 0"),
        ("evaluation.verifiable.batch_size=0", "evaluation.verifiable.batch_size: 0"),
        ("ranker=contextual ranker.answer=letters", "ranker.answer='letters'"),
        ("extra_rankers.judge.batch_size=0", "ranker.batch_size=0"),
    ],
)
def test_parts_that_cannot_work_are_refused_before_anything_runs(override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        lab(*override.split()).check()


def test_a_truth_that_is_not_there_is_refused() -> None:
    plain = [Instruction(id="poem", instruction="Write a poem.")]
    lab().check()
    with pytest.raises(ConfigError, match="ranker=verifier needs instructions with a checker"):
        replace(lab(), instructions=plain).check()
    judged = replace(lab("ranker=contextual"), instructions=plain)
    judged.check()
    with pytest.raises(ConfigError, match="ranker=verifier"):
        replace(judged, extra_rankers={"truth": lab().ranker}).check()


def test_an_engine_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuna_exp.llms.vllm.find_spec", lambda name: None)
    with pytest.raises(UserError, match="sampler=vllm: the package vllm is not installed"):
        lab("sampler=vllm").check()


def test_a_published_ranking_without_any_order_is_refused(published: Lab) -> None:
    """One response, or equal ones: known before a model is loaded."""
    published.check()
    instruction = Instruction(id="p", instruction="Do it.")
    for texts in (["x"], ["x", "y"]):
        ranked = RankedExample.from_scores(instruction, texts, [0.0] * len(texts))
        with pytest.raises(DataError, match="none of the dataset's 1 rankings"):
            replace(published, published=[ranked]).check()


@dataclass(frozen=True)
class Copied:
    """A benchmark made of the training data, as it must not be."""

    instructions: Sequence[Instruction]
    name = "lmentry"
    batch_size = 1

    def items(self) -> list[Instruction]:
        return list(self.instructions)

    def decoding(self) -> Decoding:
        return Decoding(1, 0.0, 1.0, 0, 4)

    def digest(self) -> dict[str, object]:
        return {"benchmark": "copied"}


def test_lmentry_in_the_training_data_is_refused_unless_allowed_and_always_told() -> None:
    """All 24 instructions of the dataset are items too."""
    made = lab()
    copied = replace(made, benchmarks={**made.benchmarks, "lmentry": Copied(made.instructions)})
    with pytest.raises(ConfigError, match="lmentry: 24 of 24 items stand in the training data"):
        copied.compare({"sft": methods.sft(copied)})
    allowed = replace(copied, allow_contaminated=["lmentry"])
    overlaps = allowed.compare({"sft": methods.sft(allowed)}).settings["overlaps"]
    assert [one["either"] for one in overlaps] == [0, 24]


def test_lmentry_in_what_was_sampled_is_refused_before_it_is_learned(tmp_path: Path) -> None:
    """One of two responses repeats an item of the benchmark; the ranking itself is kept."""
    made = lab()
    exam = Instruction(id="q", instruction="Write the word that comes after the other one.")
    watched = replace(made, benchmarks={"lmentry": Copied([exam])})
    ranked = RankedExample.from_scores(made.instructions[0], [exam.text, "no"], [1.0, 0.0])
    write_records(tmp_path / RANKING, [ranked])
    facts = {"refusals": {}, "sets": 1, "ranked_sets": 1, "ordered_pairs": 1}
    step = watched.rank_by_teacher(watched.sample_teacher())
    assert step.accept
    with pytest.raises(ConfigError, match="lmentry: 1 of 1 items stand.*1 in responses"):
        step.accept(Artifact(tmp_path, {"facts": facts}))
    allowed = replace(watched, allow_contaminated=["lmentry"])
    accept = allowed.rank_by_teacher(allowed.sample_teacher()).accept
    assert accept
    accept(Artifact(tmp_path, {"facts": facts}))


def test_sft_leaves_out_what_has_no_response_and_the_likelihood_of_responses_asks_for_all() -> None:
    """Alpaca has 46 such instructions. Nothing is loaded before it is told."""
    bare = Instruction(id="bare", instruction="Do it.")
    made = replace(lab(), instructions=[*lab().instructions, bare])
    steps = {step.label: step for step in in_order([methods.tuna_p(made)])}
    instructions, samples = steps["tokenise instructions"], steps["tokenise teacher's samples"]
    assert instructions.ready and samples.ready
    instructions.ready()
    with pytest.raises(ConfigError, match=r"mle_on=reference.* 1 of 25 .*'bare'.*mle_on=best"):
        samples.ready()
    best = replace(lab("objective.mle_on=best"), instructions=[bare])
    ready = methods.tuna_p(best).inputs["tokens"].ready
    assert ready
    ready()
