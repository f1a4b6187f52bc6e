"""A report as a table: Markdown to keep, the same on the terminal, and the ratios in words."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from experiments.speed.cases import SamplingCase
from experiments.speed.results import (
    CaseResult,
    Check,
    Ratio,
    Report,
    Value,
    Variant,
    memory,
    rate,
    ratio,
    seconds,
    seconds_per_token,
    useful_share,
    utilisation,
)
from experiments.speed.sampling import FORMS, OURS
from experiments.speed.training import RELEASED, THEIRS

STEP_COLUMNS = (
    "case",
    "form",
    "precision",
    "s / step",
    "tokens / s",
    "useful %",
    "of GEMM peak %",
    "memory MiB",
    "x faster than released",
    "x faster than +accumulation",
    "x faster than +checkpointing",
    "x less memory",
    "loss, gradients off by",
)
DRAW_COLUMNS = ("case", "form", "s", "tokens", "tokens / s", "memory MiB")
NOTHING = "–"
MIB = 2**20

Row = list[str]


def columns(report: Report) -> tuple[str, ...]:
    """Return the heads of the report's table."""
    more = tuple(f"x faster than {form}" for form in FORMS if form != OURS)
    return DRAW_COLUMNS + more if report.suite == "sampling" else STEP_COLUMNS


def rows(report: Report) -> Iterator[Row]:
    """Yield a row for every variant."""
    for found in report.results:
        make = draw_row if isinstance(found.case, SamplingCase) else step_row
        for variant in found.variants:
            if variant.rounds:
                yield make(found, variant)
            else:
                name = [found.case.name, variant.form, variant.precision]
                yield [*name, f"not measured: {variant.skipped}"]


def step_row(found: CaseResult, variant: Variant) -> Row:
    """Return the cells of one form of a training step in one precision."""
    faster = [against(found, variant, form, seconds) for form in THEIRS]
    return [
        found.case.name,
        variant.form,
        variant.precision,
        f"{variant.median(seconds):.2f}",
        f"{variant.median(rate):.0f}",
        f"{100 * variant.median(useful_share):.0f}",
        f"{100 * variant.median(utilisation):.0f}",
        f"{variant.median(memory) / MIB:.0f}",
        *map(shown, faster),
        shown(against(found, variant, RELEASED, memory)),
        difference(found.check(variant.form)),
    ]


def draw_row(found: CaseResult, variant: Variant) -> Row:
    """Return the cells of one form of sampling."""
    others = [form for form in FORMS if form != OURS]
    faster = [against(found, variant, form, seconds_per_token) for form in others]
    return [
        found.case.name,
        variant.form,
        f"{variant.median(seconds):.1f}",
        f"{variant.median(lambda answer: answer.tokens):.0f}",
        f"{variant.median(rate):.0f}",
        f"{variant.median(memory) / MIB:.0f}",
        *map(shown, faster),
    ]


def against(found: CaseResult, variant: Variant, form: str, value: Value) -> Ratio | None:
    """Return the form's value over the variant's in the same precision; None if not measured."""
    other = found.variant(form, variant.precision)
    return ratio(other.rounds, variant.rounds, value) if other else None


def shown(found: Ratio | None) -> str:
    """Return a ratio with its range over the rounds."""
    if found is None:
        return NOTHING
    return f"{found.middle:.2f} ({found.least:.2f} to {found.most:.2f})"


def difference(check: Check | None) -> str:
    """Return the relative differences in fp32."""
    if check is None:
        return NOTHING
    other = "" if check.against == RELEASED else f" from {check.against}"
    return f"{check.loss_error:.0e}, {check.gradient_error:.0e}{other}"


def sentences(report: Report) -> Iterator[str]:
    """Yield every ratio in words."""
    for found in report.results:
        if isinstance(found.case, SamplingCase):
            yield from sampling_sentences(found)
        else:
            yield from step_sentences(found)
            yield from precision_sentences(found)


def step_sentences(found: CaseResult) -> Iterator[str]:
    """Say how each form compares with the released one, or with what of it was measured."""
    for variant in found.variants:
        measured = [f for f in THEIRS if found.variant(f, variant.precision)]
        if not measured or not variant.rounds or variant.form in THEIRS:
            continue
        where = f"({variant.precision}, {found.case.words})"
        faster = against(found, variant, measured[0], seconds)
        less = against(found, variant, measured[0], memory)
        if faster and less:
            yield (
                f"{variant.form} is {faster.middle:.1f} x faster than {measured[0]} and takes "
                f"{less.middle:.1f} x less memory {where}"
            )


def precision_sentences(found: CaseResult) -> Iterator[str]:
    """Say what bf16 gains over fp32 in each form."""
    for form in dict.fromkeys(variant.form for variant in found.variants):
        wide, narrow = found.variant(form, "fp32"), found.variant(form, "bf16")
        if wide and narrow:
            faster = ratio(wide.rounds, narrow.rounds, seconds).middle
            yield f"{form} in bf16 is {faster:.1f} x faster than in fp32 ({found.case.words})"


def sampling_sentences(found: CaseResult) -> Iterator[str]:
    """Say how our sampling compares with both ways to call `generate`."""
    ours = found.variant(OURS, "fp32")
    for form in FORMS:
        faster = against(found, ours, form, seconds_per_token) if ours and form != OURS else None
        if faster:
            yield f"sampling is {faster.middle:.1f} x faster than {form} ({found.case.words})"


def markdown(report: Report) -> str:
    """Return the report with all that decides its figures."""
    heads = columns(report)
    lines = [f"# {report.suite}: {report.shape} on {report.machine.processor}", ""]
    lines += [*facts(report), "", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    lines += [f"| {' | '.join(row)}{' |' * (len(heads) - len(row) + 1)}" for row in rows(report)]
    lines += ["", *(f"- {sentence}" for sentence in sentences(report))]
    return "\n".join(lines) + "\n"


def facts(report: Report) -> Iterator[str]:
    """Yield what was run, where and with what, one line each."""
    machine = report.machine
    features = ", ".join(machine.features) or "none of those looked for"
    yield f"- `{report.command}`, {report.started}, seed {report.seed}, {report.rounds} rounds"
    yield f"- {machine.processor}, {machine.cores} cores, {features}; {machine.free_gib} GiB free"
    yield "- " + ", ".join(f"{k} {v}" for k, v in machine.versions.items() if isinstance(v, str))
    checkout = machine.versions.get("checkout")
    if isinstance(checkout, dict):
        changed = " with changes" if checkout["dirty"] else ""
        yield f"- commit {checkout['commit']}{changed}"
    shared = [found.case.name for found in report.results if found.shared_worker]
    if shared:
        yield f"- one process for all forms: {', '.join(shared)}"
    missing = sorted(set(report.asked) - {found.case.name for found in report.results})
    if missing:
        yield f"- unfinished, not measured yet: {', '.join(missing)}"


def show(report: Report, console: Console) -> None:
    """Write the table and then the ratios to the terminal."""
    table = Table(*columns(report), title=report.suite)
    for row in rows(report):
        table.add_row(*row)
    console.print(table)
    for sentence in sentences(report):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)
