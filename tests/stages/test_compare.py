"""What a comparison reads from artifacts: costs, curves and rankings."""

import csv
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tuna_exp.comparison.json_text import json_text
from tuna_exp.comparison.results import Tokens
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.datasets.verifiable import VerifiableDataset
from tuna_exp.evaluation.contamination import remark_on_unknown
from tuna_exp.evaluation.open_ended.judging import Comparison as Judged
from tuna_exp.evaluation.verifiable import VerifiableBenchmark
from tuna_exp.plan import Workspace
from tuna_exp.records import (
    Instruction,
    Judgement,
    Origin,
    Prediction,
    RankedExample,
    write_records,
)
from tuna_exp.stages.compare import Settings, compare, judged_by, method_result
from tuna_exp.stages.evaluate import FIGURES, PREDICTIONS
from tuna_exp.stages.inputs import Inputs, read_curve
from tuna_exp.stages.judge import COMPARISONS
from tuna_exp.stages.measured import rankings, trusts
from tuna_exp.stages.rank import RANKING

MakeWork = Callable[..., Workspace]
SETTINGS = Settings("sft", 0.95, 999, 0, 8, "disabled", "tuna_exp")
BENCHMARK = VerifiableBenchmark(count=12, seed=1, kinds=None, max_new_tokens=4, batch_size=2)


class Artifacts:
    """Folders with manifests, as a store would hold them; every stage takes one second."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders: dict[str, Path] = {}

    def add(
        self,
        stage: str,
        inputs: Sequence[str] | Mapping[str, str] = (),
        settings: Mapping[str, Any] = {},
        **facts: Any,
    ) -> str:
        digest = f"{len(self.folders):064x}"[::-1]
        named = inputs if isinstance(inputs, Mapping) else dict(enumerate(inputs))
        made = {key: name.partition("-") for key, name in named.items()}
        manifest = {
            "stage": stage,
            "label": f"{stage} {len(self.folders)}",
            "digest": digest,
            "settings": settings,
            "wall_seconds": 1.0,
            "facts": facts,
            "inputs": {
                n: {"stage": s, "digest": d.ljust(64, "0")} for n, (s, _, d) in made.items()
            },
        }
        name = f"{stage}-{digest[:16]}"
        self.folders[name] = self.root / name
        self.folders[name].mkdir()
        (self.folders[name] / "manifest.json").write_text(json.dumps(manifest))
        return name


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path)


def predictions(count: int, passed: bool) -> list[Prediction]:
    items = VerifiableDataset(count=count, seed=1, split="held_out").load()
    return [
        Prediction(instruction=i, text="x", tokens=2, passed=passed, score=passed) for i in items
    ]


def test_the_cost_counts_every_ancestor_once(artifacts: Artifacts) -> None:
    """SFT (100 tokens) is input of both the samples (10) and the training (1000); 4 stages.

    Trained: 100 + 1000; generated: 10 by the student and 3 by the judge, which read 40.
    Evaluations cost nothing: they are the same for every method.
    """
    sft = artifacts.add("train", trained_tokens=100)
    sampled = artifacts.add("sample", [sft], generated_tokens=10)
    ranked = artifacts.add("rank", [sampled], judge_read_tokens=40, generated_tokens=3)
    tuned = artifacts.add("train", [sft, ranked], trained_tokens=1000)
    evaluated = artifacts.add("evaluate", [tuned], generated_tokens=5)
    inputs = Inputs(artifacts.folders)
    assert inputs.cost(evaluated) == (4.0, Tokens(1100, 13, 40))
    assert inputs.cost(sft) == (1.0, Tokens(trained=100))
    assert inputs.ancestors(evaluated) == [sft, sampled, ranked, tuned, evaluated]


def test_a_method_has_the_curve_of_its_last_training(artifacts: Artifacts) -> None:
    sft = artifacts.add("train", trained_tokens=1)
    tuned = artifacts.add("train", [sft], trained_tokens=1)
    evaluated = artifacts.add("evaluate", [tuned])
    for name, loss in ((sft, 1.0), (tuned, 2.0)):
        log_metrics(artifacts.folders[name], 0, f"step,loss\n0,{loss}\n", 0)
    write_records(artifacts.folders[evaluated] / PREDICTIONS, predictions(4, True))
    figures = artifacts.add("figures", {"predictions": evaluated})
    made = method_result(Inputs(artifacts.folders), "tuna_p", {"0": figures})
    assert made.curves == [{"step": 0.0, "loss": 2.0}] and len(made.predictions) == 4


def log_metrics(folder: Path, version: int, text: str, written: float) -> None:
    path = folder / "logs" / "module" / f"version_{version}" / "metrics.csv"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    os.utime(path, (written, written))


def test_a_continuation_wins_over_what_it_repeats(tmp_path: Path) -> None:
    """Killed after step 2, continued from step 2; a value that is empty replaces none."""
    log_metrics(tmp_path, 10, "step,loss,margin\n2,0.7,\n3,0.6,0.1\n", written=2)
    log_metrics(tmp_path, 9, "step,loss,margin\n0,1.0,\n1,0.9,0.0\n2,0.8,0.2\n", written=1)
    curve = read_curve(tmp_path)
    assert [row["loss"] for row in curve] == [1.0, 0.9, 0.7, 0.6]
    assert curve[2] == {"step": 2.0, "loss": 0.7, "margin": 0.2}
    assert "margin" not in curve[0]


def test_only_rankings_with_a_truth_are_measured(artifacts: Artifacts) -> None:
    """The dataset's own response above an empty one is right; a poem has no truth."""
    item = VerifiableDataset(count=1, seed=0).load()[0]
    poem = Instruction(id="poem", instruction="Write a poem.")
    for instruction, refused in ((item, {"empty": 3}), (poem, {})):
        settings = {"ranker": {"ranker": "contextual"}}
        name = artifacts.add("rank", settings=settings, refusals=refused)
        texts = [item.reference or "", ""]
        ranked = RankedExample.from_scores(instruction, texts, [1.0, 0.0])
        write_records(artifacts.folders[name] / RANKING, [ranked])
    measured = rankings(Inputs(artifacts.folders), Bootstrap(0.95, 999, 0))
    assert [(m.name, m.ranker, m.pairs) for m in measured] == [("0", "contextual", 1)]
    assert measured[0].refusals == {"empty": 3}


def test_dollars_are_added_up(artifacts: Artifacts) -> None:
    """0.5 for samples and 0.25 for a judge."""
    sampled = artifacts.add("sample", usd=0.5)
    ranked = artifacts.add("rank", [sampled], usd=0.25)
    tuned = artifacts.add("train", [ranked])
    assert Inputs(artifacts.folders).cost(tuned)[1] == Tokens(usd=0.75)


def test_every_ranking_is_measured_by_itself_and_with_others(artifacts: Artifacts) -> None:
    """Two rankers of the same poems, one the other's reverse; a third has another poem."""
    for scores, name in (([1.0, 0.0], "poem"), ([0.0, 1.0], "poem"), ([1.0, 0.0], "ode")):
        added = artifacts.add("rank", refusals={})
        poem = Instruction(id=name, instruction="Write a poem.")
        ranked = RankedExample.from_scores(poem, ["x", "yy"], scores)
        write_records(artifacts.folders[added] / RANKING, [ranked])
    trust, agreements = trusts(Inputs(artifacts.folders), Bootstrap(0.95, 999, 0))
    assert [(t.name, t.figures.sets) for t in trust] == [("0", 1), ("1", 1), ("2", 1)]
    (agreement,) = agreements
    assert agreement.rankings == ("0", "1")
    assert agreement.tau is not None and agreement.tau.value == -1


def scored(
    artifacts: Artifacts,
    answers: list[Prediction],
    of: int,
    made_from: str = "",
    **settings: object,
) -> str:
    """Answers and the figures over them, as the stages write them."""
    name = artifacts.add("evaluate", {"model": made_from} if made_from else (), of=of)
    write_records(artifacts.folders[name] / PREDICTIONS, answers)
    made = {"benchmark": {"count": of, **settings}, "bootstrap": asdict(SETTINGS.bootstrap)}
    figures = artifacts.add("figures", {"predictions": name}, made)
    measured = BENCHMARK.figures(answers, SETTINGS.bootstrap)
    (artifacts.folders[figures] / FIGURES).write_text(json_text(measured))
    return figures


METHODS = (("base", False), ("sft", False), ("tuna_p", True))


def compared(
    artifacts: Artifacts, make_work: MakeWork, methods: Mapping[str, Mapping[str, str]]
) -> Path:
    work = make_work(**artifacts.folders)
    order = list(dict.fromkeys(name for made in methods.values() for name in made))
    runs = {m: {name: {"0": figures} for name, figures in b.items()} for m, b in methods.items()}
    compare(runs, order, SETTINGS, (), 13, work)
    return work.folder


def test_a_comparison_writes_table_and_report(artifacts: Artifacts, make_work: MakeWork) -> None:
    methods = {m: {"verifiable": scored(artifacts, predictions(12, p), 12)} for m, p in METHODS}
    folder = compared(artifacts, make_work, methods)
    table = (folder / "table.ansi").read_text()
    assert all(method in table for method in methods) and "subset" not in table
    report = (folder / "report.html").read_text()
    assert "tuna_p" in report and report.startswith("<!")


def test_several_benchmarks_and_a_subset_are_marked_everywhere(
    artifacts: Artifacts, make_work: MakeWork
) -> None:
    """12 of 1,200 items of the first, all 8 of the second; Tuna-p is 100 points above on both."""
    methods = {
        m: {
            "verifiable": scored(artifacts, predictions(12, p), 1200),
            "other": scored(artifacts, predictions(8, p), 8),
        }
        for m, p in METHODS
    }
    folder = compared(artifacts, make_work, methods)
    for file in ("table.ansi", "table.md", "comparison.json", "report.html"):
        text = " ".join((folder / file).read_text().split()).replace("Subset", "subset")
        assert "subset 12 of 1,200" in text and "8 items" in text, file
    rows = list(csv.DictReader((folder / "figures.csv").open()))
    (made,) = [
        r
        for r in rows
        if (r["benchmark"], r["method"], r["metric"], r["group"])
        == ("other", "tuna_p", "passed", "all")
    ]
    assert (made["items"], made["of"], float(made["difference"])) == ("8", "8", 1)
    assert made["verdict"] == "better"


def test_what_is_not_comparable_is_left_out_and_told(
    artifacts: Artifacts, make_work: MakeWork
) -> None:
    """Tuna-p answered a subset, Tuna-c another benchmark alone; neither gets into the tables."""
    part = {"subset": {"limit": 6}}
    methods = {
        "sft": {"verifiable": scored(artifacts, predictions(12, False), 12)},
        "base": {"verifiable": scored(artifacts, predictions(12, True), 12, max_new_tokens=9)},
        "tuna_p": {"verifiable": scored(artifacts, predictions(6, True), 12, **part)},
        "tuna_c": {"other": scored(artifacts, predictions(12, True), 12)},
    }
    folder = compared(artifacts, make_work, methods)
    content = json.loads((folder / "comparison.json").read_text())
    assert {row["method"] for row in content["rows"]} == {"sft", "base"}
    assert content["benchmarks"][0]["remarks"] == [
        "tuna_p is left out of verifiable: it was asked 6 of 12 items, sft 12 of 12 items "
        "(subset.limit 6, not absent).",
        "base was asked verifiable with another max_new_tokens than sft (9, not None).",
        "tuna_c has no evaluation on verifiable.",
    ]
    assert remark_on_unknown(["verifiable", "other"]) in content["notes"]
    assert "sft has no evaluation on other: there are no differences to it." in content["notes"]
    assert {row["difference"] for row in content["benchmarks"][1]["rows"]} == {None}


def test_another_judge_or_snapshot_is_another_benchmark(tmp_path: Path) -> None:
    """Both asked "gpt"; a service that named another snapshot is another judge."""
    poem = Instruction(id="poem", instruction="Write a poem.")
    manifest = {"stage": "judge", "settings": {"judging": {"model": "gpt"}}, "inputs": {}}
    for snapshot in ("gpt-1", "gpt-2"):
        folder = tmp_path / snapshot
        folder.mkdir()
        origin = Origin(request="r", model=snapshot)
        said = Judgement(shown=("a", "b"), scores=(1, 0), origin=origin)
        pair = Judged(instruction=poem, answer="a", other="b", preference=1.0, judgements=(said,))
        write_records(folder / COMPARISONS, [pair])
        told = {"model": "gpt", "snapshot": snapshot, "compared_with": "reference"}
        assert judged_by(folder, manifest) == {"judge": told}
    assert judged_by(tmp_path, {"stage": "evaluate"}) == {}


def test_what_was_sampled_for_training_is_looked_through(
    artifacts: Artifacts, make_work: MakeWork
) -> None:
    """Tuna-p learned from a response that is the text of one of the 6 items."""
    answers = predictions(6, True)
    ranked = artifacts.add("rank", refusals={})
    poem = Instruction(id="poem", instruction="Write a poem.")
    copied = RankedExample.from_scores(poem, [answers[2].instruction.text, "o"], [1.0, 0.0])
    write_records(artifacts.folders[ranked] / RANKING, [copied])
    figures = scored(artifacts, answers, 6, made_from=artifacts.add("train", [ranked]))
    work = make_work(**artifacts.folders)
    alone = replace(SETTINGS, baseline="tuna_p")
    compare({"tuna_p": {"verifiable": {"0": figures}}}, ["verifiable"], alone, (), 13, work)
    (told,) = json.loads((work.folder / "comparison.json").read_text())["benchmarks"][0]["remarks"]
    assert told.startswith(
        "1 of the 6 items of verifiable (16.7%) stand in the training data, 0 in"
    )


def test_what_methods_do_not_share_is_told(artifacts: Artifacts, make_work: MakeWork) -> None:
    runs = {
        m: {"verifiable": {"0": scored(artifacts, predictions(12, passed), 12)}}
        for m, passed in METHODS
    }
    work = make_work(**artifacts.folders)
    told = ["tuna_p has another base model."]
    compare(runs, ["verifiable"], SETTINGS, (), 13, work, remarks=told)
    for file in ("comparison.json", "table.md", "report.html", "table.ansi"):
        assert "tuna_p has another base model." in (work.folder / file).read_text(), file
