"""Rubric ranking: an LLM scores each response alone, criterion by criterion.

Nothing is compared, so no order of presentation can matter, and a score can be read on its own.
The expected score of the first-token form is G-Eval's (Liu et al., EMNLP 2023, arXiv 2303.16634).
Left out: a reference answer within the prompt, which `ranker=reference` compares with.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

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
from tuna_exp.rankers.base import Outcome, different
from tuna_exp.records import CandidateSet, Instruction, RankedExample

TASK = """You score a response to an instruction on one criterion.

### Instruction
{instruction}

### Response
{response}

### Criterion: {name}
{question}

"""
TEXT = (
    "Give your reasons in a few short lines. Finish with one line of exactly this form, a whole "
    "number from 1 (not at all) to 10 (fully):\nScore: 7"
)
FORM = (
    "Reply with a JSON object: your reasons in short, then a whole number from 1 (not at all) to "
    "10 (fully)."
)
DIRECT = "Reply with one digit from 1 (not at all) to 9 (fully)."
PROMPTS = {"text": TEXT, "form": FORM, "first_token": DIRECT}
ANSWER_BEGINS = "Score:"
DIGITS = tuple(f" {digit}" for digit in range(1, 10))
HIGHEST = 10
FINAL_SCORE = re.compile(
    r"^[ \t]*\**Score:\**[ \t]*\**([0-9]+)\**[ \t]*\.?\**[ \t\r]*$", re.MULTILINE
)
SCORE_FORM = Form(
    "score",
    closed(
        reasons={"type": "string"},
        score={"type": "integer", "enum": list(range(1, HIGHEST + 1))},
    ),
)


class Scored(Reply):
    """The reply bound to `SCORE_FORM`."""

    reasons: str
    score: int = Field(ge=1, le=HIGHEST)


@dataclass(frozen=True)
class Criterion:
    """What a response is asked about, and how much the answer counts."""

    name: str
    question: str
    weight: float


class RubricRanker(JudgedRanker):
    """Ranking by the weighted mean of an LLM's scores for each criterion.

    Scores are 1 to 10, or, by the first token, the mean of 1 to 9 weighted with the probability of
    each digit. A set is refused where one of its scores cannot be read: what is left would compare
    responses by different criteria.
    """

    def __init__(
        self,
        judge: LLM,
        answer: Answer,
        decoding: Decoding,
        batch_size: int,
        seed: int,
        criteria: Sequence[Mapping[str, object]],
    ) -> None:
        super().__init__(judge, answer, decoding, batch_size, seed)
        self.criteria = [Criterion(**criterion) for criterion in criteria]  # type: ignore[arg-type]

    def digest(self) -> dict[str, object]:
        """Return what decides the order."""
        prompts = [TASK, PROMPTS[self.asking.way]]
        return {
            "ranker": "rubric",
            **self.asking.digest(),
            "prompts": prompts + [ANSWER_BEGINS] * (self.asking.way == "first_token"),
            "seed": self.seed,
            "criteria": [vars(criterion) for criterion in self.criteria],
        }

    def check(self, instructions: Sequence[Instruction]) -> None:
        """Raise ConfigError on settings that no instruction could be ranked with."""
        self.asking.check()
        weights = {criterion.name: criterion.weight for criterion in self.criteria}
        if not any(weights.values()) or min(weights.values()) < 0:
            raise ConfigError(
                f"ranker.criteria has the weights {weights}. Cure: weights of 0 or more, at least "
                "one of them above 0."
            )

    def questions(self, responses: int) -> int:
        """Return one per response and criterion."""
        return responses * len(self.criteria)

    def rank(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
        """Score the responses of each set that holds at least two different ones."""
        texts = [different(candidates) for candidates in sets]
        asked = [
            self._question(candidates.instruction, text, place, criterion)
            for candidates, some in zip(sets, texts, strict=True)
            for place, text in enumerate(some)
            for criterion in self.criteria
            if len(some) > 1
        ]
        said = iter(self.asking.ask(asked, self.seed))
        made: list[Outcome] = []
        for candidates, some in zip(sets, texts, strict=True):
            if len(some) == 1:
                made.append(RankedExample.from_scores(candidates.instruction, some, [0.0]))
                continue
            judgements = [next(said) for _ in range(self.questions(len(some)))]
            if any(judgement.refusal for judgement in judgements):
                made.append(refused(candidates.instruction, judgements))
                continue
            scores = self._means([judgement.scores[0] for judgement in judgements])
            made.append(ranked(candidates.instruction, some, scores, judgements))
        return made

    def _means(self, scores: Sequence[float]) -> list[float]:
        """Return each response's weighted mean; `scores` hold its criteria one after the other."""
        weights, width = [criterion.weight for criterion in self.criteria], len(self.criteria)
        return [
            sum(w * s for w, s in zip(weights, scores[i : i + width], strict=True)) / sum(weights)
            for i in range(0, len(scores), width)
        ]

    def _question(
        self, instruction: Instruction, text: str, place: int, criterion: Criterion
    ) -> Question:
        way = self.asking.way
        words = TASK.format(
            instruction=instruction.text,
            response=text,
            name=criterion.name,
            question=criterion.question,
        )
        name = f"judge/{instruction.id}/{place}/{criterion.name}"
        task = Instruction(id=name, instruction=words + PROMPTS[way])
        if way == "first_token":
            return Question(
                (text,), task, begun=ANSWER_BEGINS, options=DIGITS, weigh=expected_score
            )
        form = SCORE_FORM if way == "form" else None
        return Question((text,), task, read_formed if form else read_words, form)


def read_words(reply: str) -> Scores | str:
    """Return the score of "Score: 7", or no_score, several_scores, out_of_range."""
    lines = FINAL_SCORE.findall(reply)
    if len(lines) != 1:
        return "several_scores" if lines else "no_score"
    return (float(lines[0]),) if 1 <= int(lines[0]) <= HIGHEST else "out_of_range"


def read_formed(reply: str) -> Scores | str:
    """Return the score of a reply to `SCORE_FORM`, or the kind of refusal."""
    said = read_form(Scored, reply)
    return said if isinstance(said, str) else (float(said.score),)


def expected_score(logps: Sequence[float]) -> Scores:
    """Return sum_d d p(d) / sum_d p(d) over the digits d = 1, 2, ... (G-Eval, equation 1)."""
    most = max(logps)
    weights = [exp(logp - most) for logp in logps]
    return (sum(d * w for d, w in enumerate(weights, 1)) / sum(weights),)
