"""How an instruction and a response become tokens, and how they are made to fit.

Prompt and response are tokenised apart, so no token spans the boundary and the response's tokens
do not depend on the prompt.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from tuna_exp.errors import ConfigError, DataError, nearest
from tuna_exp.models.formats import FORMATS, PromptFormat, encode
from tuna_exp.records import Instruction

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Texts that a sentencepiece tokenizer may keep apart from the response behind them.
_ANCHORS = ("\n", "=", ".")
_MIN_RESPONSE = 16


class PromptEncoder:
    """Turns instructions and responses into tokens, and a response's tokens back into text.

    `examples` are instructions with references, shown before each prompt. Raises ConfigError for an
    unknown format.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        prompt_format: str = "chat",
        system_prompt: str | None = None,
        examples: tuple[Instruction, ...] = (),
    ) -> None:
        if prompt_format not in FORMATS:
            raise ConfigError(
                f"model.prompt_format={prompt_format} is not one of {', '.join(FORMATS)}."
                f"{nearest(prompt_format, FORMATS)}"
            )
        self.tokenizer = tokenizer
        self._format: PromptFormat = FORMATS[prompt_format](tokenizer, system_prompt, examples)

    @cached_property
    def end_id(self) -> int:
        """The token that ends a response. Raises ConfigError where there is none."""
        end = self._format.end()
        if end is None:
            raise ConfigError(
                "the tokenizer has no end-of-sequence token, so no response could end. Cure: set "
                "eos_token in the model folder's tokenizer_config.json."
            )
        return end

    @cached_property
    def pad_id(self) -> int:
        """A token for the unused places of a batch; places are masked by length, not by this id."""
        pad = self.tokenizer.pad_token_id
        return self.end_id if pad is None else int(pad)

    def prompt_text(self, instruction: Instruction) -> str:
        """Return the prompt as text, with the examples."""
        return self._format.text(instruction)

    def prompt_ids(self, instruction: Instruction) -> list[int]:
        """Return the prompt's tokens, beginning-of-sequence included where the model expects it."""
        return self._format.ids(instruction)

    def response_ids(self, text: str, complete: bool = True) -> list[int]:
        """Return a response's tokens as they follow a prompt, ended by `end_id` if complete."""
        end = [self.end_id] if complete else []
        if not text:
            return end
        for anchor in _ANCHORS if self._adds_space else ("",):
            before = self._plain(anchor)
            whole = self._plain(anchor + self._lead + text)
            if whole[: len(before)] == before:
                return whole[len(before) :] + end
        return self._plain(self._lead + text) + end

    def response_text(self, ids: Sequence[int]) -> str:
        """Return the text of a response's tokens, special ones left out; undoes `response_ids`."""
        anchor = self._plain(_ANCHORS[0]) if self._adds_space else []
        text = self._decode([*anchor, *ids])[len(self._decode(anchor)) :]
        return text.removeprefix(self._lead)

    @cached_property
    def _lead(self) -> str:
        return self._format.lead()

    @cached_property
    def _adds_space(self) -> bool:
        # Llama's tokenizer takes a text's start for a word's start: "a" becomes "▁a", even where
        # the text goes on after a prompt.
        first = str(self.tokenizer.convert_ids_to_tokens(self._plain("a"))[0])
        return first.startswith(("▁", "Ġ"))

    def _plain(self, text: str) -> list[int]:
        return encode(self.tokenizer, text, plain=True)

    def _decode(self, ids: list[int]) -> str:
        return str(
            self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )


class TooLong(DataError):  # noqa: N818
    """A record does not fit into `batching.max_length` and was not to be cut or dropped."""


def fit(
    prompt_ids: list[int],
    response_ids: list[int],
    max_length: int,
    on_too_long: Literal["error", "truncate", "drop"],
    name: str,
) -> tuple[list[int], list[int]] | None:
    """Return prompt and response that together have at most `max_length` tokens, or None to drop.

    Truncating cuts the response's end (its end-of-sequence token with it) down to 16 tokens, then
    the prompt's start. Raises TooLong with on_too_long="error", DataError for an empty response.
    """
    if not response_ids or max_length < 2:
        raise DataError(
            f"{name}: {len(response_ids)} response tokens, batching.max_length={max_length}; a "
            "record needs a response and room for a token of prompt and of response. Cure: leave "
            "the record out, or raise batching.max_length=."
        )
    total = len(prompt_ids) + len(response_ids)
    if total <= max_length:
        return prompt_ids, response_ids
    if on_too_long == "drop":
        return None
    if on_too_long == "error":
        raise _too_long(name, len(prompt_ids), len(response_ids), max_length)
    floor = min(len(response_ids), _MIN_RESPONSE, max_length - 1)
    response = response_ids[: max(floor, max_length - len(prompt_ids))]
    return prompt_ids[-(max_length - len(response)) :], response


def _too_long(name: str, prompt: int, response: int, limit: int) -> TooLong:
    total = prompt + response
    return TooLong(
        f"{name}: {prompt} prompt + {response} response = {total} tokens; the limit is {limit}. "
        f"Cure: batching.max_length={total} or more, or batching.on_too_long=truncate|drop."
    )
