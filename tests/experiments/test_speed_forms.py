"""The released form written for the benchmarks, and lengths, against what they are said to be."""

import pytest
import torch
from transformers import PreTrainedModel

from experiments.speed import counting, lengths, ours, released
from experiments.speed.cases import GROWTH, QUICK, SAMPLING, TRAINING, TRAINING_7B, Case
from experiments.speed.questions import questions
from experiments.speed.sampling import useful_tokens
from tuna_exp.batching.batch import TokenizedExample
from tuna_exp.errors import ConfigError
from tuna_exp.models.loading import load_model
from tuna_exp.models.tiny import TinyModel

CASE = Case(name="small", profile="alpaca", prompts=3, responses=3)


@pytest.fixture(scope="module")
def model(tiny_folder: object) -> PreTrainedModel:
    return load_model(TinyModel().resolve())


@pytest.mark.parametrize("form", ours.forms())
def test_the_released_form_has_our_loss_and_gradients(model: PreTrainedModel, form: str) -> None:
    ours.prepare(model, "released")
    examples = lengths.batch(CASE, 0, model.config.vocab_size)
    expected = released.loss(model, examples)
    wanted = torch.autograd.grad(expected, list(model.parameters()))
    ours.prepare(model, form)
    shares = [ours.loss_share(model, batch) for batch in ours.micro_batches(examples, form)]
    found = torch.autograd.grad(torch.stack(shares).sum(), list(model.parameters()))
    assert sum(share.item() for share in shares) == pytest.approx(expected.item(), rel=1e-5)
    for ours_, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours_, theirs, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("at_once", [1, 2])
def test_shares_add_up_to_the_released_loss(model: PreTrainedModel, at_once: int) -> None:
    ours.prepare(model, "released")
    examples = lengths.batch(CASE, 0, model.config.vocab_size)
    shares = [share.item() for share in released.shares(model, examples, at_once)]
    assert len(shares) == -(-len(examples) // at_once)
    assert sum(shares) == pytest.approx(released.loss(model, examples).item(), rel=1e-5)


def test_the_released_ranking_term_by_hand() -> None:
    """Gap 1: (0.5 - 0 + 0.1) and (-1 - 0.5 + 0.1 < 0): mean 0.3. Gap 2: -1 - 0 + 0.2 < 0: 0."""
    assert released.ranking(torch.tensor([[0.0, 0.5, -1.0]])).item() == pytest.approx(0.3)


def test_a_batch_is_drawn_alike_and_its_lengths_are_as_told() -> None:
    batch = lengths.batch(CASE, 0, 512)
    assert batch == lengths.batch(CASE, 0, 512)
    assert batch != lengths.batch(CASE, 1, 512)
    assert [len(e.responses) for e in batch] == [3, 3, 3]
    rag = lengths.batch(Case(name="rag", profile="rag", prompts=8, responses=4), 0, 512)
    responses = sum(len(response) for e in rag for response in e.responses)
    assert sum(len(e.prompt) for e in rag) >= 8 * responses / 4


def test_every_case_can_be_drawn() -> None:
    for case in (*QUICK, *TRAINING, *TRAINING_7B, *GROWTH):
        assert len(lengths.batch(case, 0, 512)) == case.prompts
    with pytest.raises(ConfigError, match="Did you mean 'alpaca'"):
        lengths.batch(CASE.model_copy(update={"profile": "alpacas"}), 0, 512)
    assert len({q.instruction for q in questions(SAMPLING[0].prompts)}) == SAMPLING[0].prompts


def test_padding_by_hand() -> None:
    """Four rows of 10 + 6 positions for (10 + 4 + 6) + (2 + 3 + 3) = 28 tokens."""
    assert lengths.padding([(10, [4, 6]), (2, [3, 3])]) == pytest.approx(64 / 28)


def test_work_by_hand() -> None:
    """Prompt 2, responses 3 and 2: released 2 rows of 5; shared 2 + 2 + 1 positions."""
    example = TokenizedExample("e", (1, 2), ((3, 4, 5), (6, 7)), (0, 1), (True, True))
    padded = counting.released_work([example])
    assert (padded.positions, padded.head_positions, padded.attended) == (10, 10, 2 * 15)
    (batch,) = ours.micro_batches([example], "shared_prompt")
    shared = counting.our_work(batch)
    # Attended: the prompt 1 + 2, the first response 3 + 4, the second 3.
    assert (shared.positions, shared.head_positions, shared.attended) == (5, 5, 13)
    assert counting.needed_positions([example]) == 5


def test_flops_by_hand(model: PreTrainedModel) -> None:
    """6 per body weight and position, 6 D V per head position, 12 layers D per attended pair."""
    config = model.config
    head = config.vocab_size * config.hidden_size
    body = sum(p.numel() for p in model.parameters()) - head  # head and embedding are one
    work = counting.Work(positions=7, head_positions=3, attended=11)
    expected = 6 * body * 7 + 6 * head * 3 + 12 * config.num_hidden_layers * config.hidden_size * 11
    assert counting.flops(model, work) == expected


def test_tokens_after_the_ending_do_not_count() -> None:
    assert useful_tokens([[5, 9, 9, 9], [5, 6, 7, 8]], ending=9) == 2 + 4
