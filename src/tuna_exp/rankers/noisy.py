"""A ranker whose verdicts are partly wrong: how much judge noise does ranked training bear?

Left out: noise that depends on the responses (a taste for long ones, for the first slot). Here any
pair is as likely to be turned round as any other, so that the share of wrong verdicts is known.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from random import Random

from tuna_exp.errors import ConfigError
from tuna_exp.rankers.base import Outcome, Ranker
from tuna_exp.rankers.proxy import Proxy
from tuna_exp.records import CandidateSet, Instruction, RankedExample


class NoisyRanker:
    """Turns each of another ranker's pairwise verdicts round with probability `flip`.

    Verdicts that contradict one another become an order by the number of pairs won (Copeland); a
    tie stays a tie and counts half for both. At 0 it is the other ranker's order, at 0.5 the
    verdicts say nothing. The noise is the same for the same seed and instruction.
    """

    def __init__(self, of: Ranker, flip: float, seed: int) -> None:
        self.of = of
        self.flip = flip
        self.seed = seed

    @property
    def members(self) -> Mapping[str, Ranker]:
        """Who is asked: what it costs is told by them."""
        return {"of": self.of}

    @property
    def batch_size(self) -> int:
        """How many sets to rank together."""
        return self.of.batch_size

    def digest(self) -> dict[str, object]:
        """Return what decides the order."""
        return {"ranker": "noisy", "of": self.of.digest(), "flip": self.flip, "seed": self.seed}

    def check(self, instructions: Sequence[Instruction]) -> None:
        """Raise ConfigError where the other ranker cannot rank these."""
        if isinstance(self.of, Proxy):
            raise ConfigError(
                "ranker.of is a proxy, which must be trained before it ranks. Cure: "
                "ranker=proxy ranker@ranker.labels=noisy, noise in what it is trained on."
            )
        self.of.check(instructions)

    def questions(self, responses: int) -> int:
        """Return those of the other ranker."""
        return self.of.questions(responses)

    def rank(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
        """Have the sets ranked, and turn verdicts round."""
        outcomes = self.of.rank(sets)
        return [self._noisy(o) if isinstance(o, RankedExample) else o for o in outcomes]

    def release(self) -> None:
        """Let go of what the other ranker loaded."""
        self.of.release()

    def _noisy(self, example: RankedExample) -> RankedExample:
        ranks = [response.rank for response in example.responses]
        random = Random(f"{self.seed}/{example.instruction.id}")
        return RankedExample.from_scores(
            example.instruction,
            [response.text for response in example.responses],
            flipped(ranks, self.flip, random),
            example.raw,
            example.usage,
            example.judgements,
        )


def flipped(ranks: Sequence[int], flip: float, random: Random) -> list[float]:
    """Return how many pairs each response wins when each verdict is turned round with `flip`.

    `ranks` are 0 for the best. Of N responses the wins sum to N · (N − 1) / 2.
    """
    wins = [0.0] * len(ranks)
    for i, j in combinations(range(len(ranks)), 2):
        if ranks[i] == ranks[j]:
            wins[i] += 0.5
            wins[j] += 0.5
            continue
        better, worse = (i, j) if ranks[i] < ranks[j] else (j, i)
        wins[worse if random.random() < flip else better] += 1
    return wins
