"""How results are said: numbers with their intervals, and sentences that claim no more than shown.

The terminal, the report and the tracker all take their words from here, so that they cannot differ.
"""

import math
from collections.abc import Sequence

from tuna_exp.comparison.benchmarks import ALL
from tuna_exp.comparison.pooling import tasks_of, unit_of, unmatched
from tuna_exp.comparison.results import Comparison, RankingResult, Row
from tuna_exp.comparison.statistics import CHANCE, Difference, Interval, can_tell

UNKNOWN = "–"
# Methods that are no answer to "did ranking help": the model before any training of ours.
UNTRAINED = "base"
_SPLITS = {ALL: "all items", "held_out": "seen kinds", "held_out_kind": "unseen kinds"}
# A quarter more or fewer tokens per response is worth a warning: checks may favour length.
_LONGER = 1.25


def split_label(split: str) -> str:
    """What a split is called for a reader."""
    return _SPLITS.get(split, split or "no split")


def percent(share: float) -> str:
    """61.2 for 0.612."""
    return UNKNOWN if math.isnan(share) else f"{100 * share:.1f}"


def percents(interval: Interval | None) -> str:
    """61.2 [54.8, 67.3]: a share and its interval, in percent."""
    if interval is None or math.isnan(interval.value):
        return UNKNOWN
    span = f"{percent(interval.low)}, {percent(interval.high)}" if interval.known else UNKNOWN
    return f"{percent(interval.value)} [{span}]"


def figure(interval: Interval) -> str:
    """A figure of a benchmark: a share in percent, any other number as it is."""
    known = [n for n in (interval.value, interval.low, interval.high) if not math.isnan(n)]
    if all(0 <= number <= 1 for number in known):
        return percents(interval)
    span = f"{interval.low:.2f}, {interval.high:.2f}" if interval.known else UNKNOWN
    return f"{interval.value:.2f} [{span}]"


def held_out(comparison: Comparison, row: Row) -> str:
    """240 held-out items, 3 seeds, with the mark of a subset where they are one."""
    seeds = f", {row.seeds} seeds" if row.seeds > 1 else ""
    mark = f", {comparison.subset}" if comparison.subset else ""
    return f"{row.items} held-out items{seeds}{mark}"


def response_tokens(row: Row) -> str:
    """Mean tokens of the answers whose tokens are known."""
    return UNKNOWN if math.isnan(row.response_tokens) else f"{row.response_tokens:.0f}"


def points(interval: Interval | None) -> str:
    """+6.2 [+1.1, +11.3]: a difference of shares and its interval, in percentage points."""
    if interval is None or math.isnan(interval.value):
        return UNKNOWN
    low, high = 100 * interval.low, 100 * interval.high
    span = f"{low:+.1f}, {high:+.1f}" if interval.known else UNKNOWN
    return f"{100 * interval.value:+.1f} [{span}]"


def verdict(difference: Difference | None) -> str:
    """better, worse, or not told apart with the points that would have been: (4.1 would be)."""
    if difference is None:
        return "baseline"
    if difference.detectable is None or math.isnan(difference.detectable):
        return difference.verdict
    return f"{difference.verdict} ({100 * difference.detectable:.1f} would be)"


def p_value(difference: Difference | None) -> str:
    """0.032, or <0.001; corrected for all comparisons of the table."""
    if difference is None or math.isnan(difference.adjusted_p):
        return UNKNOWN
    return "<0.001" if difference.adjusted_p < 0.001 else f"{difference.adjusted_p:.3f}"


def runs(row: Row) -> str:
    """280 items, 3 seeds."""
    return f"{row.items} items" + (f", {row.seeds} seeds" if row.seeds > 1 else "")


def duration(seconds: float) -> str:
    """8 s, 2 m 05 s or 1 h 02 m."""
    if math.isnan(seconds):
        return UNKNOWN
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return (
        f"{minutes} m {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} m"
    )


def count(number: float) -> str:
    """950, 12.3 k or 4.5 M."""
    for size, unit in ((1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.1f}{unit}"
    return f"{number:.0f}"


def dollars(usd: float) -> str:
    """$12.30, or $0.0042 for less than a cent: services charge by the million tokens."""
    return f"${usd:.2f}" if usd >= 0.01 or not usd else f"${usd:.2g}"


def refused(ranking: RankingResult) -> str:
    """Refusals by kind, most frequent first, or "none"."""
    kinds = sorted(ranking.refusals.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{kind} {times}" for kind, times in kinds if times) or "none"


def headline(comparison: Comparison) -> str:
    """The verdict in one sentence: which ranked methods are told apart from the baseline."""
    rows, base = ranked_rows(comparison, ALL), comparison.baseline
    if not any(row.difference for row in comparison.rows) and comparison.benchmarks:
        return _alone(comparison)
    if not rows:
        return f"There is no ranked method here to compare with {base}."
    better, worse = _with_verdict(rows, "better"), _with_verdict(rows, "worse")
    open_ = _with_verdict(rows, "not told apart")
    if better and worse:
        lead = f"Ranked training helped in {_names(better)} and hurt in {_names(worse)}"
        return f"{lead}: {_size(comparison, better[0])}; {_size(comparison, worse[0])}."
    if not better and not worse:
        return f"No ranked method is told apart from {base}: {_size(comparison, open_[0])}."
    told, word = (better, "helped") if better else (worse, "hurt")
    also = f"; so, by less, did {_names(told[1:])}" if told[1:] else ""
    rest = f"; not told apart from {base}: {_names(open_)}" if open_ else ""
    return f"Ranked training {word}: {_size(comparison, told[0])}{also}{rest}."


def _alone(comparison: Comparison) -> str:
    """One model: the figure that each benchmark is known by."""
    firsts = [(one, one.rows[0]) for one in comparison.benchmarks if one.rows]
    told = [
        f"{one.name} {row.metric} {figure(row.interval)} ({one.size}{one.mark})"
        for one, row in firsts
    ]
    return f"{comparison.baseline}: {'; '.join(told)}."


def against_chance(comparison: Comparison, agreement: Interval) -> str:
    """Where an agreement stands to that of a random order, as far as its sets can tell."""
    enough = can_tell(agreement.items, comparison.bootstrap.confidence)
    if not enough or not agreement.excludes(CHANCE):
        return "not told apart from chance (50 %)"
    return "above chance (50 %)" if agreement.value > CHANCE else "below chance (50 %)"


def notes(comparison: Comparison) -> list[str]:
    """What the numbers do and do not show, one sentence each."""
    told = [_resolution(comparison), _unseen_kinds(comparison), _lengths(comparison)]
    told += [*_benchmarks(comparison), *comparison.remarks]
    told.append(_cause(comparison))
    told += _unpaired(comparison)
    told += [_ranker(comparison, ranking) for ranking in comparison.rankings]
    told += [
        f'"{trust.name}": {verdict.text}'
        for trust in comparison.trust
        for verdict in trust.verdicts
        if verdict.severity == "warning"
    ]
    return [sentence for sentence in [*told, _limits(comparison)] if sentence]


def _benchmarks(comparison: Comparison) -> list[str]:
    told = [
        f"{one.name}, {one.size}: every kind in proportion, the same items for every method; these "
        "are not the figures of the whole benchmark."
        for one in comparison.benchmarks
        if one.items < one.of
    ]
    return [*told, *(remark for one in comparison.benchmarks for remark in one.remarks)]


def ranked_rows(comparison: Comparison, split: str) -> list[Row]:
    """The rows that answer whether ranking helped: neither the baseline nor the untrained model."""
    return [row for row in comparison.rows_of(split) if row.difference and row.method != UNTRAINED]


def _largest(rows: Sequence[Row]) -> list[Row]:
    return sorted(
        rows, key=lambda row: -abs(row.difference.interval.value if row.difference else 0)
    )


def _with_verdict(rows: Sequence[Row], verdict: str) -> list[Row]:
    return _largest([row for row in rows if row.difference and row.difference.verdict == verdict])


def _names(rows: Sequence[Row]) -> str:
    *first, last = [row.method for row in rows]
    return f"{', '.join(first)} and {last}" if first else last


def _size(comparison: Comparison, row: Row) -> str:
    """tuna_p scores 6.2 points above sft (95 % interval +1.1 to +11.3, 240 held-out items)."""
    if row.difference is None or not row.difference.interval.known:
        return f"{row.method} has too few items for an interval ({row.items})"
    interval = row.difference.interval
    size = f"{abs(100 * interval.value):.1f} points {'above' if interval.value > 0 else 'below'}"
    return (
        f"{row.method} scores {size if interval.value else 'level with'} {comparison.baseline} "
        f"({level(comparison)} interval {100 * interval.low:+.1f} to {100 * interval.high:+.1f}, "
        f"{held_out(comparison, row)})"
    )


def level(comparison: Comparison) -> str:
    """The confidence of every interval, as in 95 %."""
    return f"{100 * comparison.bootstrap.confidence:g} %"


def _resolution(comparison: Comparison) -> str:
    rows = ranked_rows(comparison, ALL)
    unseen = [row.difference.detectable for row in rows if row.difference]
    known = [d for d in unseen if d is not None and not math.isnan(d)]
    if not known:
        return ""
    points = max(round(100 * max(known)), 1)
    return (
        f"With {held_out(comparison, rows[0])} a true difference of {points} "
        f"point{'s' * (points > 1)} is found four times in five, a smaller one less often; "
        '"not told apart" does not mean equal.'
    )


def _unseen_kinds(comparison: Comparison) -> str:
    rows = ranked_rows(comparison, "held_out_kind")
    if not rows:
        return ""
    told = [
        f"{row.method} {points(row.difference.interval)} ({row.difference.verdict})"
        for row in rows
        if row.difference
    ]
    return (
        f"On the {rows[0].items} items of kinds that training never showed, points against "
        f"{comparison.baseline}: {'; '.join(told)}."
    )


def _lengths(comparison: Comparison) -> str:
    rows = comparison.rows_of(ALL)
    base = next(row.response_tokens for row in rows if row.method == comparison.baseline)
    unlike = [
        f"{row.method} {row.response_tokens:.0f}"
        for row in ranked_rows(comparison, ALL)
        if max(row.response_tokens, base) > _LONGER * min(row.response_tokens, base)
    ]
    return (
        f"Response lengths differ, which may carry part of a difference in score: "
        f"{'; '.join(unlike)} tokens on average against {comparison.baseline}'s {base:.0f}."
        if unlike
        else ""
    )


def _unpaired(comparison: Comparison) -> list[str]:
    """What of a method's seeds has no counterpart in the baseline."""
    base = comparison.result_of(comparison.baseline).by_seed
    told = []
    for method in comparison.methods:
        left = unmatched(method.by_seed, base)
        if left:
            told.append(
                f"{comparison.baseline} has no run with seed {', '.join(left)}: the difference of "
                f"{method.method} leaves it out."
            )
        elif (
            not method.by_seed.keys() & base.keys()
            and base.keys() != {""}
            and "" not in (method.by_seed)
        ):
            told.append(
                f"{method.method} and {comparison.baseline} have no seed in common: their "
                "difference pairs items alone."
            )
    return told


def _cause(comparison: Comparison) -> str:
    if not _with_verdict(ranked_rows(comparison, ALL), "better"):
        return ""
    return (
        f"A ranked method also trains on more than {comparison.baseline} does; only a control that "
        "trains as long on a random order tells what the order itself adds."
    )


def _ranker(comparison: Comparison, ranking: RankingResult) -> str:
    agreement, name = ranking.agreement, f'The order from "{ranking.name}"'
    if agreement is None:
        return f"{name} cannot be checked: no pair of responses has a true order."
    span = "no interval"
    if agreement.known:
        low, high = percent(agreement.low), percent(agreement.high)
        span = f"{level(comparison)} interval {low} to {high}, {agreement.items} sets"
    return (
        f"{name} agrees with the truth on {percent(agreement.value)} % of {ranking.pairs} pairs "
        f"({span}): {against_chance(comparison, agreement)}."
    )


def _limits(comparison: Comparison) -> str:
    first = comparison.methods[0].predictions
    by_task = unit_of(first, comparison.bootstrap.confidence) == "task"
    what = f"kinds of item ({len(tasks_of(first))} here) and items" if by_task else "items"
    if len(comparison.methods) == 1:
        return f"Intervals tell what other {what} of the same sort might show."
    rows = [row for row in comparison.rows_of(ALL) if row.difference]
    seeds = max((row.seeds for row in comparison.rows_of(ALL)), default=1)
    several = f"training seeds, {what}" if seeds > 1 else what
    once = "" if seeds > 1 else ", not what another training seed might: each was trained once"
    family = f", corrected for the {len(rows)} of a table (Holm)" if len(rows) > 1 else ""
    return (
        f"Intervals tell what other {several} of the same sort might show{once}. Verdicts rest on "
        f"a permutation test{' and the bootstrap' if seeds > 1 else ''} at "
        f"{100 * (1 - comparison.bootstrap.confidence):g} %{family}."
    )
