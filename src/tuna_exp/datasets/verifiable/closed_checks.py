"""Checks for tasks with one right answer: a choice, a number, a text, an order of words."""

import re
from difflib import SequenceMatcher

from tuna_exp.datasets.verifiable.reading import (
    bare,
    is_enumeration,
    is_loop,
    is_prose,
    numbers,
    quoted,
    without_numbering,
    words,
)
from tuna_exp.datasets.verifiable.verdict import (
    AMBIGUOUS,
    OFF_TOPIC,
    REPEATED,
    WRONG,
    Expectation,
    is_repeated,
    within_words,
)

_SENTENCE = 4  # from this many words on, a response may name what it was asked about
_LEAD_WORDS = 10
_JOINERS = frozenset({"and", "then"})


def _likeness(a: list[str] | str, b: list[str] | str) -> float:
    return SequenceMatcher(None, a[:200], b[:200], autojunk=False).ratio()


class Choice(Expectation):
    """One of `answers` and none of `wrong`, whatever the case.

    `echo` are words of the question: fine in a sentence, wrong in a bare list. Where `wrong` is
    empty, anything but a carrying sentence counts as a further guess.
    """

    answers: tuple[str, ...]
    wrong: tuple[str, ...] = ()
    echo: tuple[str, ...] = ()

    def score(self, text: str) -> float:
        """Return 1 for the bare answer, less for each word around it."""
        tokens = words(text)
        hits = [token for token in tokens if token in self.answers]
        forbidden = {*self.wrong, *(self.echo if len(tokens) < _SENTENCE else ())}
        misses = bool(forbidden.intersection(tokens))
        if not hits:
            return WRONG if misses and len(tokens) < _SENTENCE else OFF_TOPIC
        guesses = not self.wrong and not is_prose(tokens, self.answers + self.echo)
        if misses or guesses or len(set(hits)) > 1 or is_enumeration(text):
            return AMBIGUOUS
        if is_repeated(len(hits), len(tokens)) or is_loop(tokens):
            return REPEATED
        return within_words(len(tokens) - 1)


class Number(Expectation):
    """Exactly one whole number from `low` to `high`, beside those `given` in the question."""

    low: int
    high: int
    given: tuple[int, ...] = ()

    def score(self, text: str) -> float:
        """Return 1 for the bare number; a wrong one scores more the nearer it is."""
        found = [value for value in numbers(text) if value not in self.given]
        right = [value for value in found if self.low <= value <= self.high and value % 1 == 0]
        if not right:
            return self._near(found)
        if len(set(found)) > 1:
            return AMBIGUOUS
        length = len(words(text))
        return REPEATED if is_repeated(len(right), length) else within_words(length - 1)

    def _near(self, found: list[float]) -> float:
        if len(found) != 1:
            return OFF_TOPIC
        distance = max(self.low - found[0], found[0] - self.high)
        return 0.1 + 0.15 / (1 + min(distance, 1000))


class Text(Expectation):
    """This very text; with `cased`, capital letters count. `echo` are words of the question."""

    text: str
    cased: bool = False
    echo: tuple[str, ...] = ()

    def score(self, text: str) -> float:
        """Return 1 for the bare text, 0.4 for the wrong case, less for what is only alike."""
        said, wanted = bare(text), bare(self.text)
        if self._key(said) == self._key(wanted):
            return 1.0
        if said.casefold() == wanted.casefold():
            return 0.4
        places = re.findall(rf"(?<![\w-]){re.escape(wanted)}(?![\w-])", said, re.IGNORECASE)
        right = [place for place in places if self._key(place) == self._key(wanted)]
        if len(right) != 1 or is_loop(words(said)):
            return OFF_TOPIC + 0.3 * _likeness(self._key(said), self._key(wanted))
        tokens, own = words(said), words(wanted)
        # One lower-case mention is the question's own word; more is a try of every spelling.
        if len(places) > (2 if len(tokens) >= _SENTENCE else 1):
            return AMBIGUOUS
        if not is_prose(tokens, (*own, *self.echo)):
            return AMBIGUOUS
        return within_words(len(tokens) - len(own))

    def _key(self, text: str) -> str:
        return text if self.cased else text.casefold()


class Quoted(Expectation):
    """This word between quotation marks, and no other quotation."""

    word: str

    def score(self, text: str) -> float:
        """Return 1 for the quoted word alone, 0.3 for the word without its marks."""
        inside = [span.casefold() for span in quoted(text)]
        tokens = words(text)
        if inside == [self.word] and not is_enumeration(text):
            return within_words(len(tokens) - 1)
        if self.word in inside:
            return AMBIGUOUS + 0.1
        return AMBIGUOUS if self.word in tokens else OFF_TOPIC


class Sequence(Expectation):
    """These words in this order and nothing after them; a lead-in may come first.

    `echo` are words of the question that the lead-in may say.
    """

    items: tuple[str, ...]
    echo: tuple[str, ...] = ()

    def score(self, text: str) -> float:
        """Return 1 for the bare sequence; a wrong one scores by how much of it is in order."""
        wanted = [item.casefold() for item in self.items]
        numeric = all(item.isdigit() for item in wanted)
        plain = text if numeric else without_numbering(text)
        skipped = _JOINERS - set(wanted)
        tokens = [token for token in words(plain) if token not in skipped]
        lead = tokens[: -len(wanted)]
        if tokens[-len(wanted) :] != wanted or not self._may_lead(plain, lead):
            return OFF_TOPIC + 0.45 * _likeness(tokens, wanted)
        return within_words(len(lead))

    def _may_lead(self, text: str, lead: list[str]) -> bool:
        """Say whether a lead-in ends in a colon or only carries the answer."""
        head = [token for token in words(text.rpartition(":")[0]) if token not in _JOINERS]
        return len(lead) <= _LEAD_WORDS and (head == lead or is_prose(lead, self.echo))
