"""What is told of an optimizer step: added up over its micro-batches and over all processes.

A mean of the micro-batches' means would count a pair of a small one more than one of a large one,
and would change with how a step is split.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from torch import Tensor

from tuna_exp.losses.metrics import Mean
from tuna_exp.parallel.team import everyone

Sums = dict[str, float]


@dataclass
class StepSums:
    """What micro-batches have added since the last step; every value is a scalar.

    `shares` add up to a value of the step; a mean is what is in `totals` over what is in `counts`.
    Names may differ between processes.
    """

    shares: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    totals: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, list[Tensor | float]] = field(default_factory=lambda: defaultdict(list))

    def add_share(self, name: str, share: Tensor) -> None:
        """Add a micro-batch's share of a value of the whole step."""
        self.shares[name].append(share.detach())

    def add_mean(self, name: str, mean: Mean | Tensor) -> None:
        """Add to a mean; a plain value counts as one thing, NaN as none."""
        mean = mean if isinstance(mean, Mean) else Mean.over(mean.reshape(1))
        self.totals[name].append(mean.total.detach())
        self.counts[name].append(mean.count)

    def taken(self, copies: int = 1) -> Sums:
        """Return the values of the step and begin the next; a mean over nothing is left out.

        All processes call it together and get the same; so many of them had each example.
        """
        own = [
            {name: sum(map(float, values)) for name, values in one.items()}
            for one in (self.shares, self.totals, self.counts)
        ]
        for one in (self.shares, self.totals, self.counts):
            one.clear()
        shares, totals, counts = (_added(parts) for parts in zip(*everyone(own), strict=True))
        shares = {name: share / copies for name, share in shares.items()}
        return shares | {name: totals[name] / n for name, n in counts.items() if n}


def _added(parts: tuple[Sums, ...]) -> Sums:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: sum(part.get(name, 0.0) for part in parts) for name in names}
