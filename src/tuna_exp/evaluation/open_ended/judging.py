"""Two answers to one prompt, and what a judge says of them in one or both orders.

Any LLM of ours is the judge. It is asked either for a verdict (A, B or tie: the question of the
pairwise ranker) or for a score of each answer (the published Vicuna prompt). Of two orders a win
needs both: replies that differ are a tie, as in MT-bench (Zheng et al. 2023, section 3.4).
Left out: what the figures say of all pairs (`win_rates`), and keeping what was judged when a run is
killed (the stage's journal does; `compare` may be called a batch at a time).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, Self

from tuna_exp.errors import ConfigError, DataError
from tuna_exp.evaluation.open_ended import vicuna
from tuna_exp.llms.base import LLM
from tuna_exp.llms.decoding import Decoding
from tuna_exp.rankers.asking import Answer, Judge, Question
from tuna_exp.rankers.pairwise import ANSWER_BEGINS, PROMPTS, TASK, pair_question, settle
from tuna_exp.records import Instruction, Judgement, Prediction, RankedExample, Record

Scheme = Literal["verdict", "vicuna"]
Presentation = Literal["both", "drawn", "ours_first", "other_first"]
SCHEMES = ("verdict", "vicuna")
PRESENTATIONS = ("both", "drawn", "ours_first", "other_first")
WIN, TIE, LOSS = 1.0, 0.5, 0.0


@dataclass(frozen=True)
class AnswerPair:
    """Two answers to one instruction: ours, and the one it is compared with."""

    instruction: Instruction
    answer: str
    other: str


class Comparison(Record):
    """A pair with its judgements, whose scores are of the texts in the order shown.

    `preference` is 1 where the answer is better than the other, 0 where it is worse, 0.5 for a tie
    and None where no reply of the judge could be read. Equal answers tie without being judged.
    """

    instruction: Instruction
    answer: str
    other: str
    preference: float | None
    judgements: tuple[Judgement, ...] = ()

    @classmethod
    def from_judgements(cls, pair: AnswerPair, judgements: Sequence[Judgement]) -> Self:
        """Settle what one judgement says, or two in either order."""
        preference: float | None = TIE
        if judgements:
            said = settle(judgements)
            sign = 1 if judgements[0].shown[0] == pair.answer else -1
            preference = None if said is None else (1 + sign * said) / 2
        return cls(
            instruction=pair.instruction,
            answer=pair.answer,
            other=pair.other,
            preference=preference,
            judgements=tuple(judgements),
        )

    @property
    def refusal(self) -> str:
        """The kind of refusal where there is no preference, else ""."""
        return self.judgements[0].refusal if self.preference is None else ""

    @property
    def scores(self) -> tuple[float, float] | None:
        """Mean score of the answer and of the other over the readable judgements."""
        read = [judgement for judgement in self.judgements if not judgement.refusal]
        if not read:
            return None
        ours = [j.scores[0 if j.shown[0] == self.answer else 1] for j in read]
        others = [j.scores[1 if j.shown[0] == self.answer else 0] for j in read]
        return sum(ours) / len(read), sum(others) / len(read)

    def ranked(self) -> RankedExample | None:
        """As a ranked example, for the measures of a judge's trust; None without a preference."""
        if self.preference is None:
            return None
        return RankedExample.from_scores(
            self.instruction,
            [self.answer, self.other],
            [self.preference, 1 - self.preference],
            judgements=self.judgements,
        )

    def prediction(self, tokens: int) -> Prediction | None:
        """As a scored prediction, whose score is the preference; None without one."""
        if self.preference is None:
            return None
        return Prediction(
            instruction=self.instruction,
            text=self.answer,
            tokens=tokens,
            passed=self.preference == WIN,
            score=self.preference,
        )


class AnswerJudge:
    """A judge of pairs of answers.

    `presentation` is which order, or both, an LLM sees a pair in; "drawn" draws one by `seed` and
    the instruction's id, "other_first" is how the Vicuna reviews were made.
    """

    def __init__(
        self,
        judge: LLM,
        scheme: Scheme,
        answer: Answer,
        decoding: Decoding,
        batch_size: int,
        presentation: Presentation,
        seed: int,
    ) -> None:
        self.judge = judge
        self.scheme = scheme
        self.answer = answer
        self.presentation = presentation
        self.seed = seed
        # Reviews in the Vicuna form are free text whatever else the judge can do.
        free = scheme == "vicuna" and answer == "auto"
        way: Answer = "text" if free else answer
        self.asking = Judge(judge, way, decoding, batch_size, "judging")

    @property
    def batch_size(self) -> int:
        """How many pairs to compare together."""
        return self.asking.size

    def check(self) -> None:
        """Raise ConfigError for settings that no pair could be judged with."""
        allowed = {"scheme": SCHEMES, "presentation": PRESENTATIONS}
        for name, values in allowed.items():
            value = getattr(self, name)
            if value not in values:
                told = ", ".join(map(repr, values))
                raise ConfigError(
                    f"judging.{name}={value!r}; allowed are {told}. "
                    f"Cure: judging.{name}={values[0]}."
                )
        if self.scheme == "vicuna" and self.answer not in ("auto", "text"):
            raise ConfigError(
                f"judging.answer={self.answer} with judging.scheme=vicuna, whose replies are free "
                "text; allowed are auto and text. Cure: judging.answer=text, or "
                "judging.scheme=verdict."
            )
        self.asking.check()

    def digest(self) -> dict[str, object]:
        """Return what decides the comparisons besides the answers."""
        way = self.asking.way
        prompts = (
            [vicuna.SYSTEM, vicuna.TEMPLATE, vicuna.GENERAL, vicuna.CODING, vicuna.MATHS]
            if self.scheme == "vicuna"
            else [TASK, PROMPTS[way], *[ANSWER_BEGINS] * (way == "first_token")]
        )
        return {
            **self.asking.digest(),
            "scheme": self.scheme,
            "prompts": prompts,
            "presentation": self.presentation,
            "seed": self.seed,
        }

    def questions(self, responses: int) -> int:
        """Return how many questions are asked about a pair: one for each order it is shown in."""
        return 2 if self.presentation == "both" else 1

    def compare(self, pairs: Sequence[AnswerPair]) -> list[Comparison]:
        """Return a comparison for each pair, in their order."""
        shown = [(pair, order) for pair in pairs for order in self._orders(pair)]
        said = iter(self.asking.ask([self._question(*one) for one in shown], self.seed))
        return [
            Comparison.from_judgements(pair, [next(said) for _ in self._orders(pair)])
            for pair in pairs
        ]

    def release(self) -> None:
        """Let go of the judge."""
        self.asking.release()

    def _orders(self, pair: AnswerPair) -> list[tuple[str, str]]:
        """Return the two texts in each order they are shown in; none where they are equal."""
        if pair.answer == pair.other:
            return []
        ours_first, other_first = (pair.answer, pair.other), (pair.other, pair.answer)
        if self.presentation == "both":
            return [ours_first, other_first]
        if self.presentation == "drawn":
            return [Random(f"{self.seed}/{pair.instruction.id}").choice([ours_first, other_first])]
        return [ours_first if self.presentation == "ours_first" else other_first]

    def _question(self, pair: AnswerPair, shown: tuple[str, str]) -> Question:
        turned = "0-1" if shown[0] == pair.answer else "1-0"
        name = f"{pair.instruction.id}/{turned}"
        if self.scheme == "vicuna":
            return vicuna.vicuna_question(pair.instruction, shown, name)
        return pair_question(pair.instruction, shown, name, self.asking.way)


def paired(predictions: Sequence[Prediction], others: Mapping[str, str]) -> list[AnswerPair]:
    """Return each prediction with the other answer to its instruction, by the instruction's id.

    Raises DataError where some have none: figures over the rest would be of another benchmark.
    """
    without = [p.instruction.id for p in predictions if p.instruction.id not in others]
    if without:
        raise DataError(
            f"{len(without)} of {len(predictions)} predictions have no answer to be compared with "
            f"(first: '{without[0]}'); the other side answers {len(others)} ids (first: "
            f"'{next(iter(others), '')}'). Cure: answers to the same prompts, under the same ids."
        )
    return [AnswerPair(p.instruction, p.text, others[p.instruction.id]) for p in predictions]
