"""Tasks that ask for a sentence: it must hold a word, must not, or starts or ends with one.

The pattern rule of the last two is as published, though in practice the simple rule decides.
"""

import re
from functools import cache

from tuna_exp.evaluation.lmentry.arguments import Arguments
from tuna_exp.evaluation.lmentry.statements import (
    NOT_ALNUM,
    NOT_FOUND,
    QUOTES,
    RIGHT,
    WRONG,
    Statements,
    Verdict,
    fold,
    occurs,
    plain_form,
    reference,
    shared_statements,
    word_form,
)

_LETTERS = re.compile(r"\b[a-z]+\b")
# A valid word has two characters or is "a" or "i"; what comes after the second is taken by `.*`.
_VALID = r"(?:a|i|\w\w)"
# A gap, then a valid word: after the whole gap or, as letters beyond a-z are gap too, the last two
# characters of which the first is such a letter, or else both are: the second of the former may be
# where the suffix begins. The published `gap+valid` accepts the same, but tries each place in it.
_BEYOND = r"[^\Wa-zA-Z0-9_]"
_THEN_VALID = (
    rf"(?:{NOT_ALNUM}++{_VALID}|(?>{NOT_ALNUM}+(?={_BEYOND}\w))\w\w"
    rf"|(?>{NOT_ALNUM}+(?={_BEYOND}{{2}}))\w\w)"
)
_LEAD = f"(?:the word )?{QUOTES}"
_WORD = rf"{_LEAD}\b{reference('word')}\b"


def sentence_containing(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if the word is a whole token in a line that has at least one more character."""
    word = arguments.lower("word")
    for found in re.finditer(rf"\b{re.escape(word)}\b", text):
        before, after = text[: found.start()][-1:], text[found.end() : found.end() + 1]
        if before not in ("", "\n") or after not in ("", "\n"):
            return RIGHT
    return WRONG


def sentence_not_containing(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if there are two words or more and the word is not one of them."""
    word = arguments.lower("word")
    words = _LETTERS.findall(text)
    if occurs(word, text) or not words:
        return WRONG
    if len(words) == 1:
        return NOT_FOUND
    return Verdict(1, word not in text)


def starts_with_word(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if the word comes first and a valid word after it."""
    return _sentence(arguments.lower("word"), text, *_starting())


def ends_with_word(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if the word comes last and a valid word before it."""
    return _sentence(arguments.lower("word"), text, *_ending())


def _sentence(word: str, text: str, simple: Statements, stated: Statements) -> Verdict:
    if not occurs(word, text):
        return WRONG
    if simple.whole([word], fold(text)):
        return RIGHT
    # Every prefix has it, and it is much cheaper to look for.
    return stated.judge([word], text) if "sentence" in text else NOT_FOUND


@cache
def _starting() -> tuple[Statements, Statements]:
    sentence = rf"{NOT_ALNUM}*+{_WORD}{_THEN_VALID}.*"
    prefixes = _prefixes("that starts with <W>", "starting with <W>", "whose first word is <W>")
    suffixes = [
        "starts with <W>",
        "is a sentence that starts with <W>",
        "is a sentence starting with <W>",
        "is a sentence whose first word is <W>",
    ]
    # Possessive: the rest of the line, once, however many places it could start from.
    return _simple(f"{sentence}+"), _stated(sentence, prefixes, suffixes)


@cache
def _ending() -> tuple[Statements, Statements]:
    sentence = rf".*{_VALID}{NOT_ALNUM}++{_WORD}{NOT_ALNUM}*"
    # The space after the first <W> is the published one.
    prefixes = _prefixes(
        "that ends with <W> ", "ending with <W>", "whose (?:last|final) word is <W>"
    )
    return _simple(f"{sentence}+"), _stated(sentence, prefixes, ["$"])


def _prefixes(*ways: str) -> list[str]:
    return ["the sentence(?: is)?", *(f"(?:a|one) sentence {way}(?: is)?" for way in ways)]


def _simple(sentence: str) -> Statements:
    return Statements(["word"], {"S": plain_form(sentence)}, ["<S>"])


def _stated(sentence: str, prefixes: list[str], suffixes: list[str]) -> Statements:
    forms = {"S": plain_form(sentence), "W": word_form("word")}
    statements = ["<S>", *shared_statements("<S>")]
    return Statements(["word"], forms, statements, prefixes, suffixes, bare=False)
