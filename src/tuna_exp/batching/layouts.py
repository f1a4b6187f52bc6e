"""Layouts: where the tokens of a micro-batch stand and which of them see each other.

`padded` is what every trainer does: one row per response, the prompt repeated in each.
`shared_prompt` holds the prompt once, followed by its responses; the mask lets each response see
the prompt and itself, and positions restart after the prompt, so each response gets exactly the
scores it would get alone. Left out: several prompts per row and FlexAttention.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from tuna_exp.batching.batch import RankedBatch, StepTotals, TokenizedExample


@dataclass
class Row:
    """One row while it is being filled.

    `segments` is 0 for the prompt and k for its k-th response; `columns` says which hidden state
    predicts each response token.
    """

    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)

    def add_prompt(self, prompt: tuple[int, ...]) -> None:
        """Put the prompt at the start of the row."""
        self.tokens += prompt
        self.positions += range(len(prompt))
        self.segments += [0] * len(prompt)

    def add_response(self, response: tuple[int, ...], prompt_length: int) -> None:
        """Append a response, whose last token predicts nothing and so is left out of the input."""
        start = len(self.tokens)
        inputs = response[:-1]
        self.tokens += inputs
        self.positions += range(prompt_length, prompt_length + len(inputs))
        self.segments += [max(self.segments) + 1] * len(inputs)
        # The prompt's last token predicts the first token of every response.
        self.columns += [prompt_length - 1, *range(start, start + len(inputs))]


def padded_rows(example: TokenizedExample) -> list[Row]:
    """One row per response."""
    rows = []
    for response in example.responses:
        row = Row()
        row.add_prompt(example.prompt)
        row.add_response(response, len(example.prompt))
        rows.append(row)
    return rows


def shared_prompt_rows(example: TokenizedExample) -> list[Row]:
    """One row for the prompt and all its responses."""
    row = Row()
    row.add_prompt(example.prompt)
    for response in example.responses:
        row.add_response(response, len(example.prompt))
    return [row]


LAYOUTS: dict[str, Callable[[TokenizedExample], list[Row]]] = {
    "padded": padded_rows,
    "shared_prompt": shared_prompt_rows,
}


def sees(segment_RL: Tensor) -> Tensor:
    """Return the mask (R, 1, L, L): causal, and only the prompt or one's own segment.

    segment_RL (R, L) is 0 for the prompt and -1 for padding.
    """
    query, key = segment_RL.unsqueeze(2), segment_RL.unsqueeze(1)
    length = segment_RL.shape[1]
    causal_LL = torch.ones(length, length, dtype=torch.bool).tril()
    # Padding sees itself alone: a row of the mask with nothing in it would turn into NaN.
    return ((key == 0) | (key == query)).logical_and(causal_LL).unsqueeze(1)


def stack(values: list[list[int]], padding: int) -> Tensor:
    """Pad lists of integers on the right to one tensor of shape (R, L)."""
    return pad_sequence([torch.tensor(v, dtype=torch.long) for v in values], True, padding)


def collate(
    examples: list[TokenizedExample], layout: str, totals: StepTotals, pad_id: int = 0
) -> RankedBatch:
    """Lay examples out as one micro-batch of an optimizer step whose counts are `totals`."""
    rows = [row for example in examples for row in LAYOUTS[layout](example)]
    segment_RL = stack([row.segments for row in rows], -1)
    return RankedBatch(
        input_ids_RL=stack([row.tokens for row in rows], pad_id),
        position_ids_RL=stack([row.positions for row in rows], 0),
        attention_mask=segment_RL >= 0 if layout == "padded" else sees(segment_RL),
        row_T=torch.tensor([i for i, row in enumerate(rows) for _ in row.columns]),
        column_T=torch.tensor([column for row in rows for column in row.columns]),
        totals=totals,
        tokens=sum(example.tokens for example in examples),
        reference_C=reference_logps(examples),
        **response_tensors(examples),
        **ranking_tensors(examples),
    )


def reference_logps(examples: list[TokenizedExample]) -> Tensor | None:
    """Return the reference log-probabilities of all responses, shape (C,), or None without them."""
    known = [e.reference_logps for e in examples if e.reference_logps is not None]
    complete = len(known) == len(examples)
    return torch.tensor([value for values in known for value in values]) if complete else None


def response_tensors(examples: list[TokenizedExample]) -> dict[str, Tensor]:
    """Return target_T and response_T, each (T,), and length_C and trained_C, each (C,)."""
    responses = [response for example in examples for response in example.responses]
    length_C = torch.tensor([len(response) for response in responses])
    return {
        "target_T": torch.tensor([token for response in responses for token in response]),
        "response_T": torch.repeat_interleave(torch.arange(len(responses)), length_C),
        "length_C": length_C,
        "trained_C": torch.tensor([t for example in examples for t in example.trained]),
    }


def ranking_tensors(examples: list[TokenizedExample]) -> dict[str, Tensor]:
    """Return response_BN, rank_BN and mask_BN, each (B, N), of the ranked responses alone."""
    width = max(1, *(sum(rank >= 0 for rank in e.ranks) for e in examples))
    response_BN = torch.zeros(len(examples), width, dtype=torch.long)
    rank_BN = torch.full((len(examples), width), -1)
    first = 0
    for b, example in enumerate(examples):
        places = [i for i, rank in enumerate(example.ranks) if rank >= 0]
        response_BN[b, : len(places)] = torch.tensor(places, dtype=torch.long) + first
        rank_BN[b, : len(places)] = torch.tensor(
            [example.ranks[i] for i in places], dtype=torch.long
        )
        first += len(example.ranks)
    return {"response_BN": response_BN, "rank_BN": rank_BN, "mask_BN": rank_BN >= 0}
