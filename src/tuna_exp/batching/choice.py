"""Which layout and which attention a model can be trained with, tried before they are used."""

import logging
from typing import Any

import torch
from transformers import PreTrainedModel

from tuna_exp.batching.attention import BLOCKS, FLEX
from tuna_exp.batching.batch import StepTotals, TokenizedExample
from tuna_exp.batching.layouts import LAYOUTS, collate
from tuna_exp.losses.likelihood import token_logps
from tuna_exp.models.loading import supports_prompt_sharing

log = logging.getLogger(__name__)

# Two documents: two responses of one prompt, and another; short, and with tokens any model has.
_TRIAL = [
    TokenizedExample("", (1, 2, 3, 4), ((5, 6, 7), (7, 6)), (0, 1), (True, True)),
    TokenizedExample("", (4, 3), ((2, 1, 5),), (0,), (True,)),
]
# Difference of log-probabilities in a trial, in nats, by the precision of the weights: as much is
# allowed, and where a model's own rounding is larger, as on the trial's words, so many times that.
_ROUNDINGS = 10
_TOLERANCE = {torch.float64: 1e-4, torch.float32: 1e-3, torch.bfloat16: 0.2, torch.float16: 0.05}


def choose_layout(wanted: str, model: PreTrainedModel) -> str:
    """Return the layout wanted with the model's attention set for it, or padded with a warning.

    A packed layout needs a model in which a token sees what the mask says and nothing else. What
    the configuration tells is asked first; then the layout is tried against the padded one.
    """
    if LAYOUTS[wanted].padded:
        return wanted
    reason = supports_prompt_sharing(model.config)
    if reason is None:
        plain: Any = model.config._attn_implementation
        # Neither our blocks nor the GPU's kernel drop attention out.
        drops = getattr(model.config.get_text_config(), "attention_dropout", 0.0)
        for attention in (plain,) if drops else (BLOCKS, plain):
            reason = set_attention(model, attention) or differs(model, wanted, plain)
            if reason is None:
                if not drops:
                    _faster_on_gpu(model)
                return wanted
        model.set_attn_implementation(plain)
    log.warning(
        "batching=%s is not possible: %s. Using batching=padded, which is slower.", wanted, reason
    )
    return "padded"


def set_attention(model: PreTrainedModel, attention: str) -> str | None:
    """Set how a model computes attention; return why it can't be, or None."""
    try:
        model.set_attn_implementation(attention)
    except (ValueError, ImportError, NotImplementedError) as error:
        return f"{model.config.model_type} does not take attention '{attention}' ({error})"
    return None


@torch.no_grad()
def differs(model: PreTrainedModel, layout: str, plain: str) -> str | None:
    """Return how log-probabilities in a layout differ from the padded ones, or None.

    `plain` is the attention that the padded layout is computed with.
    """
    config: Any = model.config
    wanted, training = config._attn_implementation, model.training
    totals = StepTotals.of(_TRIAL)
    model.eval()  # dropout would differ
    try:
        packed_T = token_logps(model, collate(_TRIAL, layout, totals))
        model.set_attn_implementation(plain)
        padded_T = token_logps(model, collate(_TRIAL, "padded", totals))
        alone_T = torch.cat([token_logps(model, collate([e], "padded", totals)) for e in _TRIAL])
        difference, rounding = (float((t - padded_T).abs().max()) for t in (packed_T, alone_T))
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        return f"{config.model_type} failed with attention '{wanted}': {error}"
    finally:
        model.set_attn_implementation(wanted)
        model.train(training)
    if difference <= max(_TOLERANCE[model.dtype], _ROUNDINGS * rounding):
        return None
    return (
        f"{config.model_type} gives other log-probabilities in it, by {difference:.2g} nats, where "
        f"its own rounding makes {rounding:.2g}"
    )


def _faster_on_gpu(model: PreTrainedModel) -> None:
    """Take torch's compiled kernel where there is a GPU and the model knows of it."""
    if torch.cuda.is_available() and getattr(model, "_supports_flex_attn", False):
        set_attention(model, FLEX)
