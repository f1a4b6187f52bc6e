"""What stages run on: the tiny model as a student, a few instructions, a work folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tuna_exp.datasets.verifiable import VerifiableDataset
from tuna_exp.llms.hugging_face import HuggingFaceSampler
from tuna_exp.models.student import Folder, Student
from tuna_exp.plan import Workspace
from tuna_exp.progress import StepBar
from tuna_exp.records import Instruction, RankedExample, write_records
from tuna_exp.stages.rank import RANKING
from tuna_exp.stages.train import CHECKPOINT

MakeWork = Callable[..., Workspace]


@pytest.fixture(scope="session")
def student(tiny_folder: Path) -> Student:
    return Student(
        Folder(tiny_folder),
        "chat",
        None,
        "float32",
        "sdpa",
        False,
        False,
        False,
        None,
        HuggingFaceSampler("float32", "sdpa"),
    )


@pytest.fixture(scope="session")
def instructions() -> list[Instruction]:
    return VerifiableDataset(count=6, seed=0).load()


@pytest.fixture
def make_work(tmp_path: Path) -> MakeWork:
    """Return a function that makes a work folder; a name used again is the same folder."""

    def make(name: str = "work", **inputs: Path) -> Workspace:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return Workspace(folder, inputs, StepBar(name, 1.0, lambda: None))

    return make


@pytest.fixture
def start(tmp_path: Path, tiny_folder: Path) -> Path:
    """What a training leaves behind: a folder with a checkpoint, here the tiny model itself."""
    folder = tmp_path / "start"
    folder.mkdir()
    (folder / CHECKPOINT).symlink_to(tiny_folder)
    return folder


@pytest.fixture
def ranking(tmp_path: Path, instructions: list[Instruction]) -> Path:
    """Six sets; in each the second of three responses is best and the others tie below it."""
    texts = ["No.", "A longer and better response.", "Nothing of the sort."]
    examples = [RankedExample.from_scores(i, texts, [0.0, 1.0, 0.0]) for i in instructions]
    folder = tmp_path / "ranking"
    folder.mkdir()
    write_records(folder / RANKING, examples)
    return folder
