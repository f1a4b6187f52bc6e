"""Drawing: tokens come as often as they are likely, and none that was excluded."""

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from tuna_exp.errors import DataError
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.drawing import BLOCK, HEAD, draw, keep_likely, nucleus, pick, uniform_numbers


def test_pick_follows_the_distribution() -> None:
    """20,000 draws against what is expected (chi-square); the column of probability 0 is empty."""
    share = torch.tensor([0.5, 0.0, 0.3125, 0.125, 0.0625])
    numbers = torch.tensor(uniform_numbers("key", 20_000), dtype=torch.float64)
    drawn = pick(share.expand(20_000, -1), numbers)
    counts = torch.bincount(drawn, minlength=5)
    assert counts[1] == 0
    kept = [0, 2, 3, 4]
    assert chisquare(counts[kept].numpy(), 20_000 * share[kept].numpy()).pvalue > 1e-3


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_told(broken: float) -> None:
    """One broken entry makes the sum over its row no number; other rows cannot hide it."""
    logits = torch.zeros(2, BLOCK + 1)
    logits[1, 3] = broken
    greedy = Decoding(responses=1, temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=1)
    with pytest.raises(DataError, match="no numbers.*Cure: a lower learning rate"):
        draw(logits, greedy, torch.zeros(2, dtype=torch.float64))


@given(
    st.lists(st.sampled_from([0.0, 1e-30, 1e-3, 0.25, 1.0]), min_size=1, max_size=30).filter(any),
    st.one_of(st.floats(0, 1, exclude_max=True), st.just(float(numpy.nextafter(1.0, 0.0)))),
)
def test_pick_never_takes_probability_0(shares: list[float], number: float) -> None:
    column = pick(torch.tensor([shares]), torch.tensor([number], dtype=torch.float64))
    assert shares[int(column)] > 0


@pytest.mark.parametrize(
    "top_k, top_p, kept",
    [
        (0, 1.0, [0, 1, 2, 3]),
        (1, 1.0, [1]),
        (3, 1.0, [0, 1, 3]),
        (9, 1.0, [0, 1, 2, 3]),
        (0, 0.01, [1]),
        (0, 0.49, [1]),
        (0, 0.6, [1, 3]),
        (0, 0.8, [0, 1, 3]),
        (0, 0.95, [0, 1, 2, 3]),
        (2, 0.99, [1, 3]),
        (2, 0.6, [1]),
    ],
)
def test_what_top_k_and_top_p_keep(top_k: int, top_p: float, kept: list[int]) -> None:
    """Shares 0.15, 0.5, 0.1, 0.25. The nucleus 0.6 needs 0.5 + 0.25, 0.8 needs 0.15 as well.

    After top-k 2 the shares are 2/3 and 1/3: 0.6 is held by the first alone.
    """
    logits = torch.tensor([[0.15, 0.5, 0.1, 0.25]]).log()
    left = keep_likely(logits, top_k, top_p)
    assert left.isfinite()[0].nonzero().squeeze(1).tolist() == kept
    assert torch.equal(left[left.isfinite()], logits[left.isfinite()])


def test_the_nucleus_ends_where_it_holds_enough() -> None:
    """Of two halves the first is 0.5 of the probability."""
    assert keep_likely(torch.zeros(1, 2), 0, 0.5).isfinite().tolist() == [[True, False]]


def test_top_k_keeps_what_ties_with_the_last() -> None:
    left = keep_likely(torch.tensor([[1.0, 2.0, 1.0, 0.0]]), top_k=2, top_p=1.0)
    assert left.isfinite().tolist() == [[True, True, True, False]]


@given(st.integers(1, 3 * BLOCK), st.integers(0, 2**32), st.sampled_from([0.0, 0.9]))
def test_pick_is_the_inverse_of_the_cumulative_sum(size: int, seed: int, empty: float) -> None:
    """Against a plain search in the whole sum; vocabularies that blocks divide and others."""
    random = numpy.random.default_rng(seed)
    weights = torch.tensor(random.random((20, size)) * (random.random((20, size)) >= empty))
    weights[:, int(random.integers(size))] = 0.5
    numbers = torch.tensor(random.random(20))
    total = weights.cumsum(1)
    expected = torch.searchsorted(total, numbers.unsqueeze(1) * total[:, -1:], right=True)
    assert torch.equal(pick(weights, numbers), expected.squeeze(1))


@given(st.integers(2, 3 * HEAD), st.integers(0, 2**32), st.floats(0.01, 0.99), st.floats(0.1, 9))
def test_the_nucleus_is_that_of_a_full_sort(
    size: int, seed: int, top_p: float, scale: float
) -> None:
    logits = torch.randn(3, size, generator=torch.Generator().manual_seed(seed)) * scale
    ordered, column = logits.double().sort(1, descending=True)
    before = ordered.softmax(1).cumsum(1) - ordered.softmax(1)
    clear = (before - top_p).abs() > 1e-5  # where rounding does not decide
    kept = nucleus(logits, top_p).isfinite().gather(1, column)
    assert torch.equal(kept[clear], (before < top_p)[clear])


def test_random_numbers_depend_on_the_key_alone() -> None:
    one, longer, other = (uniform_numbers(key, n) for key, n in (("a", 3), ("a", 5), ("b", 3)))
    assert one == longer[:3] and one != other
    assert all(0 <= number < 1 for number in longer)


@pytest.mark.parametrize(
    "temperature, top_p, top_k", [(0, 1, 0), (1, 1, 0), (0.5, 0.9, 0), (2, 1, 5)]
)
def test_log_probabilities_are_of_the_logits_as_given(
    temperature: float, top_p: float, top_k: int
) -> None:
    logits = torch.randn(50, 700, generator=torch.Generator().manual_seed(0)) * 5 + 40
    how = Decoding(1, temperature, top_p, top_k, 1)
    numbers = torch.tensor(uniform_numbers("key", 50), dtype=torch.float64)
    token, logps = draw(logits, how, numbers)
    expected = logits.double().log_softmax(1).gather(1, token.unsqueeze(1)).squeeze(1)
    assert logps.numpy() == pytest.approx(expected.numpy(), abs=1e-5)
    if temperature == 0:
        assert torch.equal(token, logits.argmax(1))
