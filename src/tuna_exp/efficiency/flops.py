"""Floating-point operations of a decoder, from its shape and what it reads, as pure functions.

These are the operations that the mathematics asks for, as in the PaLM paper (Chowdhery et al. 2022,
appendix B): padding, recomputed activations and discarded work are not in them, so that methods can
be compared and not implementations. A multiplication with an addition counts two. Left out: norms,
activations and the optimizer, below one per cent of a matrix product. Of a mixture of experts all
are counted, as if a token visited each: an upper bound.
"""

import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

_APART = ("embed", "lm_head", "wte", "wpe")


@dataclass(frozen=True)
class ModelShape:
    """`matrices`: parameters that every token is multiplied with; `head`: vocabulary · hidden size,
    for each token that is predicted; `width`: attention heads · their size.
    """

    layers: int
    width: int
    matrices: int
    head: int

    @classmethod
    def of_folder(cls, folder: Path) -> "ModelShape | None":
        """Read a checkpoint's config and the headers of its weights; None where it has neither."""
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            sizes = dict(size for file in folder.glob("*.safetensors") for size in _sizes(file))
            hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
            layers, vocabulary = int(config["num_hidden_layers"]), int(config["vocab_size"])
        except (OSError, ValueError, KeyError, TypeError, struct.error):
            return None
        matrices = sum(n for name, n in sizes.items() if not any(word in name for word in _APART))
        width = heads * int(config.get("head_dim") or hidden // heads)
        return cls(layers, width, matrices, vocabulary * hidden) if matrices else None


@dataclass(frozen=True)
class Work:
    """What a decoder reads: `tokens`, `pairs` of a token and one it sees, `predicted` tokens."""

    tokens: float = 0.0
    pairs: float = 0.0
    predicted: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        """Sum of each."""
        return Work(
            self.tokens + other.tokens, self.pairs + other.pairs, self.predicted + other.predicted
        )


def responses(prompt: int, lengths: Sequence[int], shared: bool) -> Work:
    """Return the work of a prompt with its responses; the prompt is read once where it is shared.

    A token sees itself and all before it in its own sequence: n(n + 1)/2 pairs for n tokens, and
    prompt · length for a response.
    """
    read = 1 if shared else len(lengths)
    tokens = read * prompt + sum(lengths)
    pairs = read * prompt * (prompt + 1) / 2 + sum(prompt * n + n * (n + 1) / 2 for n in lengths)
    return Work(tokens, pairs, sum(lengths))


def forward(shape: ModelShape, work: Work) -> float:
    """Return 2 · matrices · tokens + 4 · layers · width · pairs + 2 · head · predicted.

    The second term: queries with keys and weights with values, 2 · width each for every pair.
    """
    return (
        2.0 * shape.matrices * work.tokens
        + 4.0 * shape.layers * shape.width * work.pairs
        + 2.0 * shape.head * work.predicted
    )


def training(shape: ModelShape, works: Iterable[Work], trained: float) -> float:
    """Return the operations of forward and backward passes.

    The backward pass asks for the gradients of what was read and of the weights: as much again for
    each, of the weights only for the share that is `trained` (1: all; LoRA: less than 0.01).
    Attention has no weights of its own: both of its operands have gradients, whatever is trained.
    """
    total = sum(works, Work())
    attention = forward(shape, Work(pairs=total.pairs))
    return 3.0 * attention + (2.0 + trained) * (forward(shape, total) - attention)


def answering(llm: Any, works: Iterable[Work]) -> float | None:
    """Return the operations of answers of an LLM; None for one whose weights are not here."""
    resolve = getattr(getattr(llm, "source", None), "resolve", None)
    shape = ModelShape.of_folder(resolve()) if resolve is not None else None
    return None if shape is None else forward(shape, sum(works, Work()))


def _sizes(file: Path) -> Iterable[tuple[str, int]]:
    """Yield names and sizes of the tensors of a safetensors file, which its header tells."""
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        header = json.loads(opened.read(length))
    for name, tensor in header.items():
        if name != "__metadata__":
            yield name, prod(tensor["shape"])
