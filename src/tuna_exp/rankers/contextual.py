"""Contextual ranking: an LLM reads a student's responses and orders them (Tuna-c, section 3.2).

The judge is asked what the released recipe asks of GPT-4, in words of our own: is the task open or
closed, what would a good answer be, which responses repeat one another, how does each do on three
criteria, and the order that follows. Its reply is parsed strictly. Left out: asking again in other
orders, pairwise judging.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from string import ascii_uppercase
from typing import Literal

from tuna_exp.errors import ConfigError, ContextError
from tuna_exp.llms.base import LLM, OpenLLM
from tuna_exp.llms.decoding import Decoding
from tuna_exp.rankers.base import Outcome, Refusal
from tuna_exp.records import Candidate, CandidateSet, Instruction, RankedExample, Usage

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
DIRECT = (
    "Judge which response is correct, follows the instruction and is clear. "
    "Reply with the letter of the best one."
)
ANSWER_BEGINS = "Best response:"
# For the letter and what it follows, which has no more tokens than characters. They are not counted
# as read: the judge's prompt is.
LETTER_ROOM = len(ANSWER_BEGINS) + 2
# The one line that counts; Markdown's bold may be anywhere around it.
FINAL_ORDER = re.compile(
    r"^[ \t]*\**Final order:\**[ \t]*\**([A-Z](?:[ \t]*[>=][ \t]*[A-Z])*)\**[ \t]*\.?\**[ \t\r]*$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Question:
    """The texts of one set as they are shown, the judge's task and the tokens of its prompt."""

    instruction: Instruction
    texts: list[str]
    task: Instruction
    tokens: int


class ContextualRanker:
    """Listwise ranking by an LLM.

    answer="text" lets the judge reason and parses its final order; answer="first_token" orders the
    responses by the probability of their letter as the judge's next token (after FIRST, arXiv
    2406.15657), which a judge too small to keep to a form can do as well. The order in which the
    responses are shown is drawn from `seed`.
    """

    def __init__(
        self,
        judge: LLM,
        answer: Literal["text", "first_token"],
        decoding: Decoding,
        batch_size: int,
        seed: int,
    ) -> None:
        self.judge = judge
        self.answer = answer
        self.decoding = decoding
        self.batch_size = batch_size
        self.seed = seed

    def digest(self) -> dict[str, object]:
        """Return what decides the order: judge, prompt, seed, and decoding where text is made."""
        drawn = {"decoding": vars(self.decoding), "batch_size": self.batch_size}
        return {
            "ranker": "contextual",
            "judge": self.judge.digest(),
            "answer": self.answer,
            "prompts": [TASK, REASONED] if self.answer == "text" else [TASK, DIRECT, ANSWER_BEGINS],
            "seed": self.seed,
        } | (drawn if self.answer == "text" else {})

    def check(self, instructions: Sequence[Instruction]) -> None:
        """Raise ConfigError on settings that no instruction could be ranked with."""
        if self.answer not in ("text", "first_token"):
            raise ConfigError(
                f"ranker.answer={self.answer!r}; allowed are 'text' and 'first_token'."
            )
        if self.batch_size < 1:
            raise ConfigError(f"ranker.batch_size={self.batch_size}. Cure: give 1 or more.")

    @cached_property
    def _open_judge(self) -> OpenLLM:
        return self.judge.open()

    def rank(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
        """Ask the judge about each set that holds at least two different responses.

        A set that cannot be put to it is refused: `too_many` responses for the letters there are,
        or a prompt `too_long` for the judge's context.
        """
        questions = [self._question(candidates) for candidates in sets]
        asked = [question for question in questions if isinstance(question, Question)]
        answers = iter(self._ask(asked) if asked else [])
        return [next(answers) if isinstance(q, Question) else q for q in questions]

    def present(self, candidates: CandidateSet) -> list[str]:
        """Return the different texts in the order they are shown in."""
        texts = list(dict.fromkeys(c.text for c in candidates.candidates))
        Random(f"{self.seed}/{candidates.instruction.id}").shuffle(texts)
        return texts

    def release(self) -> None:
        """Let go of the judge, whose memory a later stage needs."""
        self.__dict__.pop("_open_judge", None)

    def _question(self, candidates: CandidateSet) -> Question | Outcome:
        """Return what to ask about a set, or what becomes of it unasked."""
        instruction, texts = candidates.instruction, self.present(candidates)
        if len(texts) == 1:
            return RankedExample.from_scores(instruction, texts, [0.0])
        if len(texts) > len(ascii_uppercase):
            raw = (
                f"{len(texts)} different responses to '{instruction.id}'; ranker=contextual can "
                f"name {len(ascii_uppercase)}. Cure: lower sampling.decoding.responses."
            )
            return Refusal(instruction_id=instruction.id, kind="too_many", raw=raw)
        task = prompt(instruction, texts, self.answer)
        room = self.decoding.max_new_tokens if self.answer == "text" else LETTER_ROOM
        try:
            return Question(instruction, texts, task, self._open_judge.prompt_length(task, room))
        except ContextError as error:
            return Refusal(instruction_id=instruction.id, kind="too_long", raw=str(error))

    def _ask(self, asked: list[Question]) -> list[Outcome]:
        if self.answer == "first_token":
            return self._by_letter(asked)
        tasks = [question.task for question in asked]
        replies = self._open_judge.answer(tasks, self.decoding, self.seed)
        return [outcome(q, reply[0]) for q, reply in zip(asked, replies, strict=True)]

    def _by_letter(self, asked: list[Question]) -> list[Outcome]:
        most = max(len(question.texts) for question in asked)
        options = [f" {letter}" for letter in ascii_uppercase[:most]]
        chosen = self._open_judge.choose([q.task for q in asked], ANSWER_BEGINS, options)
        # A set with fewer responses takes the first letters: each has a probability of its own.
        return [by_letter(q, some[: len(q.texts)]) for q, some in zip(asked, chosen, strict=True)]


def prompt(instruction: Instruction, texts: list[str], answer: str) -> Instruction:
    """Return the judge's task: the instruction, the lettered responses and what to do."""
    letters = ascii_uppercase[: len(texts)]
    listed = "\n\n".join(
        f"### Response {a}\n{text}" for a, text in zip(letters, texts, strict=True)
    )
    ask = REASONED.format(example=" > ".join(reversed(letters))) if answer == "text" else DIRECT
    words = TASK.format(instruction=instruction.text, responses=listed) + ask
    return Instruction(id=f"judge/{instruction.id}", instruction=words)


def by_letter(question: Question, scores: list[float]) -> RankedExample:
    """Order a set by the log-probability of each response's letter."""
    raw = " ".join(f"{a}:{score:.4f}" for a, score in zip(ascii_uppercase, scores, strict=False))
    usage = Usage(read=question.tokens)
    return RankedExample.from_scores(question.instruction, question.texts, scores, raw, usage)


def outcome(question: Question, reply: Candidate) -> Outcome:
    """Turn a judge's reply into a ranked example, or into a refusal that keeps the reply."""
    order = parse_order(reply.text, len(question.texts))
    usage = Usage(read=question.tokens, generated=len(reply.token_ids))
    instruction, raw = question.instruction, reply.text
    if isinstance(order, str):
        cut = reply.finish_reason == "length" and order in ("no_order", "missing_letter")
        kind = "cut_short" if cut else order
        return Refusal(instruction_id=instruction.id, kind=kind, raw=raw, usage=usage)
    scores = [-float(rank) for rank in order]
    return RankedExample.from_scores(instruction, question.texts, scores, raw, usage)


def parse_order(reply: str, count: int) -> list[int] | str:
    """Return the rank of each response from "Final order: B > A = C", or the kind of failure.

    Kinds: empty, no_order, several_orders, unknown_letter, repeated_letter, missing_letter.
    """
    if not reply.strip():
        return "empty"
    lines = FINAL_ORDER.findall(reply)
    if len(lines) != 1:
        return "several_orders" if lines else "no_order"
    levels = [re.findall("[A-Z]", level) for level in lines[0].split(">")]
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
