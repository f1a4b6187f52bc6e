"""vLLM in this process: the same prompts and the same log-probabilities, for a GPU.

vLLM is not a dependency: it pins its own torch. It batches by itself, so how many instructions are
asked at once decides only how often it waits for the last of them. Written to the documented
interface of vLLM 0.10 to 0.22. Left out: servers, LoRA adapters that are not merged, weights that
change while the engine runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from tuna_exp.errors import UserError
from tuna_exp.llms.base import Form
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.exchange import candidate, fitting_prompt, option_tokens, request_seed
from tuna_exp.models.prompts import PromptEncoder
from tuna_exp.records import Candidate, Instruction


@dataclass(frozen=True)
class VllmSampler:
    """Settings of the engine.

    `gpu_memory_utilization` is the share of the GPU's memory it may take, `tensor_parallel_size`
    the GPUs a model is split over, `max_model_len` tokens of prompt and answer (None: the model's
    context). `enforce_eager` starts faster and runs slower.
    """

    dtype: str
    gpu_memory_utilization: float
    tensor_parallel_size: int
    max_model_len: int | None
    enforce_eager: bool

    def digest(self) -> dict[str, object]:
        """Return what decides the answers: engine and precision."""
        return {"engine": "vllm", "dtype": self.dtype}

    def check(self) -> None:
        """Raise UserError where vLLM is not installed or has no GPU."""
        missing = {
            "the package vllm is not installed. Cure: `pip install vllm`": find_spec("vllm"),
            "there is no CUDA GPU. Cure: run on a machine with one": torch.cuda.is_available(),
        }
        reason = next((words for words, there in missing.items() if not there), None)
        if reason:
            raise UserError(f"sampler=vllm: {reason}, or take sampler=hugging_face.")

    def open(self, folder: Path, encoder: PromptEncoder, trust_remote_code: bool) -> "OpenVllm":
        """Start the engine on a model folder. Raises UserError where it cannot run here."""
        self.check()
        import vllm

        engine = vllm.LLM(
            model=str(folder),
            trust_remote_code=trust_remote_code,
            dtype=self.dtype,
            gpu_memory_utilization=self.gpu_memory_utilization,
            tensor_parallel_size=self.tensor_parallel_size,
            max_model_len=self.max_model_len,
            enforce_eager=self.enforce_eager,
            enable_prefix_caching=True,
            logprobs_mode="raw_logprobs",  # of temperature 1, before top-k and top-p
            generation_config="vllm",  # the folder's own would change what ends an answer
        )
        return OpenVllm(engine, encoder, vllm.SamplingParams)


class OpenVllm:
    """The running engine with a prompt format; `params` is vLLM's SamplingParams."""

    def __init__(self, engine: Any, encoder: PromptEncoder, params: Any) -> None:
        self.engine = engine
        self.encoder = encoder
        self.params = params

    def remember(self, instructions: Sequence[Instruction]) -> None:
        """Do nothing: the engine finds what prompts share by itself."""

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

        Raises ConfigError where prompt and answer would not fit the model's context.
        """
        prompts = [self._fitting(i, decoding.max_new_tokens) for i in instructions]
        params = [self._drawn(decoding, request_seed(seed, i.id)) for i in instructions]
        return [
            [self._candidate(output) for output in request.outputs]
            for request in self._generate(prompts, params)
        ]

    def choose(
        self, instructions: Sequence[Instruction], begun: str, options: Sequence[str]
    ) -> list[list[float]]:
        """Return each option's log-probability in nats after `begun`, one list per instruction.

        Each option is put behind the prompt and scored as part of it, which every vLLM can do.
        Raises ConfigError where an option is more than one token.
        """
        head, tokens = option_tokens(self.encoder, begun, options)
        begun_prompts = [self._fitting(i, len(head) + 2) + head for i in instructions]
        prompts = [[*prompt, token] for prompt in begun_prompts for token in tokens]
        params = self.params(max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False)
        requests = self._generate(prompts, [params] * len(prompts))
        scores = [
            float(request.prompt_logprobs[-1][prompt[-1]].logprob)
            for request, prompt in zip(requests, prompts, strict=True)
        ]
        return [scores[i : i + len(tokens)] for i in range(0, len(scores), len(tokens))]

    def score_texts(self, instruction: Instruction, texts: Sequence[str]) -> list[list[float]]:
        """Return the log-probability of every token of each text, its end included, in nats."""
        answers = [self.encoder.response_ids(text) for text in texts]
        prompt = self._fitting(instruction, max(map(len, answers)) + 1)
        params = self.params(max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False)
        requests = self._generate([prompt + ids for ids in answers], [params] * len(answers))
        return [
            [
                float(known[token].logprob)
                for token, known in zip(ids, request.prompt_logprobs[-len(ids) :], strict=True)
            ]
            for ids, request in zip(answers, requests, strict=True)
        ]

    def close(self) -> None:
        """Nothing was opened outside."""

    def _fitting(self, instruction: Instruction, room: int) -> list[int]:
        context = int(self.engine.llm_engine.model_config.max_model_len)
        return fitting_prompt(self.encoder, instruction, room, context)

    def _drawn(self, decoding: Decoding, seed: int) -> Any:
        return self.params(
            n=decoding.responses,
            temperature=decoding.temperature,
            top_p=decoding.top_p,
            top_k=decoding.top_k,
            seed=seed,
            max_tokens=decoding.max_new_tokens,
            logprobs=0,  # of the token drawn alone
            stop_token_ids=[self.encoder.end_id],
            ignore_eos=True,  # the prompt format says what ends an answer
            detokenize=False,
        )

    def _generate(self, prompts: list[list[int]], params: list[Any]) -> Any:
        asked = [{"prompt_token_ids": prompt} for prompt in prompts]
        return self.engine.generate(asked, params, use_tqdm=False)

    def _candidate(self, output: Any) -> Candidate:
        tokens = [int(token) for token in output.token_ids]
        logps = [
            float(of_token[token].logprob)
            for token, of_token in zip(tokens, output.logprobs, strict=True)
        ]
        return candidate(self.encoder, tokens, logps, output.finish_reason == "stop")
