"""Tasks that ask for a word by a letter: it has the letter, has it not, starts or ends with it.

The expressions hold the letter itself, so there is one of each for each of 26 letters.
"""

import re
import string
from functools import cache

from tuna_exp.evaluation.lmentry.arguments import Arguments
from tuna_exp.evaluation.lmentry.statements import (
    RIGHT,
    WRONG,
    Statements,
    Verdict,
    fold,
    is_answer,
    noun_form,
    shared_statements,
)

_LETTERS = re.compile(r"\b[a-z]+\b")
_NOT_WORD = re.compile(r"\W")
_SPACES = re.compile(" +")
# These letters are words by themselves.
_WORDS = ("a", "i")


def word_containing(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is, or names, a word that has the letter."""
    letter = arguments.word("letter")
    simple, stated = _containing(letter)

    def accepts(token: str) -> bool:
        return letter in token and _long_enough(token, letter)

    return RIGHT if is_answer(simple, [], text, accepts) else stated.judge([], text)


def word_not_containing(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is, or names, a word without the letter; repeating words is not enough."""
    letter = arguments.word("letter")
    asked = _SPACES.sub(" ", prompt.strip().lower())
    any_letter = re.escape(asked).replace(f'"{re.escape(letter)}"', r'"\w"')
    if re.match(f"{any_letter}$", text) or (letter in text and not _NOT_WORD.search(text)):
        return WRONG
    simple, stated = _not_containing(letter)
    return RIGHT if simple.whole([], fold(text)) else stated.judge([], text)


def starts_with_letter(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is, or names, a word that starts with the letter."""
    letter = arguments.word("letter")
    if not any(word[0] == letter for word in _LETTERS.findall(text)):
        return WRONG
    simple, stated = _starting(letter)

    def accepts(token: str) -> bool:
        return token[0] == letter and _long_enough(token, letter)

    return RIGHT if is_answer(simple, [], text, accepts) else stated.judge([], text)


def ends_with_letter(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is, or names, a word that ends with the letter."""
    letter = arguments.word("letter")
    if not any(word[-1] == letter for word in _LETTERS.findall(text)):
        return WRONG
    simple, stated = _ending(letter)

    def accepts(token: str) -> bool:
        return token[-1] == letter and _long_enough(token, letter)

    return RIGHT if is_answer(simple, [], text, accepts) else stated.judge([], text)


def _long_enough(token: str, letter: str) -> bool:
    return len(token) > 1 or letter in _WORDS


@cache
def _containing(letter: str) -> tuple[Statements, Statements]:
    # A whole word with the letter: between word boundaries any run is taken whole.
    least = r"\w" if letter in _WORDS else r"\w\w"
    word = rf"(?:(?=\w*{re.escape(letter)}){least}"
    word += r"\w*+)" if letter in _WORDS else rf"\w*+|{re.escape(letter)}-\w++)"
    statements = ["<W> (?:is a word (?:that|which) )?(?:contains|uses|has) <L>"]
    return _pair(letter, word, [*statements, *shared_statements("<W>")])


@cache
def _not_containing(letter: str) -> tuple[Statements, Statements]:
    allowed = string.ascii_lowercase.replace(letter, "")
    single = "".join(rf"|{word}" for word in _WORDS if word != letter)
    word = rf"(?:\b[{allowed}]{{2,}}+\b{single})"
    that, does_not, have = "(?:that|which)", "(?:does not|doesn't)", "(?:contain|use|have)"
    statements = [
        f"<W> (?:is a word {that} )?{does_not} {have} <L>",
        f"a word {that} {does_not} {have} <L> is <W>",
        "a word not (?:containing|using|having) <L> is <W>",
        "<W> is a word without <L>",
    ]
    return _pair(letter, word, statements)


@cache
def _starting(letter: str) -> tuple[Statements, Statements]:
    escaped = re.escape(letter)
    word = rf"{escaped}(?:-\w++|\w*+)" if letter in _WORDS else rf"{escaped}(?:-\w++|\w++)"
    statements = [
        *_possible(),
        "<W> (?:starts|begins) with <L>",
        "<W> is (?:a|one) word that (?:starts|begins) with <L>",
        "<W> is (?:a|one) word (?:starting|beginning) with <L>",
        "a word starting with <L> is <W>",
        "<W> is (?:a|one) word whose first letter is <L>",
        "<L> is for <W>",
        "how about <W>",
        "may i suggest <W>",
    ]
    return _pair(letter, word, [*statements, *shared_statements("<W>")])


@cache
def _ending(letter: str) -> tuple[Statements, Statements]:
    word = rf"\w{'*' if letter in _WORDS else '+'}{re.escape(letter)}"
    statements = [
        *_possible(),
        "<W> ends with <L>",
        "<W> is (?:a|one) word that ends with <L>",
        "<W> is (?:a|one) word ending with <L>",
        "a word ending with <L> is <W>",
        # A missing comma made one of two statements in the original.
        "<W> is (?:a|one) word whose last letter is <L>how about <W>",
        "may i suggest <W>",
    ]
    return _pair(letter, word, [*statements, *shared_statements("<W>")])


def _possible() -> list[str]:
    kind = "possible(?: such)? (?:word|answer)"
    return [f"(?:a|one) {kind} is <W>", f"<W> is (?:a|one) {kind}"]


def _pair(letter: str, word: str, statements: list[str]) -> tuple[Statements, Statements]:
    forms = {"W": noun_form("word", word), "L": noun_form("letter", re.escape(letter))}
    return Statements([], forms, ["<W>"]), Statements([], forms, statements)
