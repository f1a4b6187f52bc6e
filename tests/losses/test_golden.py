"""The values of the released code, computed again from its inputs, where they are at hand."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tuna_exp.batching.batch import StepTotals, TokenizedExample
from tuna_exp.batching.layouts import ranking_tensors
from tuna_exp.losses import formulas

GOLDEN = Path(__file__).parents[3] / "shared" / "data" / "golden" / "tuna_release_loss.json"
CASES = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else [None]


@pytest.mark.skipif(not GOLDEN.exists(), reason="the released code's values are not at hand")
@pytest.mark.parametrize("case", CASES)
def test_the_released_loss(case: dict[str, Any]) -> None:
    """Mean log-probabilities, gap-mean hinge and token mean over all candidates, in float64."""
    logits = torch.tensor(case["logits"], dtype=torch.float64)[:, :, :-1]
    labels = torch.tensor(case["labels"])[:, :, 1:]
    present = labels >= 0
    logp = (
        logits.log_softmax(-1).gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1) * present
    )
    score_BN = logp.sum(-1) / present.sum(-1)
    width = score_BN.shape[1]
    lengths = present.sum(-1).tolist()
    examples = [
        TokenizedExample(
            str(b), (0,), tuple((0,) * n for n in row), tuple(range(width)), (True,) * width
        )
        for b, row in enumerate(lengths)
    ]
    totals, ranks = StepTotals.of(examples), ranking_tensors(examples)
    ranking = formulas.tuna_gap_mean(
        score_BN, ranks["rank_BN"], ranks["mask_BN"], case["margin"], totals.pairs_G
    )
    mle = -logp.sum() / totals.trained_tokens
    expected = case["expected"]
    assert ranking.item() == pytest.approx(expected["ranking_loss"], abs=1e-9)
    assert mle.item() == pytest.approx(expected["mle_all_candidates"], abs=1e-9)
    assert (ranking + case["mle_weight"] * mle).item() == pytest.approx(expected["loss"], abs=1e-9)
