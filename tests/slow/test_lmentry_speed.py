"""How long all of LMentry's published examples take to score: under a minute on one core."""

import os
from pathlib import Path

import pytest

from experiments.record_scoring import lmentry

SHARED = Path(os.environ.get("TUNA_EXP_SHARED", Path(__file__).parents[3] / "shared"))
FULL = SHARED / "data" / "lmentry" / "full.tar.gz"


@pytest.mark.slow
@pytest.mark.skipif(not FULL.is_file(), reason="LMentry's data is not at hand")
def test_all_examples_are_scored_in_under_a_minute() -> None:
    scored, right = lmentry(FULL)
    assert scored.answers == 110_703
    assert 0.3 < right / scored.answers < 0.9
    assert scored.seconds < 60, f"{scored.seconds:.1f} s"
