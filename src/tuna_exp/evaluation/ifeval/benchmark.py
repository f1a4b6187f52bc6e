"""IFEval as a benchmark: accuracy over prompts and over constraints, strict and loose.

Figures per constraint type are left out, per family (keywords, length_constraints, ...) they are
there: 25 types of 10 to 66 constraints each say little apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from tuna_exp.comparison.statistics import Bootstrap, mean_interval, ratio_interval
from tuna_exp.datasets.checking import (
    Entry,
    Identifier,
    NotBlank,
    Shape,
    check_lengths,
    collect,
    fit,
)
from tuna_exp.datasets.reading import fingerprint, read_rows
from tuna_exp.evaluation.base import Figure
from tuna_exp.evaluation.ifeval.checkers import Constraint, followed, read_constraint
from tuna_exp.llms.decoding import Decoding
from tuna_exp.records import Candidate, Check, Instruction, Prediction

CHECK = "ifeval"
SCORING = 2  # to be raised with every change of the checkers: old results are then not reused
# Our names of the file's fields.
FIELDS = {
    "key": "key",
    "prompt": "prompt",
    "instruction_id_list": "instruction_id_list",
    "arguments": "kwargs",
}


class PromptRow(Shape):
    """A line of the published prompt file."""

    key: Identifier
    prompt: NotBlank
    instruction_id_list: Annotated[
        list[str], Field(min_length=1, description="a list of at least one constraint name")
    ]
    arguments: Annotated[
        list[dict[str, object]], Field(description="a list of objects, one per constraint")
    ]


@dataclass(frozen=True)
class IFEvalBenchmark:
    """The prompts of a file in the published form (`input_data.jsonl`, or of the Hub).

    They are answered greedily in at most `max_new_tokens`, `batch_size` at a time.
    """

    name: str
    path: str
    max_new_tokens: int
    batch_size: int

    def items(self) -> list[Instruction]:
        """Return the prompts with their constraints; raises DataError for a file that is not so."""
        cure = "download the prompts again: google-research, instruction_following_eval/data."
        entries = collect(read_rows(Path(self.path), None), _entry, cure)
        return [entry.instruction for entry in entries]

    def decoding(self) -> Decoding:
        """Return greedy decoding, one response."""
        return Decoding.greedy(self.max_new_tokens)

    def score(self, instruction: Instruction, answer: Candidate) -> Prediction:
        """Score the share of constraints strictly kept to; an answer passes with all of them."""
        kept = followed(constraints_of(instruction), answer.text)
        return Prediction(
            instruction=instruction,
            text=answer.text,
            tokens=answer.tokens,
            passed=all(kept),
            score=sum(kept) / len(kept),
        )

    def figures(self, predictions: Sequence[Prediction], bootstrap: Bootstrap) -> list[Figure]:
        """Return the four published accuracies, those over constraints also per family.

        Intervals resample prompts, with all constraints of each: they share a response.
        """
        parts = [(constraints_of(p.instruction), p.text) for p in predictions]
        kept = {
            "strict": [followed(constraints, text) for constraints, text in parts],
            "loose": [[one.loose(text) for one in constraints] for constraints, text in parts],
        }
        families = [[one.family for one in constraints] for constraints, _ in parts]
        prompts = [
            Figure(
                f"prompt accuracy, {how}",
                "all",
                mean_interval([float(all(one)) for one in said], (0.0, 1.0), bootstrap),
            )
            for how, said in kept.items()
        ]
        constraints = [
            figure
            for how, said in kept.items()
            for figure in _over_constraints(
                f"instruction accuracy, {how}", said, families, bootstrap
            )
        ]
        return [*prompts, *constraints]

    def digest(self) -> dict[str, object]:
        """Return what decides the items and their scores: the file's bytes, not its path."""
        decoding = {"max_new_tokens": self.max_new_tokens, "batch_size": self.batch_size}
        sha256 = fingerprint(Path(self.path))
        return {"benchmark": CHECK, "scoring": SCORING, "sha256": sha256, **decoding}


def constraints_of(instruction: Instruction) -> list[Constraint]:
    """Return the constraints of an item of this benchmark."""
    assert instruction.check is not None and instruction.check.name == CHECK
    listed = instruction.check.arguments["constraints"]
    assert isinstance(listed, list)
    return [Constraint.model_validate(one) for one in listed]


def _entry(index: int, row: object) -> Entry:
    read = fit(PromptRow, row, FIELDS)
    names = read.instruction_id_list
    check_lengths({"instruction_id_list": names, "kwargs": [str(one) for one in read.arguments]})
    made = [read_constraint(*one) for one in zip(names, read.arguments, strict=True)]
    arguments: dict[str, object] = {"constraints": [one.model_dump() for one in made]}
    check = Check(name=CHECK, arguments=arguments)
    return Entry(Instruction(id=str(read.key), instruction=read.prompt, split="test", check=check))


def _over_constraints(
    metric: str,
    kept: Sequence[Sequence[bool]],
    families: Sequence[Sequence[str]],
    bootstrap: Bootstrap,
) -> list[Figure]:
    """Return Σ kept / Σ constraints over all, then over those of each family."""
    found = sorted({family for some in families for family in some})

    def figure(group: str, counts: Callable[[str], bool]) -> Figure:
        pairs = [
            [ok for ok, family in zip(oks, names, strict=True) if counts(family)]
            for oks, names in zip(kept, families, strict=True)
        ]
        some = [oks for oks in pairs if oks]
        totals, sizes = [float(sum(oks)) for oks in some], [float(len(oks)) for oks in some]
        return Figure(metric, group, ratio_interval(totals, sizes, (0.0, 1.0), bootstrap))

    by_family = [figure(name, name.__eq__) for name in found]
    return [figure("all", lambda family: True), *by_family]
