"""Summarisation as a benchmark: ROUGE-1, ROUGE-2 and ROUGE-L against one or more references.

ROUGE-L is the fast one of `rouge`, the others the `rouge_score` package's. Left out: metrics that
ask a model (BERTScore, judges); open-ended prompts with a judge are `evaluation=open_ended`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from rouge_score.rouge_scorer import RougeScorer

from tuna_exp.comparison.statistics import Bootstrap, mean_interval
from tuna_exp.datasets.checking import Entry, collect, of_split
from tuna_exp.datasets.reading import MalformedError, fingerprint, read_rows, show
from tuna_exp.errors import nearest
from tuna_exp.evaluation.base import Figure
from tuna_exp.evaluation.rouge import rouge_l
from tuna_exp.llms.decoding import Decoding
from tuna_exp.records import Candidate, Check, Instruction, Prediction

CHECK = "summary"


@dataclass(frozen=True)
class Fields:
    """What the file calls its parts; of `summaries` a row has one or more, `split` may be null."""

    id: str
    document: str
    summaries: Sequence[str]
    split: str | None


@dataclass(frozen=True)
class SummarisationBenchmark:
    """Documents of a file of JSON lines with their summaries, those of one `split` or all (None).

    `instruction` is put before each document.
    """

    name: str
    path: str
    split: str | None
    fields: Fields
    instruction: str
    max_new_tokens: int
    batch_size: int

    @cached_property
    def _entries(self) -> list[Instruction]:
        cure = (
            f"correct these records, or evaluation.{self.name}.fields, which say what the file "
            "calls its parts."
        )
        made = collect(read_rows(Path(self.path), None), self._entry, cure)
        return of_split(made, self.split, f"evaluation.{self.name}.split", self.path, "document")

    def items(self) -> list[Instruction]:
        """Return the documents. Raises UserError for a file that is not so, or an empty split."""
        return list(self._entries)

    def decoding(self) -> Decoding:
        """Return greedy decoding, one response."""
        return Decoding.greedy(self.max_new_tokens)

    def score(self, instruction: Instruction, answer: Candidate) -> Prediction:
        """Score by ROUGE-L, F1 of the best reference; an answer passes where it is one of them."""
        references = references_of(instruction)
        return Prediction(
            instruction=instruction,
            text=answer.text,
            tokens=answer.tokens,
            passed=answer.text.strip() in references,
            score=rouge_l(references, answer.text),
        )

    def figures(self, predictions: Sequence[Prediction], bootstrap: Bootstrap) -> list[Figure]:
        """Return the means of ROUGE-L, ROUGE-1 and ROUGE-2, each of the best reference."""
        n_grams = [rouge_n(references_of(p.instruction), p.text) for p in predictions]
        values = {"ROUGE-L": [p.score for p in predictions]}
        values |= {name: [found[name] for found in n_grams] for name in ("ROUGE-1", "ROUGE-2")}
        return [
            Figure(name, "all", mean_interval(numbers, (0.0, 1.0), bootstrap))
            for name, numbers in values.items()
        ]

    def digest(self) -> dict[str, object]:
        """Return what decides the items and their scores: the file's bytes, not its path."""
        return {
            "benchmark": "summarisation",
            "sha256": fingerprint(Path(self.path)),
            "split": self.split,
            "fields": {**vars(self.fields), "summaries": list(self.fields.summaries)},
            "instruction": self.instruction,
            "max_new_tokens": self.max_new_tokens,
            "batch_size": self.batch_size,
        }

    def _entry(self, index: int, row: object) -> Entry:
        if not isinstance(row, Mapping):
            raise MalformedError(f"expected a JSON object, found {show(row)}")
        fields = self.fields
        document = _text(row, fields.document)
        named = [row[name] for name in fields.summaries if name in row]
        summaries = [s.strip() for s in named if isinstance(s, str) and s.strip()]
        if not summaries:
            raise MalformedError(
                f"no summary under any of {', '.join(fields.summaries)}; found {show(list(row))}"
            )
        check = Check(name=CHECK, arguments={"references": summaries})
        return Entry(
            Instruction(
                id=_text(row, fields.id),
                instruction=self.instruction,
                input=document,
                reference=summaries[0],
                split=_text(row, fields.split) if fields.split else "",
                check=check,
            )
        )


def references_of(instruction: Instruction) -> list[str]:
    """Return the summaries of an item of this benchmark."""
    assert instruction.check is not None and instruction.check.name == CHECK
    listed = instruction.check.arguments["references"]
    assert isinstance(listed, list)
    return [str(one) for one in listed]


def rouge_n(references: Sequence[str], text: str) -> dict[str, float]:
    """Return ROUGE-1 and ROUGE-2, F1 of the best reference, each in [0, 1]; Porter stems."""
    found = [_scorer().score(reference, text) for reference in references]
    return {
        name: max(one[key].fmeasure for one in found)
        for name, key in (("ROUGE-1", "rouge1"), ("ROUGE-2", "rouge2"))
    }


@cache
def _scorer() -> RougeScorer:
    return RougeScorer(["rouge1", "rouge2"], use_stemmer=True)


def _text(row: Mapping[str, object], field: str) -> str:
    if field not in row:
        raise MalformedError(
            f"field '{field}' is missing; expected a string that is not blank; found only "
            f"{show(list(row))}.{nearest(field, row)}"
        )
    value = row[field]
    if not isinstance(value, str) or not value.strip():
        raise MalformedError(
            f"field '{field}': expected a string that is not blank, found {show(value)}"
        )
    return value
