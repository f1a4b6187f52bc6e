"""The plan on paper: its hours follow from operations and rates, and the page is the one kept."""

import pytest

from experiments.record_scale import ASSUMED, INSTRUCTIONS, OUT, STUDENT, page, stages, utilisation
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
    assert OUT.read_text() == page()
