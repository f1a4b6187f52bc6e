"""Trainings in two processes: the same curve and the same model as in one, also when continued.

Thirteen sets of two to four responses in steps of four: the processes get unequal numbers of pairs
and tokens, and of the last step's one example one of them gets none.
"""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.parallel.processes import Case, Place, again, run, run_on_two
from tuna_exp.batching.tokenise import Batching
from tuna_exp.datasets.verifiable import VerifiableDataset
from tuna_exp.llms.hugging_face import HuggingFaceSampler
from tuna_exp.models.loading import load_model
from tuna_exp.models.student import Folder, Student
from tuna_exp.plan import Workspace
from tuna_exp.progress import NoBar
from tuna_exp.records import RankedExample, write_records
from tuna_exp.stages.inputs import read_curve
from tuna_exp.stages.rank import RANKING
from tuna_exp.stages.tokenise import Reading, tokenise_ranking
from tuna_exp.stages.train import CHECKPOINT

SETS = 13
ALONE = [
    Case(f"one-{layout}", "single", layout) for layout in ("padded", "packed", "shared_prompt")
]
TOGETHER = [
    Case("ddp-shared_prompt", "ddp"),
    Case("ddp-padded", "ddp", "padded"),
    Case("fsdp2-shared_prompt", "fsdp2"),
    Case("fsdp2-packed", "fsdp2", "packed"),
]
KILLED = [Case(name, name.split("-")[1], killed=True) for name in ("killed-ddp", "killed-fsdp2")]
TO_ONE = [Case(name, name.split("-")[0], killed=True) for name in ("ddp-to-one", "fsdp2-to-one")]
TO_TWO = Case("one-to-fsdp2", "single", killed=True)
# Adapters, dropout and activation checkpointing: what is drawn depends on the process.
DROPPING = Case("dropping-killed", "fsdp2", lora=True, killed=True)
MORE = [
    Case("ddp-packed", "ddp", "packed"),
    Case("fsdp2-padded", "fsdp2", "padded"),
    Case("half", "fsdp2", trainer={"precision": "bf16-mixed"}),
    Case("dropping", "fsdp2", lora=True),
    DROPPING,
    again(DROPPING),
    Case("tensor", "tensor"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    """Trainings in one process and in two, which are started once."""
    root = tmp_path_factory.mktemp("parallel")
    tokens, alone = tokens_in(root, tiny_folder), Place(0, 1)
    for case in [*ALONE, TO_TWO]:
        run(case, tiny_folder, tokens, root, alone)
    continued = [*map(again, KILLED), again(TO_TWO, strategy="fsdp2")]
    run_on_two([*TOGETHER, *KILLED, *TO_ONE, *continued], tiny_folder, tokens, root)
    for case in TO_ONE:
        run(again(case, strategy="single"), tiny_folder, tokens, root, alone)
    return root


@pytest.fixture(scope="module")
def more(root: Path, tiny_folder: Path) -> Path:
    """The same folder with further trainings."""
    (root / "meeting").unlink()
    run_on_two(MORE, tiny_folder, root / "tokens", root)
    return root


def tokens_in(root: Path, model: Path) -> Path:
    """Sets of two to four responses of different lengths, ties among them."""
    texts = ["No.", "A longer and better response, a good deal longer.", "Nothing.", "Well, well."]
    examples = [
        RankedExample.from_scores(
            one, texts[: 2 + i % 3], [0.0, 1.0, float(i % 2), 0.0][: 2 + i % 3]
        )
        for i, one in enumerate(VerifiableDataset(count=SETS, seed=0).load())
    ]
    for name in ("ranking", "tokens"):
        (root / name).mkdir()
    write_records(root / "ranking" / RANKING, examples)
    batching = Batching("padded", 4, 300, max_length=512, on_too_long="error", workers=0)
    sampler = HuggingFaceSampler("float32", "sdpa")
    student = Student(Folder(model), "chat", None, "float32", "sdpa", *[False] * 3, None, sampler)
    work = Workspace(root / "tokens", {"ranking": root / "ranking"}, NoBar())
    tokenise_ranking(Reading(batching, "all", True, 1.0), student, work)
    return root / "tokens"


def curve(folder: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "epoch"} for row in read_curve(folder)]


def assert_same(root: Path, one: str, other: str, within: float) -> None:
    """Every figure of every step, and every weight."""
    ours, theirs = curve(root / one), curve(root / other)
    assert len(ours) == len(theirs) == 4 and "kendall_tau" in ours[0]
    for mine, yours in zip(ours, theirs, strict=True):
        assert mine == pytest.approx(yours, abs=within)
    weights = [load_model(root / name / CHECKPOINT).state_dict() for name in (one, other)]
    # Adam divides by small numbers: weights differ more than losses, by less than a step is (1e-3).
    torch.testing.assert_close(*weights, rtol=0, atol=max(20 * within, 1e-7))


@pytest.mark.parametrize("case", TOGETHER, ids=lambda case: case.name)
def test_two_processes_train_as_one(case: Case, root: Path) -> None:
    assert_same(root, case.name, f"one-{case.layout}", 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("case", MORE[:2], ids=lambda case: case.name)
def test_so_they_do_in_every_layout(case: Case, more: Path) -> None:
    assert_same(more, case.name, f"one-{case.layout}", 1e-5)


@pytest.mark.slow
def test_tensor_parallelism_trains_as_one(more: Path) -> None:
    assert_same(more, "tensor", "one-shared_prompt", 1e-5)


@pytest.mark.parametrize("name", ["killed-ddp", "killed-fsdp2"])
def test_a_killed_training_continues_exactly(name: str, root: Path) -> None:
    assert_same(root, name, f"{name.removeprefix('killed-')}-shared_prompt", 1e-6)


@pytest.mark.slow
def test_dropout_is_drawn_as_if_nothing_had_happened(more: Path) -> None:
    assert_same(more, "dropping-killed", "dropping", 1e-6)


@pytest.mark.parametrize("name", ["ddp-to-one", "fsdp2-to-one", "one-to-fsdp2"])
def test_a_killed_training_continues_on_other_devices(name: str, root: Path) -> None:
    assert_same(root, name, "one-shared_prompt", 1e-5)


@pytest.mark.slow
def test_half_precision_is_near(more: Path) -> None:
    losses = [[row["loss"] for row in curve(more / n)] for n in ("half", "one-shared_prompt")]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != losses[1]
