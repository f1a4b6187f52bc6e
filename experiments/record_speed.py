"""Show how fast a training step is in the README, between the markers of `speed`.

    python -m experiments.record_speed

reads experiments/speed/results/training.json, which `make bench` writes. Nothing is chosen by hand.
"""

from collections.abc import Iterator
from pathlib import Path

from experiments.record import ROOT, inserted
from experiments.speed import ours, table
from experiments.speed.cases import Case, Precision
from experiments.speed.results import CaseResult, Ratio, Report, memory, seconds
from experiments.speed.training import ACCUMULATED, RELEASED

RESULTS = Path(__file__).parent / "speed/results/training.json"
HEADS = {
    "shared_prompt": "as it comes",
    f"shared_prompt{ours.COMPILED}": "compiled",
    f"shared_prompt{ours.COMPILED}{ours.SMALL}": "compiled, small micro-batches",
}
OTHERS = {RELEASED: "released", ACCUMULATED: "released, two prompts at a time"}


def summary(report: Report) -> str:
    """Return a table of ratios, one line for each case and precision."""
    heads = ["batch", "against", "precision", *HEADS.values()]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    lines += [f"| {' | '.join(row)} |" for found in report.results for row in rows(found)]
    return "\n".join(lines)


def rows(found: CaseResult) -> Iterator[list[str]]:
    """Yield the cells of every precision: against the released form, or as much of it as fits."""
    case = found.case
    if not isinstance(case, Case):
        return
    for precision in dict.fromkeys(variant.precision for variant in found.variants):
        other = next((f for f in OTHERS if found.variant(f, precision)), None)
        if other:
            cells = [cell(found, form, precision, other) for form in HEADS]
            yield [case.words, OTHERS[other], precision, *cells]


def cell(found: CaseResult, form: str, precision: Precision, other: str) -> str:
    """Return how much faster a form is, and how much less memory it takes where that compares."""
    variant = found.variant(form, precision)
    if variant is None:
        return table.NOTHING
    faster = times(table.against(found, variant, other, seconds))
    if other != RELEASED:
        return f"{faster} faster"
    return f"{faster} faster, {times(table.against(found, variant, other, memory))} less memory"


def times(ratio: Ratio | None) -> str:
    """Return a ratio's median in words."""
    return f"{ratio.middle:.1f} x" if ratio else table.NOTHING


def main() -> None:
    """Write the table into the README."""
    report = Report.model_validate_json(RESULTS.read_text(encoding="utf-8"))
    readme = ROOT / "README.md"
    text = inserted(readme.read_text(encoding="utf-8"), "speed", summary(report))
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
