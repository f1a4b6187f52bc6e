"""The order of training: which examples make an optimizer step, and how a step is split.

The whole run is planned before it starts, so that the place to continue after a kill is one number.
A step has `batch_size` examples over all devices; it is split into exactly `accumulate * devices`
micro-batches, because Lightning counts micro-batches and not examples. A last step with fewer
examples than micro-batches is joined to the step before it, so an epoch sees every example once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from torch.utils.data import DataLoader, Dataset

from tuna_exp.batching.batch import RankedBatch, StepTotals, TokenizedExample
from tuna_exp.batching.layouts import LAYOUTS, collate
from tuna_exp.errors import ConfigError


@dataclass(frozen=True)
class Order:
    """How examples are dealt out. `accumulate` is micro-batches per step and device."""

    batch_size: int
    accumulate: int
    devices: int
    epochs: int
    seed: int

    def steps(self, count: int) -> list[list[int]]:
        """Return the example indices of every optimizer step of the run.

        Raises ConfigError where a step could not give each device one example.
        """
        parts = self.accumulate * self.devices
        if not parts <= min(self.batch_size, count):
            raise ConfigError(
                f"batching.batch_size={self.batch_size} with {count} examples cannot fill "
                f"{self.accumulate} accumulated micro-batches on {self.devices} devices. "
                "Cure: lower trainer.accumulate_grad_batches or add data."
            )
        return [step for epoch in range(self.epochs) for step in self._epoch(count, epoch, parts)]

    def _epoch(self, count: int, epoch: int, parts: int) -> list[list[int]]:
        shuffled = list(range(count))
        Random(f"{self.seed}/{epoch}").shuffle(shuffled)
        steps = [shuffled[i : i + self.batch_size] for i in range(0, count, self.batch_size)]
        if len(steps[-1]) < parts:
            rest = steps.pop()
            steps[-1] += rest
        return steps

    def micro_batches(self, step: list[int], rank: int) -> list[list[int]]:
        """Split one step in its order into the micro-batches that the device `rank` computes."""
        parts = self.accumulate * self.devices
        bounds = [len(step) * part // parts for part in range(parts + 1)]
        return [step[bounds[p] : bounds[p + 1]] for p in range(rank, parts, self.devices)]


def by_size(step: list[int], examples: list[TokenizedExample]) -> list[int]:
    """Put a step's examples in order of size, so that a micro-batch is padded little.

    The loss does not depend on how a step is split, only on what is in it.
    """
    return sorted(step, key=lambda index: examples[index].tokens)


def fewest_micro_batches(
    examples: list[TokenizedExample], order: Order, layout: str, budget: int
) -> int:
    """Return the least accumulation with which no micro-batch holds more than `budget` positions.

    It is never less than the order's own. Positions are rows times the longest row, padding
    included: what memory grows with. An example that is larger gets a micro-batch of its own.
    """
    rows = [[len(row.tokens) for row in LAYOUTS[layout](example)] for example in examples]

    def positions(part: list[int]) -> int:
        return sum(len(rows[i]) for i in part) * max(max(rows[i]) for i in part)

    most = min(order.batch_size, len(examples)) // order.devices
    for accumulate in range(order.accumulate, most):
        tried = replace(order, accumulate=accumulate)
        parts = (
            part
            for step in tried.steps(len(examples))
            for rank in range(order.devices)
            for part in tried.micro_batches(by_size(step, examples), rank)
        )
        if all(positions(part) <= budget for part in parts):
            return accumulate
    return max(most, order.accumulate)


class PlannedBatches(Dataset[RankedBatch]):
    """Micro-batch i of this device, laid out when it is asked for."""

    def __init__(
        self, examples: list[TokenizedExample], order: Order, layout: str, rank: int, pad_id: int
    ) -> None:
        self.examples = examples
        self.layout = layout
        self.pad_id = pad_id
        self.plan = [
            (step, part)
            for step in order.steps(len(examples))
            for part in order.micro_batches(by_size(step, examples), rank)
        ]

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, index: int) -> RankedBatch:
        step, part = self.plan[index]
        totals = StepTotals.of([self.examples[i] for i in step])
        return collate([self.examples[i] for i in part], self.layout, totals, self.pad_id)


class ResumableLoader(DataLoader[RankedBatch]):
    """A loader whose place is the count of micro-batches trained on, not the count fetched ahead.

    Lightning saves `state_dict()` with its checkpoint and calls `load_state_dict` to continue.
    `trained` is kept up to date by the objective at the start of each micro-batch.
    """

    def __init__(self, batches: PlannedBatches) -> None:
        super().__init__(batches, batch_size=None, shuffle=False)
        self.trained = 0
        self._start = 0

    def __iter__(self) -> Iterator[RankedBatch]:  # type: ignore[override]
        for index in range(self._start, len(self)):
            yield self.dataset[index]
        self._start = 0

    def state_dict(self) -> dict[str, Any]:
        """Say how many micro-batches have been trained on."""
        return {"trained": self.trained}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue after the micro-batches of a checkpoint."""
        self.trained = self._start = int(state["trained"])
