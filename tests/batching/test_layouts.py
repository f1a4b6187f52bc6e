"""Layouts: the same likelihoods wherever the tokens stand, and no response sees another."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedModel

from tuna_exp.batching.batch import StepTotals, TokenizedExample
from tuna_exp.batching.layouts import LAYOUTS, collate
from tuna_exp.losses.likelihood import summed_logps, token_logps
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


def logps(model: PreTrainedModel, made: list[TokenizedExample], layout: str) -> Tensor:
    """Return the log-probability of every response token, shape (T,)."""
    batch = collate(made, layout, StepTotals.of(made))
    return token_logps(model, batch).detach()


@given(made=examples())
def test_layouts_agree(model: PreTrainedModel, made: list[TokenizedExample]) -> None:
    torch.testing.assert_close(logps(model, made, "padded"), logps(model, made, "shared_prompt"))


@given(made=examples())
def test_a_likelihood_does_not_depend_on_its_neighbours(
    model: PreTrainedModel, made: list[TokenizedExample]
) -> None:
    """Each response alone in a plain forward pass: log-softmax at the places before its tokens."""
    together = logps(model, made, "shared_prompt")
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
    changed = replace(made[0], responses=((9, 9, 9), *made[0].responses[1:]))
    before = collate(made, layout, StepTotals.of(made))
    after = collate([changed, *made[1:]], layout, StepTotals.of(made))
    sums = [
        summed_logps(token_logps(model, b), b.response_T, b.length_C)[1:] for b in (before, after)
    ]
    torch.testing.assert_close(*sums)


def test_the_prompt_stands_once() -> None:
    """Prompt of 3, responses of 2 and 3: 3 + 1 + 2 places; the last tokens predict nothing.

    Padded it takes two rows of 3 + 2.
    """
    example = TokenizedExample("x", (5, 6, 7), ((8, 9), (10, 11, 12)), (0, 1), (True, True))
    shared = collate([example], "shared_prompt", StepTotals.of([example]))
    padded = collate([example], "padded", StepTotals.of([example]))
    assert shared.input_ids_RL.tolist() == [[5, 6, 7, 8, 10, 11]]
    assert shared.position_ids_RL.tolist() == [[0, 1, 2, 3, 3, 4]]
    assert shared.column_T.tolist() == [2, 3, 2, 4, 5]
    assert padded.input_ids_RL.shape == (2, 5)


def test_the_reference_is_not_ranked() -> None:
    """Ranks 0, 1 and -1: two ranked places, and the third response only trains the likelihood."""
    example = TokenizedExample("x", (5,), ((8,), (9,), (10,)), (0, 1, -1), (False, False, True))
    batch = collate([example], "padded", StepTotals.of([example]))
    assert batch.response_BN.tolist() == [[0, 1]]
    assert batch.trained_C.tolist() == [False, False, True]
    assert batch.totals.trained_tokens == 1
    assert batch.totals.pairs_G.tolist() == [0, 1]
