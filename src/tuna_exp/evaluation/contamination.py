"""How much of a benchmark stands in the training data, and which benchmark that spoils.

Counted are the benchmark's items, as in GPT-3's report (Brown et al. 2020, appendix C): an item is
contaminated where its text or its reference stands in a training text as a whole, or shares a run
of words with one. Left out: the benchmark's canary, which only a verbatim copy of its files would
hold, and scores over the clean items alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from tuna_exp.datasets.overlap import Index, runs_of, words_of
from tuna_exp.errors import ConfigError, nearest
from tuna_exp.records import Instruction, RankedExample, Record

# Its authors ask that it be in no training data, and its items are short enough to be learned.
REFUSED = ("lmentry",)
_EXAMPLES = 5


class Contaminated(Record):
    """One contaminated item and the words that it shares."""

    item: str
    words: str


class Contamination(Record):
    """How many of a benchmark's `items` stand in training instructions, responses, either.

    `whole` are those that stand there as whole texts, `examples` the first few of all. Runs are of
    `run_of_words` words.
    """

    benchmark: str
    items: int
    run_of_words: int
    in_instructions: int
    in_responses: int
    either: int
    whole: int
    examples: tuple[Contaminated, ...] = ()

    @property
    def share(self) -> float:
        """Contaminated items of all, in [0, 1]."""
        return self.either / self.items if self.items else 0.0


@dataclass(frozen=True)
class _Found:
    """Words of the benchmark's texts that training texts share: whole texts, and runs."""

    whole: frozenset[str]
    runs: frozenset[str]

    def in_item(self, item: Instruction, size: int) -> tuple[str, str]:
        """Return the words that an item shares as a whole text and as a run, "" for none."""
        words = [words_of(text) for text in _texts(item)]
        joined = (" ".join(some) for some in words)
        runs = (" ".join(run) for some in words for run in runs_of(some, size))
        whole = next((text for text in joined if text in self.whole), "")
        return whole, next((run for run in runs if run in self.runs), "")


def contamination(
    benchmark: str,
    items: Sequence[Instruction],
    instructions: Iterable[str],
    responses: Iterable[str],
    run_of_words: int,
) -> Contamination:
    """Look for a benchmark's items in the texts that a model is trained on.

    The benchmark is indexed and the training texts are read once, so they may be many. Raises
    ConfigError for a run of less than one word.
    """
    if run_of_words < 1:
        raise ConfigError(
            f"contamination.run_of_words={run_of_words}; allowed: 1 or more words. "
            "Cure: contamination.run_of_words=13."
        )
    index = Index(run_of_words)
    index.add(benchmark, (text for item in items for text in _texts(item)))
    asked, said = _found(index, instructions), _found(index, responses)
    in_asked = [asked.in_item(item, run_of_words) for item in items]
    in_said = [said.in_item(item, run_of_words) for item in items]
    first = [
        Contaminated(item=item.id, words=next(filter(None, (*a, *b))))
        for item, a, b in zip(items, in_asked, in_said, strict=True)
        if any((*a, *b))
    ]
    return Contamination(
        benchmark=benchmark,
        items=len(items),
        run_of_words=run_of_words,
        in_instructions=sum(map(any, in_asked)),
        in_responses=sum(map(any, in_said)),
        either=len(first),
        whole=sum(bool(a[0] or b[0]) for a, b in zip(in_asked, in_said, strict=True)),
        examples=tuple(first[:_EXAMPLES]),
    )


def in_dataset(
    benchmark: str,
    items: Sequence[Instruction],
    instructions: Sequence[Instruction],
    published: Sequence[RankedExample],
    run_of_words: int,
) -> Contamination:
    """Look for a benchmark's items in a dataset: its instructions, references, ranked responses."""
    asked = (instruction.text for instruction in instructions)
    references = (one.reference for one in instructions if one.reference)
    ranked = (r.text for example in published for r in example.responses)
    return contamination(benchmark, items, asked, chain(references, ranked), run_of_words)


def remark(one: Contamination) -> str:
    """Return what every result on a benchmark says of it."""
    if not one.either:
        return (
            f"None of the {one.items:,} items of {one.benchmark} stands in the training data "
            f"(whole texts, or {one.run_of_words} words in a row)."
        )
    return (
        f"{one.either:,} of the {one.items:,} items of {one.benchmark} ({one.share:.1%}) stand in "
        f"the training data, {one.in_instructions:,} in instructions and {one.in_responses:,} in "
        f"responses: as whole texts, or by {one.run_of_words} words in a row. Scores on it may be "
        "flattered."
    )


def remark_on_sampled(one: Contamination, responses: int) -> str:
    """Return what a result says of the responses that were sampled and ranked for training."""
    among = f"{responses:,} responses that were sampled and ranked for training"
    if not one.either:
        return f"None of the {one.items:,} items of {one.benchmark} stands in the {among}."
    return (
        f"{one.either:,} of the {one.items:,} items of {one.benchmark} ({one.share:.1%}) stand in "
        f"the {among}. Scores on it may be flattered."
    )


def remark_on_unknown(benchmarks: Sequence[str]) -> str:
    """Return what a result says where the training data is not known."""
    return (
        f"Nobody looked for the items of {', '.join(benchmarks)} in the training data, which is "
        "not known here. Cure: tuna-exp evaluate ... dataset=OPTION, with what it was trained on."
    )


def refuse_contaminated(found: Sequence[Contamination], allowed: Sequence[str]) -> None:
    """Raise ConfigError where a benchmark that must not be trained on was, unless it is allowed.

    `allowed` is the setting `allow_contaminated`; a name in it that no benchmark is refused by is
    an error too, as it would have no effect.
    """
    for name in allowed:
        if name not in REFUSED:
            raise ConfigError(
                f"allow_contaminated names '{name}', which is never refused; allowed: "
                f"{', '.join(REFUSED)}.{nearest(name, REFUSED)} Cure: leave it out."
            )
    spoiled = [one for one in found if one.either and one.benchmark in REFUSED]
    refused = [one for one in spoiled if one.benchmark not in allowed]
    if refused:
        names = ", ".join(one.benchmark for one in refused)
        raise ConfigError(
            "\n".join(map(_told, refused))
            + "\nCure: leave these texts out of training, evaluate without "
            f"{names}, or allow_contaminated=[{names}], which every result will say."
        )


def _told(one: Contamination) -> str:
    first = one.examples[0]
    return (
        f"{one.benchmark}: {one.either} of {one.items} items stand in the training data "
        f"({one.in_instructions} in instructions, {one.in_responses} in responses; {one.whole} as "
        f"whole texts, the others by {one.run_of_words} words in a row), and a score on it would "
        f"be flattered. The first is {first.item}: {first.words!r}."
    )


def _found(index: Index, texts: Iterable[str]) -> _Found:
    shared = {(one.whole, one.words) for text in texts for one in index.find_all(text)}
    return _Found(
        whole=frozenset(words for whole, words in shared if whole),
        runs=frozenset(words for whole, words in shared if not whole),
    )


def _texts(item: Instruction) -> list[str]:
    return [item.text, item.reference] if item.reference else [item.text]
