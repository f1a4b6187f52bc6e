"""One training step in one form: forward, ranking loss and likelihood, backward, Adam.

The learning rate is 0: Adam does all its work and the weights stay, so that every form and round
computes the same step.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from experiments.speed import counting, lengths, machine, memory, models, ours, released
from experiments.speed.cases import Case, Precision
from experiments.speed.counting import Work
from experiments.speed.protocol import Answer
from tuna_exp.batching.batch import TokenizedExample

RELEASED = "released"
ACCUMULATED = "released+accumulation"
CHECKPOINTED = "released+checkpointing"
THEIRS = (RELEASED, ACCUMULATED, CHECKPOINTED)
AT_ONCE = 2  # examples of an accumulated micro-batch
WARM_UP = Case(name="warm-up", profile="even", prompts=2, responses=2, scale=0.1)


def forms() -> list[str]:
    """Return the forms of a training step in the order they are shown."""
    return [*THEIRS, *ours.forms()]


class Subject:
    """A model with its optimizer, and what they take of memory (gradients included)."""

    def __init__(self, shape: str, vocabulary: int | None) -> None:
        self.device = machine.device()
        self.model = models.load(shape, vocabulary, self.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.0, fused=True)
        self.compiled: set[Precision] = set()
        self._warm_up()
        memory.settle(self.device)
        gradients = sum(p.numel() * p.element_size() for p in self.model.parameters())
        self.bytes = memory.in_use(self.device) + gradients

    def examples(self, case: Case, seed: int) -> list[TokenizedExample]:
        """Return the batch of a case."""
        config: Any = self.model.config.get_text_config()
        return lengths.batch(case, seed, config.vocab_size)

    def step(
        self,
        form: str,
        case: Case,
        precision: Precision,
        seed: int,
        reference: Path | None = None,
    ) -> Answer:
        """Do one optimizer step and measure it; making the batch is part of it.

        Its gradients are compared with those in `reference`, or kept there if there are none yet.
        """
        examples = self.examples(case, seed)
        self._prepare(form, precision)
        gemm = machine.gemm_rate(precision, self.device)
        with ours.memory(form), memory.peak(self.device, self.bytes) as peak:
            begun = time.perf_counter()
            loss, work = self._accumulate(form, examples, precision)
            self.optimizer.step()
            machine.synchronise(self.device)
            seconds = time.perf_counter() - begun
        error = self._compare(reference) if reference else None
        self.optimizer.zero_grad()
        # Freed activations that stay with an idle process would crowd out the others.
        memory.settle(self.device)
        return Answer(
            seconds=seconds,
            tokens=sum(e.tokens for e in examples),
            needed=counting.needed_positions(examples),
            memory=peak.over_model,
            flops=counting.flops(self.model, work),
            gemm=gemm,
            loss=loss,
            gradient_error=error,
            work=work,
        )

    def _prepare(self, form: str, precision: Precision) -> None:
        """Set the model up for a form; what is compiled is so before anything is measured."""
        ours.prepare(self.model, form)
        if ours.COMPILED in form and precision not in self.compiled:
            self._accumulate(form, self.examples(WARM_UP, 0), precision)
            self.optimizer.zero_grad()
            self.compiled.add(precision)

    def _compare(self, reference: Path) -> float | None:
        """Return how far the gradients are from those kept, or keep them as the first."""
        named = {n: p.grad for n, p in self.model.named_parameters() if p.grad is not None}
        if reference.exists():
            with safe_open(reference, "pt") as kept:
                return relative_error((g.cpu(), kept.get_tensor(n)) for n, g in named.items())
        save_file(named, reference)
        return None

    def _accumulate(
        self, form: str, examples: list[TokenizedExample], precision: Precision
    ) -> tuple[float, Work]:
        """Add up the gradients of a step; return its loss and what was computed."""
        loss, work = 0.0, Work()
        if form == CHECKPOINTED:
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
        try:
            for share, part in self._shares(form, examples, precision):
                share.backward()
                loss, work = loss + share.item(), work + part
        finally:
            if form == CHECKPOINTED:
                self.model.gradient_checkpointing_disable()
        return loss, work

    def _shares(
        self, form: str, examples: list[TokenizedExample], precision: Precision
    ) -> Iterator[tuple[Tensor, Work]]:
        """Yield the loss of every micro-batch and what it computes."""
        if form in THEIRS:
            work = counting.released_work(examples)
            at_once = AT_ONCE if form == ACCUMULATED else len(examples)
            parts = released.shares(self.model, examples, at_once)
            while True:
                with self._autocast(precision):
                    share = next(parts, None)
                if share is None:
                    return
                yield share, work
                work = Work()
        for batch in ours.micro_batches(examples, form):
            # Counted before the batch moves to the device.
            work = counting.our_work(batch)
            with self._autocast(precision):
                share = ours.loss_share(self.model, batch)
            yield share, work

    def _autocast(self, precision: Precision) -> AbstractContextManager[object]:
        """As Lightning's bf16-mixed; a model whose weights are bf16 needs none."""
        if precision == "fp32" or self.model.dtype == torch.bfloat16:
            return nullcontext()
        return torch.autocast(self.device, dtype=torch.bfloat16)

    def _warm_up(self) -> None:
        """Make Adam's state and what libraries set up on first use, on a batch of four rows."""
        for precision in machine.DTYPES:
            self._accumulate(RELEASED, self.examples(WARM_UP, 0), precision)
            machine.gemm_rate(precision, self.device)
            self.optimizer.step()
            self.optimizer.zero_grad()


def relative_error(pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Return |g - g'| / |g'| over all weights together, Euclidean norms in float64.

    `pairs` holds the two gradients g and g' of each weight.
    """
    off = norm = 0.0
    for gradient, expected in pairs:
        wanted = expected.double()
        off += float((gradient.double() - wanted).square().sum())
        norm += float(wanted.square().sum())
    return float((off / norm) ** 0.5) if norm else 0.0
