"""Several opinions on one set of responses become one order, as pure functions.

An opinion is one score per response, higher is better, equal ones tie; only which is higher counts.
Left out: weights estimated from the opinions themselves (Bradley-Terry, Dawid-Skene), which a set
of four responses with two or three opinions does not determine.
"""

from collections.abc import Sequence
from itertools import combinations
from random import Random

Scores = Sequence[float]


def presentations(count: int, orders: int, key: str) -> list[list[int]]:
    """Return `orders` orders of `count` responses; entry s of one is the response on slot s.

    The first is drawn by `key`. Of two the second is its reverse. Of more they are its cyclic
    shifts, the farthest (by count // 2) second, and after `count` of them all reversed: every
    `count` orders are a Latin square, so each response stands on each slot floor or ceil of
    orders / count times.
    """
    first = list(range(count))
    Random(key).shuffle(first)
    if orders == 2:
        return [first, first[::-1]]
    half = count // 2
    shifts = [0, *([half] if half else []), *(s for s in range(1, count) if s != half)]
    made = []
    for i in range(orders):
        shift = shifts[i % count]
        shifted = first[shift:] + first[:shift]
        made.append(shifted if i // count % 2 == 0 else shifted[::-1])
    return made


def verdict(scores: Scores, i: int, j: int) -> int:
    """Return 1 where response i is better than j, -1 where it is worse, 0 for a tie."""
    return (scores[i] > scores[j]) - (scores[i] < scores[j])


def agree(a: Scores, b: Scores) -> bool:
    """Whether two opinions say the same of every pair; a tie and an order differ."""
    return all(verdict(a, i, j) == verdict(b, i, j) for i, j in combinations(range(len(a)), 2))


def borda(scores: Scores) -> list[float]:
    """Return each response's share of the others that it beats, a tie counting half, in [0, 1].

    The mean normalised rank: 1 for the best of all, 0 for the worst, 0.5 where there is no other.
    """
    others = len(scores) - 1
    return [
        (1 + sum(verdict(scores, i, j) for j in range(len(scores)) if j != i) / others) / 2
        if others
        else 0.5
        for i in range(len(scores))
    ]


def majority(opinions: Sequence[Scores], i: int, j: int, weights: Sequence[float]) -> int:
    """Return what more opinions by weight say of i and j than its contrary; 0 for as many.

    Opinions that tie the pair do not vote.
    """
    votes = sum(w * verdict(o, i, j) for o, w in zip(opinions, weights, strict=True))
    votes = round(votes, 9)  # 0.1 + 0.2 against 0.3 is a tie
    return (votes > 0) - (votes < 0)


def copeland(opinions: Sequence[Scores], weights: Sequence[float] = ()) -> list[float]:
    """Return how many others each response beats by majority, a tie counting half (Copeland 1951).

    `weights` count the opinions, 1 each where there are none.
    """
    given = weights or [1.0] * len(opinions)
    count = len(opinions[0])
    return [
        sum((1 + majority(opinions, i, j, given)) / 2 for j in range(count) if j != i)
        for i in range(count)
    ]


def consensus(opinions: Sequence[Scores]) -> list[float]:
    """Return one score per response, in [0, 1]: the order that all opinions support.

    Responses are sorted by their mean `borda` score. Two neighbours in that order stay apart only
    where the cut between them is supported: the mean above it is higher than below, and each
    response above it is put over each one below by more opinions than under it. All others tie,
    with the mean score of those they tie with. So a pair that the opinions split evenly is a tie,
    majorities that run in a circle are ties, opinions that agree are returned unchanged, and the
    contrary of all opinions gives the contrary order.
    """
    count = len(opinions[0])
    # Rounded: sums of the same terms in another order must not break a tie.
    points = [round(sum(one) / len(opinions), 9) for one in zip(*map(borda, opinions), strict=True)]
    ranked = sorted(range(count), key=lambda i: -points[i])
    weights = [1.0] * len(opinions)

    def supported(cut: int) -> bool:
        above, below = ranked[:cut], ranked[cut:]
        return points[above[-1]] > points[below[0]] and all(
            majority(opinions, i, j, weights) > 0 for i in above for j in below
        )

    cuts = [0, *filter(supported, range(1, count)), count]
    scores = [0.0] * count
    for start, end in zip(cuts, cuts[1:], strict=False):
        level = ranked[start:end]
        for i in level:
            scores[i] = sum(points[j] for j in level) / len(level)
    return scores
