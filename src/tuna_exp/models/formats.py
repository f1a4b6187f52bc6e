"""Prompt formats: what stands before a response, what ends it.

Special tokens spelled out in a dataset's text stay text. Multi-turn instructions are left out: an
Instruction is one message. The Alpaca wording is the template that the Alpaca models were trained
with (Taori et al., 2023).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tuna_exp.errors import ConfigError, DataError
from tuna_exp.records import Instruction

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SENTINEL = "sentinel"


def encode(tokenizer: "PreTrainedTokenizerBase", text: str, *, plain: bool) -> list[int]:
    """Tokens of a text and none added; `plain` reads special tokens spelled out in it as text."""
    encoded: Any = tokenizer(
        text, add_special_tokens=False, split_special_tokens=plain, verbose=False
    )
    return list(encoded["input_ids"])


class PromptFormat(Protocol):
    """What stands before a response and what ends it."""

    def text(self, instruction: Instruction) -> str:
        """Return the prompt as text, special tokens spelled out."""
        ...

    def ids(self, instruction: Instruction) -> list[int]:
        """Return the prompt's tokens."""
        ...

    def lead(self) -> str:
        """Return the space that the format puts before each response, mostly ""."""
        ...

    def end(self) -> int | None:
        """Return the token that ends a response, or None where the tokenizer has none."""
        ...


class _Format:
    """What every format is made from."""

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        system_prompt: str | None = None,
        examples: Sequence[Instruction] = (),
    ) -> None:
        self._tokenizer = tokenizer
        self._system_prompt = system_prompt
        self._examples = examples


class ChatFormat(_Format):
    """The tokenizer's own chat template; examples become earlier turns."""

    def text(self, instruction: Instruction) -> str:
        """Raises ConfigError where the template is missing or does not take these messages."""
        return str(self._apply(self._messages(instruction), generate=True, tokenize=False))

    def ids(self, instruction: Instruction) -> list[int]:
        """Tokens of `text`, special ones only where the template wrote them. Raises likewise."""
        encoded = self._apply(
            self._messages(instruction), generate=True, tokenize=True, sanitize_control_tokens=True
        )
        return list(encoded["input_ids"])

    def lead(self) -> str:
        """White space that the template puts between its prompt and the assistant's text."""
        prompt = str(self._apply(_turns("question"), generate=True, tokenize=False))
        before = self._one_turn().partition(_SENTINEL)[0]
        space = before.removeprefix(prompt)
        return space if before.startswith(prompt) and space.isspace() else ""

    def end(self) -> int | None:
        """The first special token that the template puts after an assistant's text."""
        after = self._one_turn().rpartition(_SENTINEL)[2]
        special = {i for i, t in self._tokenizer.added_tokens_decoder.items() if t.special}
        special.update(self._tokenizer.all_special_ids)
        found = [i for i in encode(self._tokenizer, after, plain=False) if i in special]
        return found[0] if found else _end_of_sequence(self._tokenizer)

    def _messages(self, instruction: Instruction) -> list[dict[str, str]]:
        system = [{"role": "system", "content": self._system_prompt}] if self._system_prompt else []
        earlier = [turn for e in self._examples for turn in _turns(e.text, _reference(e))]
        return [*system, *earlier, *_turns(instruction.text)]

    def _one_turn(self) -> str:
        return str(self._apply(_turns("question", _SENTINEL), generate=False, tokenize=False))

    def _apply(self, messages: list[dict[str, str]], generate: bool, **options: Any) -> Any:
        from jinja2 import TemplateError

        template = self._tokenizer.chat_template
        if template is None:
            raise ConfigError(
                "model.prompt_format=chat: the tokenizer has no chat template. Cure: "
                "model.prompt_format=alpaca or model.prompt_format=raw."
            )
        if "enable_thinking" in str(template):
            options["enable_thinking"] = False
        try:
            return self._tokenizer.apply_chat_template(
                messages, add_generation_prompt=generate, **options
            )
        except TemplateError as failure:
            raise ConfigError(
                f"model.prompt_format=chat: the chat template refuses these messages ({failure}). "
                "Cure: model.system_prompt=null where it takes no system message, or "
                "model.prompt_format=alpaca."
            ) from failure


class RawFormat(_Format):
    """The instruction's text and a line break; a system prompt stands before it as a paragraph."""

    def text(self, instruction: Instruction) -> str:
        """Blocks of prompt and response for the examples, then the prompt."""
        blocks = [f"{self.block(e)}{_reference(e)}\n\n" for e in self._examples]
        return "".join(blocks) + self.block(instruction)

    def ids(self, instruction: Instruction) -> list[int]:
        """Tokens of `text` after the beginning-of-sequence token that the tokenizer would put."""
        first: Any = self._tokenizer.bos_token_id
        usual: Any = self._tokenizer("a")
        begins = first is not None and usual["input_ids"][0] == first
        text = encode(self._tokenizer, self.text(instruction), plain=True)
        return [first, *text] if begins else text

    def lead(self) -> str:
        """Nothing."""
        return ""

    def end(self) -> int | None:
        """The tokenizer's end-of-sequence token."""
        return _end_of_sequence(self._tokenizer)

    def block(self, instruction: Instruction) -> str:
        """Return what stands before one response."""
        preface = f"{self._system_prompt}\n\n" if self._system_prompt else ""
        return f"{preface}{instruction.text}\n"


class AlpacaFormat(RawFormat):
    """The Stanford Alpaca template, with or without input; a system prompt replaces its preface."""

    def block(self, instruction: Instruction) -> str:
        """Return preface, instruction, input where there is one, and the response's heading."""
        context = ", paired with an input that provides further context" * bool(instruction.input)
        preface = self._system_prompt or (
            f"Below is an instruction that describes a task{context}. "
            "Write a response that appropriately completes the request."
        )
        given = f"### Input:\n{instruction.input}\n\n" if instruction.input else ""
        task = f"### Instruction:\n{instruction.instruction}\n\n"
        return f"{preface}\n\n{task}{given}### Response:"


FORMATS: Mapping[str, type[ChatFormat] | type[RawFormat]] = {
    "chat": ChatFormat,
    "alpaca": AlpacaFormat,
    "raw": RawFormat,
}


def _end_of_sequence(tokenizer: "PreTrainedTokenizerBase") -> int | None:
    end: Any = tokenizer.eos_token_id
    return None if end is None else int(end)


def _turns(question: str, answer: str | None = None) -> list[dict[str, str]]:
    turns = [{"role": "user", "content": question}]
    return turns if answer is None else [*turns, {"role": "assistant", "content": answer}]


def _reference(example: Instruction) -> str:
    if example.reference is None:
        raise DataError(
            f"example {example.id} has no reference; a few-shot example needs the response to "
            "show. Cure: give it a reference or leave it out."
        )
    return example.reference
