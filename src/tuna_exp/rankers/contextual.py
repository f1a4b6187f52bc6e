"""Contextual ranking: an LLM reads a student's responses and orders them (Tuna-c, section 3.2).

The judge is asked what the released recipe asks of GPT-4, in words of our own: is the task open or
closed, what would a good answer be, which responses repeat one another, how does each do on three
criteria, and the order that follows. Its reply is parsed strictly. It can be asked in several
orders of presentation, which its order must survive. Left out: pairs and single responses, which
have rankers of their own (`pairwise`, `rubric`).
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from string import ascii_uppercase
from typing import Annotated, Literal

from pydantic import Field

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
from tuna_exp.rankers.base import Outcome, Refusal, different
from tuna_exp.rankers.orders import agree, consensus, presentations
from tuna_exp.records import CandidateSet, Instruction, Judgement, RankedExample

TASK = """You compare responses to an instruction and put them in order, best first.

### Instruction
{instruction}

{responses}

"""
REASONED = """Work through these steps, one short line each:
1. Type: is the task open (many good answers) or closed (one right answer)?
2. Reference: write the answer you would give.
3. Duplicates: which responses say the same?
4. Marks: give every response 0 to 5 for correctness, for following the instruction and for \
clarity. In a closed task correctness decides; in an open task weigh all three.
5. Finish with one line of exactly this form, every letter once, = between equals:
Final order: {example}"""
FORMED = """Reply with a JSON object of these fields, in this order:
- task_type: "open" (many good answers) or "closed" (one right answer).
- reference: the answer you would give.
- marks: for every letter 0 to 5 for correctness, for following the instruction (following) and \
for clarity. In a closed task correctness decides; in an open task weigh all three.
- order: the letters as lists, best first, every letter once, equals in one list. For example \
{example}"""
DIRECT = (
    "Judge which response is correct, follows the instruction and is clear. "
    "Reply with the letter of the best one."
)
ANSWER_BEGINS = "Best response:"
# The one line that counts; Markdown's bold may be anywhere around it.
FINAL_ORDER = re.compile(
    r"^[ \t]*\**Final order:\**[ \t]*\**([A-Z](?:[ \t]*[>=][ \t]*[A-Z])*)\**[ \t]*\.?\**[ \t\r]*$",
    re.MULTILINE,
)


class Marks(Reply):
    """What the judge gives one response for each criterion, 0 to 5."""

    correctness: int = Field(ge=0, le=5)
    following: int = Field(ge=0, le=5)
    clarity: int = Field(ge=0, le=5)


class Verdict(Reply):
    """The reply bound to `order_form`; which letters are there is checked apart."""

    task_type: Literal["open", "closed"]
    reference: str
    marks: dict[str, Marks]
    order: list[Annotated[list[str], Field(min_length=1)]]


@dataclass
class Sitting:
    """One set before the judge: its different texts, the orders they are shown in and the replies.

    `judgements` are those of the orders, `repeats` those of the first order asked again.
    """

    instruction: Instruction
    texts: list[str]
    orders: list[list[int]]
    judgements: list[Judgement] = field(default_factory=list)
    repeats: list[Judgement] = field(default_factory=list)

    @property
    def opinions(self) -> list[list[float]]:
        """The scores of each reply that could be read, in the order of `texts`."""
        read = zip(self.orders, self.judgements, strict=False)
        return [
            [judgement.scores[order.index(i)] for i in range(len(self.texts))]
            for order, judgement in read
            if not judgement.refusal
        ]

    @property
    def settled(self) -> bool:
        """Whether the first two replies that could be read say the same."""
        opinions = self.opinions
        return len(opinions) > 1 and agree(opinions[0], opinions[1])


class ContextualRanker(JudgedRanker):
    """Listwise ranking by an LLM.

    `answer` says how the judge replies (see `asking`). The first order in which the responses are
    shown is drawn from `seed`. With `orders` above 1 the judge is asked in a second one, and in all
    `orders` about the sets on which the two disagree (`orders.presentations`); the ranking is what
    the readable replies support (`orders.consensus`). The first order is asked `repeats` times
    more, with other seeds: kept with the judgements, to tell noise from bias, and not used.
    """

    def __init__(
        self,
        judge: LLM,
        answer: Answer,
        decoding: Decoding,
        batch_size: int,
        seed: int,
        orders: int,
        repeats: int,
    ) -> None:
        super().__init__(judge, answer, decoding, batch_size, seed)
        self.orders = orders
        self.repeats = repeats

    def digest(self) -> dict[str, object]:
        """Return what decides the order: judge, prompt, seed, and decoding where text is made."""
        prompts = {
            "text": [TASK, REASONED],
            "form": [TASK, FORMED, order_form(2).schema],
            "first_token": [TASK, DIRECT, ANSWER_BEGINS],
        }
        return {
            "ranker": "contextual",
            **self.asking.digest(),
            "prompts": prompts[self.asking.way],
            "seed": self.seed,
            "orders": self.orders,
            "repeats": self.repeats,
        }

    def check(self, instructions: Sequence[Instruction]) -> None:
        """Raise ConfigError on settings that no instruction could be ranked with."""
        self.asking.check()
        if self.orders < 1 or self.repeats < 0:
            raise ConfigError(
                f"ranker.orders={self.orders}, ranker.repeats={self.repeats}. Cure: orders of 1 or "
                "more, repeats of 0 or more."
            )
        if self.repeats and self.asking.way == "first_token":
            raise ConfigError(
                f"ranker.repeats={self.repeats} with ranker.answer=first_token: a next token has "
                "the same probability every time. Cure: ranker.repeats=0, or another answer."
            )

    def questions(self, responses: int) -> int:
        """Return one per order and per repeat."""
        return self.orders + self.repeats

    def rank(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
        """Ask the judge about each set that holds at least two different responses.

        A set that cannot be put to it is refused: `too_many` responses for the letters there are,
        or a prompt `too_long` for the judge's context. Otherwise a set is refused where no reply
        about it could be read, by the kind of the first.
        """
        begun = [self._begin(candidates) for candidates in sets]
        sittings = [sitting for sitting in begun if isinstance(sitting, Sitting)]
        for number in range(self.orders):
            self._ask([s for s in sittings if number < 2 or not s.settled], number)
        for number in range(self.repeats):
            self._repeat(sittings, self.seed + (number + 1) * 7_919)
        return [outcome(s) if isinstance(s, Sitting) else s for s in begun]

    def present(self, candidates: CandidateSet) -> list[str]:
        """Return the different texts in the order they are shown in first."""
        texts = different(candidates)
        return [texts[i] for i in self._orders(candidates.instruction, len(texts))[0]]

    def _orders(self, instruction: Instruction, count: int) -> list[list[int]]:
        return presentations(count, self.orders, f"{self.seed}/{instruction.id}")

    def _begin(self, candidates: CandidateSet) -> Sitting | Outcome:
        """Return a set to be asked about, or what becomes of it unasked."""
        instruction, texts = candidates.instruction, different(candidates)
        if len(texts) == 1:
            return RankedExample.from_scores(instruction, texts, [0.0])
        if len(texts) > len(ascii_uppercase):
            raw = (
                f"{len(texts)} different responses to '{instruction.id}'; ranker=contextual can "
                f"name {len(ascii_uppercase)}. Cure: lower sampling.decoding.responses."
            )
            return Refusal(instruction_id=instruction.id, kind="too_many", raw=raw)
        # Those that tie stay in the order they were first shown in.
        texts = self.present(candidates)
        shown_first = self._orders(instruction, len(texts))
        place = {i: place for place, i in enumerate(shown_first[0])}
        return Sitting(instruction, texts, [[place[i] for i in order] for order in shown_first])

    def _ask(self, sittings: Sequence[Sitting], number: int) -> None:
        """Ask in one more order."""
        questions = [self._question(sitting, number) for sitting in sittings]
        for sitting, said in zip(sittings, self.asking.ask(questions, self.seed), strict=True):
            sitting.judgements.append(said)

    def _repeat(self, sittings: Sequence[Sitting], seed: int) -> None:
        """Ask in the first order again where that could be asked."""
        asked = [s for s in sittings if s.judgements[0].refusal != "too_long"]
        questions = [self._question(sitting, 0) for sitting in asked]
        for sitting, said in zip(asked, self.asking.ask(questions, seed), strict=True):
            sitting.repeats.append(said)

    def _question(self, sitting: Sitting, number: int) -> Question:
        shown = [sitting.texts[i] for i in sitting.orders[number]]
        name = f"order-{number + 1}" if number else ""
        return question(sitting.instruction, shown, self.asking.way, name)


def question(
    instruction: Instruction, shown: Sequence[str], answer: Answer, name: str = ""
) -> Question:
    """Return the question about responses shown in this order; `name` tells it from others."""
    letters = ascii_uppercase[: len(shown)]
    task = prompt(instruction, shown, answer)
    task = task.model_copy(update={"id": f"{task.id}/{name}"}) if name else task
    if answer == "first_token":
        options = tuple(f" {letter}" for letter in letters)
        return Question(tuple(shown), task, begun=ANSWER_BEGINS, options=options)
    form = order_form(len(shown)) if answer == "form" else None
    read = partial(read_verdict if form else read_order, count=len(shown))
    return Question(tuple(shown), task, read, form)


def prompt(instruction: Instruction, texts: Sequence[str], answer: Answer) -> Instruction:
    """Return the judge's task: the instruction, the lettered responses and what to do."""
    letters = ascii_uppercase[: len(texts)]
    listed = "\n\n".join(
        f"### Response {a}\n{text}" for a, text in zip(letters, texts, strict=True)
    )
    ask = {
        "text": REASONED.format(example=" > ".join(reversed(letters))),
        "form": FORMED.format(example=json.dumps([[a] for a in reversed(letters)])),
    }.get(answer, DIRECT)
    words = TASK.format(instruction=instruction.text, responses=listed) + ask
    return Instruction(id=f"judge/{instruction.id}", instruction=words)


@cache
def order_form(count: int) -> Form:
    """Return the schema of a reply about `count` responses, without keywords services lack.

    Every key is required and no other allowed; marks are listed, not bounded.
    """
    letters = list(ascii_uppercase[:count])
    mark = {"type": "integer", "enum": list(range(6))}
    level = {"type": "array", "items": {"type": "string", "enum": letters}}
    return Form(
        f"order_of_{count}",
        closed(
            task_type={"type": "string", "enum": ["open", "closed"]},
            reference={"type": "string"},
            marks=closed(**{a: closed(**dict.fromkeys(Marks.model_fields, mark)) for a in letters}),
            order={"type": "array", "items": level},
        ),
    )


def outcome(sitting: Sitting) -> Outcome:
    """Turn what the judge said of a set into a ranked example, or into a refusal."""
    judgements = [*sitting.judgements, *sitting.repeats]
    opinions = sitting.opinions
    if not opinions:
        return refused(sitting.instruction, judgements)
    # One opinion keeps the scores it came with: log-probabilities, or minus the rank.
    scores = consensus(opinions) if len(sitting.orders) > 1 else opinions[0]
    return ranked(sitting.instruction, sitting.texts, scores, judgements)


def read_order(reply: str, count: int) -> Scores | str:
    """Return minus the rank of each response from a reply in words, or the kind of refusal."""
    order = parse_order(reply, count)
    return order if isinstance(order, str) else tuple(-float(rank) for rank in order)


def read_verdict(reply: str, count: int) -> Scores | str:
    """Return minus the rank of each response from a reply to `order_form`, or the refusal."""
    said = read_form(Verdict, reply)
    if isinstance(said, str):
        return said
    if set(said.marks) != set(ascii_uppercase[:count]):
        return "wrong_schema"
    order = ranks_of(said.order, count)
    return order if isinstance(order, str) else tuple(-float(rank) for rank in order)


def parse_order(reply: str, count: int) -> list[int] | str:
    """Return the rank of each response from "Final order: B > A = C", or the kind of failure.

    Kinds: empty, no_order, several_orders, unknown_letter, repeated_letter, missing_letter.
    """
    if not reply.strip():
        return "empty"
    lines = FINAL_ORDER.findall(reply)
    if len(lines) != 1:
        return "several_orders" if lines else "no_order"
    return ranks_of([re.findall("[A-Z]", level) for level in lines[0].split(">")], count)


def ranks_of(levels: Sequence[Sequence[str]], count: int) -> list[int] | str:
    """Return the rank of each of `count` letters from levels of them, or the kind of failure."""
    letters = [letter for level in levels for letter in level]
    known = set(ascii_uppercase[:count])
    if not set(letters) <= known:
        return "unknown_letter"
    if len(set(letters)) != len(letters):
        return "repeated_letter"
    if len(letters) < count:
        return "missing_letter"
    rank = {letter: i for i, level in enumerate(levels) for letter in level}
    return [rank[letter] for letter in ascii_uppercase[:count]]
