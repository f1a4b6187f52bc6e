"""`tuna-exp new`: what it writes works as it is, and what it refuses leaves nothing behind."""

import importlib
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command
from tuna_exp.composing import SETTINGS, loading
from tuna_exp.config_types import check_config
from tuna_exp.new_command import KINDS, check_name, class_name
from tuna_exp.plan import execute, in_order
from tuna_exp.planning import Parts
from tuna_exp.progress import QuietDisplay
from tuna_exp.records import RankedExample, read_records
from tuna_exp.stages.rank import RANKING
from tuna_exp.store import Store


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_passes_its_test_and_its_option_is_accepted(
    kind: str, tuna_exp: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"own_{kind}"
    status, out, err = tuna_exp("new", kind, name, "--into", "my parts")
    assert (status, err) == (0, "") and f"'my parts/test_{name}.py'" in out
    written = tmp_path / "my parts"
    assert files(written) == [f"conf/{kind}/{name}.yaml", f"{name}.py", f"test_{name}.py"]
    monkeypatch.syspath_prepend(written)
    tests = vars(importlib.import_module(f"test_{name}"))
    ran = [test() for title, test in tests.items() if title.startswith("test_")]
    assert ran and ran.count(None) == len(ran)
    with loading(str(written / "conf")) as configs:
        config = configs.compose(KINDS[kind].format(name=name).split())
    check_config(config, SETTINGS)
    assert config[kind]._target_ == f"{name}.{class_name(name)}"


def test_stages_with_a_ranker_that_was_written(
    tuna_exp: Command, tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its order of a trained model's samples: fewer words first."""
    assert tuna_exp("new", "ranker", "brevity")[0] == 0
    monkeypatch.syspath_prepend(tmp_path)
    asked = KINDS["ranker"].format(name="brevity").split()
    with loading("conf") as configs:
        final = Parts().final(configs.compose([*asked, "dataset.count=8", "callbacks=none"]))
    (step,) = [s for s in in_order([final]) if s.label == "rank samples of SFT model"]
    ranked = execute([step], Store(Path("artifacts")), QuietDisplay())[step.digest]
    assert ranked.manifest["settings"]["ranker"]["per_word"] == 1
    examples = list(read_records(ranked.folder / RANKING, RankedExample))
    assert len(examples) == 8
    for example in examples:
        lengths = [len(r.text.split()) for r in example.responses if r.rank >= 0]
        assert lengths == sorted(lengths)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_commands_that_it_tells_work(kind: str, tuna_exp: Command, tmp_path: Path) -> None:
    """As they are printed, in a shell."""
    status, out, _ = tuna_exp("new", kind, "mine", "--into", "my parts")
    assert status == 0
    tested, ran = (line.strip() for line in out.splitlines()[-2:])
    python = shlex.quote(sys.executable)
    for line, program in ((tested, "pytest"), (ran, "tuna-exp")):
        module = {"pytest": "pytest", "tuna-exp": "tuna_exp"}[program]
        line = line.replace(f"{program} ", f"{python} -m {module} ", 1)
        done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stdout + done.stderr


BAD: dict[str, str] = {
    "Mine": "lower-case letters",
    "my-ranker": "lower-case letters",
    "1st": "lower-case letters",
    "../out": "lower-case letters",
    "": "lower-case letters",
    "a" * 41: "at most 40",
    "none": "YAML or Hydra reads it as a value",
    "yes": "YAML or Hydra reads it as a value",
    "random": "there is an option ranker=random already",
    "json": "there is a Python module of that name",
    "class": "Python keeps it for itself",
    "candidate_set": "its class would be CandidateSet",
}


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_cannot_be_used(name: str, tuna_exp: Command, tmp_path: Path) -> None:
    status, out, err = tuna_exp("new", "ranker", name)
    assert (status, out) == (2, "") and BAD[name] in err and "Cure: another NAME" in err
    assert files(tmp_path) == []


def test_any_name_that_is_accepted_can_be_imported(tuna_exp: Command) -> None:
    for name in ("a", "my_ranker_2", "x1"):
        check_name("ranker", name, SETTINGS)
    assert [class_name(name) for name in ("a", "my_ranker_2")] == ["A", "MyRanker2"]


def test_other_kinds_are_named(tuna_exp: Command, tmp_path: Path) -> None:
    status, _, err = tuna_exp("new", "rankr", "mine")
    assert status == 2 and "Did you mean 'ranker'? Allowed: ranker, teacher" in err
    assert files(tmp_path) == []


def test_nothing_is_overwritten(tuna_exp: Command, tmp_path: Path) -> None:
    """One file of three is there: the others are not written either."""
    Path("test_mine.py").write_text("mine")
    status, _, err = tuna_exp("new", "ranker", "mine")
    assert status == 2 and "test_mine.py: there already; nothing was written" in err
    assert files(tmp_path) == ["test_mine.py"]


def test_a_folder_that_cannot_be_written_to(tuna_exp: Command) -> None:
    Path("taken").write_text("")
    status, _, err = tuna_exp("new", "ranker", "mine", "--into", "taken/below")
    assert status == 2 and "Cure: another folder with --into FOLDER" in err


def test_writing_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from tuna_exp.cli import dispatched; dispatched(['new', 'ranker', 'mine']); "
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    done: Any = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
