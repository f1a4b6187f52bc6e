"""What methods took, as rows of words: arithmetic, energy, memory, speed, and rivals for the money.

A cell is a dash where nobody counted, as for a service's FLOPs or the energy of a machine without a
counter, which is another thing than nothing.
"""

import math

from tuna_exp.comparison import wording
from tuna_exp.comparison.results import COSTS, Comparison, MethodResult, Rival

_UNITS = (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))
_GIB = 2**30
COLUMNS = ("flops", "joules", "peak_memory_bytes", "tokens_per_second", "flops_per_answer")
# Who a method is measured against for no more of a cost: in files under the names of these columns.
_RIVAL = ("rival", "difference", "difference_low", "difference_high", "adjusted_p", "verdict")
RIVAL_COLUMNS = tuple(f"equal_{cost.lower()}_{name}" for cost in COSTS for name in _RIVAL)


def training_rows(comparison: Comparison) -> list[list[str]]:
    """Head and rows of what making each model took, all stages before it included."""
    if not any(m.compute.flops for m in comparison.methods):
        return []
    head = ["method", "time", "FLOPs", "energy", "peak memory"]
    return [
        head,
        *(
            [
                m.method,
                wording.duration(m.seconds),
                si(m.compute.flops),
                energy(m.compute.joules),
                memory(m.compute.peak_bytes),
            ]
            for m in comparison.methods
        ),
    ]


def answering_rows(comparison: Comparison) -> list[list[str]]:
    """Head and rows of what one answer of each model takes."""
    known = [(m.method, m.inference) for m in comparison.methods if m.inference]
    head = ["one answer of", "time", "tokens per second", "FLOPs", "energy", "peak memory"]
    rows = [
        [
            name,
            f"{one.seconds:.3g} s",
            f"{one.tokens_per_second:.3g}",
            si(one.flops),
            energy(one.joules),
            memory(one.peak_bytes),
        ]
        for name, one in known
    ]
    return [head, *rows] if rows else []


def rival_rows(comparison: Comparison) -> list[list[str]]:
    """Head and rows: each method against the best other one of no more FLOPs, and dollars."""
    costs = _costs(comparison)
    head = ["method", *(f"points on the best of no more {cost}" for cost in costs)]
    rows = [[m.method, *_rivals(comparison, m.method)] for m in comparison.methods]
    return [head, *rows] if costs else []


def cost_head(comparison: Comparison) -> list[str]:
    """What methods took and whom they are measured against for it, as heads of `cost_cells`."""
    costs = _costs(comparison)
    return [*costs, *(f"points for no more {cost}" for cost in costs)]


def cost_cells(comparison: Comparison, method: str) -> list[str]:
    """A method's FLOPs and dollars, and the difference to its rival for each."""
    made = comparison.result_of(method)
    words = {"FLOPs": si(made.compute.flops), "dollars": wording.dollars(made.tokens.usd)}
    spent = [words[cost] for cost in _costs(comparison)]
    return [*spent, *_rivals(comparison, method)]


def rival_numbers(comparison: Comparison, method: str) -> dict[str, object]:
    """A method's rivals under `RIVAL_COLUMNS`, NaN where there is none."""
    found = {one.cost: one for one in comparison.rivals if one.method == method}
    values: list[object] = []
    for cost in COSTS:
        one = found.get(cost)
        if one is None:
            values += [math.nan] * len(_RIVAL)
            continue
        difference, interval = one.difference, one.difference.interval
        values += [one.rival, interval.value, interval.low, interval.high]
        values += [difference.adjusted_p, difference.verdict]
    return dict(zip(RIVAL_COLUMNS, values, strict=True))


def _costs(comparison: Comparison) -> list[str]:
    return list(dict.fromkeys(one.cost for one in comparison.rivals))


def _rivals(comparison: Comparison, method: str) -> list[str]:
    found = {one.cost: one for one in comparison.rivals if one.method == method}
    return [_rival(found.get(cost)) for cost in _costs(comparison)]


def _rival(one: Rival | None) -> str:
    if one is None:
        return wording.UNKNOWN
    difference = one.difference
    return f"{wording.points(difference.interval)} on {one.rival}, {difference.verdict}"


def numbers(method: MethodResult) -> dict[str, float | None]:
    """A method's figures under the names of table.csv and of the tracker; None where unknown."""
    compute, inference = method.compute, method.inference
    values: tuple[float | None, ...] = (compute.flops, compute.joules, compute.peak_bytes)
    values += (inference.tokens_per_second, inference.flops) if inference else (None, None)
    return dict(zip(COLUMNS, values, strict=True))


def si(number: float | None) -> str:
    """3.41 T for 3.41e12."""
    if number is None:
        return wording.UNKNOWN
    for unit, size in _UNITS:
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"


def energy(joules: float | None) -> str:
    """12.5 kJ."""
    if joules is None:
        return wording.UNKNOWN
    told = si(joules)
    return f"{told}J" if told[-1].isalpha() else f"{told} J"


def memory(size: int | None) -> str:
    """1.5 GiB."""
    return wording.UNKNOWN if size is None else f"{size / _GIB:.2f} GiB"
