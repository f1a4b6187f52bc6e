"""What can be told of a training before any model is loaded: it costs minutes to find out later.

Only the tokenizer and the model's config are read. Left out: sampled responses, which are not
there yet.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from tuna_exp.batching.tokenise import Batching, Tokeniser
from tuna_exp.errors import ConfigError, DataError
from tuna_exp.models.student import Student
from tuna_exp.records import Instruction
from tuna_exp.sequences import where

_CONTEXT = "max_position_embeddings"


def check_references(
    student: Student, batching: Batching, instructions: Sequence[Instruction]
) -> None:
    """Raise UserError where SFT could not train on these instructions' own responses.

    For none at all, one too long with batching.on_too_long=error, all dropped as too long, or a
    batching.max_length that the model has no context for.
    """
    if not instructions:
        raise DataError(
            "no instruction has a response of its own, which SFT trains on. Cure: a dataset with "
            "responses."
        )
    folder = student.source.resolve()
    check_context(folder, "batching.max_length", batching.max_length)
    tokeniser = Tokeniser(student.encoder(folder), batching)
    if not sum(tokeniser.reference(i) is not None for i in instructions):
        raise DataError(
            f"no example is left for SFT: all {len(instructions)} were dropped as longer than "
            f"batching.max_length={batching.max_length}. Cure: a higher batching.max_length, or "
            "batching.on_too_long=truncate."
        )


def check_likelihood(mle_on: str, instructions: Sequence[Instruction]) -> None:
    """Raise ConfigError where a ranked training wants responses that a dataset does not have."""
    if mle_on != "reference":
        return
    without = where(instructions, lambda i: not i.reference)
    if len(without):
        raise ConfigError(
            f"objective.mle_on=reference trains on the dataset's own responses, but {len(without)} "
            f"of {len(instructions)} instructions have none (first: "
            f"'{instructions[int(without[0])].id}'). Cure: "
            "objective.mle_on=best, or a dataset without them."
        )


def check_context(folder: Path, key: str, tokens: int) -> None:
    """Raise ConfigError where a setting asks for more tokens than a folder's model has context."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    context = config.get("text_config", config).get(_CONTEXT)
    if context is not None and tokens > context:
        raise ConfigError(
            f"{key}={tokens} is more than the model's context of {context} tokens. Cure: less "
            "(batching.on_too_long=truncate|drop says what becomes of longer examples), or a model "
            "with a longer context."
        )


def check_answers(student: Student, max_new_tokens: int) -> None:
    """Raise ConfigError where a student's answers alone may be longer than its context."""
    key = "sampling.decoding.max_new_tokens"
    check_context(student.source.resolve(), key, max_new_tokens)
