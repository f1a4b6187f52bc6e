"""BLEU and chrF from the counts of single segments, for many resamples of a corpus at once.

The counts are sacrebleu's own, tokenizer included; only what is made of their sums is written here,
because sacrebleu computes one corpus at a time and a bootstrap asks for ten thousand. A test holds
both to be equal. Left out: TER and neural metrics, which ask for a model of their own.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from tuna_exp.comparison.statistics import Array, Bootstrap, Interval

# Statistics of a segment in sacrebleu: two lengths, then matches and totals of 1- to 4-grams; and
# for each of 6 orders of characters those of the text, of the reference, and the matches.
_BLEU_ORDERS, _CHRF_ORDERS = 4, 6
_CHRF_BETA = 2
_AT_ONCE = 8_000_000


def tokenizer_of(target: str) -> str:
    """Return sacrebleu's usual tokenizer for a target language."""
    return {"zh": "zh", "ja": "ja-mecab", "ko": "ko-mecab"}.get(target, "13a")


def bleu_metric(target: str) -> BLEU:
    """Return BLEU for a target language, smoothed as mteval-v13a."""
    return BLEU(tokenize=tokenizer_of(target))


def chrf_metric() -> CHRF:
    """Return chrF2 with 6 orders of characters and no words (Popović 2015)."""
    return CHRF()


def signature(metric: Any) -> str:
    """Return sacrebleu's signature of BLEU or chrF with one reference (Post 2018).

    As in "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0".
    """
    metric.num_refs = 1  # it is set by scoring, which we do by its counts
    return str(metric.get_signature())


def counts(metric: Any, texts: Sequence[str], references: Sequence[str]) -> Array:
    """Return sacrebleu's statistics of each segment, shape (segments, statistics)."""
    found = metric._extract_corpus_statistics(list(texts), [list(references)])
    return np.array(found, dtype=np.float64)


def bleu(sums: Array) -> Array:
    """Return corpus BLEU in [0, 1] of summed statistics, shape (..., 10) to (...).

    BP · exp(Σ_n log p_n / 4) (Papineni et al. 2002), orders without a match smoothed as in
    mteval-v13a: the k-th of them gets 1 / (2^k · total). 0 where an order has no n-gram at all.
    """
    text, reference = sums[..., 0], sums[..., 1]
    matches, totals = sums[..., 2:6], sums[..., 6:10]
    with np.errstate(divide="ignore", invalid="ignore"):
        empty = matches == 0
        smoothing = 2.0 ** np.cumsum(empty, axis=-1)
        precision = np.where(empty, 1 / (smoothing * totals), matches / totals)
        brevity = np.where(text < reference, np.exp(1 - reference / text), 1.0)
        score = brevity * np.exp(np.log(precision).mean(axis=-1))
    usable = (totals > 0).all(axis=-1) & (matches[..., 0] > 0) & (text > 0)
    found: Array = np.where(usable, score, 0.0)
    return found


def chrf(sums: Array) -> Array:
    """Return corpus chrF2 in [0, 1] of summed statistics, shape (..., 18) to (...).

    F_2 of precision and recall averaged over the orders that both sides have.
    """
    by_order = sums.reshape(*sums.shape[:-1], _CHRF_ORDERS, 3)
    text, reference, matches = by_order[..., 0], by_order[..., 1], by_order[..., 2]
    there = (text > 0) & (reference > 0)
    orders = np.maximum(there.sum(axis=-1), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(there, matches / text, 0).sum(axis=-1) / orders
        recall = np.where(there, matches / reference, 0).sum(axis=-1) / orders
        weight = _CHRF_BETA**2
        score = (1 + weight) * precision * recall / (weight * precision + recall)
    found: Array = np.where(precision + recall > 0, score, 0.0)
    return found


def resampled(statistics: Array, score: Any, bootstrap: Bootstrap) -> Array:
    """Return the score of each of B corpora drawn from the segments, shape (B,)."""
    segments, rng = len(statistics), np.random.default_rng(bootstrap.seed)
    at_once = max(1, _AT_ONCE // segments)
    drawn = []
    for first in range(0, bootstrap.resamples, at_once):
        some = min(at_once, bootstrap.resamples - first)
        index = rng.integers(segments, size=(some, segments))
        index += segments * np.arange(some)[:, None]
        times = np.bincount(index.ravel(), minlength=some * segments).reshape(some, segments)
        drawn.append(score(times @ statistics))
    return np.concatenate(drawn)


def interval(values: Sequence[float], resamples: Sequence[Array], confidence: float) -> Interval:
    """Return the mean of corpus scores, one per language pair, with its percentile interval.

    Koehn (2004), "Statistical Significance Tests for Machine Translation Evaluation". The pairs are
    resampled apart: each is a corpus of its own. `items` counts nothing here and is that of pairs.
    """
    means, outside = np.mean(resamples, axis=0), (1 - confidence) / 2
    if not np.ptp(means):  # all segments alike: resampling says nothing
        return Interval(float(np.mean(values)), math.nan, math.nan, len(values))
    low, high = np.quantile(means, [outside, 1 - outside])
    return Interval(float(np.mean(values)), float(low), float(high), len(values))
