"""What one forward pass is given, and how its response tokens are found again.

Every response token is one entry of a flat list T: which hidden state predicts it (`source_T`), the
token (`target_T`) and whose it is (`response_T`). The same likelihood code therefore serves every
layout; a layout only decides where tokens stand and who sees whom.

Legend of shape suffixes, here and in losses: B examples, N ranked responses (padded), C all
responses of the batch in one list, R rows, L positions, T response tokens, V vocabulary,
G rank gaps.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TokenizedExample:
    """One prompt with its responses as token ids, best first.

    `ranks[i]` is -1 for a response that is not ranked (the dataset's own one); `trained[i]` says
    whether its tokens count in the likelihood term. `reference_logps` are summed log-probabilities
    (nats) under the model that training starts from, for losses that ask for them.
    """

    name: str
    prompt: tuple[int, ...]
    responses: tuple[tuple[int, ...], ...]
    ranks: tuple[int, ...]
    trained: tuple[bool, ...]
    reference_logps: tuple[float, ...] | None = None

    @property
    def trained_tokens(self) -> int:
        """Tokens that count in the likelihood term."""
        return sum(
            len(r) for r, trained in zip(self.responses, self.trained, strict=True) if trained
        )

    @property
    def tokens(self) -> int:
        """Tokens that differ: the prompt once and every response."""
        return len(self.prompt) + sum(map(len, self.responses))

    @property
    def gaps(self) -> list[int]:
        """The rank gap of every pair of responses that has an order."""
        ranked = [rank for rank in self.ranks if rank >= 0]
        return [abs(b - a) for i, a in enumerate(ranked) for b in ranked[i + 1 :] if a != b]


@dataclass
class StepTotals:
    """Counts over the whole optimizer step, over all its micro-batches and devices.

    Dividing by these, and not by a micro-batch's own counts, is what makes the loss independent of
    how the step was split. `pairs_G[g]` counts the pairs whose ranks differ by g.
    """

    examples: int
    trained_tokens: int
    pairs_G: Tensor

    @classmethod
    def of(cls, examples: list[TokenizedExample]) -> "StepTotals":
        """Count over the examples of one optimizer step; `pairs_G` has shape (G,)."""
        gaps = [gap for example in examples for gap in example.gaps]
        pairs_G = torch.bincount(torch.tensor(gaps, dtype=torch.long), minlength=2)
        return cls(len(examples), sum(e.trained_tokens for e in examples), pairs_G)


@dataclass
class RankedBatch:
    """A micro-batch in some layout; not frozen: Lightning moves its tensors to the device in place.

    Shapes: input_ids_RL, position_ids_RL (R, L); document_RL, segment_RL (R, L) say who sees whom:
    a token sees earlier tokens of its document that belong to its own segment or to segment 0, the
    prompt; -1 is padding. source_T (T,) counts places row by row; target_T, response_T (T,);
    length_C, trained_C (C,); response_BN (B, N) index into C, rank_BN (B, N), mask_BN (B, N) true
    where a ranked response is; reference_C (C,) summed log-probabilities or None. `tokens` counts
    those that differ, the prompt once.
    """

    input_ids_RL: Tensor
    position_ids_RL: Tensor
    document_RL: Tensor
    segment_RL: Tensor
    source_T: Tensor
    target_T: Tensor
    response_T: Tensor
    length_C: Tensor
    trained_C: Tensor
    response_BN: Tensor
    rank_BN: Tensor
    mask_BN: Tensor
    reference_C: Tensor | None
    totals: StepTotals
    tokens: int

    @property
    def positions(self) -> int:
        """Places of the forward pass, padding included."""
        return self.input_ids_RL.numel()

    def pad(self, value_C: Tensor) -> Tensor:
        """Arrange one value per response, (C,), by example: shape (B, N), 0 where nothing is."""
        return value_C[self.response_BN] * self.mask_BN
