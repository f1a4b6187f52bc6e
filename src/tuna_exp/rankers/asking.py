"""Questions to a judge and what its replies say: the part that all rankers with a judge share.

A judge answers in one of three ways: bound to a JSON schema (`form`), by the probability of the
next token (`first_token`, after FIRST, arXiv 2406.15657), or in words (`text`). Every reply is
parsed strictly and becomes a `Judgement`, a refusal of some kind included: what cannot be read is
counted, never guessed. Left out: asking again where a reply was refused. A judge that needs that
is too weak, and the share of refusals says so.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tuna_exp.errors import ConfigError, ContextError
from tuna_exp.llms.base import LLM, Form, Gift, OpenLLM
from tuna_exp.llms.decoding import Decoding
from tuna_exp.rankers.base import Outcome, Refusal
from tuna_exp.records import Candidate, Instruction, Judgement, RankedExample, Usage

Answer = Literal["auto", "form", "first_token", "text"]
ANSWERS = ("auto", "form", "first_token", "text")
NEEDED: dict[str, Gift] = {"form": "forms", "first_token": "choices"}
# Kinds of refusal that an answer cut at max_new_tokens explains.
_UNFINISHED = frozenset({"missing_letter", "not_json"})
Scores = tuple[float, ...]


class Reply(BaseModel):
    """Base of the replies bound to a schema: no key more, no "3" for 3."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


R = TypeVar("R", bound=Reply)


@dataclass(frozen=True)
class Question:
    """Texts as they are shown, the judge's task, and how its reply is read.

    `read` turns the reply into a score per text, or names the kind of refusal. For `first_token`,
    `options` are what may follow `begun` and `weigh` turns their log-probabilities into scores.
    """

    shown: tuple[str, ...]
    task: Instruction
    read: Callable[[str], Scores | str] = lambda reply: "empty"
    form: Form | None = None
    begun: str = ""
    options: tuple[str, ...] = ()
    weigh: Callable[[Sequence[float]], Scores] = tuple


class Judge:
    """An LLM that is asked questions, `together` at a time; `setting` is where it is set."""

    def __init__(
        self,
        llm: LLM,
        answer: Answer,
        decoding: Decoding,
        together: int,
        setting: str = "ranker",
    ) -> None:
        self.llm = llm
        self.answer = answer
        self.decoding = decoding
        self.together = together
        self.setting = setting

    @cached_property
    def way(self) -> Answer:
        """How it answers: `auto` is a form where it can, else its first token, else text."""
        if self.answer != "auto":
            return self.answer
        gives = self.llm.gives
        ways: tuple[Answer, ...] = ("form", "first_token")
        return next((way for way in ways if NEEDED[way] in gives), "text")

    @cached_property
    def _open(self) -> OpenLLM:
        return self.llm.open()

    @property
    def size(self) -> int:
        """How many sets or questions go together: as set, or as many as the LLM takes."""
        return self.llm.together(self.together)

    def digest(self) -> dict[str, object]:
        """Return what decides its replies besides the questions."""
        drawn = {"decoding": vars(self.decoding), "batch_size": self.together}
        decisive = {} if self.way == "first_token" else drawn
        return {"judge": self.llm.digest(), "answer": self.way, **decisive}

    def check(self) -> None:
        """Raise ConfigError where the LLM cannot answer the way it is asked to."""
        if self.answer not in ANSWERS:
            raise ConfigError(
                f"{self.setting}.answer={self.answer!r}; allowed are "
                f"{', '.join(map(repr, ANSWERS))}."
            )
        if self.together < 1:
            raise ConfigError(f"{self.setting}.batch_size={self.together}. Cure: give 1 or more.")
        gives = self.llm.gives
        needed = NEEDED.get(self.answer)
        if needed is not None and needed not in gives:
            possible = [way for way, gift in NEEDED.items() if gift in gives]
            cures = "|".join([*possible, "text"])
            raise ConfigError(
                f"{self.setting}.answer={self.answer} needs a judge that gives {needed}; "
                f"{type(self.llm).__name__} does not. Cure: {self.setting}.answer={cures}."
            )

    def release(self) -> None:
        """Let go of the LLM, whose memory a later stage needs."""
        opened = self.__dict__.pop("_open", None)
        if opened is not None:
            opened.close()

    def ask(self, questions: Sequence[Question], seed: int) -> list[Judgement]:
        """Return a judgement for each question, in their order.

        A question too long for the judge's context is not asked: its refusal is `too_long`.
        """
        lengths = [self._length(question) for question in questions]
        found: dict[int, Judgement] = {
            i: Judgement(shown=q.shown, refusal="too_long", raw=length)
            for i, (q, length) in enumerate(zip(questions, lengths, strict=True))
            if isinstance(length, str)
        }
        for part in self._parts(questions, [i for i in range(len(questions)) if i not in found]):
            some = [questions[i] for i in part]
            read = [Usage(read=int(lengths[i])) for i in part]
            choose = self.way == "first_token"
            made = self._choose(some, read) if choose else self._answer(some, read, seed)
            found |= dict(zip(part, made, strict=True))
        return [found[i] for i in range(len(questions))]

    def _length(self, question: Question) -> int | str:
        # A first token follows what begins the answer, which has no more tokens than characters.
        room = self.decoding.max_new_tokens
        if self.way == "first_token":
            room = len(question.begun) + 2
        try:
            return self._open.prompt_length(question.task, room)
        except ContextError as error:
            return str(error)

    def _parts(self, questions: Sequence[Question], asked: Sequence[int]) -> list[list[int]]:
        """Return which questions go into one call: those of one form, `together` at most."""
        by_form: dict[str, list[int]] = {}
        for i in asked:
            form = questions[i].form
            by_form.setdefault(form.name if form else "", []).append(i)
        size = self.size
        return [
            alike[i : i + size] for alike in by_form.values() for i in range(0, len(alike), size)
        ]

    def _choose(self, questions: list[Question], read: list[Usage]) -> list[Judgement]:
        # One with fewer options takes the first ones: each has a probability of its own.
        options = max((q.options for q in questions), key=len)
        tasks = [question.task for question in questions]
        chosen = self._open.choose(tasks, questions[0].begun, options)
        made = []
        for question, logps, usage in zip(questions, chosen, read, strict=True):
            own = logps[: len(question.options)]
            raw = " ".join(
                f"{o.strip()}:{p:.4f}" for o, p in zip(question.options, own, strict=True)
            )
            scores = tuple(question.weigh(own))
            made.append(Judgement(shown=question.shown, scores=scores, raw=raw, usage=usage))
        return made

    def _answer(self, questions: list[Question], read: list[Usage], seed: int) -> list[Judgement]:
        tasks, form = [question.task for question in questions], questions[0].form
        replies = self._open.answer(tasks, self.decoding, seed, form)
        return [
            judgement(question, reply[0], usage)
            for question, reply, usage in zip(questions, replies, read, strict=True)
        ]


class JudgedRanker:
    """Base of rankers that ask a judge; `seed` is of what is drawn in its questions and replies."""

    def __init__(
        self, judge: LLM, answer: Answer, decoding: Decoding, batch_size: int, seed: int
    ) -> None:
        self.judge = judge
        self.seed = seed
        self.asking = Judge(judge, answer, decoding, batch_size)

    @property
    def batch_size(self) -> int:
        """How many sets to rank together."""
        return self.asking.size

    def release(self) -> None:
        """Let go of the judge."""
        self.asking.release()


def judgement(question: Question, reply: Candidate, read: Usage) -> Judgement:
    """Read a reply; `read` is the length of the prompt where the reply does not say it."""
    usage = reply.origin.usage if reply.origin else read + Usage(generated=reply.tokens)
    said = question.read(reply.text) if reply.text.strip() else "empty"
    if reply.finish_reason == "refusal":
        said = "declined"
    elif isinstance(said, str) and reply.finish_reason == "length":
        said = "cut_short" if said in _UNFINISHED or said.startswith("no_") else said
    told = {"refusal": said} if isinstance(said, str) else {"scores": said}
    return Judgement(shown=question.shown, raw=reply.text, usage=usage, origin=reply.origin, **told)


def closed(**properties: object) -> dict[str, object]:
    """Return the schema of an object with exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def read_form(kind: type[R], reply: str) -> R | str:
    """Return a reply that keeps to its schema, or the kind of refusal: not_json, wrong_schema."""
    try:
        value = json.loads(reply)
    except (ValueError, RecursionError):
        return "not_json"
    try:
        return kind.model_validate(value)
    except ValidationError:
        return "wrong_schema"


def spent(judgements: Sequence[Judgement]) -> Usage:
    """Return what the judgements took together."""
    return sum((judgement.usage for judgement in judgements), Usage())


def kept(judgements: Sequence[Judgement]) -> tuple[Judgement, ...]:
    """Return those worth keeping: the one reply of a local judge is in `raw` already."""
    worth = len(judgements) > 1 or any(judgement.origin for judgement in judgements)
    return tuple(judgements) if worth else ()


def refused(instruction: Instruction, judgements: Sequence[Judgement]) -> Refusal:
    """Return the refusal of a set by the first of its judgements that was one."""
    first = next(judgement for judgement in judgements if judgement.refusal)
    return Refusal(
        instruction_id=instruction.id,
        kind=first.refusal,
        raw=first.raw,
        usage=spent(judgements),
        judgements=kept(judgements),
    )


def ranked(
    instruction: Instruction,
    texts: Sequence[str],
    scores: Sequence[float],
    judgements: Sequence[Judgement],
) -> Outcome:
    """Return the ranked set with what its judge said; `raw` is the first reply."""
    return RankedExample.from_scores(
        instruction,
        list(texts),
        list(scores),
        judgements[0].raw,
        spent(judgements),
        kept(judgements),
    )
