"""What 100 million instructions would take, stage by stage, from what was measured here.

    python -m experiments.record_scale

writes experiments/scale. What a process keeps of an example, and how fast it ranks, is measured;
shares of a peak are read from what another command wrote (experiments/speed/results); what could
not be measured without a GPU is listed as assumed, and stands in `ASSUMED` alone. Operations are
those of `tuna_exp.efficiency.flops`.
"""

import json
import os
import tempfile
import tracemalloc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from statistics import median
from time import perf_counter

from tuna_exp.batching.batch import TokenizedExample
from tuna_exp.batching.layouts import LAYOUTS
from tuna_exp.batching.order import Order, PlannedBatches, fewest_micro_batches
from tuna_exp.batching.tokens import Tokens, write_tokens
from tuna_exp.efficiency.flops import ModelShape, Work, forward, responses, training
from tuna_exp.plan import Workspace
from tuna_exp.progress import StepBar
from tuna_exp.rankers.probabilistic import ProbabilisticRanker
from tuna_exp.records import Candidate, CandidateSet, Instruction, write_records
from tuna_exp.stages.rank import rank
from tuna_exp.stages.sample import CANDIDATES

ROOT = Path(__file__).parent
RESULTS = ROOT / "speed/results"
OUT, MEASURED = ROOT / "scale/README.md", ROOT / "scale/measured.json"
INSTRUCTIONS = 100_000_000
N = 4
# Tokens of a prompt in its format, and of a response; Alpaca's means are 60 and 70.
PROMPT, RESPONSE = 60, 70
# A judge reads its question, the prompt and N responses, and writes an order.
QUESTION, ORDER = 120, 20
STUDENT = ModelShape(layers=28, width=2048, matrices=1_409_286_144, head=151_936 * 2048)
TEACHER = ModelShape(layers=32, width=4096, matrices=6_476_005_376, head=32_000 * 4096)


@dataclass(frozen=True)
class Assumed:
    """Of one GPU: FLOP/s of a large product in bfloat16, bytes/s of its memory, dollars an hour.

    `rows` are sequences decoded together.
    """

    flops: float = 600e12
    memory: float = 3.35e12
    dollars: float = 2.5
    rows: int = 512


ASSUMED = Assumed()


@dataclass(frozen=True)
class Stage:
    """What a stage reads and writes: tokens through a model, operations, GPU hours, bytes kept."""

    name: str
    tokens: float
    flops: float
    hours: float
    size: float
    bound: str


def utilisation(form: str, precision: str) -> float:
    """Return the measured share of the machine's own GEMM peak that training reaches."""
    report = json.loads((RESULTS / "training.json").read_text())
    shares = [
        one["flops"] / one["seconds"] / one["gemm"]
        for result in report["results"]
        for variant in result["variants"]
        if (variant["form"], variant["precision"]) == (form, precision)
        for one in variant["rounds"]
        if one["failed"] is None and one["gemm"]
    ]
    return float(median(shares))


def candidate_set() -> CandidateSet:
    """Return N responses to an instruction of the lengths above."""
    texts = [" ".join(["word"] * RESPONSE)] * N
    made = tuple(
        Candidate(
            text=text,
            token_ids=tuple(range(20_000, 20_000 + RESPONSE)),
            token_logprobs=tuple(-1.2345678 - i / 997 for i in range(RESPONSE)),
        )
        for text in texts
    )
    asked = Instruction(id="0" * 12, instruction=" ".join(["word"] * PROMPT), reference=texts[0])
    return CandidateSet(instruction=asked, candidates=made)


def record_bytes() -> tuple[float, float]:
    """Return the bytes that a candidate set and a ranked one take, of records as they are."""
    candidates = candidate_set()
    asked = candidates.instruction
    whole = len(candidates.model_dump_json(exclude_defaults=True).encode())
    ranked = len(asked.model_dump_json(exclude_defaults=True).encode()) + N * (5 * RESPONSE + 120)
    return whole, ranked


def training_bytes(few: int = 5_000, many: int = 20_000) -> float:
    """Return the bytes that a training keeps of an example: its size, its place in the plan."""
    with tempfile.TemporaryDirectory() as folder:
        # The first time pays for what libraries load and keep, at sizes of its own.
        _, first, last = (
            _planned(Path(folder) / str(turn), count) for turn, count in enumerate((few, few, many))
        )
    return (last - first) / (many - few)


def _planned(path: Path, count: int) -> int:
    prompt, response = tuple(range(PROMPT)), tuple(range(RESPONSE))
    one = TokenizedExample("", prompt, (response,) * N, tuple(range(N)), (True,) * N)
    write_tokens(path, repeat(one, count))
    tracemalloc.start()
    examples = Tokens(path)
    sizes = LAYOUTS["shared_prompt"].sizes(examples)
    order = Order(128, 1, 1, 1, 0)
    order = replace(order, accumulate=fewest_micro_batches(sizes, order, 16_384))
    planned = PlannedBatches(examples, sizes, order, "shared_prompt", 0, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(planned)
    return peak


def ranked_per_second(count: int = 4_000) -> float:
    """Return how many sets a second are read, ranked by likelihood and written."""
    one = candidate_set()
    with tempfile.TemporaryDirectory() as folder:
        samples, ranking = Path(folder) / "samples", Path(folder) / "ranking"
        samples.mkdir()
        ranking.mkdir()
        named = (one.instruction.model_copy(update={"id": str(i)}) for i in range(count))
        sets = (one.model_copy(update={"instruction": instruction}) for instruction in named)
        write_records(samples / CANDIDATES, sets)
        bar = StepBar("rank", 1.0, lambda: None)
        began = perf_counter()
        rank(ProbabilisticRanker(1.0), None, Workspace(ranking, {"candidates": samples}, bar))
        return count / (perf_counter() - began)


def stages() -> Iterator[Stage]:
    """Yield the stages of Tuna: the teacher samples, the student learns, samples and learns on."""
    share = utilisation("shared_prompt", "bf16")
    sampled, ranked = record_bytes()
    sets = responses(PROMPT, [RESPONSE] * N, shared=True)
    one = responses(PROMPT, [RESPONSE], shared=True)
    yield _training("train SFT", one, share)
    yield _sampling("sample teacher", TEACHER, sets, sampled)
    yield Stage("rank by likelihood", 0, 0, 0, INSTRUCTIONS * ranked, "disk")
    yield _training("train Tuna-p", sets, share)
    yield _sampling("sample student", STUDENT, sets, sampled)
    asked = responses(QUESTION + PROMPT + N * RESPONSE, [ORDER], shared=True)
    yield _sampling("rank by a judge of the teacher's size", TEACHER, asked, ranked)
    yield _training("train Tuna-c", sets, share)


def _training(name: str, work: Work, share: float) -> Stage:
    flops = INSTRUCTIONS * training(STUDENT, [work], trained=1.0)
    hours = flops / (ASSUMED.flops * share) / 3600
    tokens = INSTRUCTIONS * work.tokens
    return Stage(name, tokens, flops, hours, 4 * tokens, "compute")


def _sampling(name: str, shape: ModelShape, work: Work, size: float) -> Stage:
    """Reading a prompt is bound by compute, writing by the weights read once for `rows` tokens."""
    flops = INSTRUCTIONS * forward(shape, work)
    read = flops / (ASSUMED.flops * 0.5)
    steps = INSTRUCTIONS * work.predicted / ASSUMED.rows
    written = steps * 2 * (shape.matrices + shape.head) / ASSUMED.memory
    bound = "memory" if written > read else "compute"
    hours = max(read, written) / 3600
    return Stage(name, INSTRUCTIONS * work.tokens, flops, hours, INSTRUCTIONS * size, bound)


def page(measured: Mapping[str, float]) -> str:
    """Return the page in Markdown; `measured` is what `main` has measured and kept."""
    found = list(stages())
    total = sum(stage.hours for stage in found)
    worst = max(found, key=lambda stage: stage.hours)
    heads = ["stage", "tokens", "FLOP", "GPU hours", "dollars", "bytes written", "bound by"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    lines += [f"| {' | '.join(cells(stage))} |" for stage in found]
    driver = INSTRUCTIONS * record_bytes()[0]
    share = utilisation("shared_prompt", "bf16")
    kept, rate = measured["training_bytes"], measured["sets_ranked_per_second"]
    return f"""# On paper: {INSTRUCTIONS / 1e6:.0f} million instructions

`python -m experiments.record_scale` wrote this. A student of 1.7 billion parameters, a teacher
and a judge of 7 billion, N = {N}, prompts of {PROMPT} and responses of {RESPONSE} tokens, one
epoch each.

{chr(10).join(lines)}

Altogether {total:,.0f} GPU hours, {total * ASSUMED.dollars:,.0f} dollars,
{sum(stage.size for stage in found) / 1e12:.1f} TB. On 64 GPUs: {total / 64 / 24:.1f} days.

**The bottleneck is "{worst.name}"**: {worst.hours / total:.0%} of the hours, bound by
{worst.bound}.

- Measured: training reaches {share:.0%} of the machine's own GEMM peak in bfloat16 with shared
  prompts (median over the cases of experiments/speed/results/training.json, on two CPU cores);
  bytes are those of the records as they are written.
- Assumed, never run here: {ASSUMED.flops / 1e12:.0f} TFLOP/s for a large product on one GPU, the
  same share of it as on the CPU, half of it for reading prompts, {ASSUMED.memory / 1e12:.2f} TB/s
  of memory, {ASSUMED.rows} rows decoded together, {ASSUMED.dollars} dollars an hour.
  Communication between GPUs is not in it.
- Memory: one set of samples is {driver / 1e9:,.0f} GB, which stay on disk. For each instruction
  the process that leads a stage keeps less than 500 bytes when it samples, ranks and tokenises
  (tests/stages/test_larger_than_memory.py holds it there), {INSTRUCTIONS * 500 / 1e9:,.0f} GB, and
  {kept:,.0f} when it trains (measured: sizes and plan of the batches of an epoch),
  {kept * INSTRUCTIONS / 1e9:,.0f} GB in each process.
- Disk and one core: one process reads and writes all records of a stage. A ranking by likelihood
  was measured at {rate:,.0f} sets a second, {INSTRUCTIONS / rate / 3600:,.0f} hours in all, in
  which no GPU works.
"""


def cells(stage: Stage) -> list[str]:
    """Return a stage's line."""
    return [
        stage.name,
        _short(stage.tokens, 1e9, "G"),
        _short(stage.flops, 1e21, "Z"),
        f"{stage.hours:,.0f}",
        f"{stage.hours * ASSUMED.dollars:,.0f}",
        _short(stage.size, 1e9, "GB"),
        stage.bound,
    ]


def _short(value: float, unit: float, name: str) -> str:
    return f"{value / unit:,.2f} {name}" if value else "–"


def main() -> None:
    """Measure, and write what was measured and the page."""
    OUT.parent.mkdir(exist_ok=True)
    measured = {
        "training_bytes": round(training_bytes()),
        "sets_ranked_per_second": round(ranked_per_second()),
        "cores": os.cpu_count() or 1,
    }
    MEASURED.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    OUT.write_text(page(measured), encoding="utf-8")


if __name__ == "__main__":
    main()
