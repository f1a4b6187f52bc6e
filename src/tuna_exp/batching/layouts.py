"""Layouts: where the tokens of a micro-batch stand and which of them see each other.

A document is a prompt with the responses that share it. `padded` is what every trainer does: one
row per response, the prompt repeated in each, filled up to the longest. `packed` puts the same
documents behind one another into one row without padding. `shared_prompt` does so with the prompt
once for all its responses: each sees the prompt and itself, and positions restart after the prompt,
so each gets exactly the scores it would get alone.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuna_exp.batching.batch import RankedBatch, StepTotals, TokenizedExample
from tuna_exp.batching.split import Size

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Document:
    """A prompt and the responses that see it, as token ids."""

    prompt: Sequence[int]
    responses: Sequence[Sequence[int]]

    @property
    def length(self) -> int:
        """Places it takes: a response's last token predicts nothing and is left out."""
        return len(self.prompt) + sum(len(response) - 1 for response in self.responses)


@dataclass(frozen=True)
class Row:
    """One row: tokens, positions, documents and segments, each (L,), and `sources`, (T,), the
    columns that predict each response token.
    """

    tokens: Ints
    positions: Ints
    documents: Ints
    segments: Ints
    sources: Ints


def alone(example: TokenizedExample) -> list[Document]:
    """Give every response a document of its own."""
    return [Document(example.prompt, [response]) for response in example.responses]


def together(example: TokenizedExample) -> list[Document]:
    """Let all responses share the prompt."""
    return [Document(example.prompt, example.responses)]


@dataclass(frozen=True)
class Layout:
    """How an example becomes documents, and whether each stands in a row of its own."""

    documents: Callable[[TokenizedExample], list[Document]]
    padded: bool

    def rows(self, examples: Sequence[TokenizedExample]) -> list[Row]:
        """Lay examples out; the responses keep their order."""
        documents = [document for example in examples for document in self.documents(example)]
        return [row([d]) for d in documents] if self.padded else [row(documents)]

    def sizes(self, examples: Iterable[TokenizedExample]) -> list[Size]:
        """Return what each example takes in this layout."""
        return [self._size(self.documents(example)) for example in examples]

    def _size(self, documents: Sequence[Document]) -> Size:
        return Size.of(Size(1, document.length, self.padded) for document in documents)


LAYOUTS = {
    "padded": Layout(alone, padded=True),
    "packed": Layout(alone, padded=False),
    "shared_prompt": Layout(together, padded=False),
}


def row(documents: Sequence[Document]) -> Row:
    """Put documents behind one another."""
    tokens: list[Sequence[int]] = []
    spans: list[tuple[int, int, int, int]] = []  # document, segment, first position, places
    sources: list[Ints] = []
    start = 0
    for number, document in enumerate(documents):
        length = len(document.prompt)
        tokens.append(document.prompt)
        spans.append((number, 0, 0, length))
        last = start + length - 1  # the prompt's last token predicts each response's first
        start += length
        for segment, response in enumerate(document.responses, 1):
            places = len(response) - 1
            tokens.append(response[:-1])
            spans.append((number, segment, length, places))
            sources.append(np.r_[last, start : start + places])
            start += places
    number_S, segment_S, position_S, places_S = np.array(spans).T
    within = np.arange(start) - np.repeat(np.cumsum(places_S) - places_S, places_S)
    return Row(
        np.concatenate([np.asarray(part, dtype=np.int64) for part in tokens]),
        within + np.repeat(position_S, places_S),
        np.repeat(number_S, places_S),
        np.repeat(segment_S, places_S),
        np.concatenate(sources),
    )


def stack(values: Sequence[Ints], padding: int) -> Tensor:
    """Pad arrays of integers on the right to one tensor of shape (R, L)."""
    filled = np.full((len(values), max(map(len, values))), padding, dtype=np.int64)
    for place, value in zip(filled, values, strict=True):
        place[: len(value)] = value
    return torch.from_numpy(filled)


def collate(
    examples: list[TokenizedExample], layout: str, totals: StepTotals, pad_id: int = 0
) -> RankedBatch:
    """Lay examples out as one micro-batch of an optimizer step whose counts are `totals`."""
    rows = LAYOUTS[layout].rows(examples)
    input_ids_RL = stack([r.tokens for r in rows], pad_id)
    first = input_ids_RL.shape[1] * np.arange(len(rows))
    sources = [r.sources + start for r, start in zip(rows, first, strict=True)]
    return RankedBatch(
        input_ids_RL=input_ids_RL,
        position_ids_RL=stack([r.positions for r in rows], 0),
        document_RL=stack([r.documents for r in rows], -1),
        segment_RL=stack([r.segments for r in rows], -1),
        source_T=torch.from_numpy(np.concatenate(sources)),
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
    targets = np.concatenate([np.asarray(response, dtype=np.int64) for response in responses])
    return {
        "target_T": torch.from_numpy(targets),
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
