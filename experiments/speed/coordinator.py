"""Takes turns between the forms, so that a busy neighbour slows all of them alike.

Round by round every form does one step in every precision. Nothing is repeated or dropped: a step
that fails ends its variant, and the reason is stored.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from transformers import LlamaForCausalLM, PretrainedConfig

from experiments.speed import fitting, lengths, machine, memory, models
from experiments.speed.cases import Case, Precision, SamplingCase
from experiments.speed.pool import Pool
from experiments.speed.protocol import Answer, Request
from experiments.speed.results import CaseResult, Check, Variant
from tuna_exp.batching.batch import TokenizedExample


@dataclass(frozen=True)
class Plan:
    """How every case is measured; `say` is told what is going on."""

    shape: str
    seed: int
    rounds: int
    forms: Sequence[str]
    precisions: Sequence[Precision]
    say: Callable[[str], None]


def measure(pool: Pool, plan: Plan, case: Case) -> CaseResult:
    """Compare all forms of a training step on one case."""
    found = fit(pool, plan, case)
    request = Request(form="", shape=plan.shape, seed=plan.seed, case=case)
    if plan.shape != "7b":  # whose weights are bf16
        check(pool, plan, found, request)
    take_turns(pool, plan, found, request)
    return found


def measure_sampling(pool: Pool, plan: Plan, case: SamplingCase) -> CaseResult:
    """Compare all forms of sampling on one case."""
    pool.share(machine.device() == "cuda")
    variants = [Variant(form=form, precision="fp32") for form in plan.forms]
    found = CaseResult(case=case, shared_worker=pool.shared, variants=variants)
    request = Request(form="", shape=plan.shape, seed=plan.seed, sampling=case)
    take_turns(pool, plan, found, request)
    return found


def take_turns(pool: Pool, plan: Plan, found: CaseResult, request: Request) -> None:
    """Do all rounds and keep what they gave, as long as a variant gives something."""
    for number in range(plan.rounds):
        for variant in found.variants:
            if variant.skipped or len(variant.rounds) > number:  # the check was its first
                continue
            told: dict[str, object] = {"form": variant.form, "precision": variant.precision}
            if request.sampling:
                told["seed"] = plan.seed + number
            answer = pool.ask(request.model_copy(update=told))
            variant.skipped = answer.failed
            plan.say(f"{label(found, variant)}, round {number + 1}: {outcome(answer)}")
            if answer.failed:
                variant.rounds.clear()
            else:
                variant.rounds.append(answer)


def check(pool: Pool, plan: Plan, found: CaseResult, request: Request) -> None:
    """Compare loss and gradients of every form with those of the first that fits, in fp32.

    Where fp32 is measured the steps are its first round.
    """
    first: tuple[str, Answer] | None = None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gradients.safetensors"
        for form in plan.forms:
            if not fp32_fits(pool, plan, found.case, form):
                continue
            told = {"reference": file, "form": form, "precision": "fp32"}
            answer = pool.ask(request.model_copy(update=told))
            keep(found, form, answer)
            if first is not None and not answer.failed:
                found.checks.append(compared(form, answer, *first))
            first = first or (None if answer.failed else (form, answer))
            plan.say(f"{found.case.name}: {form}, fp32, checked: {outcome(answer)}")


def keep(found: CaseResult, form: str, answer: Answer) -> None:
    """Take the step of a check as the form's first round in fp32, if that is measured."""
    for variant in found.variants:
        if (variant.form, variant.precision) == (form, "fp32"):
            variant.skipped = variant.skipped or answer.failed
            variant.rounds += [] if variant.skipped else [answer]


def compared(form: str, answer: Answer, against: str, first: Answer) -> Check:
    """Return how far a form is from the one that was computed first."""
    return Check(
        form=form,
        against=against,
        loss_error=abs(answer.loss - first.loss) / abs(first.loss),
        gradient_error=answer.gradient_error or 0.0,
    )


def fit(pool: Pool, plan: Plan, case: Case) -> CaseResult:
    """Plan a case's variants: one worker each where memory holds them all, else one for all."""
    needs = {
        (form, precision): need(plan.shape, case, plan.seed, form, precision)
        for form in plan.forms
        for precision in plan.precisions
    }
    device = machine.device()
    free = memory.available(device) + pool.bytes
    idle = own_bytes(plan.shape, case.vocabulary)
    alone = [n for n in needs.values() if not fitting.too_large(idle + n, free, device)]
    together = len(plan.forms) * idle + max(alone, default=0)
    crowded = fitting.too_large(together, free, device) is not None
    pool.share(crowded or device == "cuda")
    variants = [
        Variant(form=form, precision=precision, skipped=fitting.too_large(idle + n, free, device))
        for (form, precision), n in needs.items()
    ]
    return CaseResult(case=case, shared_worker=pool.shared, variants=variants)


def fp32_fits(pool: Pool, plan: Plan, case: Case | SamplingCase, form: str) -> bool:
    """Say whether a form's step fits into memory in fp32."""
    if isinstance(case, SamplingCase):
        return False
    idle = own_bytes(plan.shape, case.vocabulary) * (1 if pool.shared else len(plan.forms))
    needed = idle + need(plan.shape, case, plan.seed, form, "fp32")
    device = machine.device()
    free = memory.available(device) + pool.bytes
    return fitting.too_large(needed, free, device) is None


def need(shape: str, case: Case, seed: int, form: str, precision: Precision) -> int:
    """Estimate the peak bytes of a step above the model's own."""
    config = models.config(shape, case.vocabulary)
    return fitting.step_bytes(form, config, examples(case, seed, config), precision)


def examples(case: Case, seed: int, config: PretrainedConfig) -> list[TokenizedExample]:
    """Return the batch of a case as the workers will draw it."""
    return lengths.batch(case, seed, config.get_text_config().vocab_size)


@cache
def own_bytes(shape: str, vocabulary: int | None) -> int:
    """Return what a worker takes between two steps and its gradients in one."""
    with torch.device("meta"):
        model = LlamaForCausalLM(models.config(shape, vocabulary))
    each = 2 if shape == "7b" else 4
    parameters = sum(p.numel() for p in model.parameters())
    return fitting.PROCESS_BYTES + fitting.model_bytes(parameters, each)


def label(found: CaseResult, variant: Variant) -> str:
    """Name a variant of a case."""
    return f"{found.case.name}: {variant.form}, {variant.precision}"


def outcome(answer: Answer) -> str:
    """Say in a word what an answer is."""
    if answer.failed:
        return answer.failed
    return f"{answer.seconds:.2f} s, {answer.memory / 2**20:.0f} MiB over the model"
