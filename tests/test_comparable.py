"""Which runs are seeds of one method, by all that made them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.comparable import Lineage, groups, lineage, not_pooled, remarks
from tuna_exp.plan import Step, Workspace
from tuna_exp.records import (
    Instruction,
    Judgement,
    Origin,
    RankedExample,
    write_records,
)
from tuna_exp.stages.rank import RANKING

TINY, LARGE = {"name": "tiny"}, {"name": "large"}


def made(base: dict[str, object] = TINY, /, **settings: object) -> Lineage:
    return Lineage({("train SFT", key): value for key, value in settings.items()}, base)


def test_a_seed_explains_its_own_values_and_nothing_else() -> None:
    """0 and 1 as the runs' seeds say; the data's 5 and 6 are not their seeds, nor is the rate's."""
    one, other = made(seed=0, rate=0, data=5), made(seed=1, rate=1, data=5)
    assert [c.key for c in one.changes(other, ("0", "1"))] == ["rate"]
    assert [c.key for c in made(seed=5).changes(made(seed=6), ("0", "1"))] == ["seed"]
    told = str(made(rate=2).changes(made(), ("0", "0"))[0])
    assert told == '"train SFT" has rate 2, not absent'


def test_seeds_with_another_setting_are_not_pooled() -> None:
    """Seed 2 was trained with a rate of 9, seed 3 too: they are a method of their own."""
    models = {str(seed): made(seed=seed, rate=9 if seed > 1 else 1) for seed in range(4)}
    parts = groups(models)
    assert parts == [["0", "1"], ["2", "3"]]
    assert not_pooled("sft", models, parts) == [
        'sft with seed 2, 3 is not pooled with seed 0, 1: "train SFT" has rate 9, not 1.'
    ]


@given(st.dictionaries(st.integers(0, 9), st.integers(0, 3), min_size=1))
def test_every_seed_is_in_one_group_and_groups_are_alike(rates: dict[int, int]) -> None:
    models = {str(seed): made(seed=seed, rate=rate) for seed, rate in rates.items()}
    parts = groups(models)
    assert sorted(seed for part in parts for seed in part) == sorted(models)
    assert all(len({rates[int(seed)] for seed in part}) == 1 for part in parts)
    assert len(parts) == len(set(rates.values()))


def test_another_base_model_is_told() -> None:
    methods = {"sft": made(), "tuna_c": made(), "tuna_c large": made(LARGE), "mock": made({})}
    assert remarks(methods, "sft") == [
        "tuna_c large starts from another base model than sft (name large, not tiny): their "
        "difference is one of base models too."
    ]


def unbuilt(work: Workspace) -> None:
    raise AssertionError(work)


@pytest.fixture
def figures(tmp_path: Path) -> Callable[[str, str], tuple[Step, Path]]:
    """A model that was trained on what a service ranked, and the folder of that ranking."""

    def build(snapshot: str, service: str = "https://judge") -> tuple[Step, Path]:
        def step(stage: str, label: str, settings: dict[str, object], **inputs: Step) -> Step:
            return Step(stage, label, 1, settings, inputs, unbuilt)

        folder = tmp_path / snapshot
        folder.mkdir()
        said = Judgement(
            shown=("a", "b"), scores=(0, 1), origin=Origin(request="r", model=snapshot)
        )
        poem = Instruction(id="poem", instruction="Write a poem.")
        example = RankedExample.from_scores(poem, ["a", "b"], [0, 1], judgements=[said])
        write_records(folder / RANKING, [example])
        ranked = step("rank", "rank samples", {"ranker": {"llm": {"service": service}}})
        base = step("train", "train SFT", {"model": {"source": TINY}})
        tuned = step("train", "train Tuna-c", {"model": {}}, model=base, ranking=ranked)
        asked = step("evaluate", "evaluate", {"llm": {"dtype": "float32"}}, model=tuned)
        return step("figures", "figures", {}, predictions=asked), folder

    return build


def test_another_snapshot_of_one_judge_is_told_and_not_pooled(
    figures: Callable[[str, str], tuple[Step, Path]],
) -> None:
    """Both runs asked "gpt"; the service named gpt-1 to the one and gpt-2 to the other."""
    lineages = {}
    for name in ("gpt-1", "gpt-2"):
        step, folder = figures(name, "https://judge")
        lineages[name[-1]] = lineage(
            step, lambda one, at=folder: at if one.stage == "rank" else None
        )
    assert groups(lineages) == [["1"], ["2"]]
    assert lineages["1"].base == TINY
    assert remarks(lineages, "1") == [
        '"rank samples" of 2 was answered by snapshot gpt-2, that of 1 by gpt-1: their difference '
        "is one of snapshots too."
    ]


def test_a_judge_in_front_of_marks_does_not_hide_the_model(
    figures: Callable[[str, str], tuple[Step, Path]],
) -> None:
    step, _ = figures("gpt-1", "https://judge")
    judged = Step("judge", "judge", 1, {}, {"evaluation": step.inputs["predictions"]}, unbuilt)
    marked = Step("figures", "figures", 1, {}, {"predictions": judged}, unbuilt)
    assert lineage(marked, lambda _: None) == lineage(step, lambda _: None)
