"""What methods took, as rows of words: arithmetic, energy, memory, speed, and rivals for the money.

A cell is a dash where nobody counted, as for a service's FLOPs or the energy of a machine without a
counter, which is another thing than nothing.
"""

from tuna_exp.comparison import wording
from tuna_exp.comparison.results import Comparison, MethodResult

_UNITS = (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))
_GIB = 2**30
COLUMNS = ("flops", "joules", "peak_memory_bytes", "tokens_per_second", "flops_per_answer")


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
    costs = list(dict.fromkeys(one.cost for one in comparison.rivals))
    if not costs:
        return []
    found = {(one.method, one.cost): one for one in comparison.rivals}
    head = ["method", *(f"points on the best of no more {cost}" for cost in costs)]
    rows = []
    for method in comparison.methods:
        cells = []
        for cost in costs:
            one = found.get((method.method, cost))
            told = one and f"{wording.points(one.difference.interval)} on {one.rival}"
            cells.append(told or wording.UNKNOWN)
        rows.append([method.method, *cells])
    return [head, *rows]


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
    return wording.UNKNOWN if joules is None else f"{si(joules)}J"


def memory(size: int | None) -> str:
    """1.5 GiB."""
    return wording.UNKNOWN if size is None else f"{size / _GIB:.2f} GiB"
