"""Requests of which some cannot be answered without asking: does a model tell them from the others?

Reads CLAMBER (Zhang et al. 2024, arXiv 2405.12063; `require_clarification` and categories are
theirs) and ClariQ (Aliannejadi et al. 2020; the grade of `clarification_need` is theirs, where
unclear begins is a setting). Both papers ask a model to classify a request, or to write a question
when told to; here it is simply asked, as a user would, and its answer is read for what it does. The
measures are therefore ours. Left out: a judge that reads the answers (the open-ended benchmarks
have one) and conversations of more than one turn.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tuna_exp.comparison.statistics import (
    Array,
    Bootstrap,
    Interval,
    mean_interval,
    share_interval,
    sums_interval,
)
from tuna_exp.datasets.checking import Entry, Identifier, NotBlank, Shape, Text, collect, fit
from tuna_exp.datasets.reading import MalformedError, Rows, fingerprint, read_rows, read_text
from tuna_exp.errors import ConfigError
from tuna_exp.evaluation.ambiguity.detector import VERSION, asks, assumes, without
from tuna_exp.evaluation.base import Figure
from tuna_exp.llms.decoding import Decoding
from tuna_exp.records import Candidate, Check, Instruction, Prediction

CHECK = "clarity"
Layout = Literal["clamber", "clariq"]
LAYOUTS = ("clamber", "clariq")


class _Clamber(Shape):
    question: NotBlank
    context: Text
    require_clarification: Annotated[Literal[0, 1], Field(description="0 or 1")]
    category: NotBlank
    subclass: NotBlank


class _Clariq(Shape):
    topic_id: Identifier
    initial_request: NotBlank
    clarification_need: Annotated[
        Literal["1", "2", "3", "4"], Field(description='"1", "2", "3" or "4"')
    ]


@dataclass(frozen=True)
class AmbiguityBenchmark:
    """Requests of a CLAMBER or ClariQ file.

    Of ClariQ a request is unclear from the grade `unclear_from` (1 to 4) on.
    """

    name: str
    path: str
    layout: Layout
    unclear_from: int
    max_new_tokens: int
    batch_size: int

    @cached_property
    def _items(self) -> list[Instruction]:
        cure = (
            f"correct these records, or the layout that the file has, of {', '.join(LAYOUTS)}: "
            f"evaluation.{self.name}.layout."
        )
        rows = _table(self.path) if _is_table(self.path) else read_rows(Path(self.path), None)
        parse: dict[str, Callable[[int, object], Entry]] = {
            "clamber": _clamber,
            "clariq": self._clariq,
        }
        if self.layout == "clariq":
            rows = _one_each(rows)
        items = [entry.instruction for entry in collect(rows, parse[self.layout], cure)]
        counts = {
            unclear: sum(is_unclear(i) is unclear for i in items) for unclear in (True, False)
        }
        if not all(counts.values()):
            raise ConfigError(
                f"evaluation.{self.name}: of {len(items)} requests {counts[True]} are unclear and "
                f"{counts[False]} clear; both are needed. Cure: another "
                f"evaluation.{self.name}.unclear_from or a whole file."
            )
        return items

    def items(self) -> list[Instruction]:
        """Return the requests. Raises UserError for a file that is not so, or without either."""
        return list(self._items)

    def decoding(self) -> Decoding:
        """Return greedy decoding, one response."""
        return Decoding.greedy(self.max_new_tokens)

    def score(self, instruction: Instruction, answer: Candidate) -> Prediction:
        """Score 1 where an unclear request is asked about or its reading is stated, else 0.

        And where a clear one is simply answered: a model that always states one has told nothing.
        """
        unclear = asks(said := without(instruction.text, answer.text)) or assumes(said)
        right = unclear == is_unclear(instruction)
        return Prediction(
            instruction=instruction,
            text=answer.text,
            tokens=answer.tokens,
            passed=right,
            score=float(right),
        )

    def figures(self, predictions: Sequence[Prediction], bootstrap: Bootstrap) -> list[Figure]:
        """Return accuracy and what it is made of, over all and by category.

        Balanced accuracy is the mean of the accuracies on unclear and clear requests: a model that
        never asks, or always, has one half. F1 is that of finding the unclear ones, as in CLAMBER:
        a model that always asks has 2/3 where half are unclear.
        """
        made = [
            Figure("balanced accuracy", "all", balanced(predictions, bootstrap)),
            Figure("accuracy", "all", _accuracy(predictions, bootstrap)),
            Figure("F1 of unclear", "all", f1(predictions, bootstrap)),
        ]
        unclear = [p for p in predictions if is_unclear(p.instruction)]
        clear = [p for p in predictions if not is_unclear(p.instruction)]
        # Over groups that no item is called by: these rates are not means of the items' scores.
        for group, some in (("unclear requests", unclear), ("clear requests", clear)):
            for name, does in (("asks", asks), ("states its reading", assumes)):
                count = sum(does(without(p.instruction.text, p.text)) for p in some)
                share = share_interval(count, len(some), bootstrap.confidence)
                made.append(Figure(name, group, share))
        for group in sorted({p.instruction.kind.partition("/")[0] for p in predictions}):
            part = [p for p in predictions if p.instruction.kind.partition("/")[0] == group]
            made.append(Figure("accuracy", group, _accuracy(part, bootstrap)))
            if 0 < sum(is_unclear(p.instruction) for p in part) < len(part):
                made.append(Figure("balanced accuracy", group, balanced(part, bootstrap)))
        return made

    def digest(self) -> dict[str, object]:
        """Return what decides the items and their scores: the file's bytes, not its path."""
        return {
            "benchmark": "ambiguity",
            "rules": VERSION,
            "sha256": fingerprint(Path(self.path)),
            "layout": self.layout,
            "unclear_from": self.unclear_from,
            "max_new_tokens": self.max_new_tokens,
            "batch_size": self.batch_size,
        }

    def _clariq(self, index: int, row: object) -> Entry:
        read = fit(_Clariq, row, {name: name for name in _Clariq.model_fields})
        unclear = int(read.clarification_need) >= self.unclear_from
        kind = f"need {read.clarification_need}"
        return _entry(f"topic-{read.topic_id}", read.initial_request, "", kind, unclear)


def is_unclear(instruction: Instruction) -> bool:
    """Whether an item of this benchmark needs to be asked about."""
    assert instruction.check is not None and instruction.check.name == CHECK
    return bool(instruction.check.arguments["unclear"])


def balanced(predictions: Sequence[Prediction], bootstrap: Bootstrap) -> Interval:
    """Return the mean of the two accuracies, in [0, 1], with its bootstrap interval over items."""
    counts = np.array(
        [
            [p.score, 1.0, 0.0, 0.0] if is_unclear(p.instruction) else [0.0, 0.0, p.score, 1.0]
            for p in predictions
        ]
    )

    def value(sums: Array) -> Array:
        with np.errstate(invalid="ignore"):
            mean: Array = (sums[0] / sums[1] + sums[2] / sums[3]) / 2
        return mean

    return sums_interval(counts, value, (0.0, 1.0), bootstrap)


def f1(predictions: Sequence[Prediction], bootstrap: Bootstrap) -> Interval:
    """Return 2·TP / (2·TP + FP + FN) of finding the unclear requests, in [0, 1], over items."""
    counts = np.array(
        [
            [p.score, 1.0 - p.score] if is_unclear(p.instruction) else [0.0, 1.0 - p.score]
            for p in predictions
        ]
    )

    def value(sums: Array) -> Array:
        with np.errstate(invalid="ignore"):
            made: Array = 2 * sums[0] / (2 * sums[0] + sums[1])
        return made

    return sums_interval(counts, value, (0.0, 1.0), bootstrap)


def _accuracy(predictions: Sequence[Prediction], bootstrap: Bootstrap) -> Interval:
    return mean_interval([p.score for p in predictions], (0.0, 1.0), bootstrap)


def _clamber(index: int, row: object) -> Entry:
    read = fit(_Clamber, row, {name: name for name in _Clamber.model_fields})
    kind = f"{read.category}/{read.subclass}"
    return _entry(str(index), read.question, read.context, kind, bool(read.require_clarification))


def _entry(identifier: str, request: str, context: str, kind: str, unclear: bool) -> Entry:
    check = Check(name=CHECK, arguments={"unclear": unclear})
    return Entry(
        Instruction(
            id=identifier, instruction=request, input=context, kind=kind, split="test", check=check
        )
    )


def _is_table(path: str) -> bool:
    return path.removesuffix(".gz").endswith(".tsv")


def _table(path: str) -> Rows:
    """Read tab-separated rows under a line of names, as ClariQ is published."""
    lines = read_text(Path(path)).splitlines()
    rows = list(csv.DictReader(lines, delimiter="\t"))
    return Rows(path, rows, lambda index: f"{Path(path).name} row {index + 1}")


def _one_each(rows: Rows) -> Rows:
    """Keep one row per request: the file has one for each facet and question of it."""
    seen: set[object] = set()
    kept: list[int] = []
    for index, row in enumerate(rows.values):
        topic = row.get("topic_id") if isinstance(row, dict) else None
        if isinstance(row, MalformedError) or topic is None or topic not in seen:
            seen.add(topic)
            kept.append(index)
    return Rows(rows.source, [rows.values[i] for i in kept], lambda i: rows.place(kept[i]))
