"""Run the harness on items of one task with an opened model, and take what it logged.

Its `evaluate` is called, not `simple_evaluate`, which also asks pip about the machine. Each task is
seeded by itself, so that a run that continues after a kill asks the same.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
import torch
from lm_eval.evaluator import evaluate as run_harness

from tuna_exp.errors import ContextError, UserError, in_short
from tuna_exp.evaluation.lm_eval.items import doc_number
from tuna_exp.evaluation.lm_eval.marks import Marking
from tuna_exp.evaluation.lm_eval.model import (
    BARE,
    AnsweringLM,
    PromptedHFLM,
    grouped,
    has_weights_here,
    questions,
)
from tuna_exp.evaluation.lm_eval.package import SEEDS
from tuna_exp.evaluation.lm_eval.samples import Sample, metric_key, plain
from tuna_exp.llms.base import LLM, OpenLLM
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.hugging_face import HuggingFaceLLM
from tuna_exp.records import Candidate, Instruction, Prediction

# What the harness and functions of tasks raise where a task does not fit its items.
_FAULTS = (AssertionError, ValueError, TypeError, LookupError, ArithmeticError)


@dataclass(frozen=True)
class Session:
    """A model that is loaded, and how the harness is to ask it."""

    lm: PromptedHFLM | AnsweringLM
    opened: OpenLLM
    apply_chat_template: bool

    @classmethod
    def of(cls, llm: LLM, batch_size: int, apply_chat_template: bool) -> Self:
        """Load a model; `batch_size` requests are computed together."""
        opened: Any = llm.open()
        if has_weights_here(llm):
            model: Any = PromptedHFLM(opened, cast(HuggingFaceLLM, llm), batch_size)
        else:
            model = AnsweringLM(llm, opened, batch_size)
        return cls(model, opened, apply_chat_template)

    def close(self) -> None:
        """Let go of the model."""
        self.opened.close()

    def ask(
        self,
        task: Any,
        items: Sequence[Instruction],
        numbers: Sequence[int] | None,
        marking: Marking,
    ) -> list[Sample]:
        """Return one Sample per item of a task; `numbers` are their documents, None for all.

        Raises UserError where no metric marks the items, ContextError where an answer leaves no
        room for a prompt.
        """
        name = marking.task
        seed_all(task)
        try:
            results: Any = run_harness(
                self.lm,
                {"tasks": {name: task}},
                samples=None if numbers is None else {name: list(numbers)},
                bootstrap_iters=0,
                log_samples=True,
                confirm_run_unsafe_code=True,  # refused when tasks are loaded, unless named
                **self.lm.prompting(self.apply_chat_template),
            )
        except _FAULTS as error:
            raise _told(name, error) from error
        logged: dict[int, list[Any]] = {}
        for one in results["samples"][name]:
            logged.setdefault(int(one["doc_id"]), []).append(one)
        values = {number: _metrics(name, number, parts) for number, parts in logged.items()}
        main = marking.main(list(values.values()))
        bought = _bought(self.lm, task, numbers)
        samples = []
        for item in items:
            number = doc_number(item)
            score = marking.share(main, values[number][main]) or 0.0
            answer = _answer(self.lm, task, logged[number][0], bought.get(number, []))
            prediction = Prediction(instruction=item, passed=score == 1.0, score=score, **answer[0])
            samples.append(Sample(prediction=prediction, metrics=values[number], **answer[1]))
        return samples


def asked(task: Any, numbers: Sequence[int] | None) -> list[tuple[list[Instruction], Decoding]]:
    """Return a task's requests to a model that only answers, by how the answers are drawn."""
    task.set_fewshot_seed(seed=SEEDS["fewshot"])
    task.build_all_requests(samples=numbers, **BARE)
    requests = repeated(task)
    texts = questions(requests)
    return [
        ([texts[place] for place in places], decoding)
        for (decoding, _), places in grouped(requests).items()
    ]


def seed_all(task: Any) -> None:
    """Seed what the harness draws from, as its own command does, for this task."""
    random.seed(SEEDS["random"])
    np.random.seed(SEEDS["numpy"])
    torch.manual_seed(SEEDS["torch"])
    task.set_fewshot_seed(seed=SEEDS["fewshot"])


def repeated(task: Any) -> list[Any]:
    """Return a task's requests, each as often as it is asked."""
    return [request for request in task.instances for _ in range(request.repeats)]


def _told(name: str, error: Exception) -> Exception:
    words = in_short(error)
    if "maximum sequence length" in words:
        return ContextError(
            f"the task {name}: {words} Cure: evaluation.lm_eval.gen_kwargs.max_gen_toks=N below "
            "the model's context."
        )
    return UserError(
        f"the harness cannot score the task {name}: {type(error).__name__}: {words}. Cure: see "
        "that the task's metrics and functions fit its items; the other tasks are kept."
    )


def _metrics(name: str, number: int, logged: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a document's values of all metrics; it is logged once for each filter."""
    return {
        metric_key(metric, str(one["filter"])): plain(one[metric], f"{name}/{number}: {metric}")
        for one in logged
        for metric in one["metrics"]
    }


def _answer(
    lm: PromptedHFLM | AnsweringLM,
    task: Any,
    logged: Mapping[str, Any],
    bought: Sequence[Candidate],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parts of a prediction and of a sample that tell what was answered."""
    responses = plain(logged["resps"], f"{task.task_name}: responses")
    tokens = sum(one.tokens for one in bought)
    if task.OUTPUT_TYPE == "generate_until" and isinstance(lm, PromptedHFLM):
        tokens = lm.tokens(responses[0])
    usd = sum(one.origin.usage.usd for one in bought if one.origin)
    text = _text(task, logged, responses)
    return {"text": text, "tokens": tokens}, {"responses": tuple(responses), "usd": usd}


def _text(task: Any, logged: Mapping[str, Any], responses: Sequence[Any]) -> str:
    """Return the answer: what was generated, the likeliest choice, a greedy continuation, or ""."""
    if task.OUTPUT_TYPE == "generate_until":
        return str(responses[0][0])
    pairs = [some[0] for some in responses if isinstance(some[0], list)]
    if task.OUTPUT_TYPE == "multiple_choice" and pairs:
        likeliest = max(range(len(pairs)), key=lambda place: pairs[place][0])
        context, choice = logged["arguments"][likeliest][:2]
        several = len({arguments[0] for arguments in logged["arguments"]}) > 1
        return str(context if several else choice).strip()
    greedy = bool(pairs) and bool(pairs[0][1])
    return str(logged["arguments"][0][1]) if greedy else ""


def _bought(
    lm: PromptedHFLM | AnsweringLM, task: Any, numbers: Sequence[int] | None
) -> dict[int, list[Candidate]]:
    """Return the candidates of each document, where they came as such."""
    found: dict[int, list[Candidate]] = {}
    if isinstance(lm, AnsweringLM):
        for request, one in zip(repeated(task), lm.answered, strict=True):
            # The harness counts the documents it was given.
            number = request.doc_id if numbers is None else numbers[request.doc_id]
            found.setdefault(number, []).append(one)
    return found
