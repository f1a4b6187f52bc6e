"""What several runs need, with a real store: shared stages once, times and money by hand."""

import os
import time
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tuna_exp.plan import Step, Workspace, execute
from tuna_exp.plan_report import as_json, spans, summary, told_size, told_time
from tuna_exp.planning import Job, Outlook, outlook
from tuna_exp.progress import QuietDisplay
from tuna_exp.services.billing import Bill
from tuna_exp.store import Store


def took(folder: Path, seconds: float) -> None:
    """Have a notebook say that an attempt took so long."""
    began = time.time_ns()
    attempt = folder / ".work" / f"attempt-{began}"
    attempt.parent.mkdir(parents=True, exist_ok=True)
    attempt.touch()
    os.utime(attempt, (began / 1e9 + seconds,) * 2)


def step(label: str, *inputs: Step, work: float = 1.0, stage: str = "sample") -> Step:
    """A step that takes 1000 s per unit of its work and writes 100 bytes, by its own account."""

    def run(space: Workspace) -> None:
        took(space.folder, 1_000 * work)
        (space.folder / "out").write_bytes(b"x" * 100)

    needed = {one.label: one for one in inputs}
    return Step(stage, label, 1, {"what": label}, needed, run, work)


def job(number: int, final: Step, root: Path, **bills: Bill) -> Job:
    by_label = {made.label: made.digest for made in (final, *final.inputs.values())}
    config = OmegaConf.create({"artifacts": str(root)})
    priced = {by_label[label]: bill for label, bill in bills.items()}
    return Job(number, (f"seed={number}",), config, final, priced)


def build(final: Step, root: Path) -> None:
    execute([final], Store(root), QuietDisplay())


def told(found: Outlook) -> list[tuple[str, str, tuple[int, ...]]]:
    return [(stage.step.label, stage.state, stage.jobs) for stage in found.stages]


def test_a_shared_stage_is_one(tmp_path: Path) -> None:
    """3 + 1 and 3 + 2 units: 6 distinct ones, of which 9 would be done if nothing were shared."""
    base = step("base", work=3)
    jobs = [job(n, step(f"final {n}", base, work=n + 1), tmp_path) for n in (0, 1)]
    found = outlook(jobs)
    assert told(found) == [
        ("base", "to do", (0, 1)), ("final 0", "to do", (0,)), ("final 1", "to do", (1,)),
    ]  # fmt: skip
    assert [stage.seconds for stage in found.stages] == [None] * 3
    text = " ".join(summary(found))
    assert "2 run(s), 0 finished. 3 distinct stages: 0 are there, 3 to do (4 if nothing" in text
    assert "One after another: no measurement yet." in text
    assert list(tmp_path.iterdir()) == []


def test_times_are_those_measured(tmp_path: Path) -> None:
    """1000 s a unit: run 1 still needs 2 units of its own, 2000 s."""
    base = step("base", work=3)
    build(step("final 0", base, work=1), tmp_path)
    jobs = [job(n, step(f"final {n}", base, work=n + 1), tmp_path) for n in (0, 1)]
    found = outlook(jobs)
    assert told(found) == [
        ("base", "finished", (0, 1)), ("final 0", "finished", (0,)), ("final 1", "to do", (1,)),
    ]  # fmt: skip
    (missing,) = found.missing
    assert missing.seconds == pytest.approx(2_000, rel=0.01) and missing.size == 100
    assert told_size(found.missing) == "about 100 bytes"
    total = as_json(found)["total"]
    assert (total["stages"], total["to_do"], total["without_measurement"]) == (3, 1, 0)
    assert total["seconds"] == total["at_least_seconds"] == missing.seconds


def test_what_is_not_measured_is_told_beside_what_is(tmp_path: Path) -> None:
    build(step("other", work=1), tmp_path)
    base = step("base", work=2)
    found = outlook([job(0, step("end", base, stage="compare"), tmp_path)])
    assert told_time(found.missing).startswith("about 33 min")
    assert told_time(found.missing).endswith(" s, and 1 with no measurement yet")
    assert (
        "Writes about 100 bytes, and 1 stages with no measurement yet." in list(summary(found))[1]
    )
    assert as_json(found)["total"]["without_measurement"] == 1


def test_steps_that_follow_one_another_bound_the_time(tmp_path: Path) -> None:
    """1000, then 2000 and 3000 beside each other, then 1000: at least 5000 s of 7000."""
    build(step("measured"), tmp_path)
    first = step("first", work=1)
    sides = [step(f"side {work}", first, work=work) for work in (2, 3)]
    found = outlook([job(0, step("last", *sides, work=1), tmp_path)])
    assert found.longest_chain() == pytest.approx(5_000, rel=0.01)
    assert as_json(found)["total"]["seconds"] == pytest.approx(7_000, rel=0.01)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_is_gone_is_needed_only_where_something_missing_is_made_from_it(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    """Run 0 is finished, though its input was pruned; run 1 needs that input again."""
    base = step("base")
    finals = [step(f"final {n}", base) for n in (0, 1)]
    build(finals[0], tmp_path)
    store = Store(tmp_path)
    assert all(store.remove(entry) for entry in store.entries() if entry.key == base.digest[:16])
    found = outlook([job(n, finals[n], tmp_path) for n in order])
    assert sorted(told(found)) == [
        ("base", "to do", (1,)), ("final 0", "finished", (0,)), ("final 1", "to do", (1,)),
    ]  # fmt: skip
    assert "2 run(s), 1 finished." in next(summary(found))


def test_of_an_unfinished_stage_the_rest_is_left(tmp_path: Path) -> None:
    """Of 5000 s that 5 units take, 2000 s are done."""
    build(step("measured"), tmp_path)
    begun = step("begun", work=5)
    took(Store(tmp_path).begin(begun), 2_000)
    (stage,) = outlook([job(0, begun, tmp_path)]).stages
    assert stage.state == "unfinished" and stage.seconds == pytest.approx(3_000, rel=0.01)


def test_a_stage_that_another_process_builds(tmp_path: Path) -> None:
    begun, store = step("begun"), Store(tmp_path)
    with store.lock(begun, lambda _: None):
        store.begin(begun)
        (stage,) = outlook([job(0, begun, tmp_path)]).stages
    assert stage.state == "being built"


def test_equal_runs_are_told_and_counted_once(tmp_path: Path) -> None:
    final = step("final", step("base"))
    found = outlook([job(0, final, tmp_path), job(1, final, tmp_path)])
    assert found.same_as(found.jobs[0]) is None and found.same_as(found.jobs[1]) == 0
    assert len(found.stages) == 2
    assert "2 run(s), 1 of them the same as another" in next(summary(found))


def test_runs_of_two_artifact_folders_share_nothing(tmp_path: Path) -> None:
    """Each needs its own 1000 s; they can be done at the same time."""
    final = step("final")
    for folder in "ab":
        build(step("measured"), tmp_path / folder)
    found = outlook([job(n, final, tmp_path / "ab"[n]) for n in (0, 1)])
    assert told(found) == [("final", "to do", (0,)), ("final", "to do", (1,))]
    assert found.same_as(found.jobs[1]) is None
    assert found.longest_chain() == pytest.approx(1_000, rel=0.01)
    assert as_json(found)["total"]["seconds"] == pytest.approx(2_000, rel=0.01)


def test_a_shared_stage_is_paid_once_and_a_finished_one_not(tmp_path: Path) -> None:
    bill = Bill(requests=2, read=10, generated=5, usd=0.25, bound=1.0)
    base = step("base")
    finals = [step(f"final {n}", base) for n in (0, 1)]
    jobs = [job(n, finals[n], tmp_path, base=bill) for n in (0, 1)]
    assert as_json(outlook(jobs))["total"]["bill"] == vars(bill)
    build(base, tmp_path)
    assert as_json(outlook(jobs))["total"]["bill"]["usd"] == 0


def test_numbers_in_short() -> None:
    assert spans([0, 1, 2, 3, 7, 9, 10]) == "0-3, 7, 9-10"
