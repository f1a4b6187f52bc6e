"""What a check says about a response, and the scale that all checks share.

The scale, high to low: the bare answer 1.0; the answer in a short sentence 0.8 to 0.98; PASS_SCORE;
the right content in the wrong form or beside wrong content 0.3 to 0.65; a wrong answer in the right
form 0.1 to 0.3; anything else 0.05; nothing at all 0.
"""

from dataclasses import dataclass

from tuna_exp.records import Check, Record

PASS_SCORE = 0.75
LONGEST = 1000  # characters read; no right answer here needs a quarter of that

BURIED = 0.6  # right, but in far more words than were asked for
REPEATED = 0.5
AMBIGUOUS = 0.3  # the right answer beside a wrong one
WRONG = 0.15
OFF_TOPIC = 0.05

_SPARE_WORDS = 10
_COST_PER_WORD = 0.02


@dataclass(frozen=True)
class Verdict:
    """Right or wrong, and how near: `passed` holds exactly when `score` >= PASS_SCORE."""

    passed: bool
    score: float


class Expectation(Record):
    """What a right response must be; a subclass is one checker and its fields are its arguments."""

    def score(self, text: str) -> float:
        """Return the score in [0, 1] of a cleaned response with at least one word."""
        raise NotImplementedError(f"{type(self).__name__} needs a method score")

    def as_check(self) -> Check:
        """Return the record that an instruction carries."""
        return Check(name=type(self).__name__, arguments=self.model_dump(mode="json"))


def within_words(extra: int) -> float:
    """Score a right answer by how many words stand around it."""
    return 1 - _COST_PER_WORD * extra if extra <= _SPARE_WORDS else BURIED


def is_repeated(times: int, length: int) -> bool:
    """Say whether an answer comes too often; a sentence of six words may name it twice."""
    return times > (2 if length >= 6 else 1)
