"""What texts have in common: the whole, or a run of words.

A run is 13 words by default, as GPT-3 was checked (Brown et al. 2020, appendix C). A word is a run
of letters, digits and underscores whatever their case. Left out: paraphrases, and scripts without
spaces, whose sentences count as one word each; they are found as whole texts only.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

RUN_OF_WORDS = 13
# Shorter whole texts, such as "yes" or a name, are common property.
LEAST_WORDS = 4
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Shared:
    """What a text shares with an indexed source: the whole, or a run of words."""

    source: str
    whole: bool
    words: str


@dataclass
class Index:
    """Texts to be looked up in, such as those of evaluation sets; `size` words make a run.

    A run is kept as its 64-bit hash: with 100 million runs one in 10^11 look-ups would be wrong.
    """

    size: int
    whole: dict[tuple[str, ...], str] = field(default_factory=dict)
    runs: dict[int, str] = field(default_factory=dict)

    def add(self, source: str, texts: Iterable[str]) -> None:
        """Add the texts of one source; what an earlier one has is that one's."""
        for text in texts:
            words = words_of(text)
            if len(words) >= LEAST_WORDS:
                self.whole.setdefault(words, source)
            for run in runs_of(words, self.size):
                self.runs.setdefault(hash(run), source)

    def find(self, text: str) -> Shared | None:
        """Return what a text shares, the whole text before a run."""
        return next(self.find_all(text), None)

    def find_all(self, text: str) -> Iterator[Shared]:
        """Yield all that a text shares: the whole text, then each run."""
        words = words_of(text)
        if words in self.whole:
            yield Shared(self.whole[words], True, " ".join(words))
        for run in runs_of(words, self.size):
            source = self.runs.get(hash(run))
            if source is not None:
                yield Shared(source, False, " ".join(run))


def words_of(text: str) -> tuple[str, ...]:
    """Return a text's words in small letters."""
    return tuple(_WORD.findall(text.casefold()))


def runs_of(words: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """Yield every run of `size` words."""
    return (tuple(words[i : i + size]) for i in range(len(words) - size + 1))
