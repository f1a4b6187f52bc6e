"""Log-probabilities of response tokens, and the sequence likelihood that ranking losses score with.

The vocabulary head is applied to the hidden states that predict response tokens alone (`head.py`),
so logits never exist for prompts or all at once.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from tuna_exp.batching.attention import attention_arguments
from tuna_exp.batching.batch import RankedBatch
from tuna_exp.losses.head import CHUNK, Head, capped, chunked


def token_logps(model: PreTrainedModel, batch: RankedBatch, head: Head = chunked) -> Tensor:
    """Return log p(r_t | x, r_<t) of every response token, (T,), in nats, float32 or wider."""
    config: Any = model.config
    hidden_RLD = model.get_decoder()(
        input_ids=batch.input_ids_RL,
        position_ids=batch.position_ids_RL,
        use_cache=False,
        **attention_arguments(config._attn_implementation, batch),
    ).last_hidden_state
    hidden_TD = hidden_RLD.flatten(0, 1).index_select(0, batch.source_T)
    softcap = getattr(config.get_text_config(), "final_logit_softcapping", None)
    return head_logps(model.get_output_embeddings(), hidden_TD, batch.target_T, softcap, head)


def head_logps(
    layer: nn.Module,
    hidden_TD: Tensor,
    target_T: Tensor,
    softcap: float | None,
    head: Head = chunked,
) -> Tensor:
    """Return the log-probability of each target, (T,), from hidden states (T, D)."""
    if type(layer) is nn.Linear:
        device = hidden_TD.device.type
        mixed = torch.is_autocast_enabled(device)
        dtype = torch.get_autocast_dtype(device) if mixed else layer.weight.dtype
        with torch.autocast(device, enabled=False):
            return head(hidden_TD.to(dtype), layer.weight, layer.bias, target_T, softcap)
    # A head with adapters or of another kind: the same chunks, differentiated by autograd.
    parts = [
        checkpoint(_chunk_logps, layer, hidden, target, softcap, use_reentrant=False)
        for hidden, target in zip(hidden_TD.split(CHUNK), target_T.split(CHUNK), strict=True)
    ]
    return torch.cat(parts)


def _chunk_logps(
    layer: nn.Module, hidden_TD: Tensor, target_T: Tensor, softcap: float | None
) -> Tensor:
    """Return the log-probability of each target, shape (T,); hidden_TD has shape (T, D)."""
    logits_TV: Tensor = capped(layer(hidden_TD), softcap)
    logits_TV = logits_TV.to(torch.promote_types(logits_TV.dtype, torch.float32))
    chosen_T = logits_TV.gather(1, target_T.unsqueeze(1)).squeeze(1)
    return chosen_T - logits_TV.logsumexp(1)


def summed_logps(logp_T: Tensor, response_T: Tensor, length_C: Tensor) -> Tensor:
    """Sum token log-probabilities by response: (T,) -> (C,)."""
    return logp_T.new_zeros(length_C.shape[0]).index_add(0, response_T, logp_T)


def normalised(logp_C: Tensor, length_C: Tensor, length_exponent: float) -> Tensor:
    """Return v_k = (sum_t log p) / |r_k|^beta, (C,) (Tuna, equation 3); beta 0 leaves the sum."""
    return logp_C / length_C.to(logp_C.dtype) ** length_exponent


def mle_loss(logp_T: Tensor, batch: RankedBatch) -> Tensor:
    """Return this micro-batch's share of the step's mean negative log-likelihood per trained token.

    Scalar, in nats; logp_T has shape (T,). A step with no trained token has loss 0.
    """
    trained_T = batch.trained_C[batch.response_T]
    return -(logp_T * trained_T).sum() / max(batch.totals.trained_tokens, 1)
