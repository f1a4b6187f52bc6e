"""Tokenise: examples in, their token ids out; done once for all trainings that read alike."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tuna_exp.batching.batch import TokenizedExample
from tuna_exp.batching.tokenise import Batching, MleOn, Tokeniser
from tuna_exp.batching.tokens import write_tokens
from tuna_exp.errors import DataError
from tuna_exp.models.student import Student
from tuna_exp.plan import Workspace
from tuna_exp.progress import Bar
from tuna_exp.records import Instruction, RankedExample, read_records
from tuna_exp.stages.rank import RANKING

TOKENS = "tokens.arrow"


@dataclass(frozen=True)
class Reading:
    """How examples are read: `mle_on` says whose likelihood is trained, `use_unordered` whether
    sets without any order are used.
    """

    batching: Batching
    mle_on: MleOn
    use_unordered: bool


def tokenise_instructions(
    reading: Reading, student: Student, instructions: Sequence[Instruction], work: Workspace
) -> None:
    """Write the dataset's own responses, for SFT, to `tokens.arrow`."""
    tokeniser = Tokeniser(student.encoder(student.source.resolve()), reading.batching)
    _write(tokeniser, map(tokeniser.reference, instructions), len(instructions), work)


def tokenise_ranking(reading: Reading, student: Student, work: Workspace) -> None:
    """Write the ranked responses of the input `ranking` to `tokens.arrow`."""
    path = work.inputs["ranking"] / RANKING
    ordered = [example.ordered_pairs > 0 for example in read_records(path, RankedExample)]
    used = len(ordered) if reading.use_unordered else sum(ordered)
    work.note(sets=len(ordered), ordered_sets=sum(ordered), sets_used=used)
    tokeniser = Tokeniser(student.encoder(student.source.resolve()), reading.batching)
    examples = (
        tokeniser.ranked(example, reading.mle_on)
        for example in read_records(path, RankedExample)
        if reading.use_unordered or example.ordered_pairs
    )
    _write(tokeniser, examples, used, work)


def _write(
    tokeniser: Tokeniser,
    examples: Iterable[TokenizedExample | None],
    total: int,
    work: Workspace,
) -> None:
    work.bar.start(total, "examples")
    path = work.folder / TOKENS
    count = write_tokens(path, _kept(examples, work.bar))
    if not count:
        raise DataError(
            f"no example is left to train on: {total} could be used, {tokeniser.dropped} of "
            f"them were dropped as longer than batching.max_length={tokeniser.batching.max_length}."
            " Cure: more data, a ranking with an order (objective.use_unordered=true takes sets "
            "without), a higher batching.max_length, or batching.on_too_long=truncate."
        )
    work.note(examples=count, dropped=tokeniser.dropped)


def _kept(examples: Iterable[TokenizedExample | None], bar: Bar) -> Iterator[TokenizedExample]:
    for example in examples:
        bar.advance()
        if example is not None:
            yield example
