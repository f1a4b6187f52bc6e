"""What a step computes: positions, tokens that matter, and the FLOPs a model needs for them.

A step's FLOPs are those of the form's own positions, padding included, forward and backward:

    6 * N_body * P  +  6 * D * V * H  +  12 * layers * heads * head_dim * A

N_body: weights without embedding and head; P: positions computed; D * V: the head, on H positions;
A: pairs of positions of which one attends to the other. A multiplication and an addition count as
two, the backward pass as twice the forward. Recomputation (checkpointing, the head's chunks) is not
counted: it is no work of the model's, so a form that recomputes shows a lower utilisation.
"""

from typing import Any

from pydantic import BaseModel
from transformers import PreTrainedModel

from experiments.speed import released
from tuna_exp.batching.attention import visible
from tuna_exp.batching.batch import RankedBatch, TokenizedExample


class Work(BaseModel):
    """Counts of one step; `attended` counts pairs of positions."""

    positions: int = 0
    head_positions: int = 0
    attended: int = 0

    def __add__(self, other: "Work") -> "Work":
        """Return the counts of both."""
        return Work(
            positions=self.positions + other.positions,
            head_positions=self.head_positions + other.head_positions,
            attended=self.attended + other.attended,
        )


def released_work(examples: list[TokenizedExample]) -> Work:
    """Return the counts of the released form: head and causal attention on all positions."""
    rows, length = released.tensors(examples)[0].shape
    attended = rows * length * (length + 1) // 2
    return Work(positions=rows * length, head_positions=rows * length, attended=attended)


def our_work(batch: RankedBatch) -> Work:
    """Return the counts of a micro-batch; only what is visible is attended to."""
    return Work(
        positions=batch.positions,
        head_positions=len(batch.target_T),
        attended=int(visible(batch.document_RL, batch.segment_RL).sum()),
    )


def needed_positions(examples: list[TokenizedExample]) -> int:
    """Return the fewest positions there could be: prompts once, responses but their last token."""
    return sum(e.tokens - len(e.responses) for e in examples)


def flops(model: PreTrainedModel, work: Work) -> float:
    """Return the FLOPs of a training step, as the formula above has them."""
    config: Any = model.config.get_text_config()
    decoder: Any = model.get_decoder()
    embedding = config.vocab_size * config.hidden_size
    body = sum(p.numel() for p in decoder.parameters()) - embedding
    heads = config.num_attention_heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    return float(
        6 * body * work.positions
        + 6 * embedding * work.head_positions
        + 12 * config.num_hidden_layers * heads * head_dim * work.attended
    )
