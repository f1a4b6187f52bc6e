"""The harness as a benchmark: its tasks are the items, it asks the model itself, task by task.

Left out: `score` of one answer, as many of its tasks have no answer but log-likelihoods. The
harness is imported when items are first called for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from tuna_exp.comparison.statistics import Bootstrap, mean_interval
from tuna_exp.errors import ConfigError
from tuna_exp.evaluation.base import Figure
from tuna_exp.evaluation.lm_eval.package import SEEDS, lm_eval_version
from tuna_exp.evaluation.lm_eval.samples import Sample
from tuna_exp.evaluation.stored import StoredAnswers
from tuna_exp.llms.base import LLM
from tuna_exp.llms.decoding import Decoding
from tuna_exp.records import Candidate, Instruction, Prediction

if TYPE_CHECKING:
    from tuna_exp.evaluation.lm_eval.marks import Marking
    from tuna_exp.evaluation.lm_eval.running import Session
    from tuna_exp.evaluation.lm_eval.tasks import Loaded

GENERATE = "generate_until"


@dataclass(frozen=True)
class LmEvalBenchmark:
    """Tasks of lm-evaluation-harness by name, or YAML files and names below `include_path`.

    `num_fewshot` None leaves each task its own; `apply_chat_template` asks in the model's prompt
    format instead of in bare text; `gen_kwargs` go before those of tasks that generate. Items are
    marked by `metric`, None: each task's first that is a share. Tasks of `unsafe_tasks` may run
    code that the model writes; with `trust_remote_code` metrics may be fetched from the Hub.
    """

    name: str
    tasks: Sequence[str]
    include_path: str | None
    num_fewshot: int | None
    apply_chat_template: bool
    gen_kwargs: Mapping[str, Any]
    metric: str | None
    unsafe_tasks: Sequence[str]
    trust_remote_code: bool
    batch_size: int

    @property
    def harness(self) -> Self:
        """Return itself: it asks the model, instead of being asked for items and scores."""
        return self

    def items(self) -> list[Instruction]:
        """Return the documents of all tasks, each task's in its order.

        Raises ConfigError for tasks that are none or not allowed, UserError where data is missing.
        """
        return [item for some in self._items.values() for item in some]

    def decoding(self) -> Decoding:
        """Return greedy decoding to the longest answer of a task; each is drawn as its own says."""
        lengths = [one.max_new_tokens for one in self._decodings.values()]
        return Decoding.greedy(max(lengths, default=1))

    def score(self, instruction: Instruction, answer: Candidate) -> Prediction:
        """Not to be called: an answer is scored where it is asked for (`ask`)."""
        raise NotImplementedError("the harness scores what it has asked")

    def figures(self, predictions: Sequence[Prediction], bootstrap: Bootstrap) -> list[Figure]:
        """Return the mean score over all: what predictions say without the harness's values."""
        scores = [prediction.score for prediction in predictions]
        return [Figure("score", "all", mean_interval(scores, (0.0, 1.0), bootstrap))]

    def digest(self) -> dict[str, object]:
        """Return the harness's version, and each task's version, settings and data."""
        from tuna_exp.evaluation.lm_eval.items import group_digest, task_digest

        tasks = {n: task_digest(t, self._docs[n]) for n, t in self._loaded.tasks.items()}
        return {
            "benchmark": "lm_eval",
            "lm_eval": lm_eval_version(),
            "tasks": tasks,
            "groups": {n: group_digest(g) for n, g in self._loaded.groups.items()},
            "apply_chat_template": self.apply_chat_template,
            "metric": self.metric,
            "seeds": dict(SEEDS),
            "batch_size": self.batch_size,
        }

    def check_model(self, llm: LLM) -> None:
        """Raise ConfigError where a model cannot be asked what the tasks ask."""
        if isinstance(llm, StoredAnswers):
            raise ConfigError(
                "evaluation.lm_eval asks the model itself and takes no stored answers "
                "(subject=answers). Cure: subject=model, or another benchmark."
            )
        from tuna_exp.evaluation.lm_eval.model import has_weights_here

        if has_weights_here(llm):
            return
        tasks = self._loaded.tasks
        others = {n: t.OUTPUT_TYPE for n, t in tasks.items() if t.OUTPUT_TYPE != GENERATE}
        if others:
            name, kind = next(iter(others.items()))
            raise ConfigError(
                f"{len(others)} of {len(tasks)} tasks of evaluation.lm_eval ask for "
                f"log-likelihoods of given texts ('{name}': {kind}); this model only answers. "
                "Cure: tasks with output_type generate_until, or a model whose weights "
                "transformers loads here (sampler=hugging_face)."
            )
        if not self.apply_chat_template:
            raise ConfigError(
                "evaluation.lm_eval.apply_chat_template=false asks in bare text; this model takes "
                "messages. Cure: evaluation.lm_eval.apply_chat_template=true."
            )

    def asked(self, items: Sequence[Instruction]) -> list[tuple[list[Instruction], Decoding]]:
        """Return what a model that only answers is asked, as it is asked, and how it answers."""
        from tuna_exp.evaluation.lm_eval.running import asked

        loaded = self._loaded.tasks
        parts = [asked(loaded[n], self._numbers(n, some)) for n, some in by_task(items).items()]
        return [one for part in parts for one in part]

    def open(self, llm: LLM) -> "Session":
        """Load a model, to be asked task by task. Raises ConfigError as `check_model`."""
        from tuna_exp.evaluation.lm_eval.running import Session

        self.check_model(llm)
        return Session.of(llm, self.batch_size, self.apply_chat_template)

    def ask(self, session: "Session", items: Sequence[Instruction]) -> list[Sample]:
        """Have the harness ask the items, which are of one task, and score what it hears."""
        name = items[0].kind
        numbers, marking = self._numbers(name, items), self._marking(name)
        return session.ask(self._loaded.tasks[name], items, numbers, marking)

    def figures_of(self, samples: Sequence[Sample], bootstrap: Bootstrap) -> list[Figure]:
        """Return the harness's figures over samples (see `figures`)."""
        from tuna_exp.evaluation.lm_eval.figures import figures

        markings = {name: self._marking(name) for name in self._loaded.tasks}
        return figures(samples, markings, self._loaded.groups, bootstrap)

    @cached_property
    def _loaded(self) -> "Loaded":
        lm_eval_version()
        from tuna_exp.evaluation.lm_eval.tasks import Request, load

        return load(
            Request(
                tuple(self.tasks),
                self.include_path,
                self.num_fewshot,
                self.gen_kwargs,
                tuple(self.unsafe_tasks),
                self.trust_remote_code,
            )
        )

    @cached_property
    def _items(self) -> dict[str, list[Instruction]]:
        lm_eval_version()
        from tuna_exp.evaluation.lm_eval.items import items_of

        return {n: items_of(n, t, self._docs[n]) for n, t in self._loaded.tasks.items()}

    @cached_property
    def _decodings(self) -> dict[str, Decoding]:
        """How those tasks have answers drawn that generate."""
        from tuna_exp.evaluation.lm_eval.model import decoding_of

        return {
            name: decoding_of(task.get_config("generation_kwargs") or {})
            for name, task in self._loaded.tasks.items()
            if task.OUTPUT_TYPE == GENERATE
        }

    @cached_property
    def _docs(self) -> dict[str, Sequence[Any]]:
        return {name: list(task.eval_docs) for name, task in self._loaded.tasks.items()}

    def _numbers(self, name: str, items: Sequence[Instruction]) -> list[int] | None:
        """Return which documents of a task items are, None for all: the harness then asks all."""
        from tuna_exp.evaluation.lm_eval.items import doc_number

        whole = len(items) == len(self._docs[name])
        return None if whole else sorted(map(doc_number, items))

    def _marking(self, name: str) -> "Marking":
        from tuna_exp.evaluation.lm_eval.marks import Marking

        return Marking(name, self._loaded.tasks[name].aggregation(), self.metric)


def by_task(items: Sequence[Instruction]) -> dict[str, list[Instruction]]:
    """Return items by the task they are of, in the order of the items."""
    found: dict[str, list[Instruction]] = {}
    for item in items:
        found.setdefault(item.kind, []).append(item)
    return found
