"""What any engine is asked and what its tokens mean: prompts that fit, candidates, options."""

from collections.abc import Sequence
from hashlib import sha256

from tuna_exp.errors import ConfigError, ContextError
from tuna_exp.models.prompts import PromptEncoder
from tuna_exp.records import Candidate, Instruction


def request_seed(*parts: object) -> int:
    """Return a seed below 2**31 that differs by its parts; an engine may add a sample's place."""
    digest = sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def fitting_prompt(
    encoder: PromptEncoder, instruction: Instruction, room: int, context: int | None
) -> list[int]:
    """Return the prompt's tokens.

    Raises ContextError where they and `room` tokens more are too long for the model's context.
    """
    prompt = encoder.prompt_ids(instruction)
    if context is not None and len(prompt) + room > context:
        raise ContextError(
            f"instruction '{instruction.id}' has a prompt of {len(prompt)} tokens; with {room} "
            f"to generate that is more than the model's context of {context}. Cure: lower "
            "max_new_tokens (of sampling.decoding, ranker.decoding or evaluation), shorten "
            "the prompt or take a model with a longer context."
        )
    return prompt


def candidate(
    encoder: PromptEncoder, tokens: Sequence[int], logps: Sequence[float], ended: bool
) -> Candidate:
    """Return drawn tokens, with the ending one where there is one, as a candidate."""
    return Candidate(
        text=encoder.response_text(tokens[:-1] if ended else tokens),
        token_ids=tuple(tokens),
        token_logprobs=tuple(logps),
        finish_reason="stop" if ended else "length",
    )


def option_tokens(
    encoder: PromptEncoder, begun: str, options: Sequence[str]
) -> tuple[list[int], list[int]]:
    """Return the tokens of `begun` and the one token of each option behind it.

    Raises ConfigError where an option is more than one token.
    """
    tails = [encoder.response_ids(begun + option, complete=False) for option in options]
    if len({tuple(tail[:-1]) for tail in tails}) != 1:
        raise ConfigError(
            f"the options {list(options)} are not single tokens after {begun!r} for this "
            "model. Cure: ranker.answer=text."
        )
    return tails[0][:-1], [tail[-1] for tail in tails]
