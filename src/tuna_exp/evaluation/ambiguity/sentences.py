"""Sentences that can be read in several ways: does a model see all of what follows from them?

Reads AmbiEnt (Liu et al. 2023, arXiv 2304.14399): premise and hypothesis, of which either may be
ambiguous, with the set of labels that its readings give. The sets are theirs; their models choose
by likelihood or are tuned to give several labels, ours are asked in words, so that figures compare
models here and not with the paper. Left out: their tests of written disambiguations, which people
or a judge have to mark.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tuna_exp.comparison.statistics import Bootstrap, mean_interval, share_interval
from tuna_exp.datasets.checking import (
    Entry,
    Identifier,
    NotBlank,
    Shape,
    Text,
    collect,
    fit,
    of_split,
)
from tuna_exp.datasets.reading import MalformedError, fingerprint, read_rows
from tuna_exp.evaluation.base import Figure
from tuna_exp.llms.decoding import Decoding
from tuna_exp.records import Candidate, Check, Instruction, Prediction

CHECK = "readings"
_WORDS = {
    "entailment": re.compile(r"\bentail(s|ed|ment|ments)?\b"),
    "neutral": re.compile(r"\bneutral(ity)?\b"),
    "contradiction": re.compile(r"\bcontradict(s|ed|ion|ions|ory)?\b"),
}


class _Row(Shape):
    split: Text = ""  # published files have none
    id: Identifier
    premise: NotBlank
    hypothesis: NotBlank
    labels: NotBlank


@dataclass(frozen=True)
class ReadingsBenchmark:
    """Pairs of sentences of an AmbiEnt file, those of one `split` or all (None)."""

    name: str
    path: str
    split: str | None
    instruction: str
    max_new_tokens: int
    batch_size: int

    @cached_property
    def _items(self) -> list[Instruction]:
        cure = "a file of AmbiEnt as published, one JSON object per line."
        made = collect(read_rows(Path(self.path), None), self._entry, cure)
        return of_split(made, self.split, f"evaluation.{self.name}.split", self.path, "pair")

    def items(self) -> list[Instruction]:
        """Return the pairs. Raises UserError for a file that is not so, or an empty split."""
        return list(self._items)

    def decoding(self) -> Decoding:
        """Return greedy decoding, one response."""
        return Decoding.greedy(self.max_new_tokens)

    def score(self, instruction: Instruction, answer: Candidate) -> Prediction:
        """Score |named and true| / |named or true| labels; an answer passes with the very set."""
        true, named = labels_of(instruction), labels_in(answer.text)
        return Prediction(
            instruction=instruction,
            text=answer.text,
            tokens=answer.tokens,
            passed=named == true,
            score=len(named & true) / len(named | true),
        )

    def figures(self, predictions: Sequence[Prediction], bootstrap: Bootstrap) -> list[Figure]:
        """Return the overlap of label sets and exact sets, and how often several are named."""
        made = []
        for group in ("all", "ambiguous", "one reading"):
            some = [p for p in predictions if group in ("all", p.instruction.kind)]
            if not some:
                continue
            overlap = mean_interval([p.score for p in some], (0.0, 1.0), bootstrap)
            exact = mean_interval([float(p.passed) for p in some], (0.0, 1.0), bootstrap)
            several = sum(len(labels_in(p.text)) > 1 for p in some)
            share = share_interval(several, len(some), bootstrap.confidence)
            made += [
                Figure("label overlap", group, overlap),
                Figure("exact labels", group, exact),
                Figure("names several", group, share),
            ]
        return made

    def digest(self) -> dict[str, object]:
        """Return what decides the items and their scores: the file's bytes, not its path."""
        return {
            "benchmark": "readings",
            "sha256": fingerprint(Path(self.path)),
            "split": self.split,
            "instruction": self.instruction,
            "max_new_tokens": self.max_new_tokens,
            "batch_size": self.batch_size,
        }

    def _entry(self, index: int, row: object) -> Entry:
        read = fit(_Row, row, {name: name for name in _Row.model_fields})
        labels = [label.strip() for label in read.labels.split(",")]
        unknown = [label for label in labels if label not in _WORDS]
        if unknown:
            raise MalformedError(f"labels should be of {', '.join(_WORDS)}, got {unknown[0]!r}")
        return Entry(
            Instruction(
                id=f"{read.split or 'pair'}-{index}",
                instruction=self.instruction,
                input=f"Premise: {read.premise}\nHypothesis: {read.hypothesis}",
                kind="ambiguous" if len(labels) > 1 else "one reading",
                split=read.split,
                check=Check(name=CHECK, arguments={"labels": labels}),
            )
        )


def labels_of(instruction: Instruction) -> set[str]:
    """Return the true labels of an item of this benchmark."""
    assert instruction.check is not None and instruction.check.name == CHECK
    listed = instruction.check.arguments["labels"]
    assert isinstance(listed, list)
    return {str(label) for label in listed}


def labels_in(text: str) -> set[str]:
    """Return the labels that an answer names, in any of their forms.

    What an answer denies ("not a contradiction") is not told from what it says: the instruction
    asks for labels alone.
    """
    return {label for label, word in _WORDS.items() if word.search(text.lower())}
