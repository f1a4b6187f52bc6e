"""The command: which suite, which cases, how often; what comes out is shown and stored."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from tuna_exp.quiet import quiet_libraries

quiet_libraries()

from rich.console import Console  # noqa: E402

from experiments.speed import cases, machine, plot, sampling, table, training  # noqa: E402
from experiments.speed.cases import Case, Precision, SamplingCase  # noqa: E402
from experiments.speed.coordinator import Plan, measure, measure_sampling  # noqa: E402
from experiments.speed.models import SHAPES  # noqa: E402
from experiments.speed.pool import Pool  # noqa: E402
from experiments.speed.results import Report  # noqa: E402
from tuna_exp.errors import ConfigError, UserError, nearest  # noqa: E402

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Suite:
    """Cases that are measured together and stored in one report."""

    cases: Sequence[Case | SamplingCase]
    forms: Sequence[str]
    rounds: int


def suites(shape: str) -> dict[str, Suite]:
    """Return the suites by name; a 7B-shaped model has lengths of its own and draws no answers."""
    forms = training.forms()
    # Left out where minutes count; `training` has them.
    few = [form for form in forms if "+" not in form]
    fewest = [form for form in few if form != "padded"]
    large = {"training": Suite(cases.TRAINING_7B, forms, 5)}
    small = {
        "quick": Suite(cases.QUICK, fewest, 2),
        "training": Suite(cases.TRAINING, forms, 3),
        "growth": Suite(cases.GROWTH, few, 2),
        "sampling": Suite(cases.SAMPLING, sampling.FORMS, 3),
    }
    return large if shape == "7b" else small


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m experiments.speed", description=__doc__)
    parser.add_argument("suite", help="quick, training, growth, sampling or all (all but quick)")
    parser.add_argument("--cases", metavar="NAME[,NAME]", help="only these cases of the suite")
    parser.add_argument("--forms", metavar="NAME[,NAME]", help="only these forms")
    parser.add_argument("--precisions", metavar="NAME[,NAME]", help="fp32, bf16 or both (default)")
    parser.add_argument("--rounds", type=int, help="rounds per case (default: the suite's)")
    parser.add_argument("--shape", choices=SHAPES, default="smollm2", help="the model")
    parser.add_argument("--seed", type=int, default=0, help="of lengths, tokens and draws")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args(given)


def chosen(wanted: str | None, known: Sequence[str], what: str) -> list[str]:
    """Return the names wanted, all where none are given. Raises ConfigError for an unknown one."""
    names = wanted.split(",") if wanted else list(known)
    for name in names:
        if name not in known:
            raise ConfigError(
                f"{what} {name} is not one of {', '.join(known)}.{nearest(name, known)}"
            )
    return names


def run(told: argparse.Namespace, name: str, suite: Suite, command: str) -> Report:
    """Measure a suite; the report is stored anew after every case."""
    known = [case.name for case in suite.cases]
    wanted = chosen(told.cases, known, "--cases")
    plan = Plan(
        shape=told.shape,
        seed=told.seed,
        rounds=told.rounds or suite.rounds,
        forms=chosen(told.forms, suite.forms, "--forms"),
        precisions=precisions(told),
        say=lambda text: console(stderr=True).print(text, markup=False, highlight=False),
    )
    report = Report(
        suite=name,
        command=command,
        started=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine.describe(),
        shape=plan.shape,
        seed=plan.seed,
        rounds=plan.rounds,
        asked=wanted,
    )
    with Pool(shared=False) as pool:
        for case in (case for case in suite.cases if case.name in wanted):
            one = measure_sampling if isinstance(case, SamplingCase) else measure
            report.results.append(one(pool, plan, case))  # type: ignore[arg-type]
            store(report, told.out)
    return report


def precisions(told: argparse.Namespace) -> list[Precision]:
    """Return the precisions to measure in. Raises ConfigError for fp32 with weights in bf16."""
    known: tuple[Precision, ...] = get_args(Precision)
    if told.shape == "7b":
        if told.precisions not in (None, "bf16"):
            raise ConfigError(
                f"--precisions {told.precisions} with --shape 7b, whose weights are bf16. "
                "Cure: leave --precisions away."
            )
        return ["bf16"]
    names = chosen(told.precisions, known, "--precisions")
    return [precision for precision in known if precision in names]


def store(report: Report, folder: Path) -> None:
    """Write the report as JSON, Markdown and a chart."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [report.suite, report.shape, report.machine.device]
    name = "-".join(part for part in parts if part not in ("smollm2", "cpu"))
    (folder / f"{name}.json").write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(table.markdown(report), encoding="utf-8")
    plot.draw(report, folder / f"{name}.svg")


def console(stderr: bool = False) -> Console:
    """Return the terminal; in a pipe or a file lines are as long as they need be."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 240)


def main(given: Sequence[str]) -> int:
    """Run what was asked for; 2 and a message where that cannot be."""
    told = arguments(given)
    try:
        known = suites(told.shape)
        everything = [name for name in known if name != "quick"]
        names = everything if told.suite == "all" else chosen(told.suite, list(known), "suite")
        command = " ".join(["python -m experiments.speed", *given])
        for name in names:
            table.show(run(told, name, known[name], command), console())
    except UserError as failure:
        sys.stderr.write(f"{failure}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
