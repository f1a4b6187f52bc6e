"""How far the float32 gradients of every form are from those in float64.

    python -m experiments.speed.rounding

Two forms can only be told apart as far as each is right. On long prompts the gradients of a batch
nearly cancel, and float32 leaves fewer digits than usual. The norms of transformers' Llama stay in
float32 throughout, so the reference itself is good to about 1e-7.
"""

import json
import sys
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from experiments.speed import lengths, models, ours, released
from experiments.speed.cases import QUICK, Case
from experiments.speed.training import RELEASED, relative_error
from tuna_exp.batching.batch import TokenizedExample

RESULT = Path(__file__).parent / "results/rounding.json"
FORMS = (RELEASED, "padded", "packed", "shared_prompt")
EXACT = "shared_prompt"  # the form that is computed in float64 too

Gradients = dict[str, Tensor]


def gradients(model: PreTrainedModel, form: str, examples: list[TokenizedExample]) -> Gradients:
    """Return the gradients of a step in float64, whatever it was computed in."""
    ours.prepare(model, form)
    model.zero_grad()
    if form == RELEASED:
        released.loss(model, examples).backward()
    else:
        for batch in ours.micro_batches(examples, form):
            ours.loss_share(model, batch).backward()
    named = model.named_parameters()
    return {name: p.grad.double() for name, p in named if p.grad is not None}


def measure(case: Case) -> dict[str, float]:
    """Return each form's distance from float64 on a case."""
    model = models.load("smollm2", None, "cpu")
    examples = lengths.batch(case, 0, model.config.vocab_size)
    found = {form: gradients(model, form, examples) for form in FORMS}
    exact = gradients(model.double(), EXACT, examples)
    return {
        form: relative_error((some[name], exact[name]) for name in exact)
        for form, some in found.items()
    }


def main() -> None:
    """Measure the quick cases and keep what came out."""
    made = {case.name: measure(case) for case in QUICK}
    text = json.dumps({"torch": torch.__version__, "off_float64_by": made}, indent=1)
    RESULT.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
