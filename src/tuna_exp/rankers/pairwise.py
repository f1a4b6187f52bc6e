"""Pairwise ranking: an LLM is shown two responses at a time and says which is better, or a tie.

Two responses are easier to compare than many, at the price of more questions. Each is kept as a
judgement of two texts, so circles (A over B over C over A) can be counted. Left out: models of
strength (Bradley-Terry); with one verdict per pair they give the order of the Copeland scores.
"""

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from random import Random
from typing import Literal

from tuna_exp.errors import ConfigError
from tuna_exp.llms.base import LLM, Form
from tuna_exp.llms.decoding import Decoding
from tuna_exp.rankers.asking import (
    Answer,
    JudgedRanker,
    Question,
    Reply,
    Scores,
    closed,
    ranked,
    read_form,
    refused,
)
from tuna_exp.rankers.base import Outcome, different
from tuna_exp.rankers.orders import verdict
from tuna_exp.rankers.sorting import merge_insertion, most_comparisons
from tuna_exp.records import CandidateSet, Instruction, Judgement, RankedExample

TASK = """You compare two responses to an instruction.

### Instruction
{instruction}

### Response A
{a}

### Response B
{b}

"""
CRITERIA = (
    "Judge which response is correct, follows the instruction and is clear. "
    "In a task with one right answer correctness decides."
)
TEXT = (
    f"{CRITERIA} Give your reasons in a few short lines. Finish with one line of exactly this "
    "form, with A, B or tie:\nVerdict: A"
)
FORM = f"{CRITERIA} Reply with a JSON object: your reasons in short, then A, B or tie."
DIRECT = f"{CRITERIA} Reply with the letter of the better one, or with C where they are equal."
PROMPTS = {"text": TEXT, "form": FORM, "first_token": DIRECT}
ANSWER_BEGINS = "Better response:"
OPTIONS = (" A", " B", " C")
FINAL_VERDICT = re.compile(
    r"^[ \t]*\**Verdict:\**[ \t]*\**(A|B|tie)\**[ \t]*\.?\**[ \t\r]*$", re.MULTILINE
)
SCORES: dict[str, Scores] = {"A": (0.0, -1.0), "B": (-1.0, 0.0), "tie": (0.0, 0.0)}
PAIR_FORM = Form(
    "better_of_two",
    closed(reasons={"type": "string"}, verdict={"type": "string", "enum": list(SCORES)}),
)
Pair = tuple[int, int]
# Yields pairs to be compared together and is sent the verdict on each, 1, 0 or -1.
Comparing = Generator[list[Pair], list[int], list[float]]


class PairVerdict(Reply):
    """The reply bound to `PAIR_FORM`."""

    reasons: str
    verdict: Literal["A", "B", "tie"]


@dataclass
class Match:
    """One set while its pairs are compared; `scores` are there once they have been."""

    instruction: Instruction
    texts: list[str]
    comparing: Comparing
    due: list[Pair] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    scores: list[float] | None = None
    failed: bool = False

    def advance(self, verdicts: list[int] | None) -> None:
        """Give the verdicts on what was due and learn what is due next."""
        try:
            self.due = self.comparing.send(verdicts) if verdicts else next(self.comparing)
        except StopIteration as done:
            self.due, self.scores = [], done.value


class PairwiseRanker(JudgedRanker):
    """Ranking by an LLM's verdicts on pairs.

    pairs="all" compares every two, and a response scores 1 for each other that it beats and 1/2 for
    each tie (Copeland); pairs="sorted" asks what merge insertion needs and scores the sorted order
    alike, which believes the judge to be free of circles. With `orders`=2 each pair is shown in
    both orders and two verdicts that differ are a tie. A pair with no readable verdict refuses the
    set; with one of two unreadable the other counts.
    """

    def __init__(
        self,
        judge: LLM,
        answer: Answer,
        decoding: Decoding,
        batch_size: int,
        seed: int,
        pairs: Literal["all", "sorted"],
        orders: int,
    ) -> None:
        super().__init__(judge, answer, decoding, batch_size, seed)
        self.pairs = pairs
        self.orders = orders

    def digest(self) -> dict[str, object]:
        """Return what decides the order."""
        prompts = [TASK, PROMPTS[self.asking.way]]
        return {
            "ranker": "pairwise",
            **self.asking.digest(),
            "prompts": prompts + [ANSWER_BEGINS] * (self.asking.way == "first_token"),
            "seed": self.seed,
            "pairs": self.pairs,
            "orders": self.orders,
        }

    def check(self, instructions: Sequence[Instruction]) -> None:
        """Raise ConfigError on settings that no instruction could be ranked with."""
        self.asking.check()
        if self.pairs not in ("all", "sorted") or self.orders not in (1, 2):
            raise ConfigError(
                f"ranker.pairs={self.pairs!r}, ranker.orders={self.orders}; allowed are pairs "
                "'all' and 'sorted', orders 1 and 2."
            )

    def questions(self, responses: int) -> int:
        """Return one per pair that is compared and order of presentation."""
        every = responses * (responses - 1) // 2
        return self.orders * (every if self.pairs == "all" else most_comparisons(responses))

    def rank(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
        """Compare the pairs of each set, those that are due in all sets together."""
        matches = [self._begin(candidates) for candidates in sets]
        for match in matches:
            match.advance(None)
        while running := [match for match in matches if match.due and not match.failed]:
            self._play(running)
        return [outcome(match) for match in matches]

    def _begin(self, candidates: CandidateSet) -> Match:
        texts = different(candidates)
        # Which of two is shown first must not depend on how they were sampled.
        Random(f"{self.seed}/{candidates.instruction.id}").shuffle(texts)
        compare = compare_all if self.pairs == "all" else compare_sorted
        return Match(candidates.instruction, texts, compare(len(texts)))

    def _play(self, matches: Sequence[Match]) -> None:
        """Ask about all pairs that are due and tell each match its verdicts."""
        shown = [
            (match, pair[::-1] if turned else pair)
            for match in matches
            for pair in match.due
            for turned in range(self.orders)
        ]
        questions = [self._question(match, pair) for match, pair in shown]
        said = iter(self.asking.ask(questions, self.seed))
        for match in matches:
            verdicts = []
            for _ in match.due:
                replies = [next(said) for _ in range(self.orders)]
                match.judgements += replies
                found = settle(replies)
                match.failed |= found is None
                verdicts.append(found or 0)
            if not match.failed:
                match.advance(verdicts)

    def _question(self, match: Match, pair: Pair) -> Question:
        shown = (match.texts[pair[0]], match.texts[pair[1]])
        name = f"{match.instruction.id}/{pair[0]}-{pair[1]}"
        return pair_question(match.instruction, shown, name, self.asking.way)


def pair_question(
    instruction: Instruction, shown: tuple[str, str], name: str, way: Answer
) -> Question:
    """Return the question which of two responses is better; `way` is how the judge answers."""
    words = TASK.format(instruction=instruction.text, a=shown[0], b=shown[1])
    task = Instruction(id=f"judge/{name}", instruction=words + PROMPTS[way])
    if way == "first_token":
        return Question(shown, task, begun=ANSWER_BEGINS, options=OPTIONS, weigh=most_probable)
    form = PAIR_FORM if way == "form" else None
    return Question(shown, task, read_formed if form else read_words, form)


def compare_all(count: int) -> Comparing:
    """Compare every pair at once; return the Copeland scores."""
    pairs = list(combinations(range(count), 2))
    verdicts = (yield pairs) if pairs else []
    scores = [0.0] * count
    for (i, j), said in zip(pairs, verdicts, strict=True):
        scores[i] += (1 + said) / 2
        scores[j] += (1 - said) / 2
    return scores


def compare_sorted(count: int) -> Comparing:
    """Compare what merge insertion asks for; return Copeland scores as if its order were asked."""
    sorting = merge_insertion(list(range(count)))
    said: int | None = None
    try:
        while True:
            pair = next(sorting) if said is None else sorting.send(said)
            (said,) = yield [pair]
    except StopIteration as done:
        levels: list[list[int]] = done.value
    scores, worse = [0.0] * count, 0
    for level in reversed(levels):
        for i in level:
            scores[i] = worse + (len(level) - 1) / 2
        worse += len(level)
    return scores


def settle(replies: Sequence[Judgement]) -> int | None:
    """Return the verdict on the pair as the first reply was shown it; None where none is readable.

    1 for the first of the two, -1 for the second, 0 for a tie or for replies that differ.
    """
    verdicts = [
        sign * verdict(reply.scores, 0, 1)
        for sign, reply in zip((1, -1), replies, strict=False)
        if not reply.refusal
    ]
    if not verdicts:
        return None
    return verdicts[0] if len(set(verdicts)) == 1 else 0


def outcome(match: Match) -> Outcome:
    """Return the ranked set, or its refusal by the first reply that could not be read."""
    instruction, texts = match.instruction, match.texts
    if match.scores is None:
        return refused(instruction, match.judgements)
    if not match.judgements:
        return RankedExample.from_scores(instruction, texts, match.scores)
    return ranked(instruction, texts, match.scores, match.judgements)


def read_words(reply: str) -> Scores | str:
    """Return the scores of "Verdict: B", or no_verdict, several_verdicts."""
    lines = FINAL_VERDICT.findall(reply)
    if len(lines) != 1:
        return "several_verdicts" if lines else "no_verdict"
    return SCORES[lines[0]]


def read_formed(reply: str) -> Scores | str:
    """Return the scores of a reply to `PAIR_FORM`, or the kind of refusal."""
    said = read_form(PairVerdict, reply)
    return said if isinstance(said, str) else SCORES[said.verdict]


def most_probable(logps: Sequence[float]) -> Scores:
    """Return the scores of the most probable of A, B and tie."""
    best = max(zip(logps, SCORES.values(), strict=True), key=lambda one: one[0])
    return best[1]
