"""Several artifact folders as one."""

from pathlib import Path

from tuna_exp.plan import Step, Workspace, execute
from tuna_exp.progress import Display
from tuna_exp.store import Store
from tuna_exp.stores import Stores


def step(name: str, **inputs: Step) -> Step:
    def run(work: Workspace) -> None:
        found = [(folder / "text").read_text() for folder in work.inputs.values()]
        (work.folder / "text").write_text("".join([*found, name]))

    return Step("sample", name, 1, {"name": name}, inputs, run)


def test_inputs_are_found_in_any_and_what_is_new_goes_to_the_first(tmp_path: Path) -> None:
    roots = [tmp_path / name for name in ("new", "ours", "theirs")]
    parts = {name: step(name) for name in ("a", "b")}
    for root, part in zip(roots[1:], parts.values(), strict=True):
        with Display() as display:
            execute([part], Store(root), display)
    both = step("c", **parts)
    with Display() as display:
        found = execute([both], Stores(roots), display)
    assert found[both.digest].folder.parent == roots[0] / "sample"
    assert (found[both.digest].folder / "text").read_text() == "abc"
    assert {f.folder.parents[1] for f in found.values()} == set(roots)


def test_the_first_root_that_has_it_is_taken(tmp_path: Path) -> None:
    one = step("a")
    for name in ("x", "y"):
        with Display() as display:
            execute([one], Store(tmp_path / name), display)
    found = Stores([tmp_path / "y", tmp_path / "x"]).find(one)
    assert found is not None and found.folder.parents[1] == tmp_path / "y"
    assert Stores([tmp_path / "z"]).find(one) is None
