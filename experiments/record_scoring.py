"""How long the answers to the published benchmarks take to score, on the machine at hand.

    python -m experiments.record_scoring BENCHMARKS

with the folder of the benchmarks' checkouts writes experiments/evaluation/scoring.json and
scoring.md. Answers are made from the data itself: right ones, wrong ones, sentences around both.
Nothing here says how good a model is.
"""

import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from time import process_time

from rouge_score.rouge_scorer import RougeScorer

from tuna_exp.evaluation.lmentry.benchmark import LMentryBenchmark
from tuna_exp.evaluation.rouge import rouge_l
from tuna_exp.evaluation.superni.sources import read_local
from tuna_exp.records import Candidate, Instruction

OUT = Path(__file__).parent / "evaluation"
SUPERNI = 11_810  # instances of the official test set
OF_THE_PACKAGE = 10  # it is slow: one pair in so many


@dataclass(frozen=True)
class Scored:
    """Seconds of one core for so many answers, and of the published package where it was timed."""

    benchmark: str
    answers: int
    seconds: float
    package_seconds: float | None = None


def stated(number: int, item: Instruction) -> str:
    """Return an answer to LMentry: the bare answer, a sentence with it or with another, in turn."""
    arguments = item.check.arguments if item.check else {}
    answer = str(arguments.get("answer") or arguments.get("word") or "yes")
    other = str(arguments.get("distractor") or arguments.get("category") or answer)
    return (
        answer,
        f'The answer is "{answer}".',
        f"I think that the word {other} comes first, is bigger, longer and follows {answer}.",
    )[number % 3]


def lmentry(path: Path) -> tuple[Scored, int]:
    """Score an answer to every example; returns how many were right besides."""
    benchmark = LMentryBenchmark("lmentry", str(path), None, False, 48, 32)
    items = benchmark.items()
    answers = [Candidate(text=stated(number, item)) for number, item in enumerate(items)]
    start = process_time()
    right = sum(benchmark.score(i, a).passed for i, a in zip(items, answers, strict=True))
    return Scored("LMentry, all tasks", len(items), process_time() - start), right


def superni(path: Path) -> Scored:
    """Score as many pairs as the test set has, by ROUGE-L; the package scores some of them."""
    pairs = list(islice(cycle(_pairs(path)), SUPERNI))
    start = process_time()
    ours = [rouge_l(references, text) for references, text in pairs]
    seconds = process_time() - start
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    some = pairs[::OF_THE_PACKAGE]
    start = process_time()
    theirs = [scorer.score_multi(references, text)["rougeL"].fmeasure for references, text in some]
    package = (process_time() - start) * len(pairs) / len(some)
    if ours[::OF_THE_PACKAGE] != theirs:
        raise AssertionError("ROUGE-L is not the package's")
    return Scored("Super-NaturalInstructions, ROUGE-L", len(pairs), seconds, package)


def _pairs(path: Path) -> Iterator[tuple[Sequence[str], str]]:
    """Yield references with what stands for an answer: another reference, or the input."""
    tasks = read_local(path, None, 100).tasks
    instances = [instance for task in tasks for instance in task.instances]
    for number, (one, other) in enumerate(zip(instances, instances[1:], strict=False)):
        yield one.references, other.references[0] if number % 2 else one.input


def table(measured: Sequence[Scored]) -> str:
    """Return the measurements as Markdown."""
    lines = [
        "| benchmark | answers | seconds of one core | answers a second | times the package |",
        "|---|---|---|---|---|",
    ]
    for one in measured:
        ratio = f"{one.package_seconds / one.seconds:.0f} x" if one.package_seconds else "–"
        rate = f"{one.answers / one.seconds:,.0f}"
        lines.append(
            f"| {one.benchmark} | {one.answers:,} | {one.seconds:.1f} | {rate} | {ratio} |"
        )
    return "\n".join(lines) + "\n"


def main(benchmarks: Path) -> None:
    """Measure and write."""
    scored, right = lmentry(benchmarks / "lmentry")
    measured = [scored, superni(benchmarks / "natural-instructions")]
    OUT.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    content = {"machine": machine, "right": right, "measured": [asdict(one) for one in measured]}
    (OUT / "scoring.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (OUT / "scoring.md").write_text(table(measured), encoding="utf-8")
    sys.stdout.write(table(measured))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
