"""Whether a form's step fits into memory, estimated before it is tried.

On a CPU a step that does not fit ends in the kernel killing some process; it is left out instead,
and the reason stands in the table. On a GPU, where it ends in an error, every
step is tried. Bytes per position of a Llama block that autograd keeps:

    layers * (10 D + 2 kv + 4 I) floats of 4 bytes in fp32, 0.75 of that under autocast

with D the width, kv the width of keys, I that of the feed-forward part; checkpointing keeps D per
layer and one whole layer. All logits exist 4.5 times in float32 in the released form (logits,
log-softmax, two gradients and a shifted one on the way). Of ours those of the first `KEPT` tokens
wait, and a chunk exists twice besides: shifted, and as gradient.
"""

from typing import Any

from transformers import PretrainedConfig

from experiments.speed import ours
from experiments.speed.cases import Precision
from experiments.speed.training import ACCUMULATED, AT_ONCE, CHECKPOINTED, RELEASED
from tuna_exp.batching.batch import TokenizedExample
from tuna_exp.losses.head import CHUNK, KEPT

MARGIN = 0.9  # of the free memory that may be planned with
FLOAT = 4
UNDER_AUTOCAST = 0.75
LOGITS_RELEASED = 4.5
PROCESS_BYTES = 600 * 2**20  # Python with its libraries


def model_bytes(parameters: int, bytes_each: int = FLOAT) -> int:
    """Return what weights, gradients and Adam's two moments take."""
    return 4 * parameters * bytes_each


def step_bytes(
    form: str, config: PretrainedConfig, examples: list[TokenizedExample], precision: Precision
) -> int:
    """Estimate the peak of a step above the model's own memory."""
    text: Any = config.get_text_config()
    factor = UNDER_AUTOCAST if precision == "bf16" else 1.0
    layer = factor * FLOAT * layer_floats(text)
    some = examples[:AT_ONCE] if form == ACCUMULATED else examples
    rows = sum(len(e.responses) for e in some)
    positions = rows * max(len(e.prompt) + max(map(len, e.responses)) for e in examples)
    logits = FLOAT * text.vocab_size
    if form in (RELEASED, ACCUMULATED):
        each = text.num_hidden_layers * layer + LOGITS_RELEASED * logits
        return int(positions * each)
    if form == CHECKPOINTED:
        kept = text.num_hidden_layers * text.hidden_size * FLOAT
        return int(positions * (kept + layer + LOGITS_RELEASED * logits))
    batches = list(ours.micro_batches(examples, form))
    held = max(batch.positions for batch in batches)
    tokens = max(len(batch.target_T) for batch in batches)
    rows = min(KEPT, tokens) + 2 * min(CHUNK, tokens)
    return int(held * text.num_hidden_layers * layer + rows * logits)


def layer_floats(text: Any) -> int:
    """Return the numbers per position that one layer keeps for the backward pass."""
    head_dim = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    keys = text.num_key_value_heads * head_dim
    return int(10 * text.hidden_size + 2 * keys + 4 * text.intermediate_size)


def too_large(needed: int, free: int, device: str) -> str | None:
    """Return why a step is left out, or None where it fits or can be tried."""
    if device == "cuda" or needed <= MARGIN * free:
        return None
    return f"needs about {needed / 2**30:.0f} GiB, {free / 2**30:.0f} GiB are free"
