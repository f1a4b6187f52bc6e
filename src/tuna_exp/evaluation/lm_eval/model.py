"""Our models as the harness asks them: one for weights that are loaded here, one for all others.

Weights go through the harness's own HFLM, whose tokens, truncation, stop strings and
log-likelihoods are what published figures were made with. Whoever only answers (a service, vLLM)
gets an LM of ours: it can generate, and log-likelihoods of a given text it does not have.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from lm_eval.api.model import LM
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import normalize_gen_kwargs, postprocess_generated_text

from tuna_exp.llms.base import LLM, OpenLLM
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.hugging_face import HuggingFaceLLM, HuggingFaceSampler, OpenHuggingFaceLLM
from tuna_exp.models.prompts import PromptEncoder
from tuna_exp.records import Candidate, Instruction

LONGEST = 256  # tokens of an answer where a task names no number, as in the harness
SEED = 0
BARE = {"apply_chat_template": False, "system_instruction": None, "fewshot_as_multiturn": True}


def has_weights_here(llm: LLM) -> bool:
    """Whether a model's weights are loaded into this process by transformers."""
    return isinstance(llm, HuggingFaceLLM) and isinstance(llm.sampler, HuggingFaceSampler)


class PromptedHFLM(HFLM):  # type: ignore[misc]
    """The harness's HFLM around a loaded model; its chat template is our prompt format.

    So that `apply_chat_template` asks the model as it was trained, in the Alpaca form too.
    """

    def __init__(self, opened: OpenHuggingFaceLLM, llm: HuggingFaceLLM, batch_size: int) -> None:
        super().__init__(
            pretrained=opened.model,
            tokenizer=opened.encoder.tokenizer,
            backend="causal",
            batch_size=batch_size,
        )
        self.llm = llm

    def prompting(self, apply_chat_template: bool) -> dict[str, Any]:
        """Return the harness's settings of prompts; a system prompt is before bare text too."""
        return {
            "apply_chat_template": apply_chat_template,
            "system_instruction": self.llm.system_prompt,
            "fewshot_as_multiturn": True,
        }

    def loglikelihood(self, requests: Any, disable_tqdm: bool = True) -> Any:
        """As HFLM's, without its bars."""
        return super().loglikelihood(requests, disable_tqdm)

    def generate_until(self, requests: Any, disable_tqdm: bool = True) -> Any:
        """As HFLM's, without its bars."""
        return super().generate_until(requests, disable_tqdm)

    def _loglikelihood_tokens(self, requests: Any, **options: Any) -> Any:
        return super()._loglikelihood_tokens(requests, **{**options, "disable_tqdm": True})

    def tokens(self, responses: Sequence[str]) -> int:
        """Return the tokens of answers."""
        return sum(len(self.tok_encode(one, add_special_tokens=False)) for one in responses)

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Return the prompt of a conversation: system text, few-shot turns, the question.

        Without `add_generation_prompt` the last message is how the answer begins.
        """
        turns = [turn for turn in chat_history if turn["role"] != "system"]
        system = "\n\n".join(turn["content"] for turn in chat_history if turn["role"] == "system")
        begun = "" if add_generation_prompt else turns.pop()["content"]
        examples = [
            _turn(asked["content"], said["content"])
            for asked, said in zip(turns[:-1:2], turns[1::2], strict=True)
        ]
        encoder = PromptEncoder(
            self.tokenizer,
            self.llm.prompt_format,
            system or None,
            (*self.llm.examples, *examples),
        )
        return encoder.prompt_text(_turn(turns[-1]["content"])) + begun


class AnsweringLM(LM):  # type: ignore[misc]
    """An LLM of ours that is asked to generate, each context as one message.

    It keeps the answers in `answered`, in the order of the requests of the last call.
    """

    def __init__(self, llm: LLM, opened: OpenLLM, batch_size: int) -> None:
        super().__init__()
        self.llm = llm
        self.opened = opened
        self.size = llm.together(batch_size)
        self.answered: list[Candidate] = []

    def prompting(self, apply_chat_template: bool) -> dict[str, Any]:
        """Return the harness's settings of prompts: bare text, which becomes the one message."""
        return dict(BARE)

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Answer every request and cut each answer at the task's stop strings."""
        asked = questions(requests)
        found: dict[int, Candidate] = {}
        for (decoding, repeat), places in grouped(requests).items():
            for start in range(0, len(places), self.size):
                some = places[start : start + self.size]
                drawn = self.opened.answer([asked[i] for i in some], decoding, seed=SEED + repeat)
                found |= {place: one[0] for place, one in zip(some, drawn, strict=True)}
        self.answered = [found[place] for place in range(len(requests))]
        return [
            str(postprocess_generated_text(one.text, stops(request), None))
            for one, request in zip(self.answered, requests, strict=True)
        ]

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Refused before anything is asked (see `LmEvalBenchmark.check_model`)."""
        raise NotImplementedError("a model that only answers gives no log-likelihoods")

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """Refused likewise."""
        raise NotImplementedError("a model that only answers gives no log-likelihoods")


def questions(requests: Sequence[Any]) -> list[Instruction]:
    """Return the requests as instructions; what is asked decides an id, not the subset."""
    return [
        Instruction(
            id=sha256(request.args[0].encode()).hexdigest()[:16], instruction=_asked(request)
        )
        for request in requests
    ]


def grouped(requests: Sequence[Any]) -> dict[tuple[Decoding, int], list[int]]:
    """Return the places of requests that are drawn alike; of a repeated one, how often it came."""
    seen: dict[str, int] = {}
    groups: dict[tuple[Decoding, int], list[int]] = {}
    for place, request in enumerate(requests):
        key = f"{request.task_name}/{request.doc_id}/{request.idx}"
        repeat = seen[key] = seen.get(key, -1) + 1
        groups.setdefault((decoding_of(request.args[1]), repeat), []).append(place)
    return groups


def decoding_of(gen_kwargs: Mapping[str, Any]) -> Decoding:
    """Return how a task has its answers drawn; greedily where it does not say otherwise."""
    read: Any = normalize_gen_kwargs(dict(gen_kwargs), LONGEST)
    return Decoding(
        responses=1,
        temperature=float(read.get("temperature") or 0.0),
        top_p=float(read.get("top_p") or 1.0),
        top_k=int(read.get("top_k") or 0),
        max_new_tokens=int(read["max_gen_toks"]),
    )


def stops(request: Any) -> list[str]:
    """Return the strings that end an answer."""
    read: Any = normalize_gen_kwargs(dict(request.args[1]), LONGEST)
    return [stop for stop in read.get("until") or () if stop]


def _asked(request: Any) -> str:
    context = str(request.args[0])
    return context if context.strip() else f"{request.task_name} {request.doc_id}"


def _turn(question: str, answer: str | None = None) -> Instruction:
    return Instruction(id="turn", instruction=question or " ", reference=answer)
