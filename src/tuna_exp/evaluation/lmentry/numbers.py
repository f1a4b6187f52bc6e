"""Tasks that ask for the bigger or the smaller of two numbers, and how numbers are spelled."""

from functools import cache

from num2words import num2words

from tuna_exp.evaluation.lmentry.arguments import Arguments
from tuna_exp.evaluation.lmentry.statements import (
    RIGHT,
    WRONG,
    Form,
    Statements,
    Verdict,
    is_answer,
    noun_form,
    reference,
    shared_statements,
    tokens,
)

_BIGGER = "(?:bigger|larger)"
_SMALLER = "smaller"


def bigger_number(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is the answer or says that it is bigger."""
    return _number(arguments, text, _stated(_BIGGER, _SMALLER))


def smaller_number(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is the answer or says that it is smaller."""
    return _number(arguments, text, _stated(_SMALLER, _BIGGER))


@cache
def spelled(number: int) -> tuple[str, str, str]:
    """Return a number in digits, in words, and in words with spaces for hyphens."""
    words = str(num2words(number))
    return str(number), words, words.replace("-", " ")


def spelled_names(name: str) -> list[str]:
    """Return the names of the three arguments that `spelled` gives."""
    return [f"{name}_digits", f"{name}_words", f"{name}_spaced"]


def spelled_form(name: str) -> str:
    """Return the expression of a number; digits are a whole token."""
    digits, words, spaced = map(reference, spelled_names(name))
    return rf"(?:\b{digits}\b|{words}|{spaced})"


def _number(arguments: Arguments, text: str, stated: Statements) -> Verdict:
    answer = spelled(arguments.number("answer"))
    said = tokens(text)
    # As published, digits alone are looked at here: "seven" by itself is wrong.
    if len(set(said)) == 1 and said[0] != answer[0]:
        return WRONG
    if is_answer(_answer(), answer, text, answer.__contains__):
        return RIGHT
    distractor = spelled(arguments.number("distractor"))
    pair = [str(arguments.number("n1")), str(arguments.number("n2"))]
    return stated.judge([*answer, *distractor, *pair], text)


def _form(name: str) -> Form:
    return noun_form("number", spelled_form(name))


@cache
def _answer() -> Statements:
    return Statements(spelled_names("a"), {"A": _form("a")}, ["<A>"])


@cache
def _stated(right: str, wrong: str) -> Statements:
    ways = [("<A>", right, "<D>"), ("<D>", wrong, "<A>")]
    statements = [
        statement
        for named, way, other in ways
        for statement in (
            f"{named} is {way}(?: than {other})?",
            f"{named} is the {way} number",
            f"the {way} number is {named}",
        )
    ]
    both = f"the numbers {reference('n1')} and {reference('n2')}, "
    return Statements(
        [*spelled_names("a"), *spelled_names("d"), "n1", "n2"],
        {"A": _form("a"), "D": _form("d")},
        [*statements, *shared_statements("<A>")],
        prefixes=[f"(?:of|from|between) {both}"],
    )
