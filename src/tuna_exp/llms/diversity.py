"""The release's rule against samples that say the same: redraw while any two are too alike.

Tuna's released sampler redraws a set while a pair has ROUGE-L of 0.8 or more, up to 3 times, each
time 0.1 hotter, and keeps the least similar set.
"""

from dataclasses import dataclass
from functools import cache
from itertools import combinations

from rouge_score.rouge_scorer import RougeScorer


@dataclass(frozen=True)
class Diversity:
    """`max_rouge` is ROUGE-L F1 in [0, 1]; at most `redraws` rounds, each a step hotter."""

    max_rouge: float
    redraws: int
    temperature_step: float


@cache
def scorer() -> RougeScorer:
    """Return the ROUGE-L scorer (no stemming, as in the release)."""
    return RougeScorer(["rougeL"], use_stemmer=False)


def similarity(texts: list[str]) -> float:
    """Return the largest ROUGE-L F1 among all pairs, in [0, 1]; 0 for a single text."""
    pairs = combinations(texts, 2)
    return max(
        (1.0 if a == b else scorer().score(a, b)["rougeL"].fmeasure for a, b in pairs), default=0.0
    )
