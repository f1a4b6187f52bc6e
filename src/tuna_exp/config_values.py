"""What the values of our own settings may be: types and ranges, by the end of the path.

Kept apart from the classes, so that a wrong value is told in a second: their modules import torch.
Settings of a user's own class are checked against its annotations instead (see `config_types`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Real = Annotated[float, Field(allow_inf_nan=False)]
AtLeastZero = Annotated[float, Field(ge=0, allow_inf_nan=False)]
AboveZero = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
OpenShare = Annotated[float, Field(gt=0, lt=1)]
LanguagePair = Annotated[str, Field(pattern=r"^[a-z]{2,3}-[a-z]{2,3}$")]
NonZeroShare = Annotated[float, Field(gt=0, le=1)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]
Words = Annotated[str, Field(min_length=1)]
Several = Annotated[int, Field(ge=2, description="a ranking needs at least 2 responses")]
Optimizer = Annotated[list[BelowOne], Field(min_length=2, max_length=2)]

Releases = Literal["auto", "probabilistic", "contextual", "probabilistic_raw", "contextual_raw"]
Schedules = Literal[
    "constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts",
    "polynomial", "inverse_sqrt",
]  # fmt: skip
Precisions = Literal[
    "32-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true", "64-true", "32", "16", "bf16",
    32, 16, 64,
]  # fmt: skip


class Example(BaseModel):
    """One few-shot turn."""

    model_config = ConfigDict(extra="forbid")

    instruction: Words
    reference: Words
    input: str = ""


class Criterion(BaseModel):
    """One criterion of a rubric."""

    model_config = ConfigDict(extra="forbid")

    name: Words
    question: Words
    weight: AtLeastZero


RULES: Mapping[str, Any] = {
    # The whole experiment.
    "executor.address": Words | None,
    "executor.workers": Positive,
    "executor.cpus_per_worker": Positive,
    "executor.gpus_per_worker": AtLeastZero,
    "executor.restarts": Whole,
    "seed": Annotated[int, Field(ge=0, lt=2**32)],  # NumPy takes no more
    "artifacts": Words,
    "benchmarks": Words,
    "evaluation.temperature": AtLeastZero | None,
    "evaluation.top_p": NonZeroShare | None,
    "evaluation.top_k": Whole | None,
    "runs": Words,
    "StoredAnswers.path": Words | None,
    "StoredAnswers.name": Words | None,
    "StoredAnswers.fields": dict[str, Any] | None,
    "optimize": Annotated[list[Words], Field(min_length=1)],
    "max_refused": Share,
    "allow_contaminated": list[Words],
    "run_of_words": Positive,
    # Data, benchmark and comparison.
    "path": Words,
    "AlpacaDataset.path": Words | None,
    "hub_id": Words,
    "subset": Words | None,
    "split": Words,
    "VerifiableDataset.split": Literal["train", "held_out"],
    "limit": Positive | None,
    "count": Positive,
    "per_template": Positive | None,
    "cut": bool,
    "SuperNIBenchmark.path": Words | None,
    "SuperNIBenchmark.hub_id": Words | None,
    "task_list": Words | None,
    "shots": Whole,
    "instances": Positive,
    "max_source_tokens": Positive | None,
    "kinds": Annotated[list[Words], Field(min_length=1)] | None,
    "tasks": Annotated[list[Words], Field(min_length=1)],
    "include_path": Words | None,
    "num_fewshot": Whole | None,
    "apply_chat_template": bool,
    "gen_kwargs.*": Any,
    "LmEvalBenchmark.metric": Words | None,
    "unsafe_tasks": list[Words],
    "fields.*": Words | None,
    "AnswersFile.fields": dict[str, Any] | None,
    "where.*": Words | int,
    "fields.summaries": Annotated[list[Words], Field(min_length=1)],
    "pairs": Annotated[list[LanguagePair], Field(min_length=1)] | None,
    "PairwiseRanker.pairs": Literal["all", "sorted"],
    "instruction": Words,
    "SummarisationBenchmark.split": Words | None,
    "ReadingsBenchmark.split": Words | None,
    "AmbiguityBenchmark.layout": Literal["clamber", "clariq"],
    "unclear_from": Literal[1, 2, 3, 4],
    "reference": type(None),
    "scheme": Literal["verdict", "vicuna"],
    "presentation": Literal["both", "drawn", "ours_first", "other_first"],
    "dataset.layout": Releases,
    "length_exponent": AtLeastZero,
    "baseline": Words,
    "confidence": OpenShare,
    "resamples": Annotated[int, Field(ge=100)],
    "measured_sets": Positive,
    "tracking": Literal["online", "offline", "disabled"],
    "project": Words,
    # Models.
    "name": Words,
    "revision": Words | None,
    "source": dict[str, Any],
    "prompt_format": Literal["chat", "alpaca", "raw"],
    "system_prompt": str | None,
    "dtype": Literal["float32", "bfloat16", "float16"],
    "attn_implementation": Words,
    "trust_remote_code": bool,
    "gradient_checkpointing": bool,
    "compile": bool,
    "hidden_size": Positive,
    "layers": Positive,
    "heads": Positive,
    "vocabulary_size": Positive,
    "lora.rank": Positive,
    "lora.alpha": AboveZero,
    "lora.dropout": BelowOne,
    "lora.target_modules": Words | list[Words],
    # Answers.
    "responses": Positive,
    "sampling.decoding.responses": Several,
    "sampling_of_teacher.decoding.responses": Several,
    "temperature": AtLeastZero,
    "top_p": NonZeroShare,
    "top_k": Whole,
    "max_new_tokens": Positive,
    "max_rouge": Share,
    "redraws": Whole,
    "diversity": type(None),
    "lora": type(None),
    "temperature_step": AtLeastZero,
    "answer": Literal["auto", "form", "first_token", "text"],
    "orders": Positive,
    "repeats": Whole,
    "PairwiseRanker.orders": Literal[1, 2],
    "criteria": Annotated[list[Criterion], Field(min_length=1)],
    "RewardModelRanker.label": Words | None,
    "RewardModelRanker.max_length": Positive,
    "Proxy.max_length": Positive,
    "weights.*": AboveZero,
    "combine": Literal["borda", "scores_z", "majority"],
    "share": NonZeroShare,
    "flip": Share,
    "Rule.limit": AtLeastZero,
    "action": Literal["warn", "stop", "fail"],
    "window": Positive,
    "every": Whole,
    "probe.prompts": Positive,
    "sets": Positive,
    "metric": Literal["rouge_l", "embedding"],
    "encoder": type(None),
    "examples": list[Example],
    "gpu_memory_utilization": OpenShare,
    "tensor_parallel_size": Positive,
    "max_model_len": Positive | None,
    "enforce_eager": bool,
    # Services.
    "budget.name": Words,
    "usd": AtLeastZero | None,
    "ledger": Words,
    "wire": Literal["openai_chat", "openai_completions", "anthropic_messages"],
    "base_url": Annotated[str, Field(pattern=r"^https?://")],
    "Endpoint.model": Words,
    "key_variable": Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None,
    "vendor": Words | None,
    "read": AtLeastZero | None,
    "generated": AtLeastZero | None,
    "cached_read": AtLeastZero | None,
    "transport": Literal["sync", "batch"],
    "concurrency": Annotated[int, Field(ge=1, le=1000)],
    "requests_per_minute": Positive | None,
    "tokens_per_minute": Positive | None,
    "timeout_seconds": AboveZero,
    "longest_wait_seconds": AtLeastZero,
    "patience_minutes": AtLeastZero,
    "poll_seconds": AboveZero,
    "logprobs": bool,
    "seeds": bool,
    "forms": bool,
    "choices": Positive,
    "parameters.*": Any,
    "licence": str,
    # Training.
    "mle_on": Literal["reference", "best", "all"],
    "head": Literal["chunked", "cut_cross_entropy", "liger"],
    "ranking_weight": AtLeastZero,
    "mle_weight": AtLeastZero,
    "use_unordered": bool,
    "gradient_share_every": Whole,
    "checkpoint_minutes": AboveZero,
    "checkpoint_steps": Positive | None,
    "learning_rate": AboveZero,
    "epochs": Positive,
    "beta": AboveZero,
    "gamma": Real,
    "delta": AtLeastZero,
    "margin": AtLeastZero,
    "reduction": Literal["sum", "gap_mean"],
    "betas": Optimizer,
    "weight_decay": AtLeastZero,
    "fused": bool | None,
    "schedule.name": Schedules,
    "warmup_steps": Whole,
    "batching.layout": Literal["shared_prompt", "packed", "padded"],
    "workers": Whole,
    "batch_size": Positive,
    "micro_batch_positions": Positive,
    "max_length": Annotated[int, Field(ge=2)],
    "on_too_long": Literal["error", "truncate", "drop"],
    # Lightning.
    "accelerator": Literal["auto", "cpu", "gpu", "cuda", "mps", "tpu", "hpu"],
    "devices": Annotated[int, Field(ge=-1)] | Words | list[int],
    "num_nodes": Positive,
    "strategy": Words,
    "data_parallel_size": Positive | Literal["auto"],
    "save_distributed_checkpoint": bool,
    "find_unused_parameters": bool,
    "gradient_as_bucket_view": bool,
    "stage": Literal[1, 2, 3],
    "offload_optimizer": bool,
    "offload_parameters": bool,
    "logging_batch_size_per_gpu": Positive,
    "precision": Precisions,
    "accumulate_grad_batches": Positive | None,
    "gradient_clip_val": AboveZero | None,
    "max_epochs": Literal[1],
    "log_every_n_steps": Whole,
    "enable_progress_bar": bool,
    "enable_model_summary": bool,
    "use_distributed_sampler": bool,
    "mode": Literal["online", "offline", "disabled"],
    "entity": Words | None,
    "group": Words | None,
    "tags": list[Words],
    "log_artifacts": Literal["metadata", "files", "none"],
    "axis": Literal["examples", "tokens"],
    "rows": Positive,
    "score_rows": Positive,
    "patience_seconds": AboveZero,
    "flush_logs_every_n_steps": Positive,
}


def rule_for(target: str, path: str) -> Any:
    """Return the annotation for a value, or None where there is no rule.

    `target` is the class that takes the value, "" where it has none. A rule of the class goes
    before one of the path's end, and a longer end before a shorter one.
    """
    parts = path.split(".")
    ends = [".".join(parts[i:]) for i in range(len(parts))]
    ends.insert(-1, ".".join([*parts[-2:-1], "*"]))
    ends.insert(0, f"{target.rpartition('.')[2]}.{parts[-1]}")
    return next((RULES[end] for end in ends if end in RULES), None)
