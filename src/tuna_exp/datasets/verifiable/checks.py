"""From a check in a record to a verdict: the table of all checkers."""

from pydantic import ValidationError

from tuna_exp.datasets.verifiable.closed_checks import Choice, Number, Quoted, Sequence, Text
from tuna_exp.datasets.verifiable.open_checks import Members, Sentence, Word
from tuna_exp.datasets.verifiable.reading import clean, words
from tuna_exp.datasets.verifiable.verdict import (
    AMBIGUOUS,
    LONGEST,
    PASS_SCORE,
    Expectation,
    Verdict,
)
from tuna_exp.errors import DataError, nearest
from tuna_exp.records import Check

CHECKERS: dict[str, type[Expectation]] = {
    checker.__name__: checker
    for checker in (Choice, Number, Quoted, Sequence, Text, Members, Sentence, Word)
}


def expectation(check: Check) -> Expectation:
    """Return the checker that a record names; raise DataError where it cannot be made."""
    checker = CHECKERS.get(check.name)
    if checker is None:
        raise DataError(
            f"check.name is {check.name!r}; allowed: {', '.join(sorted(CHECKERS))}."
            f"{nearest(check.name, CHECKERS)} "
            "Cure: generate the dataset again, or name one of them."
        )
    try:
        return checker.model_validate(check.arguments)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"check {check.name!r}: argument {field!r}: {first['msg']}; "
            f"its arguments are {', '.join(checker.model_fields)}. "
            "Cure: generate the dataset again, or mend that argument."
        ) from None


def judge(check: Check, response: str) -> Verdict:
    """Mark a response. No word in it scores 0; only its first LONGEST characters are read."""
    wanted = expectation(check)
    text = clean(response[:LONGEST])
    if not words(text):
        return Verdict(passed=False, score=0.0)
    score = wanted.score(text)
    if len(response.strip()) > LONGEST:
        score = min(score, AMBIGUOUS)
    score = round(score, 4)
    return Verdict(passed=score >= PASS_SCORE, score=score)
