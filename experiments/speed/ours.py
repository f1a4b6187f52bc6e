"""The one place that knows the product's functions for a training step and for sampling.

What is measured is what `stages.train` and `stages.sample` do, without Lightning around it.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial

from lightning.fabric.utilities import move_data_to_device
from torch import Tensor
from transformers import PreTrainedModel

from tuna_exp.batching.batch import RankedBatch, StepTotals, TokenizedExample
from tuna_exp.batching.choice import choose_layout
from tuna_exp.batching.layouts import LAYOUTS, collate
from tuna_exp.batching.order import Order, fewest_micro_batches
from tuna_exp.llms.base import OpenLLM
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.hugging_face import HuggingFaceLLM, HuggingFaceSampler
from tuna_exp.losses.callbacks import Tuna
from tuna_exp.losses.likelihood import mle_loss, summed_logps, token_logps
from tuna_exp.memory import kept_memory
from tuna_exp.models.compiling import compile_layers
from tuna_exp.models.sources import ModelSource
from tuna_exp.records import Candidate, Instruction

COMPILED, SMALL = "+compile", "+small"
POSITIONS, SMALL_POSITIONS = 2048, 512  # batching.micro_batch_positions: conf/batching, `SMALL`
_RANKING = Tuna("gap_mean", margin=0.1, length_exponent=1.0)


def forms() -> list[str]:
    """Return the layouts there are, and the default one as it takes less memory."""
    return [*LAYOUTS, f"shared_prompt{COMPILED}", f"shared_prompt{COMPILED}{SMALL}"]


def layout_of(form: str) -> str | None:
    """Return the layout of a form of ours, None for other forms."""
    layout = form.partition("+")[0]
    return layout if layout in LAYOUTS else None


def prepare(model: PreTrainedModel, form: str) -> None:
    """Set a model up as training in this form does; as transformers has it for other forms.

    Raises RuntimeError where the model cannot be trained in the layout.
    """
    model.set_attn_implementation("sdpa")
    layout = layout_of(form)
    if layout and choose_layout(layout, model) != layout:
        raise RuntimeError(f"{model.config.model_type} cannot be trained with batching={layout}")
    for module in model.modules():
        module._compiled_call_impl = None  # what an earlier form in this process compiled
    if COMPILED in form:
        compile_layers(model)


def memory(form: str) -> AbstractContextManager[None]:
    """Return how memory is kept during a step: as a stage does for forms of ours."""
    return kept_memory() if layout_of(form) else nullcontext()


def micro_batches(examples: list[TokenizedExample], form: str) -> Iterator[RankedBatch]:
    """Yield the micro-batches of one optimizer step on these examples."""
    layout = form.partition("+")[0]
    budget = SMALL_POSITIONS if form.endswith(SMALL) else POSITIONS
    order = Order(len(examples), accumulate=1, devices=1, epochs=1, seed=0)
    sizes = LAYOUTS[layout].sizes(examples)
    order = replace(order, accumulate=fewest_micro_batches(sizes, order, budget))
    totals = StepTotals.of(examples)
    for part in order.micro_batches(list(range(len(examples))), sizes)[0]:
        yield collate([examples[i] for i in part], layout, totals)


def loss_share(model: PreTrainedModel, batch: RankedBatch) -> Tensor:
    """Return the micro-batch's share of the step's loss, a scalar: the shares add up to it."""
    batch = move_data_to_device(batch, model.device)
    logp_T = token_logps(model, batch)
    logp_C = summed_logps(logp_T, batch.response_T, batch.length_C)
    return _RANKING.loss(_RANKING.score(logp_C, batch)) + mle_loss(logp_T, batch)


def open_llm(source: ModelSource) -> OpenLLM:
    """Load a model as the stage `sample` loads a teacher."""
    return HuggingFaceLLM(
        source=source,
        prompt_format="chat",
        system_prompt=None,
        examples=(),
        trust_remote_code=False,
        sampler=HuggingFaceSampler(dtype="float32", attn_implementation="sdpa"),
    ).open()


def sample(
    llm: OpenLLM,
    instructions: Sequence[Instruction],
    decoding: Decoding,
    batch_size: int,
    seed: int,
) -> list[list[Candidate]]:
    """Return the candidates of each instruction, shortest prompts first."""
    llm.remember(instructions)
    ordered = sorted(instructions, key=partial(llm.prompt_length, room=decoding.max_new_tokens))
    starts = range(0, len(ordered), batch_size)
    batches = [ordered[start : start + batch_size] for start in starts]
    return [one for i, b in enumerate(batches) for one in llm.answer(b, decoding, seed + i)]
