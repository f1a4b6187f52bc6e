"""Tasks that ask for a word or letter by its place: first, last, after or before another.

Sentences keep their case in the data and are lower-cased here; so are the words asked for.
"""

import re
from functools import cache

from tuna_exp.evaluation.lmentry.arguments import Arguments
from tuna_exp.evaluation.lmentry.statements import (
    RIGHT,
    WRONG,
    Statements,
    Verdict,
    is_answer,
    noun_form,
    occurs,
    reference,
    sentence_form,
    shared_statements,
    word_form,
)

_PUNCTUATION = re.compile(r"[^\w ]+")
_IN_SENTENCE = ["in <S> "]
_OF_SENTENCE = [" (?:of|in) <S>"]
_AFTER = "(?:immediately |right )?after"
_BEFORE = "(?:immediately |right )?before"
_SUCCEEDS = "(?:immediately )?succeeds"
_PRECEDES = "(?:immediately )?precedes"
_FOLLOWS = "(?:immediately )?follows"


def first_word(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is, or says which is, the first word of the sentence."""
    return _word_at(arguments, text, _word_statements("first", "begins"))


def last_word(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is, or says which is, the last word of the sentence."""
    return _word_at(arguments, text, _word_statements("last", "ends"))


def first_letter(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is, or says which is, the first letter of the word."""
    return _letter_at(arguments, text, _letter_statements("first", "starting", "(?:starts|begins)"))


def last_letter(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is, or says which is, the last letter of the word."""
    return _letter_at(arguments, text, _letter_statements("last", "final", "ends"))


def word_after(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is, or says which is, the word after the query."""
    return _neighbour(arguments, text, _after())


def word_before(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is, or says which is, the word before the query."""
    return _neighbour(arguments, text, _before())


def _word_at(arguments: Arguments, text: str, stated: Statements) -> Verdict:
    answer, sentence = arguments.lower("answer"), arguments.lower("sentence")
    if not occurs(answer, text):
        return WRONG
    if is_answer(_word(), [answer], text, answer.__eq__):
        return RIGHT
    return stated.judge([answer, sentence], text)


def _letter_at(arguments: Arguments, text: str, stated: Statements) -> Verdict:
    answer = arguments.word("answer")
    if not occurs(answer, text):
        return WRONG
    if is_answer(_letter(), [answer], text, answer.__eq__):
        return RIGHT
    return stated.judge([answer, arguments.lower("word")], text)


def _neighbour(arguments: Arguments, text: str, stated: Statements) -> Verdict:
    answer, sentence = arguments.lower("answer"), arguments.lower("sentence")
    if not occurs(answer, text) or _PUNCTUATION.sub("", text) == sentence:
        return WRONG
    if is_answer(_word(), [answer], text, answer.__eq__):
        return RIGHT
    return stated.judge([answer, arguments.lower("query"), sentence], text)


@cache
def _word() -> Statements:
    return Statements(["a"], {"A": word_form("a")}, ["<A>"])


@cache
def _letter() -> Statements:
    return Statements(["a"], {"A": noun_form("letter", reference("a"))}, ["<A>"])


@cache
def _word_statements(place: str, has: str) -> Statements:
    statements = [
        f"the {place} word is <A>",
        f"the {place} word (?:of|in) <S> is <A>",
        f"<A> is the {place} word",
        f"<S> {has} with <A>",
        # In the original a separator, lower-cased by mistake, and "first" for the last word too.
        r"first word\w+<A>",
        *shared_statements("<A>"),
    ]
    forms = {"A": word_form("a"), "S": sentence_form("s")}
    return Statements(["a", "s"], forms, statements, _IN_SENTENCE, _OF_SENTENCE)


@cache
def _letter_statements(place: str, other_place: str, has: str) -> Statements:
    statements = [
        f"the {place} letter is <A>",
        f"the {place} letter (?:of|in) <W> is <A>",
        f"<A> is the {place} letter (?:of|in) <W>",
        f"<W> {has} with <A>",
        f"the letter that <W> {has} with is <A>",
        f"<A> is the {other_place} letter (?:of|in) <W>",
        "<W>: <A>",
        f"{place} letter: <A>",
        *shared_statements("<A>"),
    ]
    forms = {"A": noun_form("letter", reference("a")), "W": word_form("w")}
    return Statements(["a", "w"], forms, statements)


@cache
def _after() -> Statements:
    statements = [
        f"<A> {_SUCCEEDS} <Q>",
        f"<A> is the word that {_SUCCEEDS} <Q>",
        f"<A> {_FOLLOWS} <Q>",
        f"the word that {_SUCCEEDS} <Q> is <A>",
        f"the word that {_FOLLOWS} <Q> is <A>",
        "<Q> is succeeded by <A>",
        "<Q> is followed by <A>",
    ]
    return _neighbours(statements, _AFTER, _BEFORE)


@cache
def _before() -> Statements:
    statements = [
        f"<A> {_PRECEDES} <Q>",
        f"<A> is the word that {_PRECEDES} <Q>",
        f"<Q> {_FOLLOWS} <A>",
        f"the word that {_PRECEDES} <Q> is <A>",
        f"the word that {_FOLLOWS} <A> is <Q>",
        "<A> is succeeded by <Q>",
        "<A> is followed by <Q>",
    ]
    return _neighbours(statements, _BEFORE, _AFTER)


def _neighbours(statements: list[str], way: str, other_way: str) -> Statements:
    comes = [
        statement
        for one, place, other in (("<A>", way, "<Q>"), ("<Q>", other_way, "<A>"))
        for statement in (
            f"{one} comes {place} {other}",
            f"{one} is the word that comes {place} {other}",
            f"the word that comes {place} {other} is {one}",
            f"the word that comes {place} {other} in <S> is {one}",
        )
    ]
    return Statements(
        ["a", "q", "s"],
        {"A": word_form("a"), "Q": word_form("q"), "S": sentence_form("s")},
        [*comes, *statements, *shared_statements("<A>")],
        _IN_SENTENCE,
        _OF_SENTENCE,
    )
