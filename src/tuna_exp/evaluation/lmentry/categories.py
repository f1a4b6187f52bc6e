"""Tasks about categories: is any, are all of the words of one; which is most, least associated."""

import re
from collections.abc import Sequence
from functools import cache

from tuna_exp.evaluation.lmentry.arguments import Arguments
from tuna_exp.evaluation.lmentry.statements import (
    NOT_ALNUM,
    RIGHT,
    WRONG,
    Statements,
    Verdict,
    is_answer,
    occurs,
    plain_form,
    reference,
    shared_statements,
    word_form,
)

_OTHER_NAMES = {
    "items of clothing": ["clothes", "clothing"],
    "furniture": ["pieces of furniture"],
    "fruit": ["fruits"],
}
_MOST = "most(?: commonly)? (?:associated|related)"
_LEAST = "least(?: commonly)? (?:associated|related)"
_SWAP = {"<A>": "<C>", "<C>": "<A>"}


def any_words_from_category(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it says yes, or no where all words are distractors."""
    some = arguments.number("num_words") > arguments.number("num_distractors")
    return _yes_or_no("yes" if some else "no", text, None)


def all_words_from_category(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it says yes, or no where there is a distractor."""
    answer = "no" if arguments.number("num_distractors") else "yes"
    return _yes_or_no(answer, text, arguments.word("category"))


def most_associated_word(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is the answer or says that it is the most associated word."""
    return _associated(arguments, text, _MOST, "the most")


def least_associated_word(arguments: Arguments, prompt: str, text: str) -> Verdict:
    """Right if it is the answer or says that it is the least associated word."""
    return _associated(arguments, text, _LEAST, "the least")


def _yes_or_no(answer: str, text: str, category: str | None) -> Verdict:
    opposite = "no" if answer == "yes" else "yes"
    if text in (opposite, f"{opposite}."):
        return WRONG
    simple, stated = _answers(answer, category)
    if is_answer(simple, [], text, answer.__eq__):
        return RIGHT
    verdict = stated.judge([], text)
    starts = re.match(rf"{answer}\b", text) is not None
    return Verdict(max(verdict.score, int(starts)), verdict.certain)


@cache
def _answers(answer: str, category: str | None) -> tuple[Statements, Statements]:
    statements = shared_statements(answer)
    if category is not None:
        names = "|".join(map(re.escape, [category, *_OTHER_NAMES.get(category, [])]))
        all_words = "(?:all of these words|all of those words|all of the words|they all)"
        belong = "(?:represent|are types of|refer to types of)"
        statements += [
            f"{answer}, the list contains only (?:{names})",
            f"{answer}, {all_words}(?: listed| in the list)? {belong} (?:{names})",
        ]
    return Statements([], {}, [answer]), Statements([], {}, statements)


def _associated(arguments: Arguments, text: str, way: str, degree: str) -> Verdict:
    answer, category = arguments.word("answer"), arguments.word("category")
    if not occurs(answer, text):
        return WRONG
    place, distractors = arguments.number("answer_index"), arguments.words("distractors")
    options = [*distractors[:place], answer, *distractors[place:]]
    simple, stated = _association(way, degree, len(options))
    if is_answer(simple, [answer, category], text, answer.__eq__):
        return RIGHT
    return stated.judge([answer, category, *options], text)


@cache
def _association(way: str, degree: str, options: int) -> tuple[Statements, Statements]:
    names = [f"o{number}" for number in range(options)]
    statements = [
        f"the word {way} (?:to|with) <C> is <A>",
        f"the word {way} (?:to|with) <C> {_options(names)} is <A>",
        f"<C> (?:is|are) {way} (?:to|with) <A>",
        f"<A> (?:is|are) the {way} (?:to|with) <C>",
        f"<A> (?:is|are) the word {way} (?:to|with) <C>",
        f"the word that relates to <C> {degree} is <A>",
        f"<A> relates to <C> {degree}",
    ]
    turned = [re.sub("<[AC]>", lambda found: _SWAP[found[0]], s) for s in statements]
    forms = {"A": word_form("a"), "C": word_form("c")}
    simple = ["<A>", "<C> - <A>"] if way == _MOST else ["<A>"]
    stated = Statements(
        ["a", "c", *names],
        {**forms, "O": plain_form(_options(names))},
        [*statements, *turned, *shared_statements("<A>")],
        # What the list itself takes of the run that ends it does not matter: see _options.
        prefixes=[f"<O>{NOT_ALNUM}*+"],
        suffixes=[f"{NOT_ALNUM}*+<O>"],
    )
    return Statements(["a", "c"], forms, simple), stated


def _options(names: Sequence[str]) -> str:
    """OPTIONS of the scoring facts; as published, something not alphanumeric ends the list."""
    gap = f"{NOT_ALNUM}+"
    words = [reference(name) + gap for name in names]
    words.insert(-1, f"(?:and{gap})?")
    listed = f"(?:the words )?{NOT_ALNUM}*{''.join(words)}"
    kind, which = "(?:words|options)", "(?:above|given|listed|following)"
    return f"(?:of|from) (?:{listed}|the {kind} {which}|the {which} {kind})"
