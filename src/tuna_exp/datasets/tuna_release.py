"""The files that the Tuna authors released (Li et al., 2023; microsoft/LMOps, folder tuna).

Four layouts. `probabilistic` and `contextual` are the two training files (same fields: the
instruction in the Alpaca template, responses, scores); `probabilistic_raw` has the teacher's
samples with their log-likelihoods, `contextual_raw` the judge's replies.
Left out: the judge's own response (`response_4`), which the release does not rank for training.
"""

import logging
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field

from tuna_exp.datasets.alpaca import AlpacaRow
from tuna_exp.datasets.checking import (
    Entry,
    Identifier,
    NotBlank,
    Numbers,
    Shape,
    Text,
    Texts,
    check_lengths,
    collect,
    fit,
    tell_missing_references,
    usable_reference,
)
from tuna_exp.datasets.reading import MalformedError, Rows, fingerprint, read_rows, show
from tuna_exp.errors import ConfigError, DataError, nearest
from tuna_exp.records import Instruction, RankedExample

_log = logging.getLogger(__name__)

Layout = Literal["probabilistic", "contextual", "probabilistic_raw", "contextual_raw", "auto"]
Parser = Callable[[int, object], Entry]
_TELLTALES = {"orig": "probabilistic_raw", "generation": "contextual_raw", "score": "contextual"}
# "?+" so that a heading which announces an input is not read again as one that does not.
_TEMPLATE = re.compile(
    r"Below is an instruction that describes a task(?P<paired>, paired with an input)?+[^\n]*\n\n"
    r"### Instruction:\n(?P<instruction>.+?)"
    r"(?(paired)\n\n### Input:\n(?P<input>.*?))\n\n### Response:\s*",
    re.DOTALL,
)
LogProbs = Annotated[
    list[Annotated[float, Field(le=0, allow_inf_nan=False)]],
    Field(min_length=1, description="a list of finite log-probabilities (nats, at most 0)"),
]
Counts = Annotated[
    list[Annotated[int, Field(ge=0)]], Field(description="a list of token counts (at least 0)")
]
Order = Annotated[
    list[int] | None, Field(default=None, description="a list of response numbers, best first")
]


class TrainingRow(Shape):
    """A line of either training file; a higher score is better."""

    instruction: NotBlank
    output: Texts
    score: Numbers
    id: Identifier


class ProbabilisticRow(Shape):
    """The teacher's samples; `logprob` is in nats, summed over `length` tokens."""

    orig: Annotated[AlpacaRow, Field(description="an object with instruction, input and output")]
    text: Texts
    avg_token_prob: Numbers
    length: Counts
    logprob: LogProbs


class ContextualRow(Shape):
    """The judge's reply. The documents of the release call the order `rank`, its program `ranks`.

    Responses are numbered from 0; the number after the last is the judge's own response.
    """

    instruct: NotBlank
    generation: Texts
    id: Identifier
    gpt_eval: Text
    rank: Order
    ranks: Order


@dataclass(frozen=True)
class TunaReleaseDataset:
    """One of the released files, plain or gzipped, as a JSON list or JSON lines.

    `length_exponent` is the beta of log p(r|x) / |r|^beta, used for `probabilistic_raw` only. In
    the training files and `contextual_raw` the reference is the best response, because they do
    not say which one is Alpaca's.
    """

    path: str
    layout: Layout
    length_exponent: float
    limit: int | None

    def load(self) -> list[Instruction]:
        """Read and check every record; raises ConfigError or DataError."""
        return [entry.instruction for entry in self.entries()]

    @property
    def ranked(self) -> bool:
        """The release is a ranking, whichever file."""
        return True

    def load_ranked(self) -> list[RankedExample]:
        """Return the ranked records, without those where the judge kept only its own response."""
        entries = self.entries()
        ranked = [entry.ranked() for entry in entries if entry.responses]
        if len(ranked) < len(entries):
            _log.warning(
                "%s: in %d of %d records the judge kept only its own response; left out",
                self.path, len(entries) - len(ranked), len(entries),
            )  # fmt: skip
        return ranked

    def digest(self) -> dict[str, object]:
        """What decides the content: the file's bytes and the options, not the path."""
        return {
            "dataset": "tuna_release",
            "sha256": fingerprint(Path(self.path)),
            "layout": self.layout,
            "length_exponent": self.length_exponent,
            "limit": self.limit,
        }

    def entries(self) -> Sequence[Entry]:
        """Read and check every record, repeated texts and all; raises ConfigError or DataError."""
        self._check_settings()
        rows = read_rows(Path(self.path), self.limit)
        cure = (
            f"correct these records, or name the file's layout (now {self.layout}) with "
            f"dataset.layout={'|'.join(get_args(Layout))}."
        )
        entries = collect(rows, self._parser(rows), cure)
        tell_missing_references(entries, rows.source)
        return entries

    def _check_settings(self) -> None:
        layouts = get_args(Layout)
        if self.layout not in layouts:
            raise ConfigError(
                f"dataset.layout={self.layout}: expected one of {', '.join(layouts)}."
                f"{nearest(str(self.layout), layouts)} Cure: dataset.layout=auto."
            )
        if not (math.isfinite(self.length_exponent) and self.length_exponent >= 0):
            raise ConfigError(
                f"dataset.length_exponent={self.length_exponent}: expected a finite number of at "
                "least 0. Cure: dataset.length_exponent=1.0."
            )

    def _parser(self, rows: Rows) -> Parser:
        layout = _detect(rows) if self.layout == "auto" else self.layout
        if layout == "probabilistic_raw":
            return lambda index, value: _probabilistic_entry(index, value, self.length_exponent)
        return _contextual_entry if layout == "contextual_raw" else _training_entry


def parse_template(field: str, text: str) -> tuple[str, str]:
    """Return instruction and input of a filled Alpaca template; raises MalformedError."""
    match = _TEMPLATE.fullmatch(text)
    if match is None or not match["instruction"].strip():
        raise MalformedError(
            f"field '{field}': expected the Alpaca template ('Below is an instruction ... "
            f"### Instruction: ... ### Response:'), found {show(text)}"
        )
    return match["instruction"], match["input"] or ""


def _detect(rows: Rows) -> str:
    first = rows.values[0]
    if isinstance(first, dict):
        for field, layout in _TELLTALES.items():
            if field in first:
                return layout
    raise DataError(
        f"{rows.place(0)}: dataset.layout=auto looks for a field {', '.join(_TELLTALES)}, found "
        f"{show(list(first) if isinstance(first, dict) else str(first))}. "
        "Cure: name the layout, or read the file with dataset=jsonl."
    )


def _training_entry(index: int, value: object) -> Entry:
    row = fit(TrainingRow, value)
    check_lengths({"output": row.output, "score": row.score})
    best = row.output[row.score.index(max(row.score))]
    instruction = _templated(row.id, "instruction", row.instruction, best)
    return Entry(instruction, tuple(row.output), tuple(row.score))


def _probabilistic_entry(index: int, value: object, length_exponent: float) -> Entry:
    """Score sum_t log p_t / |r|^beta, Tuna, section 3.1."""
    row = fit(ProbabilisticRow, value)
    check_lengths(
        {
            "text": row.text,
            "avg_token_prob": row.avg_token_prob,
            "length": row.length,
            "logprob": row.logprob,
        }
    )
    pairs = zip(row.logprob, row.length, strict=True)
    scores = tuple(logp / max(length, 1) ** length_exponent for logp, length in pairs)
    instruction = Instruction(
        id=f"tuna-{index:06d}",
        instruction=row.orig.instruction,
        input=row.orig.input,
        reference=usable_reference(row.orig.output),
    )
    return Entry(instruction, tuple(row.text), scores)


def _contextual_entry(index: int, value: object) -> Entry:
    row = fit(ContextualRow, value)
    judges_own = len(row.generation)
    order = _order(row, judges_own)
    responses = tuple(row.generation[number] for number in order if number != judges_own)
    best = responses[0] if responses else None
    return Entry(_templated(row.id, "instruct", row.instruct, best), responses, raw=row.gpt_eval)


def _order(row: ContextualRow, judges_own: int) -> list[int]:
    field = "ranks" if row.rank is None else "rank"
    order = row.ranks if row.rank is None else row.rank
    known = set(range(judges_own + 1))
    if not order or len(set(order)) < len(order) or not known.issuperset(order):
        raise MalformedError(
            f"field '{field}': expected different response numbers from 0 to {judges_own} "
            f"({judges_own}: the judge's own), best first, found {show(order)}"
        )
    return order


def _templated(identifier: str | int, field: str, text: str, best: str | None) -> Instruction:
    instruction, given = parse_template(field, text)
    return Instruction(
        id=str(identifier),
        instruction=instruction,
        input=given,
        reference=usable_reference(best),
    )
