"""Which items a study asks about, and in which order each rater sees them.

Left out: choosing items on which rankers disagree. It would find differences with fewer questions,
but the agreement on such items is not the agreement on all.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from tuna_exp.errors import DataError, UserError
from tuna_exp.records import RankedExample
from tuna_exp.store import MANIFEST
from tuna_exp.study.key import Item, Key, Kind, Ranks, Shown, dense

_SHORT = 8


@dataclass(frozen=True)
class Ranking:
    """What one ranker said, by instruction id."""

    name: str
    examples: dict[str, RankedExample]


@dataclass(frozen=True)
class Plan:
    """What to draw: `count` items (None: 100, or all where there are fewer), one order per rater.

    Raises:
        UserError: a count or a number of raters below 1.
    """

    kind: Kind
    count: int | None
    seed: int
    raters: int

    def __post_init__(self) -> None:
        """Refuse a study of nothing or of nobody."""
        for name, value in (("count", self.count), ("raters", self.raters)):
            if value is not None and value < 1:
                raise UserError(f"--{name} is {value}; allowed: 1 or more. Cure: --{name} 1")


USUAL_COUNT = 100


def read_rankings(paths: Sequence[Path]) -> list[Ranking]:
    """Read artifact folders or files of RankedExample; raises DataError for what is neither."""
    rankings: list[Ranking] = []
    for path in paths:
        name, file = _named(path)
        if name in {ranking.name for ranking in rankings}:
            name = f"{name} ({path.stem[:_SHORT]})"
        if name in {ranking.name for ranking in rankings}:
            raise UserError(f"{path} is named twice. Cure: name each ranking once.")
        rankings.append(Ranking(name, {e.instruction.id: e for e in _examples(file)}))
    return rankings


def make_key(rankings: Sequence[Ranking], plan: Plan) -> Key:
    """Draw items that every ranking holds and seat the raters.

    Raises:
        UserError: no instruction has two responses that all the rankings rank, or fewer than
            `plan.count` do.
    """
    draw = random.Random(plan.seed)
    pool = list(_common(rankings))
    if not pool:
        names = ", ".join(f"'{ranking.name}'" for ranking in rankings)
        raise UserError(
            f"no instruction has two different responses that all of {names} rank. Cure: give "
            "rankings of the same samples (of the same run)."
        )
    count = min(USUAL_COUNT, len(pool)) if plan.count is None else plan.count
    if count > len(pool):
        raise UserError(
            f"--count is {count}; the rankings have {len(pool)} instructions in common. "
            f"Cure: --count {len(pool)}"
        )
    chosen = _stratified(pool, count, draw)
    digits = len(str(count))
    items = [
        _item(f"item-{number:0{digits}}", texts, rankings, plan.kind, draw)
        for number, texts in enumerate(chosen, 1)
    ]
    # Seeded by the verdicts too: who knows the page and this code still cannot undo the orders.
    hidden = "".join(item.model_dump_json() for item in items)
    order = random.Random(f"{plan.seed}/{hidden}")
    phases = order.sample(range(count), count)
    seats = [_seat(items, [phase + n for phase in phases], order) for n in range(plan.raters)]
    return Key.of(plan.kind, plan.seed, items, seats, _licences(rankings))


def _named(path: Path) -> tuple[str, Path]:
    """What to call a ranking, and its file."""
    if not path.is_dir():
        return path.stem, path
    # The stage brings what models need, which takes seconds and a mistyped path does not need.
    from tuna_exp.stages.rank import RANKING

    try:
        label = str(json.loads((path / MANIFEST).read_bytes())["label"])
    except (OSError, ValueError, KeyError):
        label = path.name
    return label, path / RANKING


def _examples(path: Path) -> Iterator[RankedExample]:
    try:
        # Not splitlines, which takes more for the end of a line than JSON lines do.
        lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read as a ranking ({error}). Cure: name a folder of "
            "`tuna-exp artifacts list` whose stage is rank, or a file of ranked examples."
        ) from error
    for number, line in enumerate(lines, 1):
        try:
            yield RankedExample.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            raise DataError(
                f"{path} line {number}: {'.'.join(map(str, first['loc']))}: {first['msg']}; "
                "expected a ranked example. Cure: name the ranking.jsonl of a rank artifact."
            ) from error


_Found = tuple[RankedExample, list[str]]


def _common(rankings: Sequence[Ranking]) -> Iterator[_Found]:
    """Instructions that every ranking has, with the texts that all of them rank, if two or more."""
    for key, example in rankings[0].examples.items():
        others = [ranking.examples.get(key) for ranking in rankings]
        same = [o for o in others if o and o.instruction.text == example.instruction.text]
        shared = set.intersection(*({r.text for r in o.responses} for o in same))
        texts = [r.text for r in example.responses if r.text in shared]
        if len(same) == len(rankings) and len(set(texts)) > 1:
            yield example, list(dict.fromkeys(texts))


def _stratified(pool: list[_Found], count: int, draw: random.Random) -> list[_Found]:
    """Each kind in its share, to within one item: every (n / count)-th of a list sorted by kind."""
    shuffled = draw.sample(pool, len(pool))
    shuffled.sort(key=lambda found: found[0].instruction.kind)
    start = draw.random()
    chosen = [shuffled[int((k + start) * len(pool) / count)] for k in range(count)]
    return draw.sample(chosen, count)


def _item(
    name: str, found: _Found, rankings: Sequence[Ranking], kind: Kind, draw: random.Random
) -> Item:
    """One question. Its texts are shuffled, because a ranking has them best first."""
    instruction, texts = found[0].instruction, found[1]
    asked = tuple(draw.sample(texts, 2 if kind == "pairs" else len(texts)))
    return Item(
        id=name,
        instruction=instruction.text,
        texts=asked,
        verdicts={r.name: _ranks(r.examples[instruction.id], asked) for r in rankings},
        source=instruction.id,
        stratum=instruction.kind,
    )


def _ranks(example: RankedExample, texts: Sequence[str]) -> Ranks:
    places = {response.text: response.rank for response in example.responses}
    return dense([places[text] for text in texts])


def _seat(items: Sequence[Item], phases: Sequence[int], draw: random.Random) -> list[Shown]:
    """The items in a seat's own order; the first ranker's best of n stands in slot phase mod n.

    Phases run through all numbers over the items of a seat and over the seats of an item, so that
    it is in each slot equally often: a habit of people ("the first is better") cannot pass for
    agreement.
    """
    shown = []
    for item, phase in zip(items, phases, strict=True):
        order = draw.sample(range(len(item.texts)), len(item.texts))
        verdict = next(iter(item.verdicts.values())) or (0,)
        best, slot = verdict.index(0), phase % len(order)
        other = order.index(best)
        order[slot], order[other] = order[other], order[slot]
        shown.append(Shown(item=item.id, order=tuple(order)))
    return draw.sample(shown, len(shown))


def _licences(rankings: Sequence[Ranking]) -> list[str]:
    """Licence tags that came with responses or with judgements."""
    examples = [example for ranking in rankings for example in ranking.examples.values()]
    origins = [r.origin for e in examples for r in e.responses]
    origins += [judgement.origin for e in examples for judgement in e.judgements]
    return sorted({origin.licence for origin in origins if origin and origin.licence})
