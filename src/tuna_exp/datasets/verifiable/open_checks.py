"""Checks for tasks with many right answers: a word, some members of a category, a sentence.

No dictionary is embedded: an invented word that looks like one passes where any word would do.
"""

import re

from tuna_exp.datasets.verifiable.reading import (
    after_lead,
    is_enumeration,
    is_loop,
    listed,
    single_word,
    words,
)
from tuna_exp.datasets.verifiable.verdict import OFF_TOPIC, Expectation, within_words
from tuna_exp.datasets.verifiable.vocabulary import category_named

_TRIPLE = re.compile(r"(.)\1\1")
_TASK_WORDS = frozenset(
    {"sentence", "sentences", "word", "words", "letter", "letters", "exclamation", "exclaim"}
)
_LONGEST_SENTENCE = 40
_LONGEST_WORD = 18


def _looks_real(word: str) -> bool:
    """Letters only, with a vowel, of a plausible length, and no letter three times running."""
    shape = word.isascii() and word.isalpha() and 3 <= len(word) <= _LONGEST_WORD
    return shape and bool(set(word) & set("aeiouy")) and not _TRIPLE.search(word)


class Word(Expectation):
    """A single word of a given shape; `letters` must all be in it, `above` is a length to beat."""

    starts: str = ""
    ends: str = ""
    letters: tuple[str, ...] = ()
    above: int = 0

    def score(self, text: str) -> float:
        """Return 1 for a bare word that fits; of several words at most 0.35."""
        offered = single_word(text)
        if offered is None:
            tokens = words(text)
            return OFF_TOPIC + 0.3 * sum(self._fit(token) == 1 for token in tokens) / len(tokens)
        fit = self._fit(offered)
        return within_words(len(words(text)) - 1) if fit == 1 else 0.1 + 0.3 * fit

    def _fit(self, word: str) -> float:
        """Return the share of the wishes met, 0 for what is no word."""
        if not _looks_real(word):
            return 0.0
        met = [word.startswith(self.starts)] if self.starts else []
        met += [word.endswith(self.ends)] if self.ends else []
        met += [letter in word for letter in self.letters]
        met += [len(word) > self.above] if self.above else []
        return sum(met) / len(met)


class Members(Expectation):
    """Exactly `count` different members of a category, none of them in `barred`."""

    category: str
    count: int
    barred: tuple[str, ...] = ()

    def score(self, text: str) -> float:
        """Return 1 for the right list, else at most 0.65 by the share of good items."""
        items = listed(after_lead(text, (":", " are ", " include ")))
        members = category_named(self.category).accepted - set(self.barred)
        good = {item for item in items if _is_member(item, members)}
        if len(good) == len(items) == self.count:
            return 1.0
        return OFF_TOPIC + 0.6 * min(len(good), self.count) / max(len(items), self.count)


def _is_member(item: str, members: frozenset[str]) -> bool:
    """Accept a plural and up to two words in front: "brown bears" is a bear."""
    parts = item.split()
    last = parts[-1]
    stems = {last, last.removesuffix("s"), last.removesuffix("es"), last[:-3] + "y"}
    return len(parts) <= 3 and not members.isdisjoint(stems)


class Sentence(Expectation):
    """A sentence with the asked form.

    `starts`, `ends` and `has` are words in lower case, `lacks` a letter, `mark` the final mark,
    `count` the exact number of words (then a phrase will do).
    """

    starts: str = ""
    ends: str = ""
    has: tuple[str, ...] = ()
    lacks: str = ""
    mark: str = ""
    count: int = 0

    def score(self, text: str) -> float:
        """Return 0.85 to 1 where all wishes are met, else at most 0.6 by the share of them."""
        said = after_lead(text, (":",))
        tokens = words(said)
        met = self._wishes(said, tokens)
        flaws = 0.0 if self.count else _flaws(said)
        if all(wish == 1 for wish in met):
            return 1 - flaws
        return max(OFF_TOPIC, OFF_TOPIC + 0.55 * sum(met) / len(met) - flaws / 2)

    def _wishes(self, said: str, tokens: list[str]) -> list[float]:
        single = _ends(said) <= 2 and not is_enumeration(said)
        met: list[float] = [float(single and self._is_sentence(tokens))]
        met += [float(tokens[0] == self.starts)] if self.starts else []
        met += [float(tokens[-1] == self.ends)] if self.ends else []
        met += [float(word in tokens) for word in self.has]
        met += [float(self.lacks not in said.casefold())] if self.lacks else []
        met += [float(said.rstrip(" \"'").endswith(self.mark))] if self.mark else []
        met += [1 / (1 + abs(len(tokens) - self.count))] if self.count else []
        return met

    def _is_sentence(self, tokens: list[str]) -> bool:
        """Say whether it is a sentence and not a loop or the task said back."""
        shortest = 1 if self.count else 3
        about_the_task = _TASK_WORDS.intersection(tokens) - {*self.has, self.starts, self.ends}
        fits = shortest <= len(tokens) <= _LONGEST_SENTENCE
        return fits and not is_loop(tokens) and not about_the_task


def _flaws(said: str) -> float:
    """Return the cost of a missing full stop and of a second sentence."""
    closed = said.rstrip(" \"'").endswith((".", "!", "?"))
    return (0.0 if closed else 0.1) + 0.05 * (_ends(said) > 1)


def _ends(said: str) -> int:
    return len(re.findall(r"[.!?]+(?=[\s\"',]|$)", said))
