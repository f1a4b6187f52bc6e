"""`tuna-exp plan`: what it foretells is what a run then does, and it writes nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command
from tuna_exp.composing import loading
from tuna_exp.plan import execute, in_order
from tuna_exp.planning import Parts
from tuna_exp.progress import QuietDisplay
from tuna_exp.store import Store

SMALL = (
    "experiment=tiny", "dataset.count=8", "evaluation.verifiable.count=8", "method=sft",
    "~ranker@extra_rankers.judge", "~ranker@extra_rankers.random", "comparison.resamples=100",
)  # fmt: skip
PRICED = (
    "teacher=openai", "teacher.endpoint.price.read=1", "teacher.endpoint.price.generated=2",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _cache(tiny_folder: Path) -> None:
    """The tiny model is made once."""


def planned(tuna_exp: Command, *arguments: str, status: int = 0) -> dict[str, Any]:
    ended, out, err = tuna_exp("plan", *SMALL, *arguments, "--json")
    assert ended == status, err
    told: dict[str, Any] = json.loads(out)
    return told


def states(told: dict[str, Any]) -> dict[str, str]:
    return {f"{stage['stage']}/{stage['digest']}": stage["state"] for stage in told["stages"]}


def test_a_run_builds_what_was_planned_and_the_next_plan_finds_it(
    tuna_exp: Command, tmp_path: Path
) -> None:
    """All but the comparison are built here: base and SFT model are scored."""
    before = planned(tuna_exp)
    assert set(states(before).values()) == {"to do"} and list(tmp_path.iterdir()) == []
    assert before["total"]["without_measurement"] == before["total"]["to_do"] == 7
    with loading(None) as configs:
        final = Parts().final(configs.compose(SMALL))
    execute(list(final.inputs.values()), Store(Path("artifacts")), QuietDisplay())
    built = {f"{e.folder.parent.name}/{e.key}" for e in Store(Path("artifacts")).entries()}
    assert built == set(states(before)) - {f"compare/{final.digest[:16]}"}

    after = planned(tuna_exp)
    assert {place for place, state in states(after).items() if state == "finished"} == built
    assert after["total"]["to_do"] == 1
    # Another seed: the base model's evaluation, its figures and the tokens are there.
    again = planned(tuna_exp, "-m", "seed=0,1")
    assert [run["to_do"] for run in again["runs"]] == [1, 4]
    shared = [s["stage"] for s in again["stages"] if s["runs"] == [0, 1]]
    assert sorted(shared) == ["evaluate", "figures", "tokenise"]
    assert again["total"]["stages"] == 7 + 4 and again["total"]["to_do"] == 5
    train = next(s for s in again["stages"] if s["stage"] == "train" and s["state"] == "to do")
    (done,) = [e for e in Store(Path("artifacts")).entries() if e.manifest["stage"] == "train"]
    assert train["seconds"] == pytest.approx(done.manifest["wall_seconds"])
    assert train["bytes"] == sum(file["bytes"] for file in done.manifest["files"].values())

    status, out, err = tuna_exp("plan", *SMALL, "-m", "seed=0,1")
    assert (status, err) == (0, "") and "about $" not in out
    assert "2 run(s), 0 finished. 11 distinct stages: 6 are there, 5 to do." in out
    assert "with no measurement yet" in out  # of comparisons


def test_what_services_are_paid_is_on_it_once(tuna_exp: Command, tmp_path: Path) -> None:
    """Two seeds share the teacher's samples: 8 requests, at $1 and $2 per million tokens."""
    told = planned(tuna_exp, "-m", *PRICED, "method=tuna_p", "seed=0,1")
    (sampled,) = [s for s in told["stages"] if s["label"] == "sample teacher"]
    bill = sampled["bill"]
    assert sampled["runs"] == [0, 1] and bill["requests"] == 8
    assert bill["usd"] == pytest.approx((bill["read"] + 2 * bill["generated"]) / 1e6)
    assert told["total"]["bill"] == bill
    settings = [*SMALL, *PRICED, "method=tuna_p"]
    status, out, _ = tuna_exp("estimate", *settings, "--json")
    estimated = json.loads(out)
    assert status == 0 and estimated["total"] == bill
    assert [step["step"] for step in estimated["steps"]] == ["sample teacher"]
    out = tuna_exp("plan", *settings, "budget.usd=2")[1]
    assert f"Services: about ${bill['usd']:.4f}, at most ${bill['bound']:.4f}, 8 requests." in out
    assert "Budget 'all': $0.0000 spent, capped at $2.00." in out
    assert list(tmp_path.iterdir()) == []


def test_jobs_that_cannot_run_are_told_beside_the_others(tuna_exp: Command) -> None:
    """A wrong value, an option that is not there, a price that nobody knows."""
    told = planned(tuna_exp, "-m", "seed=0,x", status=2)
    assert [("error" in run) for run in told["runs"]] == [False, True]
    assert "seed='x': should be a valid integer" in told["runs"][1]["error"]
    wrong = ("-m", "model=tiny,tny", "teacher=openai", "method=tuna_p")
    status, out, _ = tuna_exp("plan", *SMALL, *wrong)
    assert status == 2 and "run 1 cannot run: model=tny: no such option" in out
    model = "teacher.endpoint.model=gpt-4.1-mini,nothing"
    status, out, _ = tuna_exp("plan", *SMALL, "-m", "teacher=openai", "method=tuna_p", model)
    assert status == 2 and "run 1 cannot run: the price of nothing is not known" in out
    assert "1 run(s), 0 finished" in out


def test_equal_jobs_are_one(tuna_exp: Command) -> None:
    told = planned(tuna_exp, "-m", "seed=0,0")
    assert [run["same_as"] for run in told["runs"]] == [None, 0]
    assert told["total"]["stages"] == len(told["runs"][0]["stages"])


BAD = {
    "modle=tiny": "Did you mean 'model'",
    "seed=x": "seed='x': should be a valid integer",
    "--foo": "unrecognized arguments: --foo",
    "strategy=deepspeed_zero2": "Cure: ",
    "artifacts=taken": "taken is a file, expected a folder",
    "dataset=jsonl dataset.path=nowhere.jsonl ~dataset.count": "nowhere.jsonl does not exist",
    "teacher=openai method=tuna_p teacher.endpoint.model=x": "the price of x is not known",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_input_is_told(arguments: str, tuna_exp: Command) -> None:
    Path("taken").write_text("")
    status, out, err = tuna_exp("plan", *SMALL, *arguments.split())
    assert (status, out) == (2, "") and BAD[arguments] in err, err
    assert len(err.splitlines()) < 20 and "Traceback" not in err


def test_steps_of_a_plan_are_those_of_a_run() -> None:
    """A part that is made once for several configs is the one that each would have made."""
    parts, configs = Parts(), []
    with loading(None) as loaded:
        configs += [loaded.compose([*SMALL, f"seed={n}", f"dataset.count={8 + n}"]) for n in (0, 1)]
    together = [parts.final(config) for config in configs]
    apart = [Parts().final(config) for config in configs]
    for one, other in zip(together, apart, strict=True):
        assert [s.digest for s in in_order([one])] == [s.digest for s in in_order([other])]
