"""A training step in the form of the released code, written from its description.

One row per response with the prompt repeated, padded to the longest; all rows in one forward pass;
the logits of all positions; a float32 log-softmax over the whole vocabulary, of which the labels'
entries are gathered. Left out: the original response that the released batches hold besides.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from tuna_exp.batching.batch import TokenizedExample

MARGIN = 0.1
IGNORED = -100  # a label that no loss is on


def tensors(examples: list[TokenizedExample]) -> tuple[Tensor, Tensor, Tensor]:
    """Return input ids, attention mask and labels, each (R, L), R = examples x responses."""
    pairs = [(e.prompt, response) for e in examples for response in e.responses]
    ids = [torch.tensor(prompt + response) for prompt, response in pairs]
    labels = [torch.tensor((IGNORED,) * len(p) + response) for p, response in pairs]
    ids_RL = pad_sequence(ids, True, 0)
    labels_RL = pad_sequence(labels, True, IGNORED)
    mask_RL = pad_sequence([torch.ones_like(row) for row in ids], True, 0)
    return ids_RL, mask_RL, labels_RL


def shares(
    model: PreTrainedModel, examples: list[TokenizedExample], at_once: int
) -> Iterator[Tensor]:
    """Yield the scalar loss of a batch in shares of `at_once` examples, which add up to it.

    All examples have K responses, best first; all rows are padded to the longest of the batch.
    """
    padded = [t.to(model.device) for t in tensors(examples)]
    total = (padded[2][:, 1:] != IGNORED).sum()
    rows = at_once * len(examples[0].responses)
    for ids_RL, mask_RL, labels_RL in zip(*(t.split(rows) for t in padded), strict=True):
        logits_RLV = model(input_ids=ids_RL, attention_mask=mask_RL, use_cache=False).logits
        logp_RLV = F.log_softmax(logits_RLV[:, :-1], dim=-1, dtype=torch.float32)
        labels_RL = labels_RL[:, 1:]
        present_RL = labels_RL != IGNORED
        logp_RL = logp_RLV.gather(2, labels_RL.clamp(min=0).unsqueeze(2)).squeeze(2) * present_RL
        score_BK = (logp_RL.sum(1) / present_RL.sum(1)).view(-1, len(examples[0].responses))
        share = ranking(score_BK) * len(score_BK) / len(examples) - logp_RL.sum() / total
        # Else these would wait here, unused, through the backward pass.
        del logits_RLV, logp_RLV
        yield share


def loss(model: PreTrainedModel, examples: list[TokenizedExample]) -> Tensor:
    """Return the scalar loss of a batch in one forward pass."""
    return next(shares(model, examples, len(examples)))


def ranking(score_BK: Tensor) -> Tensor:
    """Return the sum over rank gaps g of the mean of max(0, v_j - v_i + g m), j = i + g, a scalar.

    score_BK (B, K) holds mean log-probabilities, best first.
    """
    gaps = range(1, score_BK.shape[1])
    return torch.stack(
        [F.relu(score_BK[:, g:] - score_BK[:, :-g] + g * MARGIN).mean() for g in gaps]
    ).sum()
