"""Records of runs: which models are seeds of one method, and what a broken record says."""

from pathlib import Path

import pytest

from tuna_exp.errors import UserError
from tuna_exp.run_records import Model, RunRecord, Scored, named_apart, read_runs
from tuna_exp.sweeps.outcomes import RUN_FILE


def model(name: str, **answers: str) -> Model:
    """A model and its answers by benchmark; by default its name stands for them."""
    made = answers or {"verifiable": name}
    return Model(model=name, scores={n: Scored(answers=a, figures=a) for n, a in made.items()})


def run_of(
    evaluated: dict[str, str | Model], *overrides: str, seed: int | None = None
) -> RunRecord:
    models = {n: m if isinstance(m, Model) else model(m) for n, m in evaluated.items()}
    return RunRecord(
        artifacts="a", comparison="c", evaluated=models, overrides=overrides, seed=seed
    )


def named(*runs: RunRecord) -> dict[str, dict[str, str]]:
    return {
        name: {seed: made.model for seed, made in models.items()}
        for name, models in named_apart(runs).items()
    }


def test_runs_that_differ_by_their_seed_are_one_method() -> None:
    """A model that all have has no seed; a seed that only an override tells is one too."""
    runs = [
        run_of({"base": "b", "sft": "s0", "tuna": "t0"}, "model=tiny", "method=tuna", seed=0),
        run_of({"base": "b", "sft": "s1", "dpo": "d"}, "seed=1", "model=tiny", "method=dpo"),
    ]
    expected = {
        "base": {"": "b"},
        "sft": {"0": "s0", "1": "s1"},
        "tuna": {"0": "t0"},
        "dpo": {"1": "d"},
    }
    assert named(*runs) == expected


def test_settings_that_make_a_difference_are_methods_of_their_own() -> None:
    """The loss decides tuna_c and not sft: two seeds of the one, two times two of the other."""
    made = [
        run_of({"sft": f"s{seed}", "tuna_c": f"{loss}{seed}"}, f"ranking_loss={loss}", seed=seed)
        for loss in ("dpo", "rrhf")
        for seed in (0, 1)
    ]
    assert named(*made) == {
        "sft": {"0": "s0", "1": "s1"},
        "tuna_c dpo": {"0": "dpo0", "1": "dpo1"},
        "tuna_c rrhf": {"0": "rrhf0", "1": "rrhf1"},
    }


def test_another_base_model_is_never_another_seed() -> None:
    runs = [run_of({"sft": n}, f"model={n}", seed=seed) for seed, n in enumerate("ab")]
    assert named(*runs) == {"sft a": {"0": "a"}, "sft b": {"1": "b"}}


def test_runs_that_nothing_tells_apart_are_numbered() -> None:
    runs = [run_of({"sft": "x"}), run_of({"sft": "y"})]
    assert named(*runs) == {"sft": {"": "x"}, "sft run 1": {"": "y"}}
    same_seed = [run_of({"sft": "x"}, seed=0), run_of({"sft": "y"}, seed=0)]
    assert named(*same_seed) == {"sft": {"0": "x"}, "sft run 1": {"0": "y"}}


def test_a_model_has_the_benchmarks_of_all_runs_and_other_answers_make_it_another() -> None:
    both = [model("x", verifiable="v"), model("x", lmentry="l")]
    ((made,),) = (m.values() for m in named_apart([run_of({"sft": one}) for one in both]).values())
    assert {name: scored.answers for name, scored in made.scores.items()} == {
        "lmentry": "l",
        "verifiable": "v",
    }
    fewer = run_of({"sft": model("x", verifiable="w")}, "evaluation.limit=4")
    assert list(named(run_of({"sft": both[0]}), fewer)) == ["sft", "sft limit=4"]


def test_a_run_file_that_is_broken_is_named(tmp_path: Path) -> None:
    (tmp_path / RUN_FILE).write_text('{"artifacts": ')
    with pytest.raises(UserError, match="run.json cannot be read: .* Cure: run its experiment"):
        read_runs([tmp_path])
