"""A local Hugging Face model as an LLM: teacher, judge, or the student itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning.fabric.utilities import move_data_to_device

from tuna_exp.batching.batch import StepTotals, TokenizedExample
from tuna_exp.batching.layouts import collate
from tuna_exp.llms.base import Form, Gift, OpenLLM, Sampler, Unpaid
from tuna_exp.llms.decoding import Decoder, Decoding
from tuna_exp.llms.exchange import candidate, fitting_prompt, option_tokens
from tuna_exp.losses.likelihood import token_logps
from tuna_exp.models.loading import load_model, load_tokenizer, supports_prompt_sharing
from tuna_exp.models.prompts import PromptEncoder
from tuna_exp.records import Candidate, Instruction


class Source(Protocol):
    """Where weights come from (see `models.sources`)."""

    def resolve(self) -> Path:
        """Return a local folder."""

    def digest(self) -> dict[str, object]:
        """Return what decides the weights."""


class HuggingFaceLLM:
    """Any decoder of the Hugging Face layout, with few-shot `examples` before the instruction.

    `sampler` is the engine it is opened with.
    """

    def __init__(
        self,
        source: Source,
        prompt_format: str,
        system_prompt: str | None,
        examples: Sequence[dict[str, str]],
        trust_remote_code: bool,
        sampler: Sampler,
    ) -> None:
        self.source = source
        self.prompt_format = prompt_format
        self.system_prompt = system_prompt
        self.examples = tuple(
            Instruction(id=f"example-{i}", **example) for i, example in enumerate(examples)
        )
        self.trust_remote_code = trust_remote_code
        self.sampler = sampler

    @property
    def gives(self) -> frozenset[Gift]:
        """Return what it gives besides texts."""
        return frozenset({"logprobs", "choices"})

    def together(self, asked: int) -> int:
        """Return as many as are set: memory is what they have to fit."""
        return asked

    def check(self) -> None:
        """Raise UserError where the engine cannot run on this machine."""
        self.sampler.check()

    def usd(self, read: float, generated: float) -> float:
        """Return 0: it runs here."""
        return 0.0

    def unpaid(
        self, instructions: Sequence[Instruction], decoding: Decoding, seed: int
    ) -> list[Unpaid]:
        """Return none."""
        return []

    def digest(self) -> dict[str, object]:
        """Return what decides the answers: weights, prompt and engine."""
        examples = [
            example.model_dump(mode="json", exclude_defaults=True) for example in self.examples
        ]
        return {
            "source": self.source.digest(),
            "prompt_format": self.prompt_format,
            "system_prompt": self.system_prompt,
            "examples": examples,
            "sampler": self.sampler.digest(),
        }

    def open(self) -> OpenLLM:
        """Load weights and tokenizer. Raises UserError where the engine cannot run here."""
        self.sampler.check()
        folder = self.source.resolve()
        tokenizer = load_tokenizer(folder, self.trust_remote_code)
        encoder = PromptEncoder(tokenizer, self.prompt_format, self.system_prompt, self.examples)
        return self.sampler.open(folder, encoder, self.trust_remote_code)


@dataclass(frozen=True)
class HuggingFaceSampler:
    """transformers in this process, on the GPU if there is one; `dtype` is that of the weights."""

    dtype: str
    attn_implementation: str

    def check(self) -> None:
        """Do nothing: it runs wherever tuna_exp does."""

    def open(
        self, folder: Path, encoder: PromptEncoder, trust_remote_code: bool
    ) -> "OpenHuggingFaceLLM":
        """Load the weights of a folder."""
        model: Any = load_model(folder, self.dtype, self.attn_implementation, trust_remote_code)
        return OpenHuggingFaceLLM(model.to("cuda" if torch.cuda.is_available() else "cpu"), encoder)

    def digest(self) -> dict[str, object]:
        """Return what decides the answers: the precision; how attention is computed does not."""
        return {"engine": "hugging_face", "dtype": self.dtype}


class OpenHuggingFaceLLM:
    """The loaded model with its prompt format."""

    def __init__(self, model: Any, encoder: PromptEncoder) -> None:
        self.model = model
        self.encoder = encoder

    @cached_property
    def _decoder(self) -> Decoder:
        return Decoder(self.model, frozenset({self.encoder.end_id}), self.encoder.pad_id)

    def remember(self, instructions: Sequence[Instruction]) -> None:
        """Compute the common beginning of these instructions' prompts once."""
        self._decoder.remember(map(self.encoder.prompt_ids, instructions))

    def prompt_length(self, instruction: Instruction, room: int) -> int:
        """Return the tokens of the prompt; ContextError where `room` more would not fit."""
        return len(self._fitting(instruction, room))

    def answer(
        self,
        instructions: Sequence[Instruction],
        decoding: Decoding,
        seed: int,
        form: Form | None = None,
    ) -> list[list[Candidate]]:
        """Return `decoding.responses` candidates per instruction; no form binds them.

        Raises ContextError where prompt and answer would not fit the model's context.
        """
        prompts = [self._fitting(i, decoding.max_new_tokens) for i in instructions]
        keys = [f"{seed}/{instruction.id}" for instruction in instructions]
        drawn = self._decoder.decode(prompts, decoding, keys)
        return [
            [candidate(self.encoder, one.tokens, one.logps, one.ended) for one in some]
            for some in drawn
        ]

    def choose(
        self, instructions: Sequence[Instruction], begun: str, options: Sequence[str]
    ) -> list[list[float]]:
        """Return each option's log-probability in nats after `begun`, one list per instruction.

        Raises ConfigError where an option is more than one token.
        """
        head, tokens = option_tokens(self.encoder, begun, options)
        prompts = [self._fitting(i, len(head) + 1) + head for i in instructions]
        return self._next_token(prompts, tokens)

    @torch.inference_mode()
    def _next_token(self, prompts: list[list[int]], tokens: list[int]) -> list[list[float]]:
        logits_RV = self._decoder.read(prompts).logits_PV
        return [[float(v) for v in row] for row in logits_RV.float().log_softmax(1)[:, tokens]]

    @torch.inference_mode()
    def score(
        self, instruction: Instruction, responses: Sequence[Sequence[int]]
    ) -> list[list[float]]:
        """Return the log-probability of every token of each response, in nats at temperature 1.

        The prompt is computed once where the model allows it, as in training.
        """
        ids = tuple(tuple(response) for response in responses)
        prompt = tuple(self.encoder.prompt_ids(instruction))
        example = TokenizedExample(
            instruction.id, prompt, ids, (-1,) * len(ids), (False,) * len(ids)
        )
        shareable = supports_prompt_sharing(self.model.config) is None
        layout = "shared_prompt" if shareable else "padded"
        batch = collate([example], layout, StepTotals.of([example]), self.encoder.pad_id)
        logp_T = token_logps(self.model, move_data_to_device(batch, self.model.device))
        return [[float(v) for v in part] for part in torch.split(logp_T, [len(r) for r in ids])]

    def score_texts(self, instruction: Instruction, texts: Sequence[str]) -> list[list[float]]:
        """Return the log-probability of every token of each text, its end included, in nats."""
        return self.score(instruction, [self.encoder.response_ids(text) for text in texts])

    def close(self) -> None:
        """Nothing was opened outside."""

    def _fitting(self, instruction: Instruction, room: int) -> list[int]:
        context = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return fitting_prompt(self.encoder, instruction, room, context)
