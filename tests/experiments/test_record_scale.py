"""The plan on paper: its hours follow from operations and rates, and the page is the one kept."""

import json

import pytest

from experiments.record_scale import (
    ASSUMED,
    INSTRUCTIONS,
    MEASURED,
    OUT,
    STUDENT,
    page,
    stages,
    training_bytes,
    utilisation,
)
from tuna_exp.efficiency.flops import responses, training


def test_hours_are_operations_over_what_a_gpu_reaches() -> None:
    """SFT reads 60 + 70 tokens: three forward passes over a share of the assumed peak."""
    share = utilisation("shared_prompt", "bf16")
    assert 0.2 < share < 1.0
    first = next(iter(stages()))
    flops = INSTRUCTIONS * training(STUDENT, [responses(60, [70], shared=True)], 1.0)
    assert first.tokens == 130 * INSTRUCTIONS
    assert first.hours == pytest.approx(flops / (ASSUMED.flops * share) / 3600)


def test_the_page_is_what_the_command_writes() -> None:
    assert OUT.read_text() == page(json.loads(MEASURED.read_text()))


def test_what_a_training_keeps_of_an_example_is_as_measured() -> None:
    """Within a fifth, from fewer examples: its size and its places in lists, not its tokens."""
    kept = json.loads(MEASURED.read_text())["training_bytes"]
    assert training_bytes(few=500, many=2_000) == pytest.approx(kept, rel=0.2)
