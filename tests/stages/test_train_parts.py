"""What a training is prepared with: the layout, and log-probabilities under the starting model."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from tuna_exp.batching.layouts import LAYOUTS
from tuna_exp.batching.tokenise import Batching, Tokeniser
from tuna_exp.models.loading import load_model
from tuna_exp.models.student import Student
from tuna_exp.records import Instruction, RankedExample
from tuna_exp.stages.train import choose_layout, with_reference

BATCHING = Batching("shared_prompt", 2, 4096, max_length=512, on_too_long="error")


def test_reference_log_probabilities_are_the_starting_models_own(
    student: Student, instructions: list[Instruction], tiny_folder: Path
) -> None:
    """Against a plain forward pass over prompt and response, token by token."""
    tokeniser = Tokeniser(student.encoder(tiny_folder), BATCHING)
    ranked = RankedExample.from_scores(instructions[0], ["No.", "Yes, it is."], [0.0, 1.0])
    example = tokeniser.ranked(ranked, "reference")
    assert example is not None
    model = load_model(tiny_folder)
    for layout in LAYOUTS:
        made = with_reference(model, [example], layout)[0].reference_logps
        assert made == pytest.approx([own(model, example.prompt, r) for r in example.responses])
    assert all(p.requires_grad and not p.is_inference() for p in model.parameters())


def own(model: Any, prompt: tuple[int, ...], response: tuple[int, ...]) -> float:
    with torch.no_grad():
        logp = model(torch.tensor([[*prompt, *response]])).logits[0].log_softmax(1)
    return sum(float(logp[len(prompt) - 1 + i, token]) for i, token in enumerate(response))


def test_a_model_that_cannot_share_prompts_is_padded_with_a_warning(
    tiny_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = load_model(tiny_folder)
    assert [choose_layout(layout, model) for layout in LAYOUTS] == list(LAYOUTS)
    model.config.sliding_window = 8
    with caplog.at_level(logging.WARNING):
        assert choose_layout("shared_prompt", model) == "padded"
    assert "sliding" in caplog.text
