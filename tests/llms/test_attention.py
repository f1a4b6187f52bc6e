"""Attention over what is held once: the same as over a copy of it in every row."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from tuna_exp.llms.attention import Part, Seats, attend


@given(
    rows=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    heads=st.integers(1, 3),
    group=st.integers(1, 3),
    lengths=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
    seed=st.integers(0, 2**32),
)
def test_parts_are_attended_to_as_one_row(
    rows: list[int], heads: int, group: int, lengths: tuple[int, int, int], seed: int
) -> None:
    """A beginning for all, a prompt for some rows each (padded at random), tokens of each row."""
    make = torch.Generator().manual_seed(seed)
    prompt_R = torch.repeat_interleave(torch.arange(len(rows)), torch.tensor(rows))
    entry_R = [torch.zeros_like(prompt_R), prompt_R, torch.arange(len(prompt_R))]
    query_RHGD = torch.randn(len(prompt_R), heads, group, 4, generator=make)
    parts, keys, values, hidden = [], [], [], []
    for entry, length in zip(entry_R, lengths, strict=True):
        shape = (int(entry.max()) + 1, heads, length, 4)
        key, value = (torch.randn(shape, generator=make) for _ in range(2))
        bias_SL = torch.zeros(shape[0], length)
        bias_SL[:, 1:] = bias_SL[:, 1:].masked_fill(
            torch.rand(shape[0], length - 1, generator=make) < 0.3, float("-inf")
        )
        parts.append((Part(key, value, bias_SL), Seats.of(entry)))
        keys.append(key[entry])
        values.append(value[entry])
        hidden.append(bias_SL[entry])
    expected = scaled_dot_product_attention(
        query_RHGD, torch.cat(keys, 2), torch.cat(values, 2),
        attn_mask=torch.cat(hidden, 1)[:, None, None], scale=1.0,
    )  # fmt: skip
    torch.testing.assert_close(attend(query_RHGD, parts), expected, atol=1e-5, rtol=1e-4)


def test_a_row_takes_its_own_seat() -> None:
    """Prompt 0 has rows 0 and 1, prompt 1 row 2, prompt 2 rows 3, 4 and 5."""
    seats = Seats.of(torch.tensor([0, 0, 1, 2, 2, 2]))
    assert seats.row_SN.tolist() == [[0, 1, 0], [2, 0, 0], [3, 4, 5]]
    assert seats.seat_R.tolist() == [0, 1, 3, 6, 7, 8]
    x = torch.arange(6.0).view(6, 1, 1, 1)
    assert torch.equal(seats.scatter(seats.gather(x)), x)
