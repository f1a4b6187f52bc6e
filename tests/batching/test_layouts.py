"""Layouts: the same likelihoods wherever the tokens stand, and no response sees another."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedModel

from tuna_exp.batching.attention import BLOCKS
from tuna_exp.batching.batch import StepTotals, TokenizedExample
from tuna_exp.batching.layouts import LAYOUTS, collate
from tuna_exp.batching.split import Size
from tuna_exp.losses.likelihood import token_logps
from tuna_exp.models.loading import load_model

TOKENS = st.lists(st.integers(3, 500), min_size=1, max_size=6).map(tuple)


@st.composite
def examples(draw: st.DrawFn) -> list[TokenizedExample]:
    made = []
    for b in range(draw(st.integers(1, 3))):
        responses = tuple(draw(st.lists(TOKENS, min_size=1, max_size=4)))
        ranks = tuple(range(len(responses)))
        made.append(TokenizedExample(str(b), draw(TOKENS), responses, ranks, (True,) * len(ranks)))
    return made


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> PreTrainedModel:
    return load_model(tiny_folder, dtype="float32").double()


def logps(
    model: PreTrainedModel, made: list[TokenizedExample], layout: str, attention: str = BLOCKS
) -> Tensor:
    """Return the log-probability of every response token, shape (T,)."""
    model.set_attn_implementation("sdpa" if layout == "padded" else attention)
    batch = collate(made, layout, StepTotals.of(made))
    return token_logps(model, batch).detach()


@pytest.mark.parametrize("layout", ["packed", "shared_prompt"])
@pytest.mark.parametrize("attention", [BLOCKS, "sdpa", "eager"])
@given(made=examples())
def test_layouts_agree(
    model: PreTrainedModel, layout: str, attention: str, made: list[TokenizedExample]
) -> None:
    packed = logps(model, made, layout, attention)
    torch.testing.assert_close(packed, logps(model, made, "padded"))


@given(made=examples())
def test_a_likelihood_does_not_depend_on_its_neighbours(
    model: PreTrainedModel, made: list[TokenizedExample]
) -> None:
    """Each response alone in a plain forward pass: log-softmax at the places before its tokens."""
    together = logps(model, made, "shared_prompt")
    model.set_attn_implementation("sdpa")
    alone = []
    for example in made:
        for response in example.responses:
            ids = torch.tensor([example.prompt + response])
            logits = model(input_ids=ids).logits[0, len(example.prompt) - 1 : -1].log_softmax(-1)
            alone.append(logits[range(len(response)), list(response)])
    torch.testing.assert_close(together, torch.cat(alone).detach())


@pytest.mark.parametrize("layout", LAYOUTS)
@given(made=examples())
def test_changing_one_response_moves_no_other(
    model: PreTrainedModel, layout: str, made: list[TokenizedExample]
) -> None:
    """Not at all: the same products of the same numbers, wherever the change is."""
    first = made[0].responses[0]
    changed = replace(made[0], responses=(first[::-1], *made[0].responses[1:]))
    before, after = (logps(model, some, layout) for some in (made, [changed, *made[1:]]))
    assert torch.equal(before[len(first) :], after[len(first) :])


def test_the_prompt_stands_once() -> None:
    """Prompt of 3, responses of 2 and 3: 3 + 1 + 2 places; the last tokens predict nothing.

    Padded it takes two rows of 3 + 2.
    """
    example = TokenizedExample("x", (5, 6, 7), ((8, 9), (10, 11, 12)), (0, 1), (True, True))
    shared = collate([example], "shared_prompt", StepTotals.of([example]))
    padded = collate([example], "padded", StepTotals.of([example]))
    assert shared.input_ids_RL.tolist() == [[5, 6, 7, 8, 10, 11]]
    assert shared.position_ids_RL.tolist() == [[0, 1, 2, 3, 3, 4]]
    assert shared.source_T.tolist() == [2, 3, 2, 4, 5]
    assert padded.input_ids_RL.shape == (2, 5)
    assert padded.source_T.tolist() == [2, 3, 5 + 2, 5 + 3, 5 + 4]


def test_the_reference_is_not_ranked() -> None:
    """Ranks 0, 1 and -1: two ranked places, and the third response only trains the likelihood."""
    example = TokenizedExample("x", (5,), ((8,), (9,), (10,)), (0, 1, -1), (False, False, True))
    batch = collate([example], "padded", StepTotals.of([example]))
    assert batch.response_BN.tolist() == [[0, 1]]
    assert batch.trained_C.tolist() == [False, False, True]
    assert batch.totals.trained_tokens == 1
    assert batch.totals.pairs_G.tolist() == [0, 1]


@given(made=examples())
def test_a_size_is_what_the_row_takes(made: list[TokenizedExample]) -> None:
    for name, layout in LAYOUTS.items():
        batch = collate(made, name, StepTotals.of(made))
        assert Size.of(layout.sizes(made)).positions == batch.positions
