"""vLLM as an engine, as far as it goes without vLLM: what it is asked and how replies are read."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tuna_exp.errors import ConfigError, UserError
from tuna_exp.llms import vllm
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.hugging_face import HuggingFaceLLM, OpenHuggingFaceLLM
from tuna_exp.llms.vllm import OpenVllm, VllmSampler
from tuna_exp.models.student import Folder
from tuna_exp.records import Instruction

SAMPLER = VllmSampler("bfloat16", 0.8, 1, None, False)
HOW = Decoding(responses=2, temperature=0.7, top_p=0.9, top_k=5, max_new_tokens=3)
QUESTIONS = [Instruction(id=name, instruction=f"Say {name}.") for name in "ab"]


def logprob(value: float) -> SimpleNamespace:
    return SimpleNamespace(logprob=value, rank=1, decoded_token=None)


@dataclass
class Engine:
    """Answers every prompt with an ended and a cut sequence; a prompt's token scores -its id."""

    end: int
    context: int = 512
    asked: list[tuple[Any, Any]] = field(default_factory=list)

    @property
    def llm_engine(self) -> Any:
        return SimpleNamespace(model_config=SimpleNamespace(max_model_len=self.context))

    def generate(self, prompts: Any, params: Any, use_tqdm: bool) -> list[Any]:
        self.asked += zip(prompts, params, strict=True)
        return [self.reply(prompt["prompt_token_ids"]) for prompt in prompts]

    def reply(self, prompt: list[int]) -> Any:
        made = [([70, self.end], "stop"), ([71, 72, 73], "length")]
        outputs = [
            SimpleNamespace(
                token_ids=ids,
                finish_reason=reason,
                logprobs=[{i: logprob(-i / 100), 9: logprob(-0.1)} for i in ids],
            )
            for ids, reason in made
        ]
        scored = [None, *({i: logprob(-float(i))} for i in prompt[1:])]
        return SimpleNamespace(outputs=outputs, prompt_logprobs=scored)


@pytest.fixture
def running(opened: OpenHuggingFaceLLM) -> OpenVllm:
    return OpenVllm(Engine(opened.encoder.end_id), opened.encoder, lambda **given: given)


def test_replies_become_candidates(running: OpenVllm) -> None:
    """The end token has its log-probability and no text; of several, the drawn token's counts."""
    answers = running.answer(QUESTIONS, HOW, 0)
    assert [len(some) for some in answers] == [2, 2]
    ended, cut = answers[0]
    end = running.encoder.end_id
    assert (ended.token_ids, ended.finish_reason) == ((70, end), "stop")
    assert ended.token_logprobs == (-0.7, -end / 100)
    assert ended.text == running.encoder.response_text([70])
    assert (cut.token_ids, cut.finish_reason) == ((71, 72, 73), "length")
    assert cut.text == running.encoder.response_text([71, 72, 73])


def test_what_the_engine_is_asked(running: OpenVllm) -> None:
    running.answer(QUESTIONS, HOW, 0)
    running.answer(QUESTIONS[1:], HOW, 0)
    running.answer(QUESTIONS[1:], HOW, 1)
    prompts, params = zip(*running.engine.asked, strict=True)
    assert prompts[0] == {"prompt_token_ids": running.encoder.prompt_ids(QUESTIONS[0])}
    drawn = {"n": 2, "temperature": 0.7, "top_p": 0.9, "top_k": 5, "max_tokens": 3, "logprobs": 0}
    assert drawn.items() <= params[0].items()
    assert params[0]["stop_token_ids"] == [running.encoder.end_id] and params[0]["ignore_eos"]
    first, second, same, other = (given["seed"] for given in params)
    assert len({first, second, other}) == 3 and second == same


def test_options_are_scored_behind_the_prompt(running: OpenVllm) -> None:
    scores = running.choose(QUESTIONS, "Best response:", [" A", " B"])
    ids = [running.encoder.response_ids(f"Best response: {x}", complete=False)[-1] for x in "AB"]
    assert scores == [[-float(i) for i in ids]] * 2


def test_too_long_for_the_engine_is_refused(running: OpenVllm) -> None:
    running.engine.context = 12
    with pytest.raises(ConfigError, match="'a'.*context of 12.*Cure"):
        running.answer(QUESTIONS, HOW, 0)


def llm(folder: Path) -> HuggingFaceLLM:
    return HuggingFaceLLM(Folder(folder), "chat", None, (), False, SAMPLER)


def test_without_vllm_the_cure_is_named(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="not installed. Cure: `pip install vllm`.*hugging_face"):
        llm(tiny_folder).open()


def test_without_a_gpu_the_cure_is_named(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm, "find_spec", lambda name: object())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no CUDA GPU. Cure:.*sampler=hugging_face"):
        llm(tiny_folder).open()
