"""Sums of sacrebleu's counts give sacrebleu's scores, for a corpus and for its resamples."""

import gzip
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.evaluation.translation.scores import (
    bleu,
    bleu_metric,
    chrf,
    chrf_metric,
    counts,
    interval,
    resampled,
)

SHARED = Path(os.environ.get("TUNA_EXP_SHARED", Path(__file__).parents[4] / "shared"))
WMT = SHARED / "data" / "gen_eval" / "wmt22.jsonl.gz"
TOKENS = st.sampled_from(["the", "a", "cat", "mat", "sat", "on", ",", "."])
WORDS = st.lists(TOKENS, max_size=9).map(" ".join)
SEGMENTS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=6)


def both(segments: list[tuple[str, str]], target: str = "en") -> tuple[list[float], list[float]]:
    """Return our BLEU and chrF and sacrebleu's, in percent."""
    texts, references = ([segment[side] for segment in segments] for side in (0, 1))
    metrics = (bleu_metric(target), chrf_metric())
    sums = [counts(metric, texts, references).sum(axis=0) for metric in metrics]
    ours = [100 * float(score(one)) for score, one in zip((bleu, chrf), sums, strict=True)]
    return ours, [metric.corpus_score(texts, [references]).score for metric in metrics]


@given(SEGMENTS)
@settings(deadline=None)
def test_any_corpus_scores_as_in_sacrebleu(segments: list[tuple[str, str]]) -> None:
    ours, theirs = both(segments)
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_bleu_by_hand() -> None:
    """ "a b c d" against "a b c e": 3/4 words, 2/3 pairs, 1/2 triples, and no four of one.

    The last is smoothed to 1 / (2 · 1): (3/4 · 2/3 · 1/2 · 1/2)^(1/4) = 0.5946.
    """
    found = counts(bleu_metric("en"), ["a b c d"], ["a b c e"]).sum(axis=0)
    assert float(bleu(found)) == pytest.approx((3 / 4 * 2 / 3 * 1 / 2 * 1 / 2) ** 0.25)


def test_resamples_are_corpora_of_drawn_segments() -> None:
    """Of a segment that is right and one that is wrong, a quarter of the draws has only the one."""
    statistics = counts(chrf_metric(), ["a cat sat", "xyz"], ["a cat sat", "on the mat"])
    drawn = resampled(statistics, chrf, Bootstrap(0.95, 4000, 0))
    assert drawn.shape == (4000,)
    assert np.mean(drawn == 1.0) == pytest.approx(0.25, abs=0.03)
    assert np.mean(drawn == 0.0) == pytest.approx(0.25, abs=0.03)


def test_the_interval_is_of_the_mean_over_pairs() -> None:
    """Means of (0, 1), (0.5, 1), (1, 1): half of them is 0.5, 0.75, 1."""
    drawn = [np.array([0.0, 0.5, 1.0]), np.ones(3)]
    found = interval([0.5, 1.0], drawn, 1 - 1e-9)
    assert (found.value, found.low, found.high) == pytest.approx((0.75, 0.5, 1.0))


@pytest.mark.skipif(not WMT.exists(), reason=f"{WMT.name} is not there")
@pytest.mark.parametrize("pair", ["de-en", "en-zh"])
def test_real_segments_score_as_in_sacrebleu(pair: str) -> None:
    """Of each reference the words from the second on, as if a word had been forgotten."""
    rows = map(json.loads, gzip.decompress(WMT.read_bytes()).splitlines())
    references = [row["reference"] for row in rows if row["pair"] == pair]
    segments = [(reference[reference.find(" ") + 2 :], reference) for reference in references]
    ours, theirs = both(segments, pair.partition("-")[2])
    assert ours == pytest.approx(theirs, abs=1e-9)
    assert 50 < ours[0] < 100
    begun = time.perf_counter()
    statistics = counts(bleu_metric("en"), *zip(*segments[:1000], strict=True))
    resampled(statistics, bleu, Bootstrap(0.95, 9999, 0))
    assert time.perf_counter() - begun < 20
