"""Tokenise: examples in, their token ids out; done once for all trainings that read alike."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

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
    sets without any order are used, `share` which part of the ranked sets, the first ones.
    """

    batching: Batching
    mle_on: MleOn
    use_unordered: bool
    share: float


def tokenise_instructions(
    reading: Reading, student: Student, instructions: Sequence[Instruction], work: Workspace
) -> None:
    """Write the dataset's own responses, for SFT, to `tokens.arrow`."""
    tokeniser = Tokeniser(student.encoder(student.source.resolve()), reading.batching)
    _write(tokeniser, map(tokeniser.reference, instructions), len(instructions), work)


def tokenise_ranking(reading: Reading, student: Student, work: Workspace) -> None:
    """Write the ranked responses of the input `ranking` to `tokens.arrow`."""
    given, used = _usable(reading, work)
    tokeniser = Tokeniser(student.encoder(student.source.resolve()), reading.batching)
    sets = _read(reading, given, work)
    examples = (tokeniser.ranked(example, reading.mle_on) for example in sets)
    _write(tokeniser, examples, used, work)


def tokenise_best(reading: Reading, student: Student, work: Workspace) -> None:
    """Write the best response of each set of the input `ranking`, as if it were the dataset's own.

    Of several that tie for best it is the first that was sampled.
    """
    given, used = _usable(reading, work)
    tokeniser = Tokeniser(student.encoder(student.source.resolve()), reading.batching)
    best = (
        example.instruction.model_copy(update={"reference": example.responses[0].text})
        for example in _read(reading, given, work)
    )
    _write(tokeniser, map(tokeniser.reference, best), used, work)


def _usable(reading: Reading, work: Workspace) -> tuple[int, int]:
    """Note how many sets there are; return how many are to be read and how many of them used."""
    path = work.inputs["ranking"] / RANKING
    ordered = bytearray(e.ordered_pairs > 0 for e in read_records(path, RankedExample))
    given = ordered[: round(reading.share * len(ordered))]
    used = len(given) if reading.use_unordered else sum(given)
    work.note(sets=len(ordered), ordered_sets=sum(ordered), sets_used=used)
    return len(given), used


def _read(reading: Reading, given: int, work: Workspace) -> Iterator[RankedExample]:
    """Yield those of the first `given` sets that are to be used."""
    path = work.inputs["ranking"] / RANKING
    for example in islice(read_records(path, RankedExample), given):
        if reading.use_unordered or example.ordered_pairs:
            yield example


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
    work.note(examples=count, dropped=tokeniser.dropped, flops=0)


def _kept(examples: Iterable[TokenizedExample | None], bar: Bar) -> Iterator[TokenizedExample]:
    for example in examples:
        bar.advance()
        if example is not None:
            yield example
