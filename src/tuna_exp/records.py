"""The types that flow from one stage to the next, checked when they are made.

Instruction -> CandidateSet -> RankedExample -> (training).
Instruction -> Prediction -> (comparison).
Each is one line of a JSON-lines file inside an artifact. What a batch looks like is in `batching`.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, islice
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tuna_exp.sequences import HELD_BYTES, Lines

FinishReason = Literal["stop", "length", "refusal"]


class Record(BaseModel):
    """A frozen record that knows every field it may have."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Check(Record):
    """How a response to a verifiable instruction is told right from wrong.

    `name` is the checker, `arguments` what it needs to know (JSON values only).
    """

    name: str
    arguments: dict[str, object] = Field(default_factory=dict)


class Instruction(Record):
    """One task put to a model. `reference` is the dataset's own response, where it has one."""

    id: str = Field(min_length=1)
    instruction: str = Field(min_length=1)
    input: str = ""
    reference: str | None = None
    kind: str = ""
    split: str = ""
    check: Check | None = None

    @property
    def text(self) -> str:
        """The instruction and its input as one message."""
        return f"{self.instruction}\n\n{self.input}" if self.input else self.instruction


class Usage(Record):
    """Tokens that a model read (its prompt) and generated, and dollars paid for them."""

    read: int = 0
    generated: int = 0
    usd: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        """Sum of each kind."""
        return Usage(
            read=self.read + other.read,
            generated=self.generated + other.generated,
            usd=self.usd + other.usd,
        )


class Origin(Record):
    """Which request to which service an answer came from.

    `request` is its key in the ledger, where prompt and parameters are; `model` the snapshot that
    the service named. `usage` is this answer's part of what the request took.
    """

    request: str
    model: str
    licence: str = ""
    usage: Usage = Usage()


class Candidate(Record):
    """One sampled response.

    `token_logprobs` are nats at temperature 1, end-of-sequence included. A service may give them
    without `token_ids`, or give neither: then they are those of `stand_in`, by the local model that
    scored the text. `origin` is None for a model that ran here.
    """

    text: str
    token_ids: tuple[int, ...] = ()
    token_logprobs: tuple[float, ...] = ()
    finish_reason: FinishReason = "stop"
    stand_in: tuple[float, ...] = ()
    origin: Origin | None = None

    @model_validator(mode="after")
    def _one_logprob_per_token(self) -> Self:
        if self.token_ids and len(self.token_ids) != len(self.token_logprobs):
            raise ValueError(
                f"token_logprobs has {len(self.token_logprobs)} entries for "
                f"{len(self.token_ids)} token_ids; each token needs one"
            )
        return self

    def log_likelihood(self, length_exponent: float) -> float:
        """Return sum_t log p_t / |r|^beta in nats, beta = `length_exponent` (Tuna, section 3.1)."""
        length = max(len(self.token_logprobs), 1)
        return sum(self.token_logprobs) / float(length**length_exponent)

    @property
    def tokens(self) -> int:
        """How many tokens it has, as far as its model told."""
        known = len(self.token_logprobs)
        return known or (self.origin.usage.generated if self.origin else 0)


class CandidateSet(Record):
    """The N responses sampled for one instruction.

    `draws` counts the rounds the diversity rule took, `discarded_tokens` what was generated in
    those that were not kept, `discarded_usd` what that cost.
    """

    instruction: Instruction
    candidates: tuple[Candidate, ...] = Field(min_length=1)
    draws: int = 1
    discarded_tokens: int = 0
    discarded_usd: float = 0.0

    @property
    def tokens(self) -> int:
        """How many tokens the candidates have."""
        return sum(candidate.tokens for candidate in self.candidates)

    @property
    def usd(self) -> float:
        """What the set cost, discarded draws included."""
        kept = sum(c.origin.usage.usd for c in self.candidates if c.origin)
        return kept + self.discarded_usd


class RankedResponse(Record):
    """A response with its place: `rank` 0 is best, equal ranks are ties, and no rank is skipped.

    `likelihood` is the mean log-probability of its tokens in nats, by the model that wrote it.
    """

    text: str
    rank: int = Field(ge=0)
    score: float | None = None
    likelihood: float | None = None
    origin: Origin | None = None


class Judgement(Record):
    """One reply of a ranker's model: what it was shown, in which order, and what it said.

    `shown` are the texts in the order shown, `scores` one for each, higher is better and equal ones
    tie; none where the reply was a `refusal` of some kind. Of "A > B = C" the scores are 0, -1, -1.
    """

    shown: tuple[str, ...]
    scores: tuple[float, ...] = ()
    raw: str = ""
    refusal: str = ""
    usage: Usage = Usage()
    origin: Origin | None = None

    @model_validator(mode="after")
    def _a_score_each_or_a_refusal(self) -> Self:
        if len(self.scores) != (0 if self.refusal else len(self.shown)):
            raise ValueError(
                f"{len(self.scores)} scores for {len(self.shown)} responses shown, refusal "
                f"{self.refusal!r}; each response needs a score, or the reply is a refusal"
            )
        return self


class RankedExample(Record):
    """An instruction with its responses, best first.

    `raw` is what the ranker really said and `usage` what it took, over all its `judgements`, which
    are there where it was asked more than one question or of a service.
    """

    instruction: Instruction
    responses: tuple[RankedResponse, ...] = Field(min_length=1)
    raw: str | None = None
    usage: Usage = Usage()
    judgements: tuple[Judgement, ...] = ()

    @model_validator(mode="after")
    def _best_first_without_gaps(self) -> Self:
        ranks = [response.rank for response in self.responses]
        if ranks[0] != 0 or any(
            b - a not in (0, 1) for a, b in zip(ranks, ranks[1:], strict=False)
        ):
            raise ValueError(f"ranks {ranks} must start at 0 and rise by 0 (tie) or 1, best first")
        return self

    @property
    def ordered_pairs(self) -> int:
        """How many pairs of responses have an order; with 0 the ranking term learns nothing."""
        return sum(a.rank != b.rank for a, b in combinations(self.responses, 2))

    @classmethod
    def from_scores(
        cls,
        instruction: Instruction,
        texts: list[str],
        scores: list[float],
        raw: str | None = None,
        usage: Usage | None = None,
        judgements: Sequence[Judgement] = (),
    ) -> Self:
        """Rank texts by score: higher is better, equal ones tie, a repeated text keeps its best."""
        best: dict[str, float] = {}
        for text, score in zip(texts, scores, strict=True):
            best[text] = max(score, best.get(text, score))
        levels = sorted(set(best.values()), reverse=True)
        ordered = sorted(best.items(), key=lambda item: -item[1])
        responses = tuple(RankedResponse(text=t, rank=levels.index(s), score=s) for t, s in ordered)
        return cls(
            instruction=instruction,
            responses=responses,
            raw=raw,
            usage=usage or Usage(),
            judgements=tuple(judgements),
        )


class Prediction(Record):
    """A model's response to one evaluation item and what its scorer says.

    `score` is in [0, 1]; `passed` says right or wrong.
    """

    instruction: Instruction
    text: str
    tokens: int = Field(ge=0)
    passed: bool
    score: float = Field(ge=0, le=1)


R = TypeVar("R", bound=Record)


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Write one JSON object per line, as they come, and return how many."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(line_of(record))
            count += 1
    return count


def line_of(record: Record) -> str:
    """Return a record as a line of a file."""
    return record.model_dump_json(exclude_defaults=True) + "\n"


def all_records(path: Path, kind: type[R], limit: int | None = None) -> Sequence[R]:
    """Return the first `limit` records of a file: a list, or, of a large file, as they lie on disk.

    Those on disk are read each time they are asked for.
    """
    if path.stat().st_size <= HELD_BYTES:
        return [*islice(read_records(path, kind), limit)]
    return Lines(path, kind.model_validate_json, limit)


def read_records(path: Path, kind: type[R]) -> Iterator[R]:
    """Read what `write_records` wrote."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield kind.model_validate_json(line)
