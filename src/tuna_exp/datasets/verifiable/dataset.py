"""The default dataset: instructions drawn from a seed, and the marking of responses to them.

The same seed gives the same instructions in every process, and a larger count begins with the
smaller one's instructions.
"""

import fnmatch
from collections.abc import Iterator, Sequence
from itertools import chain, count, islice
from random import Random
from typing import Literal

from tuna_exp.datasets.verifiable import letters, lists, numbers, sentences, words
from tuna_exp.datasets.verifiable.checks import judge
from tuna_exp.datasets.verifiable.kinds import Kind
from tuna_exp.datasets.verifiable.verdict import Verdict
from tuna_exp.datasets.verifiable.vocabulary import HELD_OUT, TRAIN
from tuna_exp.errors import ConfigError, DataError, nearest
from tuna_exp.records import Instruction

VERSION = 1
SPLITS = ("train", "held_out")
KINDS: tuple[Kind, ...] = tuple(
    chain.from_iterable(family.KINDS for family in (words, letters, numbers, lists, sentences))
)
_TRIES = 400  # draws in vain before a kind counts as used up


def generate(
    split: Literal["train", "held_out"],
    count: int,
    seed: int,
    kinds: Sequence[str] | None = None,
) -> list[Instruction]:
    """Draw `count` different instructions of a split, in mixed order.

    The kinds take turns, so that their numbers differ by at most one. Every fourth instruction of
    the held-out split is of a kind that is never trained on; its own `split` is "held_out_kind".
    `kinds` are names or patterns ("list/*") of those to take, all where it is None.
    Raises ConfigError for an unknown split, a negative count, a pattern that no kind fits or kinds
    of which the split has none, DataError where a kind runs out.
    """
    if split not in SPLITS:
        raise ConfigError(
            f"split is {split!r}; allowed: {', '.join(SPLITS)}.{nearest(split, SPLITS)} "
            "Cure: name one of them."
        )
    if count < 0:
        raise ConfigError(f"count is {count}; allowed: 0 or more. Cure: ask for at least 1.")
    chosen = _chosen(kinds)
    seen = tuple(kind for kind in chosen if not kind.held_out)
    unseen = tuple(kind for kind in chosen if kind.held_out)
    _check_not_empty(split, seen, unseen)
    stream = _stream(split, seen, seed) if split == "train" else _mixed(seen, unseen, seed)
    return list(islice(stream, count))


def _chosen(patterns: Sequence[str] | None) -> list[Kind]:
    """Return the kinds that fit one of the patterns; raises ConfigError for one that fits none."""
    names = [kind.name for kind in KINDS]
    for pattern in patterns or ():
        if not fnmatch.filter(names, pattern):
            raise ConfigError(
                f"kinds: {pattern!r} fits no kind of dataset 'verifiable'."
                f"{nearest(pattern, names)} Allowed are names or patterns such as 'list/*'; "
                f"kinds: {', '.join(names)}."
            )
    return [
        kind
        for kind in KINDS
        if patterns is None or any(fnmatch.fnmatch(kind.name, p) for p in patterns)
    ]


def _check_not_empty(split: str, seen: tuple[Kind, ...], unseen: tuple[Kind, ...]) -> None:
    """Raise ConfigError where the split has none of the chosen kinds."""
    if seen or (unseen and split != "train"):
        return
    if not unseen:
        raise ConfigError(
            "kinds is empty, so there is nothing to draw; allowed: names or patterns such as "
            "'list/*'. Cure: name at least one, or null for all kinds."
        )
    raise ConfigError(
        f"kinds: only {', '.join(kind.name for kind in unseen)} chosen, which are held out; "
        f"split {split!r} has none of them. "
        "Cure: split: held_out, or add a kind that is trained on, e.g. 'list/*'."
    )


def _mixed(seen: tuple[Kind, ...], unseen: tuple[Kind, ...], seed: int) -> Iterator[Instruction]:
    known = _stream("held_out", seen, seed)
    new = _stream("held_out_kind", unseen, seed)
    for place in count():
        yield next(new if unseen and (place % 4 == 3 or not seen) else known)


def _stream(split: str, kinds: tuple[Kind, ...], seed: int) -> Iterator[Instruction]:
    """Yield rounds without end: each kind once per round, in an order of its own."""
    sources = [_of_kind(split, kind, seed) for kind in kinds]
    order = Random(f"verifiable/{VERSION}/{seed}/{split}")
    while sources:
        yield from map(next, order.sample(sources, len(sources)))


def _of_kind(split: str, kind: Kind, seed: int) -> Iterator[Instruction]:
    random = Random(f"verifiable/{VERSION}/{seed}/{split}/{kind.name}")
    written: set[str] = set()
    while True:
        for _ in range(_TRIES):
            drawn = _draw(split, kind, random, f"{split}/{seed}/{kind.name}/{len(written)}")
            if drawn.text not in written:
                break
        else:
            raise DataError(
                f"dataset 'verifiable', split {split!r}: kind {kind.name!r} has no more than about "
                f"{len(written)} different instructions, which limits the whole split. "
                "Cure: ask for a smaller count."
            )
        written.add(drawn.text)
        yield drawn


def _draw(split: str, kind: Kind, random: Random, name: str) -> Instruction:
    train = split == "train"
    phrasing = random.choice(kind.phrasings if train else kind.held_out_phrasings)
    made = kind.make(random, TRAIN if train else HELD_OUT)
    return Instruction(
        id=name,
        instruction=phrasing.format(**made.slots),
        input=made.input,
        reference=made.reference,
        kind=kind.name,
        split=split,
        check=made.expects.as_check(),
    )


def verify(instruction: Instruction, response: str) -> Verdict:
    """Mark a response; raise DataError where the instruction has no check or an unknown one."""
    if instruction.check is None:
        raise DataError(
            f"instruction {instruction.id!r} has no check, so no response to it can be marked. "
            "Cure: use instructions of dataset 'verifiable', or a scorer that needs no check."
        )
    return judge(instruction.check, response)


class VerifiableDataset:
    """The dataset named `verifiable`: `count` instructions of a split, drawn from `seed`."""

    def __init__(
        self,
        count: int,
        seed: int,
        split: Literal["train", "held_out"] = "train",
        kinds: Sequence[str] | None = None,
    ) -> None:
        """Store the settings; nothing is drawn before `load`."""
        self.count = count
        self.seed = seed
        self.split = split
        self.kinds = kinds

    def load(self) -> list[Instruction]:
        """Return the instructions; raises what `generate` raises."""
        return generate(self.split, self.count, self.seed, self.kinds)

    def digest(self) -> dict[str, object]:
        """Return all that decides the content."""
        return {
            "dataset": "verifiable",
            "version": VERSION,
            "split": self.split,
            "count": self.count,
            "seed": self.seed,
            "kinds": None if self.kinds is None else list(self.kinds),
        }
