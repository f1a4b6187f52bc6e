"""Draw tokens from logits, with one random number per sequence and token.

A sequence has random numbers of its own, so who else is in the batch changes none of its draws.
Nothing is sorted over the whole vocabulary and no cumulative sum runs over it: at 50,000 entries
and some hundred rows either costs as much as a layer of the model.
"""

from random import Random
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tuna_exp.errors import DataError

if TYPE_CHECKING:
    from tuna_exp.llms.decoding import Decoding

BLOCK = 256  # entries of the vocabulary that are summed before the search looks into one
HEAD = 64  # likeliest tokens in which the nucleus is looked for first
HEAD_GROWTH = 8


def uniform_numbers(key: str, count: int) -> list[float]:
    """Return `count` random numbers in [0, 1) that depend on the key alone, not on the device."""
    random = Random(key)
    return [random.random() for _ in range(count)]


def draw(logits_RV: Tensor, decoding: "Decoding", uniform_R: Tensor) -> tuple[Tensor, Tensor]:
    """Draw one token per row with its random number, uniform_R (R,) in [0, 1), float64.

    Returns the tokens and their log-probabilities in nats at temperature 1, both (R,). Raises
    DataError for logits that are no numbers.
    """
    # Below the highest logit, which changes no probability and keeps exp from overflowing.
    logits_RV = logits_RV.float()
    below_RV = logits_RV - logits_RV.amax(1, keepdim=True)
    weight_RV = below_RV.exp()
    log_total_R = weight_RV.sum(1).log()
    if bool(log_total_R.isnan().any()):
        raise DataError(
            "the model gives no numbers for the next token (NaN or infinity): its training "
            "diverged or its precision overflows. Cure: a lower learning rate "
            "(objective.sft.learning_rate, tuna_p, tuna_c), or sampler.dtype=float32."
        )
    if decoding.temperature == 0:
        token_R = below_RV.argmax(1)
    elif decoding.temperature == 1 and decoding.top_k == 0 and decoding.top_p == 1:
        token_R = pick(weight_RV, uniform_R)
    else:
        warm_RV = below_RV / decoding.temperature
        token_R = pick(keep_likely(warm_RV, decoding.top_k, decoding.top_p).exp(), uniform_R)
    return token_R, below_RV.gather(1, token_R.unsqueeze(1)).squeeze(1) - log_total_R


def pick(weight_RV: Tensor, uniform_R: Tensor) -> Tensor:
    """Return the column in each row of (R, V) at which the sum of weights passes its share.

    The weights are at least 0 and need not sum to 1; uniform_R (R,), float64 in [0, 1), is the
    share of their sum to pass. The columns have shape (R,), none of weight 0. The search looks for
    a block of columns first and then into it.
    """
    vocabulary = weight_RV.shape[1]
    whole = vocabulary - vocabulary % BLOCK
    sums_RK = weight_RV[:, :whole].unflatten(1, (-1, BLOCK)).sum(2)
    rest_R1 = weight_RV[:, whole:].sum(1, keepdim=True)
    block_R1, left_R1 = passed(torch.cat([sums_RK, rest_R1], 1), uniform_R.unsqueeze(1))
    columns_RK = block_R1 * BLOCK + torch.arange(BLOCK, device=weight_RV.device)
    inside_RK = weight_RV.gather(1, columns_RK.clamp(max=vocabulary - 1))
    inside_RK = inside_RK.masked_fill(columns_RK >= vocabulary, 0)
    return (block_R1 * BLOCK + passed(inside_RK, left_R1)[0]).squeeze(1)


def passed(weight_RK: Tensor, share_R1: Tensor) -> tuple[Tensor, Tensor]:
    """Return where the running sum of weights (R, K) passes the share of the sum.

    share_R1 (R, 1) is float64 in [0, 1). Also returned, (R, 1) too: the share of that one weight
    at which it is passed, again in [0, 1).
    """
    sum_RK = weight_RK.cumsum(1, dtype=torch.float64)
    # A float64 below 1 times the total is below the total, so that some sum passes it; and
    # right=True never lands on a weight of 0, whose sum equals that of the one before.
    wanted_R1 = share_R1 * sum_RK[:, -1:]
    place_R1 = torch.searchsorted(sum_RK, wanted_R1, right=True)
    reached_R1 = sum_RK.gather(1, place_R1)
    before_R1 = (sum_RK.gather(1, (place_R1 - 1).clamp(min=0))).where(place_R1 > 0, 0)
    left_R1 = (wanted_R1 - before_R1) / (reached_R1 - before_R1)
    return place_R1, left_R1.clamp(max=1 - 2**-53)


def keep_likely(logits_RV: Tensor, top_k: int, top_p: float) -> Tensor:
    """Set what top-k and nucleus sampling exclude to -inf, shape (R, V).

    Top-k keeps what ties with the k-th; the nucleus is the fewest tokens that hold `top_p`.
    """
    if top_k:
        least_R1 = logits_RV.topk(min(top_k, logits_RV.shape[1]), dim=1).values[:, -1:]
        logits_RV = logits_RV.masked_fill(logits_RV < least_R1, float("-inf"))
    return nucleus(logits_RV, top_p) if top_p < 1 else logits_RV


def nucleus(logits_RV: Tensor, top_p: float) -> Tensor:
    """Set all but the fewest tokens that hold `top_p` of the probability to -inf, (R, V).

    They are among the likeliest few in nearly every row, so only those are put in order, and more
    of them where some row asks for it.
    """
    vocabulary = logits_RV.shape[1]
    log_total_R1 = logits_RV.logsumexp(1, keepdim=True)
    head = HEAD
    while True:
        head = min(head, vocabulary)
        likeliest_RK, column_RK = logits_RV.topk(head, dim=1)
        share_RK = (likeliest_RK - log_total_R1).exp()
        sum_RK = share_RK.cumsum(1)
        if head == vocabulary or bool((sum_RK[:, -1] >= top_p).all()):
            break
        head *= HEAD_GROWTH
    kept_RK = likeliest_RK.where(sum_RK - share_RK < top_p, float("-inf"))
    return torch.full_like(logits_RV, float("-inf")).scatter(1, column_RK, kept_RK)
