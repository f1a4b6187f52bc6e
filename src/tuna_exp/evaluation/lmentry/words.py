"""Tasks that ask for one of two words: by the alphabet, by rhyme, by sound."""

import re
from collections.abc import Sequence
from functools import cache

from tuna_exp.evaluation.lmentry.arguments import Arguments
from tuna_exp.evaluation.lmentry.statements import (
    NOT_FOUND,
    RIGHT,
    WRONG,
    Statements,
    Verdict,
    fold,
    is_answer,
    occurs,
    plain_form,
    shared_statements,
    word_form,
)

_LETTERS = re.compile(r"\b[a-z]+\b")
_AQD = ("a", "q", "d")


def first_alphabetically(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is the answer, or says that it comes first or the other second."""
    answer = arguments.word("answer")
    if _another_word(answer, text):
        return WRONG
    simple, stated = _alphabet()
    if is_answer(simple, [answer], text, answer.__eq__):
        return RIGHT
    rest = [arguments.word(name) for name in ("distractor", "word1", "word2")]
    return stated.judge([answer, *rest], text)


def rhyming_word(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is the answer, or says as a whole that the two rhyme."""
    if _another_word(arguments.word("answer"), text):
        return WRONG
    return _exact(arguments, text, _rhymes())


def homophones(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is the answer, or says as a whole that the two sound alike."""
    if not occurs(arguments.word("answer"), text):
        return WRONG
    return _exact(arguments, text, _sounds())


def _another_word(answer: str, text: str) -> bool:
    words = _LETTERS.findall(text)
    return len(words) == 1 and words[0] != answer


def _exact(arguments: Arguments, text: str, statements: Statements) -> Verdict:
    answer = arguments.word("answer")
    if is_answer(_answer(), [answer], text, answer.__eq__):
        return RIGHT
    given = [answer, arguments.word("query"), arguments.word("distractor")]
    return RIGHT if statements.whole(given, fold(text)) else NOT_FOUND


@cache
def _answer() -> Statements:
    return Statements(["a"], {"A": word_form("a")}, ["<A>"])


@cache
def _alphabet() -> tuple[Statements, Statements]:
    forms = {name.upper(): word_form(name) for name in ("a", "d")}
    # The comma after the second word of the pair may not be taken by its quotes.
    pair = {"W1": word_form("w1"), "W2": plain_form(word_form("w2").last)}
    statements = [
        "<A> (?:comes|is) first",
        "<D> (?:comes|is) second",
        "<D> (?:comes|is) after",
        "<A> (?:comes|is) before <D>",
        "<D> (?:comes|is) after <A>",
        *shared_statements("<A>"),
    ]
    prefixes = [
        "alphabetically, ",
        "in an alphabetical order, ",
        "in alphabetical order, ",
        "of the words <W1> and <W2>[\"'.,]*, ",
    ]
    suffixes = [
        " alphabetically",
        " in an alphabetical order",
        " in alphabetical order",
        " in the dictionary",
    ]
    simple = Statements(["a"], {"A": forms["A"]}, ["<A>", "<A> does"])
    names = ["a", "d", "w1", "w2"]
    return simple, Statements(names, {**forms, **pair}, statements, prefixes, suffixes)


@cache
def _rhymes() -> Statements:
    does_not = "(?:does not|doesn't)"
    statements = [
        "<Q> rhymes with <A>(?: and not with <D>)?",
        "<Q> is (?:a|the) rhyme of <A>(?: and not of <D>)?",
        "<Q> and <A> rhyme",
        "<Q> and <A> are rhymes",
        "<Q> and <A> are words that rhyme",
        "(?:a|the) rhyme of <Q> is <A>(?: and not <D>)?",
        "(?:a|the) word rhyming with <Q> is <A>",
        "(?:a|the) word that rhymes with <Q> is <A>",
        "<Q> and <A>(?: both)? rhyme(?: with each other)?, (?:while|but|and) "
        f"<D> {does_not} rhyme with either(?: word)?",
    ]
    rhymes = "(?:rhymes|does rhyme)"
    one_way = [
        rf"<D> {does_not} rhyme with <Q>(?:\s+<A> {rhymes} with <Q>)?",
        rf"<Q> {does_not} rhyme with <D>(?:\s+<Q> {rhymes} with <A>)?",
        rf"<A> rhymes with <Q>\s+<D> {does_not} rhyme with <Q>",
    ]
    return _both_ways(statements, one_way)


@cache
def _sounds() -> Statements:
    like, but = "(?:like|similar to)", r"(?:\.,)? (?:but|and)"
    statements = [
        f"<Q> sounds {like} <A>",
        f"<Q> sounds {like} <A>{but} not {like} <D>",
        f"<Q> sounds {like} <A>{but} <D> does not",
        "<Q> and <A> sound alike",
        f"<Q> sounds more {like} <A>",
        f"<Q> sounds more {like} <A> than(?: like)? <D>(?: does)?",
        f"<Q> sounds most {like} <A>",
        "<Q> is a homophone of <A>",
        "<Q> and <A> are homophones(?: of each other)?",
        "the homophone of <Q> is <A>",
    ]
    return _both_ways(statements, [])


def _both_ways(statements: Sequence[str], one_way: Sequence[str]) -> Statements:
    """Add the statements with query and answer exchanged."""
    swap = {"<A>": "<Q>", "<Q>": "<A>"}
    turned = [re.sub("<[AQ]>", lambda found: swap[found[0]], s) for s in statements]
    forms = {name.upper(): word_form(name) for name in _AQD}
    return Statements(_AQD, forms, [*statements, *turned, *one_way])
