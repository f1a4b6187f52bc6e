"""DeepSpeed's three strategies in two processes on the CPU: the same curve and model as in one."""

from pathlib import Path

import pytest

from tests.parallel.processes import Case, Place, again, run, run_on_two
from tests.parallel.test_two_processes import assert_same, tokens_in

pytest.importorskip("deepspeed")
LAYOUTS = ("shared_prompt", "packed")
ALONE = [Case(f"one-{layout}", "single", layout) for layout in LAYOUTS]
TOGETHER = [
    Case("zero2", "zero2"),
    Case("zero3", "zero3"),
    Case("zero2-packed", "zero2", "packed"),
    Case("zero3-packed", "zero3", "packed"),
    Case("offload", "offload"),
]
KILLED = [Case(f"killed-{name}", name, killed=True) for name in ("zero2", "zero3", "offload")]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    """Trainings in one process and in two, which are started once."""
    root = tmp_path_factory.mktemp("deepspeed")
    tokens = tokens_in(root, tiny_folder)
    for case in ALONE:
        run(case, tiny_folder, tokens, root, Place(0, 1))
    run_on_two([*TOGETHER, *KILLED, *map(again, KILLED)], tiny_folder, tokens, root)
    return root


@pytest.mark.parametrize("case", TOGETHER, ids=lambda case: case.name)
def test_two_processes_train_as_one(case: Case, root: Path) -> None:
    assert_same(root, case.name, f"one-{case.layout}", 1e-5)


@pytest.mark.parametrize("case", KILLED, ids=lambda case: case.name)
def test_a_killed_training_continues_exactly(case: Case, root: Path) -> None:
    assert_same(root, case.name, case.strategy, 1e-6)
