"""Several rankers as one: each member orders a set, and the orders are combined.

Left out: weights learned from a truth. With one, `ranker=verifier` is better than any ensemble.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev
from typing import Literal

from tuna_exp.errors import ConfigError, nearest
from tuna_exp.rankers.base import Outcome, Ranker, Refusal, different
from tuna_exp.rankers.orders import borda, copeland
from tuna_exp.rankers.proxy import Proxy
from tuna_exp.records import CandidateSet, Instruction, RankedExample, Usage

COMBINE = ("borda", "scores_z", "majority")


class EnsembleRanker:
    """Combines the orders of its members, each with a weight.

    combine="borda" is the weighted mean of normalised ranks, ties averaged; "scores_z" the weighted
    mean of scores, each member's standardised within the set; "majority" counts for each response
    the others that a weighted majority puts below it, ties half (Copeland). A member that refuses a
    set has no say in it; where all refuse, the set is refused.
    """

    def __init__(
        self,
        members: Mapping[str, Ranker],
        weights: Mapping[str, float],
        combine: Literal["borda", "scores_z", "majority"],
    ) -> None:
        self.members = members
        self.weights = weights
        self.combine = combine

    @property
    def batch_size(self) -> int:
        """How many sets to rank together: as many as the member that takes the fewest."""
        return min((member.batch_size for member in self.members.values()), default=1)

    def digest(self) -> dict[str, object]:
        """Return what decides the order: the members with their weights, and how they combine."""
        return {
            "ranker": "ensemble",
            "members": {name: member.digest() for name, member in self.members.items()},
            "weights": {name: self._weight(name) for name in self.members},
            "combine": self.combine,
        }

    def check(self, instructions: Sequence[Instruction]) -> None:
        """Raise ConfigError where members, weights and instructions do not fit together."""
        if not self.members:
            raise ConfigError("ranker.members is empty. Cure: ranker@ranker.members.NAME=RANKER.")
        unknown = [name for name in self.weights if name not in self.members]
        if unknown:
            raise ConfigError(
                f"ranker.weights.{unknown[0]}: the members are {', '.join(self.members)}."
                f"{nearest(unknown[0], self.members)} Cure: weights for members alone."
            )
        weights = {name: self._weight(name) for name in self.members}
        if min(weights.values()) <= 0 or self.combine not in COMBINE:
            raise ConfigError(
                f"ranker.weights={weights}, ranker.combine={self.combine}; allowed are weights "
                f"above 0 and {', '.join(COMBINE)}. Cure: leave out a member that counts nothing."
            )
        for name, member in self.members.items():
            if isinstance(member, Proxy):
                raise ConfigError(
                    f"ranker.members.{name} is a proxy, which must be trained before it ranks. "
                    "Cure: another member, or ranker=proxy on its own."
                )
            member.check(instructions)

    def questions(self, responses: int) -> int:
        """Return those of all members."""
        return sum(member.questions(responses) for member in self.members.values())

    def rank(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
        """Have every member rank the sets, and combine."""
        made = {name: member.rank(sets) for name, member in self.members.items()}
        return [
            self._combined(candidates, {name: outcomes[i] for name, outcomes in made.items()})
            for i, candidates in enumerate(sets)
        ]

    def release(self) -> None:
        """Let go of what the members loaded."""
        for member in self.members.values():
            member.release()

    def _weight(self, name: str) -> float:
        """Return a member's weight: equal shares where none is given."""
        return self.weights.get(name, 1.0)

    def _combined(self, candidates: CandidateSet, made: Mapping[str, Outcome]) -> Outcome:
        ranked = {n: o for n, o in made.items() if isinstance(o, RankedExample)}
        judgements = tuple(j for outcome in made.values() for j in outcome.judgements)
        usage = sum((outcome.usage for outcome in made.values()), Usage())
        raw = "\n\n".join(f"{name}: {o.raw}" for name, o in made.items() if o.raw)
        instruction = candidates.instruction
        if not ranked:
            kinds = {o.kind for o in made.values() if isinstance(o, Refusal)}
            return Refusal(
                instruction_id=instruction.id,
                kind=kinds.pop() if len(kinds) == 1 else "all_members",
                raw=raw,
                usage=usage,
                judgements=judgements,
            )
        texts = different(candidates)
        scores = self._scores(texts, ranked)
        return RankedExample.from_scores(instruction, texts, scores, raw or None, usage, judgements)

    def _scores(self, texts: list[str], ranked: Mapping[str, RankedExample]) -> list[float]:
        weights = [self._weight(name) for name in ranked]
        ranks = [ranks_of(example, texts) for example in ranked.values()]
        if self.combine == "majority":
            return copeland(ranks, weights)
        opinions = (
            [borda(one) for one in ranks]
            if self.combine == "borda"
            else [standardised(scores_of(e, texts)) for e in ranked.values()]
        )
        # Rounded: sums of the same terms in another order must not break a tie.
        return [
            round(sum(w * s for w, s in zip(weights, one, strict=True)) / sum(weights), 9)
            for one in zip(*opinions, strict=True)
        ]


def ranks_of(example: RankedExample, texts: Sequence[str]) -> list[float]:
    """Return minus the rank of each text."""
    ranks = {response.text: response.rank for response in example.responses}
    return [-float(ranks[text]) for text in texts]


def scores_of(example: RankedExample, texts: Sequence[str]) -> list[float]:
    """Return the score of each text, minus the rank where a ranker gives none."""
    scores = {r.text: -float(r.rank) if r.score is None else r.score for r in example.responses}
    return [scores[text] for text in texts]


def standardised(scores: Sequence[float]) -> list[float]:
    """Return (score - mean) / standard deviation, all 0 where the scores are equal."""
    spread, mean = pstdev(scores), fmean(scores)
    return [(score - mean) / spread if spread else 0.0 for score in scores]
