"""What would be cut or dropped for its length in a training.

Left out: how a training cuts. That is `batching.on_too_long`, which stops by default.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tuna_exp.diagnosis.findings import Finding, quote
from tuna_exp.diagnosis.loading import RankedSet
from tuna_exp.records import Instruction

# Tokens of a prompt and of a response to it.
Count = Callable[[Instruction, str], tuple[int, int]]
CHARACTERS_PER_TOKEN = 4


def estimated(instruction: Instruction, text: str) -> tuple[int, int]:
    """Return characters / 4, the usual rule of thumb for English; other scripts take more."""
    return len(instruction.text) // CHARACTERS_PER_TOKEN, len(text) // CHARACTERS_PER_TOKEN


def counted_by(folder: Path, prompt_format: str) -> Count:
    """Return the count of a model folder's own tokenizer; raises UserError where it has none."""
    from tuna_exp.models.loading import load_tokenizer
    from tuna_exp.models.prompts import PromptEncoder

    encoder = PromptEncoder(load_tokenizer(folder), prompt_format)

    def count(instruction: Instruction, text: str) -> tuple[int, int]:
        return len(encoder.prompt_ids(instruction)), len(encoder.response_ids(text))

    return count


def too_long(sets: Sequence[RankedSet], limit: int, count: Count, how: str) -> Iterator[Finding]:
    """Yield the responses that do not fit `limit` tokens behind their prompt; `how` was counted."""
    cut, total, longest = list[RankedSet](), 0, 0
    for one in sets:
        for response in one.example.responses:
            length = sum(count(one.example.instruction, response.text))
            total, longest = total + 1, max(longest, length)
            cut += [one] if length > limit else []
    if cut:
        instruction = cut[0].example.instruction
        yield Finding(
            "too_long",
            "warning",
            len(cut),
            total,
            "responses",
            f"are longer than {limit} tokens with their prompt ({how}; the longest {longest}): "
            "batching.on_too_long stops there, cuts them or drops their sets.",
            quote(instruction.id, instruction.text),
            f"batching.max_length={longest}, or leave these sets out",
        )
