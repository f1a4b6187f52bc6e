"""What a kind of task is, and the small tools that the families of kinds share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from tuna_exp.datasets.verifiable.closed_checks import Choice
from tuna_exp.datasets.verifiable.verdict import Expectation
from tuna_exp.datasets.verifiable.vocabulary import Words


@dataclass(frozen=True)
class Made:
    """One drawn task: what fills a phrasing, a right answer, and how a response is marked."""

    slots: Mapping[str, object]
    reference: str
    expects: Expectation
    input: str = ""


Maker = Callable[[Random, Words], Made]


@dataclass(frozen=True)
class Kind:
    """A kind of task, named FAMILY/TASK. One without `phrasings` is never trained on."""

    name: str
    make: Maker
    phrasings: tuple[str, ...]
    held_out_phrasings: tuple[str, ...]

    @property
    def held_out(self) -> bool:
        """Whether the whole kind is held out."""
        return not self.phrasings


def with_article(noun: str) -> str:
    """Return the noun after "a" or "an"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def yes_or_no(slots: Mapping[str, object], answer: bool) -> Made:
    """Make a task whose answer is yes or no."""
    right, wrong = ("yes", "no") if answer else ("no", "yes")
    return Made(slots, f"{right.capitalize()}.", Choice(answers=(right,), wrong=(wrong,)))


def clear_letter(letter: str) -> bool:
    """Say whether a letter is not also a word of its own, as "a" and "I" are."""
    return letter not in "ai"


def other_letters(letter: str) -> tuple[str, ...]:
    """Return the letters that are wrong answers where `letter` is right."""
    return tuple(c for c in "bcdefghjklmnopqrstuvwxyz" if c != letter)
