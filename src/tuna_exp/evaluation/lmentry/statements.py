"""Sentences that state an answer, as regular expressions that are compiled once for a task.

The published scorers build some hundred expressions anew for each example. Here the arguments of an
example stand in front of the prediction, each ended by a NUL, and the expression refers back to
them, so one expression serves all examples of a task. Two more things differ from the published
patterns, neither in what they accept: what is optional at the ends of a statement is left out where
it is only searched for, and runs that cannot end differently are possessive (`*+`), so that no
prediction takes quadratic time over a run of quotes. An argument is taken literally; the published
scorers put it in unescaped, which is the same for all arguments of the published data.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

QUOTES = r"""["'.,]*+"""
NOT_ALNUM = "[^a-zA-Z0-9_]"

_SPACES = re.compile(" +")
_ALNUM = re.compile(r"[^\W_]")
_TOKEN = re.compile(r"\b[a-z\d]+\b")
_PLACEHOLDER = re.compile(r"<(\w+)>")
_END = "\0"
# What lower-casing leaves and ignoring the case still takes for an ASCII letter.
_FOLDED = str.maketrans({"ſ": "s", "ı": "i"})


class Verdict(NamedTuple):
    """What a scorer says: `score` 1 or 0, and whether it is sure; accuracy counts scores alone."""

    score: int
    certain: bool


WRONG = Verdict(0, True)
RIGHT = Verdict(1, True)
NOT_FOUND = Verdict(0, False)


class Form(NamedTuple):
    """How an argument is written: inside a statement, and at its start and end when searched."""

    inside: str
    first: str
    last: str


def noun_form(kind: str, core: str) -> Form:
    """An optional "the `kind` ", quotes, `core` between word boundaries, quotes."""
    lead, bounded = f"(?:the {kind} )?{QUOTES}", rf"\b{core}\b"
    return Form(lead + bounded + QUOTES, bounded + QUOTES, lead + bounded)


def reference(name: str) -> str:
    """Refer back to the argument `name`."""
    return f"(?P={name})"


def word_form(name: str) -> Form:
    """WORD of the scoring facts, for the argument `name`."""
    return noun_form("word", reference(name))


def sentence_form(name: str) -> Form:
    """SENT of the scoring facts, for the argument `name`."""
    core = reference(name)
    full = rf"(?:(?:the sentence )?{QUOTES}{core}{QUOTES}|the sentence)"
    return Form(
        full,
        rf"(?:{core}{QUOTES}|the sentence)",
        rf"(?:(?:the sentence )?{QUOTES}{core}|the sentence)",
    )


def plain_form(expression: str) -> Form:
    """An expression that is the same everywhere."""
    return Form(expression, expression, expression)


def shared_statements(placeholder: str) -> list[str]:
    """Return the statements that most tasks have."""
    return [
        f"{placeholder} is the answer",
        f"the answer is {placeholder}",
        f"the correct answer is {placeholder}",
        f"answer: {placeholder}",
    ]


@dataclass(frozen=True)
class Statements:
    """Statements about the arguments `names`; `<X>` in one stands for the form X.

    A whole prediction may have one of `prefixes` before a statement and one of `suffixes` after it,
    or none of them. Arguments are given in the order of `names`.
    """

    names: Sequence[str]
    forms: Mapping[str, Form]
    statements: Sequence[str]
    prefixes: Sequence[str] = ()
    suffixes: Sequence[str] = ()
    bare: bool = True

    def judge(self, arguments: Sequence[str], text: str) -> Verdict:
        """Sure 1 if the whole text is a statement, unsure 1 if one occurs in it, else unsure 0."""
        if self.whole(arguments, text):
            return RIGHT
        return Verdict(int(self.within(arguments, text)), False)

    def whole(self, arguments: Sequence[str], text: str) -> bool:
        """Whether the text is a statement, with at most one final period."""
        return self._whole.match(_subject(arguments, text)) is not None

    def within(self, arguments: Sequence[str], text: str) -> bool:
        """Whether a statement occurs in the text."""
        return self._within.match(_subject(arguments, text)) is not None

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        middle = _either([self._render(s, False, False) for s in self.statements])
        before = _either([self._render(p, False, False) for p in self.prefixes], self.bare)
        after = _either([self._render(s, False, False) for s in self.suffixes], self.bare)
        return re.compile(rf"{self._header}{before}{middle}{after}\.?$")

    @cached_property
    def _within(self) -> re.Pattern[str]:
        # Where prefixes and suffixes may be missing, what has them also holds the bare statement.
        if self.bare:
            found = _either([self._render(s, True, True) for s in self.statements])
        else:
            before = _either([self._render(p, True, False) for p in self.prefixes])
            middle = _either([self._render(s, False, False) for s in self.statements])
            after = _either([self._render(s, False, True) for s in self.suffixes])
            found = before + middle + after
        return re.compile(rf"{self._header}[\s\S]*?{found}")

    @property
    def _header(self) -> str:
        return "".join(rf"(?P<{name}>[^\0]*+)\0" for name in self.names)

    def _render(self, statement: str, trim_first: bool, trim_last: bool) -> str:
        def form(found: re.Match[str]) -> str:
            made = self.forms[found[1]]
            if trim_first and found.start() == 0:
                return made.first
            if trim_last and found.end() == len(statement):
                return made.last
            return made.inside

        return _PLACEHOLDER.sub(form, statement)


def normalise(text: str, cut: bool) -> str:
    """Strip, lower-case, make runs of spaces one space, then underscores spaces.

    `cut` keeps the first line's first sentence, for models that do not stop by themselves.
    """
    text = _SPACES.sub(" ", text.strip().lower()).replace("_", " ")
    return text.partition("\n")[0].partition(".")[0] if cut else text


def tokens(text: str) -> list[str]:
    """Return the maximal runs of a-z and digits between word boundaries."""
    return _TOKEN.findall(text)


def fold(text: str) -> str:
    """Make the two letters ASCII that count as s and i where case is ignored: the simple rule."""
    return text.translate(_FOLDED)


def merely_repeats(text: str, accepts: Callable[[str], bool]) -> bool:
    """Whether there is an alphanumeric character and each token by itself is the answer.

    True of a text such as "é", which has no token: kept as published.
    """
    return _ALNUM.search(text) is not None and all(map(accepts, tokens(text)))


def is_answer(
    answer: Statements, arguments: Sequence[str], text: str, accepts: Callable[[str], bool]
) -> bool:
    """Apply the simple rule: the text is the answer form, or merely repeats the answer."""
    return answer.whole(arguments, fold(text)) or merely_repeats(text, accepts)


def occurs(word: str, text: str) -> bool:
    """Whether the word is somewhere a whole token."""
    return re.search(rf"\b{re.escape(word)}\b", text) is not None if word in text else False


def _subject(arguments: Sequence[str], text: str) -> str:
    return "".join([*(argument + _END for argument in arguments), text])


def _either(expressions: Sequence[str], optional: bool = False) -> str:
    if not expressions:
        return ""
    return f"(?:{'|'.join(expressions)}){'?' if optional else ''}"
