"""`tuna-exp artifacts`: list, explain and prune on a small store of real artifacts."""

import os
import time
from pathlib import Path

import pytest

from tuna_exp.artifacts_command import main
from tuna_exp.errors import UserError
from tuna_exp.plan import Step, Workspace, execute
from tuna_exp.progress import QuietDisplay
from tuna_exp.reasons import flat
from tuna_exp.store import Store


def _nothing(space: Workspace) -> None:
    (space.folder / "out").write_text("x")


def chain(count: int, rate: float = 0.1) -> Step:
    """A training on a ranking on samples."""
    samples = Step("sample", "samples", 1, {"dataset": {"count": count}}, {}, _nothing)
    ranking = Step("rank", "ranking", 1, {"by": "judge"}, {"candidates": samples}, _nothing)
    return Step("train", "training", 1, {"rate": rate}, {"ranking": ranking}, _nothing)


def build(root: Path, *steps: Step) -> None:
    """Build steps in turn, a moment apart for the order of their ages."""
    for step in steps:
        execute([step], Store(root), QuietDisplay())
        time.sleep(0.01)


def make_older(root: Path, days: float) -> None:
    """Move every change in the store into the past."""
    then = time.time() - days * 86400
    for path in root.rglob("*"):
        os.utime(path, (then, then))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNA_EXP_ARTIFACTS", str(tmp_path / "root"))
    return tmp_path / "root"


def test_list_of_an_empty_store(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert f"No artifacts in {root}" in capsys.readouterr().out.replace("\n", "")


def test_list_shows_users_and_unfinished_ones(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = chain(1)
    build(root, training)
    Store(root).begin(chain(2))
    main(["list"])
    lines = capsys.readouterr().out.splitlines()
    ranking = next(line for line in lines if " ranking " in line)
    assert training.inputs["ranking"].digest[:8] in ranking and training.digest[:8] in ranking
    assert sum("unfinished" in line for line in lines) == 1


def test_explain_names_the_changed_key_through_a_chain(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(root, chain(128), chain(64, rate=0.2))
    main(["explain", chain(64, rate=0.2).digest])
    out = capsys.readouterr().out
    why = "input ranking differs because input candidates differs because dataset.count 128 -> 64"
    assert why in out and "rate 0.1 -> 0.2" in out and "by judge" not in out
    assert "candidates: sample" in out and "setting rate" in out


def test_explain_compares_with_the_earlier_one_that_is_most_alike(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(root, chain(1, 0.1), chain(2, 0.3), chain(1, 0.2))
    main(["explain", chain(1, 0.2).digest[:8]])
    out = capsys.readouterr().out
    assert "rate 0.1 -> 0.2" in out and "input ranking differs" not in out


def test_explain_takes_a_folder_and_says_when_there_is_nothing_earlier(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(root, chain(1))
    main(["explain", str(Store(root).folder(chain(1)))])
    assert "the first of its stage" in capsys.readouterr().out


def test_explain_says_when_an_input_is_gone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(root, chain(1), chain(2))
    store = Store(root)
    gone = chain(1).inputs["ranking"].digest[:16]
    store.remove(next(entry for entry in store.entries() if entry.key == gone))
    main(["explain", chain(2).digest])
    assert "no longer both in the store" in capsys.readouterr().out


def test_unknown_and_ambiguous_digests_are_told(root: Path) -> None:
    build(root, chain(1))
    digest = chain(1).digest[:8]
    typo = ("0" if digest[0] != "0" else "1") + digest[1:]
    with pytest.raises(UserError, match=f"Did you mean '{digest}"):
        main(["explain", typo])
    with pytest.raises(UserError, match="is the beginning of .*, .*Cure: give more digits"):
        main(["explain", ""])


def test_prune_shows_before_it_deletes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(root, chain(1))
    make_older(root, 8)
    main(["prune", "--older-than", "7d"])
    assert "nothing was deleted" in capsys.readouterr().out and len(Store(root).entries()) == 3
    main(["prune", "--older-than", "7d", "--yes"])
    assert Store(root).entries() == []


def test_prune_keeps_what_kept_ones_were_made_from(root: Path) -> None:
    """The new training keeps the old ranking, and that keeps the old samples."""
    build(root, chain(1, 0.1))
    make_older(root, 8)
    build(root, chain(1, 0.2))
    main(["prune", "--older-than", "7d", "--yes"])
    stages = [entry.manifest["stage"] for entry in Store(root).entries()]
    assert sorted(stages) == ["rank", "sample", "train"]
    main(["prune", "--older-than", "7d", "--yes", "--force"])
    assert [entry.manifest["stage"] for entry in Store(root).entries()] == ["train"]


def test_prune_unfinished_leaves_finished_ones(root: Path) -> None:
    build(root, chain(1))
    Store(root).begin(chain(2))
    main(["prune", "--unfinished", "--yes"])
    assert [entry.state for entry in Store(root).entries()] == ["finished"] * 3


def test_prune_spares_what_is_being_built(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(root)
    store.begin(chain(2))
    with store.lock(chain(2), print):
        main(["prune", "--unfinished", "--yes"])
    assert "being built" in capsys.readouterr().out and len(store.entries()) == 1


@pytest.mark.parametrize("arguments", [[], ["--older-than", "7"], ["--yes"]])
def test_prune_wants_to_know_what(root: Path, arguments: list[str]) -> None:
    build(root, chain(1))
    with pytest.raises(UserError, match="Cure"):
        main(["prune", *arguments])


def test_flat_paths() -> None:
    assert flat({"a": {"b": [1, {"c": 2}]}, "d": {}}) == {"a.b[0]": 1, "a.b[1].c": 2, "d": {}}


def test_verify_tells_a_wrong_byte_and_sets_it_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tuna_exp.plan import Step, execute
    from tuna_exp.progress import QuietDisplay
    from tuna_exp.store import Store

    step = Step("sample", "letters", 1, {}, {}, lambda space: write(space.folder / "out"))

    def write(path: Path) -> None:
        path.write_text("abc")

    store = Store(tmp_path)
    folder = execute([step], store, QuietDisplay())[step.digest].folder
    assert main(["verify", "--root", str(tmp_path)]) == 0
    (folder / "out").write_text("abd")
    assert main(["verify", "--root", str(tmp_path)]) == 1
    assert "out: set aside" in capsys.readouterr().out and not folder.exists()
