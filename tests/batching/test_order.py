"""The order of training: every example once per epoch, even steps, continued where it stopped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.batching.batch import TokenizedExample
from tuna_exp.batching.layouts import LAYOUTS
from tuna_exp.batching.order import Order, PlannedBatches, ResumableLoader, fewest_micro_batches
from tuna_exp.batching.split import Size
from tuna_exp.errors import ConfigError


@given(
    count=st.integers(4, 60),
    batch_size=st.integers(4, 16),
    accumulate=st.integers(1, 2),
    devices=st.integers(1, 2),
    epochs=st.integers(1, 3),
)
def test_every_example_once_per_epoch(
    count: int, batch_size: int, accumulate: int, devices: int, epochs: int
) -> None:
    order = Order(batch_size, accumulate, devices, epochs, seed=0)
    sizes = [Size(1, 1 + i % 7, padded=False) for i in range(count)]
    steps = order.steps(count)
    seen = sorted(index for step in steps for index in step)
    assert seen == sorted(list(range(count)) * epochs)
    for step in steps:
        parts = [part for device in order.micro_batches(step, sizes) for part in device]
        assert sorted(index for part in parts for index in part) == sorted(step)
        assert len(parts) == accumulate * devices
        assert all(parts) or len(step) < len(parts)
    assert steps == Order(batch_size, 1, 1, epochs, seed=0).steps(count)


def test_a_seed_is_an_order() -> None:
    assert Order(4, 1, 1, 1, seed=0).steps(12) == Order(4, 1, 1, 1, seed=0).steps(12)
    assert Order(4, 1, 1, 1, seed=0).steps(12) != Order(4, 1, 1, 1, seed=1).steps(12)


def test_too_few_examples_are_told() -> None:
    with pytest.raises(ConfigError, match="batch_size=8 with 3 examples"):
        Order(8, 4, 1, 1, seed=0).steps(3)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_continued_loader_gives_the_rest(workers: int) -> None:
    examples = [TokenizedExample(str(i), (1,), ((2 + i,),), (0,), (True,)) for i in range(6)]
    sizes, order = LAYOUTS["padded"].sizes(examples), Order(2, 1, 1, 1, seed=0)
    planned = PlannedBatches(examples, sizes, order, "padded", rank=0, pad_id=0)
    whole = [batch.target_T.tolist() for batch in ResumableLoader(planned)]
    continued = ResumableLoader(planned, workers)
    continued.load_state_dict({"steps": 1})
    assert [batch.target_T.tolist() for batch in continued] == whole[1:]
    assert 0 < continued.waiting_share <= 1


def test_the_fewest_micro_batches_that_fit() -> None:
    """Six examples of one row of 4 places, all in one step: budgets 24, 12 and 8 take 1, 2 and 3.

    A budget of 3 is less than one example takes: each gets a micro-batch of its own.
    """
    examples = [TokenizedExample(str(i), (1, 1), ((2, 2, 2),), (0,), (True,)) for i in range(6)]
    order = Order(6, 1, 1, 1, seed=0)
    wanted = {24: 1, 12: 2, 8: 3, 3: 6}
    for layout in LAYOUTS.values():
        sizes = layout.sizes(examples)
        assert {b: fewest_micro_batches(sizes, order, b) for b in wanted} == wanted
