"""Tasks that ask which of two words has more or fewer letters."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from tuna_exp.evaluation.lmentry.arguments import Arguments
from tuna_exp.evaluation.lmentry.numbers import spelled, spelled_form, spelled_names
from tuna_exp.evaluation.lmentry.statements import (
    QUOTES,
    RIGHT,
    WRONG,
    Form,
    Statements,
    Verdict,
    is_answer,
    noun_form,
    plain_form,
    reference,
    shared_statements,
    word_form,
)

_MORE, _LESS = "more", "(?:less|fewer)"
_NUMBERS = r"\d+|one|two|three|four|five|six|seven|eight|nine|ten|zero|a single"
_SWAP = {"<A>": "<D>", "<D>": "<A>"}
_PAIR = re.compile("|".join(_SWAP))


@dataclass(frozen=True)
class Way:
    """What is asked: `quantity` of letters, `comparison` of words; `other_*` are the reverse."""

    quantity: str
    comparison: str
    other_quantity: str
    other_comparison: str

    @cached_property
    def wrong_difference(self) -> re.Pattern[str]:
        """The right word with a stated difference; "the word " is not accepted, as published."""
        a, d = (rf"{QUOTES}\b{reference(name)}\b{QUOTES}" for name in ("a", "d"))
        number = f"(?:{_NUMBERS})"
        return re.compile(
            r"(?P<a>[^\0]*+)\0(?P<d>[^\0]*+)\0"
            rf"{a} (?:has (?P<of>{number}) {self.quantity} letter"
            rf"|is {self.comparison} (?:than {d} )?by (?P<by>{number}) letter)"
        )


_LONGER = Way(_MORE, "longer", _LESS, "shorter")
_SHORTER = Way(_LESS, "shorter", _MORE, "longer")


def more_letters(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is the answer or says that it is longer, unless a wrong difference is stated."""
    return _lengths(arguments, text, _LONGER)


def less_letters(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is the answer or says that it is shorter, unless a wrong difference is stated."""
    return _lengths(arguments, text, _SHORTER)


def _lengths(arguments: Arguments, text: str, way: Way) -> Verdict:
    answer, distractor = arguments.word("answer"), arguments.word("distractor")
    difference = spelled(abs(len(answer) - len(distractor)))
    given = [answer, distractor, *difference]
    if _negative(way).whole(given, text) or _misstated(answer, distractor, difference, text, way):
        return WRONG
    if is_answer(_answer(), [answer], text, answer.__eq__):
        return RIGHT
    pair = [arguments.word("word1"), arguments.word("word2")]
    return _stated_for(way, answer, distractor).judge([*given, *pair], text)


def _misstated(
    answer: str, distractor: str, difference: Sequence[str], text: str, way: Way
) -> bool:
    found = way.wrong_difference.match(f"{answer}\0{distractor}\0{text}")
    return found is not None and (found["of"] or found["by"]) not in difference


@cache
def _answer() -> Statements:
    return Statements(["a"], {"A": word_form("a")}, ["<A>"])


@cache
def _negative(way: Way) -> Statements:
    said = [_exchanged(claim) for claim in _claims(way)]
    said += ["<D>", f"<D> is {way.comparison} by <N> letters?"]
    return Statements(["a", "d", *spelled_names("n")], _forms(), said)


def _claims(way: Way) -> list[str]:
    quantity, comparison = way.quantity, way.comparison
    return [
        f"<A> has {quantity} letters",
        f"<A> has {quantity} letters than <D>",
        f"<A> has <N> {quantity} letters?",
        f"<A> has <N> {quantity} letters? than <D>",
        f"the word that has {quantity} letters is <A>",
        f"<A> is the word that has {quantity} letters",
        f"<A> is {comparison}",
        f"<A> is {comparison} than <D>",
        f"<A> is {comparison} than <D> by <N> letters?",
        f"the {comparison} word is <A>",
        f"the word that is {comparison} is <A>",
        f"<A> is the word that is {comparison}",
    ]


def _stated_for(way: Way, answer: str, distractor: str) -> Statements:
    # The original turns "more" into "less" in the arguments too: two words of the data have it.
    if way is _LONGER and (_MORE in answer or _MORE in distractor):
        return _stated(way, answer, distractor)
    return _stated(way, "", "")


@lru_cache(maxsize=256)
def _stated(way: Way, answer: str, distractor: str) -> Statements:
    """All statements; the words matter only where they hold "more" themselves."""
    held = [p for p, word in (("<A>", answer), ("<D>", distractor)) if _MORE in word]
    statements = _claims(way)
    statements += [
        _garbled(_exchanged(statement).replace(way.quantity, way.other_quantity), held)
        for statement in statements
        if way.quantity in statement or any(p in statement for p in held)
    ]
    statements += [
        _exchanged(statement).replace(way.comparison, way.other_comparison)
        for statement in statements
        if way.comparison in statement
    ]
    return Statements(
        ["a", "d", *spelled_names("n"), "one", "two"],
        {**_forms(), "GA": _garbled_form(answer), "GD": _garbled_form(distractor)},
        [*statements, *shared_statements("<A>")],
        prefixes=["(?:of|from) the words <1> and <2>[\"'.,]*, "],
    )


def _exchanged(statement: str) -> str:
    return _PAIR.sub(lambda found: _SWAP[found[0]], statement)


def _garbled(statement: str, held: Sequence[str]) -> str:
    for placeholder in held:
        statement = statement.replace(placeholder, f"<G{placeholder[1:]}")
    return statement


def _garbled_form(word: str) -> Form:
    return noun_form("word", re.escape(word).replace(_MORE, _LESS))


def _forms() -> dict[str, Form]:
    second = noun_form("word", reference("two"))
    return {
        "A": word_form("a"),
        "D": word_form("d"),
        "N": plain_form(spelled_form("n")),
        "1": word_form("one"),
        # The comma after it may not be taken by the quotes.
        "2": plain_form(second.last),
    }
