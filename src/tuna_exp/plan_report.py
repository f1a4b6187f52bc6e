"""How a plan is shown: runs, their stages (those alike in one row), time, cost and disk."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from tuna_exp.experiment import make
from tuna_exp.planning import Job, Outlook, Stage
from tuna_exp.progress import spoken_time

if TYPE_CHECKING:
    from tuna_exp.services.billing import Bill

UNKNOWN = "no measurement yet"
# Shown of a wrong job's reason; --json has all of it.
_ERROR_LINES = 4


def show(found: Outlook, console: Console) -> None:
    """Print a plan."""
    for table in (_runs(found), _stages(found)):
        if table.row_count:
            console.print(table)
    for job in found.jobs:
        if job.error:
            lines = job.error.splitlines()
            more = ["..."] if len(lines) > _ERROR_LINES else []
            told = "\n  ".join([*lines[:_ERROR_LINES], *more])
            console.print(Text(f"run {job.number} cannot run: {told}", style="red"))
    for line in summary(found):
        console.print(line, markup=False, soft_wrap=True)


def _table(*headings: str, numbers: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numbers else "left")
    return table


def _runs(found: Outlook) -> Table:
    numbers = ("run", "stages", "there", "to do", "shared")
    table = _table("run", "overrides", *numbers[1:], "if run alone", numbers=numbers)
    common = common_overrides(found.jobs)
    for job in found.jobs:
        own = " ".join(o for o in job.overrides if o not in common) or "as it is"
        if job.error:
            table.add_row(str(job.number), Text(own), "", "", "", "", "cannot run", style="red")
            continue
        stages = found.of(job)
        missing = [stage for stage in stages if stage.state != "finished"]
        shared = sum(len(stage.jobs) > 1 for stage in missing)
        same = found.same_as(job)
        alone = f"the same as run {same}" if same is not None else told_time(missing)
        counts = (len(stages), len(stages) - len(missing), len(missing), shared)
        table.add_row(str(job.number), Text(own), *map(str, counts), alone)
    return table


def common_overrides(jobs: Sequence[Job]) -> set[str]:
    """Return what all runs of a sweep have; of a single run, nothing."""
    if len(jobs) < 2:
        return set()
    return set.intersection(*(set(job.overrides) for job in jobs))


def _stages(found: Outlook) -> Table:
    paid = ("about $", "at most $") if billed(found.missing).requests else ()
    numbers = ("times", "time", *paid, "writes")
    table = _table("stage", "what", "state", "times", "for runs", *numbers[1:], numbers=numbers)
    alike: dict[tuple[str, str, str], list[Stage]] = {}
    for stage in found.stages:
        key = (stage.step.stage, stage.step.label, stage.state)
        alike.setdefault(key, []).append(stage)
    for (kind, label, state), stages in alike.items():
        jobs = sorted({number for stage in stages for number in stage.jobs})
        style = "dim" if state == "finished" else "yellow" if state != "to do" else None
        row: tuple[str, ...] = (kind, label, state, str(len(stages)), spans(jobs))
        if state != "finished":
            cost = told_cost(billed(stages)) if paid else ()
            row += (told_time(stages), *cost, told_size(stages))
        table.add_row(*map(Text, row), style=style)
    return table


def spans(numbers: Sequence[int]) -> str:
    """Return sorted numbers in short, as in "0-3, 7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else str(r[0]) for r in runs)


def told_time(stages: Sequence[Stage]) -> str:
    """Return about how long stages take one after another, and how many nobody can tell of."""
    known = [stage.seconds for stage in stages if stage.seconds is not None]
    unknown = len(stages) - len(known)
    if not stages:
        return "nothing to do"
    if not known:
        return UNKNOWN
    more = f", and {unknown} with {UNKNOWN}" if unknown else ""
    return f"about {spoken_time(sum(known))}{more}"


def told_size(stages: Sequence[Stage]) -> str:
    """Return about how much stages write, or "" where nothing like one of them was measured."""
    known = [stage.size for stage in stages if stage.size is not None]
    return f"about {decimal(sum(known))}" if len(known) == len(stages) else ""


def billed(stages: Sequence[Stage]) -> "Bill":
    """Return what services will be paid for stages."""
    from tuna_exp.services.billing import Bill

    return sum((stage.bill for stage in stages if stage.bill), Bill())


def told_cost(bill: "Bill") -> tuple[str, str]:
    """Return what is expected and the bound, in dollars; "" twice where nobody is paid."""
    return (f"{bill.usd:,.4f}", f"{bill.bound:,.4f}") if bill.requests else ("", "")


def summary(found: Outlook) -> Iterator[str]:
    """Yield the sentences below the tables."""
    runs = [job for job in found.jobs if job.final]
    if not runs:
        return
    different = [job for job in runs if found.same_as(job) is None]
    same = len(runs) - len(different)
    again = f", {same} of them the same as another" if same else ""
    done = sum(all(stage.state == "finished" for stage in found.of(job)) for job in runs)
    missing = found.missing
    apart = sum(
        len([stage for stage in found.of(job) if stage.state != "finished"]) for job in different
    )
    yield (
        f"{len(runs)} run(s){again}, {done} finished. {len(found.stages)} distinct stages: "
        f"{len(found.stages) - len(missing)} are there, {len(missing)} to do"
        + (f" ({apart} if nothing were shared)." if apart > len(missing) else ".")
    )
    if missing:
        chain = found.longest_chain()
        least = f"; at least {spoken_time(chain)} however many run at a time" if chain else ""
        yield f"One after another: {told_time(missing)}{least}. {_disk(missing)}".rstrip()
    bill = billed(missing)
    if bill.requests:
        yield (
            f"Services: about ${bill.usd:,.4f}, at most ${bill.bound:,.4f}, "
            f"{bill.requests:,} requests."
        )
        yield from budgets(runs)


def _disk(missing: Sequence[Stage]) -> str:
    known = [stage.size for stage in missing if stage.size is not None]
    unknown = len(missing) - len(known)
    more = f", and {unknown} stages with {UNKNOWN}" if unknown else ""
    return f"Writes about {decimal(sum(known))}{more}." if known else ""


def budgets(jobs: Sequence[Job]) -> Iterator[str]:
    """Yield a sentence about each budget that runs are paid from."""
    told: dict[tuple[str, str, float | None], str] = {}
    for job in jobs:
        config: Any = job.config
        name, cap = str(config.budget.name), config.budget.usd
        key = (str(config.account.ledger), name, cap)
        if key not in told:
            capped = "no cap" if cap is None else f"capped at ${cap:.2f}"
            spent = make(config.account).spent().spent
            told[key] = f"Budget '{name}': ${spent:.4f} spent, {capped}."
    yield from told.values()


def as_json(found: Outlook) -> dict[str, Any]:
    """Return a plan as JSON values; seconds, bytes and dollars, null where nobody can tell."""
    missing = found.missing
    return {
        "runs": [_run(found, job) for job in found.jobs],
        "stages": [_stage(stage) for stage in found.stages],
        "total": {
            "stages": len(found.stages),
            "to_do": len(missing),
            "seconds": _sum([stage.seconds for stage in missing]),
            "without_measurement": sum(stage.seconds is None for stage in missing),
            "at_least_seconds": found.longest_chain(),
            "bytes": _sum([stage.size for stage in missing]),
            "bill": vars(billed(missing)),
        },
    }


def _sum(values: Sequence[float | int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known or not values else None


def _run(found: Outlook, job: Job) -> Mapping[str, Any]:
    told: dict[str, Any] = {"run": job.number, "overrides": list(job.overrides)}
    if job.error:
        return told | {"error": job.error}
    stages = found.of(job)
    missing = [stage for stage in stages if stage.state != "finished"]
    return told | {
        "same_as": found.same_as(job),
        "stages": [stage.step.digest[:16] for stage in stages],
        "to_do": len(missing),
        "seconds": _sum([stage.seconds for stage in missing]),
    }


def _stage(stage: Stage) -> Mapping[str, Any]:
    return {
        "stage": stage.step.stage,
        "label": stage.step.label,
        "digest": stage.step.digest[:16],
        "state": stage.state,
        "runs": list(stage.jobs),
        "work": stage.step.work,
        "seconds": stage.seconds,
        "bytes": stage.size,
        "bill": vars(stage.bill) if stage.bill else None,
    }
