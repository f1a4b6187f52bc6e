"""What a training is prepared with: log-probabilities under the starting model, and warnings."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from tuna_exp.batching.choice import choose_layout
from tuna_exp.batching.layouts import LAYOUTS
from tuna_exp.batching.order import PlannedBatches, ResumableLoader
from tuna_exp.batching.tokenise import Batching, Tokeniser
from tuna_exp.models.loading import load_model
from tuna_exp.models.student import Student
from tuna_exp.records import Instruction, RankedExample
from tuna_exp.stages.train import reference_logps, tell_waiting

BATCHING = Batching("shared_prompt", 2, 4096, max_length=512, on_too_long="error", workers=0)


@pytest.mark.parametrize("budget", [1, 4096])
def test_reference_log_probabilities_are_the_starting_models_own(
    budget: int, student: Student, instructions: list[Instruction], tiny_folder: Path
) -> None:
    """Against a plain forward pass over prompt and response, token by token."""
    tokeniser = Tokeniser(student.encoder(tiny_folder), BATCHING)
    texts = [["No.", "Yes, it is."], ["A longer answer to it all.", "Why?", "Four of them."]]
    ranked = [
        RankedExample.from_scores(i, some, list(range(len(some))))
        for i, some in zip(instructions, texts, strict=False)
    ]
    made = [tokeniser.ranked(one, "reference") for one in ranked]
    examples = [example for example in made if example is not None]
    model = load_model(tiny_folder)
    expected = [[own(model, e.prompt, r) for r in e.responses] for e in examples]
    for layout in LAYOUTS:
        model.set_attn_implementation("sdpa")
        choose_layout(layout, model)
        found = reference_logps(model, examples, layout, budget)
        assert [list(logps) for logps in found] == [pytest.approx(logps) for logps in expected]
    assert all(p.requires_grad and not p.is_inference() for p in model.parameters())


def own(model: Any, prompt: tuple[int, ...], response: tuple[int, ...]) -> float:
    with torch.no_grad():
        logp = model(torch.tensor([[*prompt, *response]])).logits[0].log_softmax(1)
    return sum(float(logp[len(prompt) - 1 + i, token]) for i, token in enumerate(response))


@pytest.mark.parametrize("waited, told", [(0.02, True), (0.005, False)])
def test_waiting_for_data_is_told(
    waited: float, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Of 100 seconds: 2 % is told with its cure, half a per cent is not."""
    planned = PlannedBatches.__new__(PlannedBatches)
    planned.plan = [([0], [0])]
    loader = ResumableLoader(planned)
    loader.waited, loader.elapsed = 100 * waited, 100.0
    with caplog.at_level(logging.WARNING):
        tell_waiting(loader)
    assert ("batching.workers=2" in caplog.text) == told
