"""The order of training: which examples make an optimizer step, and how a step is split.

The whole run is planned before it starts, so that the place to continue after a kill is one number.
A step has `batch_size` examples over all devices; it is split into exactly `accumulate * devices`
micro-batches, because Lightning counts micro-batches and not examples. A last step with fewer
examples than micro-batches has some that teach nothing: what a step holds must not depend on how
many devices share it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from time import perf_counter
from typing import Any

from torch.utils.data import DataLoader, Dataset, Sampler

from tuna_exp.batching.batch import RankedBatch, StepTotals, TokenizedExample
from tuna_exp.batching.layouts import collate
from tuna_exp.batching.split import Size, split
from tuna_exp.errors import ConfigError


@dataclass(frozen=True)
class Order:
    """How examples are dealt out. `accumulate` is micro-batches per step and device."""

    batch_size: int
    accumulate: int
    devices: int
    epochs: int
    seed: int

    @property
    def parts(self) -> int:
        """Micro-batches of one optimizer step, over all devices."""
        return self.accumulate * self.devices

    def steps(self, count: int) -> list[list[int]]:
        """Return the example indices of every optimizer step of the run.

        Raises ConfigError where no step could give each micro-batch one example.
        """
        if not self.parts <= min(self.batch_size, count):
            raise ConfigError(
                f"batching.batch_size={self.batch_size} with {count} examples cannot fill "
                f"{self.accumulate} accumulated micro-batches on {self.devices} devices. "
                "Cure: lower trainer.accumulate_grad_batches or add data."
            )
        return [step for epoch in range(self.epochs) for step in self._epoch(count, epoch)]

    def _epoch(self, count: int, epoch: int) -> list[list[int]]:
        shuffled = list(range(count))
        Random(f"{self.seed}/{epoch}").shuffle(shuffled)
        return [shuffled[i : i + self.batch_size] for i in range(0, count, self.batch_size)]

    def micro_batches(self, step: list[int], sizes: Sequence[Size]) -> list[list[list[int]]]:
        """Return the micro-batches of each device in one step: device, micro-batch, example.

        The loss does not depend on how a step is split, only on what is in it.
        """
        return split(step, sizes, self.accumulate, self.devices)


def fewest_micro_batches(sizes: Sequence[Size], order: Order, budget: int) -> int:
    """Return the least accumulation with which no micro-batch holds more than `budget` positions.

    It is never less than the order's own. Positions include padding: they are what memory grows
    with. An example that is larger than the budget gets a micro-batch of its own.
    """
    most = max(min(order.batch_size, len(sizes)) // order.devices, order.accumulate)
    for accumulate in range(order.accumulate, most):
        tried = replace(order, accumulate=accumulate)
        micro_batches = (
            part
            for step in tried.steps(len(sizes))
            for device in tried.micro_batches(step, sizes)
            for part in device
            if part
        )
        if all(Size.of(sizes[i] for i in part).positions <= budget for part in micro_batches):
            return accumulate
    return most


class PlannedBatches(Dataset[RankedBatch]):
    """Micro-batch i of this device, laid out when it is asked for."""

    def __init__(
        self,
        examples: Sequence[TokenizedExample],
        sizes: Sequence[Size],
        order: Order,
        layout: str,
        rank: int,
        pad_id: int,
    ) -> None:
        self.examples = examples
        self.sizes = sizes
        self.layout = layout
        self.pad_id = pad_id
        self._counted: tuple[list[int], StepTotals] | None = None
        self.plan = [
            (step, part)
            for step in order.steps(len(examples))
            for part in order.micro_batches(step, sizes)[rank]
        ]

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, index: int) -> RankedBatch:
        step, part = self.plan[index]
        some = [self.examples[i] for i in part]
        if not some:  # every process takes part in every forward pass
            least = min(step, key=lambda i: (self.sizes[i].positions, i))
            some = [silent(self.examples[least])]
        return collate(some, self.layout, self._totals(step), self.pad_id)

    def _totals(self, step: list[int]) -> StepTotals:
        """Count over a step once for all its micro-batches, which come one after the other."""
        if self._counted is None or self._counted[0] is not step:
            self._counted = step, StepTotals.of([self.examples[i] for i in step])
        return self._counted[1]


def silent(example: TokenizedExample) -> TokenizedExample:
    """Return an example that teaches nothing: its ranked responses tie, no token is trained on."""
    ranks = tuple(min(rank, 0) for rank in example.ranks)
    return replace(example, ranks=ranks, trained=(False,) * len(ranks))


class From(Sampler[int]):
    """The numbers from `start` on."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.start = 0

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.count))

    def __len__(self) -> int:
        return self.count


class ResumableLoader(DataLoader[Any]):
    """A loader whose place is the count of micro-batches trained on, not the count fetched ahead.

    Lightning saves `state_dict()` with its checkpoint and calls `load_state_dict` to continue.
    `trained` is kept up to date by the objective at the start of each micro-batch; `per_step` of
    them make an optimizer step, which is what is saved: another number of devices splits a step
    otherwise. `waited` and `elapsed` are seconds that training waited for a batch, and in all.
    """

    def __init__(self, batches: Dataset[Any], workers: int = 0, per_step: int = 1) -> None:
        sized: Any = batches
        self.places = From(len(sized))
        super().__init__(batches, batch_size=None, sampler=self.places, num_workers=workers)
        self.trained = 0
        self.per_step = per_step
        self.waited = self.elapsed = 0.0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        batches = super().__iter__()
        self.places.start = 0
        begun = perf_counter()
        while True:
            asked = perf_counter()
            batch = next(batches, None)
            given = perf_counter()
            self.waited, self.elapsed = self.waited + given - asked, given - begun
            if batch is None:
                return
            yield batch

    @property
    def waiting_share(self) -> float:
        """Share of the time that training waited for batches, in [0, 1]."""
        return self.waited / self.elapsed if self.elapsed else 0.0

    def state_dict(self) -> dict[str, Any]:
        """Say how many optimizer steps have been taken."""
        return {"steps": self.trained // self.per_step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue after the steps of a checkpoint."""
        self.trained = self.places.start = int(state["steps"]) * self.per_step
