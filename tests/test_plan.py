"""Steps, their digests and their execution, with real processes and real kills.

The child processes run this file as a script: `python test_plan.py ROOT LOG SECONDS` executes the
chain below, each step of which takes SECONDS and appends its label to LOG when it starts.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tuna_exp.errors import ConfigError, UserError
from tuna_exp.plan import Step, Workspace, execute, in_order
from tuna_exp.progress import QuietDisplay
from tuna_exp.store import Store

PARTS = 5


def slow_chain(log: Path, seconds: float, length: int = 3) -> Step:
    """Steps in a row; each writes PARTS part files, continues after a kill, and joins them."""

    def work(space: Workspace) -> None:
        with log.open("a") as lines:
            lines.write(f"{space.folder.name[:8]}\n")
        space.bar.start(PARTS, "parts")
        for part in range(PARTS):
            path = space.scratch / f"part-{part}"
            if not path.exists():
                time.sleep(seconds / PARTS)
                path.with_suffix(".new").write_text(f"{part} ")
                path.with_suffix(".new").rename(path)
            space.bar.advance()
        space.note(parts=PARTS)
        before = [(folder / "out").read_text() for folder in space.inputs.values()]
        parts = [(space.scratch / f"part-{p}").read_text() for p in range(PARTS)]
        (space.folder / "out").write_text("".join(before + parts))

    step = Step("train", "link 0", 1, {"link": 0}, {}, work)
    for link in range(1, length):
        step = Step("train", f"link {link}", 1, {"link": link}, {"before": step}, work)
    return step


def run_chain(root: Path, log: Path, seconds: float) -> subprocess.Popen[bytes]:
    """Another process that executes the chain."""
    command = [sys.executable, __file__, str(root), str(log), str(seconds)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def wait_for(path: Path) -> None:
    """Return when the path is there, fail after 30 s."""
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.005)


def quick(settings: dict[str, object], **inputs: Step) -> Step:
    """A step that writes its settings."""

    def work(space: Workspace) -> None:
        (space.folder / "out").write_text(repr(settings))

    return Step("rank", "quick", 1, settings, inputs, work)


def test_digest_does_not_depend_on_the_order_of_keys_or_on_the_label() -> None:
    one = Step("rank", "a", 1, {"x": 1, "y": {"b": 2, "a": (1, 2.0)}}, {}, print)
    two = Step("rank", "b", 1, {"y": {"a": [1, 2], "b": 2}, "x": 1.0}, {}, print, work=9.0)
    assert one.digest == two.digest


def test_digest_depends_on_stage_version_settings_and_inputs() -> None:
    base = Step("rank", "", 1, {"x": 1}, {}, print)
    others = [
        Step("train", "", 1, {"x": 1}, {}, print),
        Step("rank", "", 2, {"x": 1}, {}, print),
        Step("rank", "", 1, {"x": True}, {}, print),
        Step("rank", "", 1, {"x": 1}, {"data": base}, print),
    ]
    assert len({step.digest for step in [base, *others]}) == 5


def test_digest_is_the_same_in_another_process_and_release() -> None:
    """Written down once: a change of this value makes every artifact of every user stale."""
    digest = Step("rank", "", 1, {"lr": 1e-5, "name": "é"}, {}, print).digest
    assert digest == "08f4e39e54f51b6ddd9800102927a4027aeba2b6d22bb63ee4f9e58c75603839"


@pytest.mark.parametrize("key", ["api_key", "openai-api-key", "token", "hf_token", "PASSWORD"])
def test_secrets_are_refused_without_repeating_them(key: str) -> None:
    step = quick({"client": [{key: "hunter2"}]})
    with pytest.raises(ConfigError, match=r"settings.client\[0\]") as caught:
        step.digest  # noqa: B018
    assert "hunter2" not in str(caught.value)


def test_what_only_sounds_like_a_secret_is_allowed() -> None:
    assert quick(
        {"api_key": None, "max_new_tokens": 5, "eos_token_id": 2, "api_key_env": "K"}
    ).digest


@pytest.mark.parametrize("value", [Path("x"), float("nan"), {1: 2}, {"a"}])
def test_settings_that_json_does_not_have_are_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="settings.a"):
        quick({"a": value}).digest  # noqa: B018


def test_in_order_puts_dependencies_first_and_each_digest_once() -> None:
    data, same_data = quick({"d": 1}), quick({"d": 1})
    left, right = quick({"s": "left"}, data=data), quick({"s": "right"}, data=same_data)
    both = quick({"s": "both"}, left=left, right=right)
    assert in_order([right, both]) == [same_data, right, left, both]


def test_finished_steps_are_reused_and_need_no_inputs(tmp_path: Path) -> None:
    store = Store(tmp_path)
    final = slow_chain(tmp_path / "log", 0.0, length=3)
    first = execute([final], store, QuietDisplay())
    again = execute([final], store, QuietDisplay())
    assert len(first) == 3 and list(again) == [final.digest]
    assert len((tmp_path / "log").read_text().split()) == 3


def test_an_input_that_only_finished_steps_need_is_not_built(tmp_path: Path) -> None:
    store, log = Store(tmp_path / "root"), tmp_path / "log"
    final = slow_chain(log, 0.0)
    execute([final], store, QuietDisplay())
    store.remove(next(e for e in store.entries() if e.manifest["label"] == "link 0"))
    execute([final], store, QuietDisplay())
    assert len(log.read_text().split()) == 3


def test_a_step_that_raises_keeps_its_folder_and_facts(tmp_path: Path) -> None:
    def work(space: Workspace) -> None:
        space.note(tokens=5, calls=1)
        if not (space.folder / "half").exists():
            (space.folder / "half").touch()
            raise ZeroDivisionError
        space.note(calls=2)

    store, step = Store(tmp_path), Step("sample", "s", 1, {}, {}, work)
    with pytest.raises(ZeroDivisionError):
        execute([step], store, QuietDisplay())
    artifact = execute([step], store, QuietDisplay())[step.digest]
    assert artifact.facts == {"tokens": 5, "calls": 2}
    assert artifact.manifest["attempts"] == 2 and list(artifact.manifest["files"]) == ["half"]


def test_a_torn_fact_is_skipped_and_later_ones_count(tmp_path: Path) -> None:
    def work(space: Workspace) -> None:
        journal = space.folder / ".work" / "facts.jsonl"
        space.note(a=1)
        journal.write_bytes(journal.read_bytes() + b'\n{"b": "\xc3')
        space.note(c=3)

    step = Step("sample", "s", 1, {}, {}, work)
    assert execute([step], Store(tmp_path), QuietDisplay())[step.digest].facts == {"a": 1, "c": 3}


def test_a_full_disk_is_told_to_the_user(tmp_path: Path) -> None:
    def work(space: Workspace) -> None:
        (space.folder / "out").symlink_to("/dev/full")
        (space.folder / "out").write_text("x")

    step = Step("sample", "s", 1, {}, {}, work)
    with pytest.raises(UserError, match="(?s)No space.*Cure: free some space"):
        execute([step], Store(tmp_path), QuietDisplay())


def test_two_processes_build_each_step_once(tmp_path: Path) -> None:
    both = [run_chain(tmp_path / "root", tmp_path / "log", 0.3) for _ in range(2)]
    assert [child.wait(60) for child in both] == [0, 0]
    assert len((tmp_path / "log").read_text().split()) == 3


def test_what_another_run_is_building_is_left_to_it_while_there_is_other_work(
    tmp_path: Path,
) -> None:
    """Of a, b and what both are needed for: b first, as a is taken; then a is waited for."""
    store = Store(tmp_path)
    built: list[str] = []

    def named(name: str, **inputs: Step) -> Step:
        return Step("rank", name, 1, {"x": name}, inputs, lambda _: built.append(name))

    first, second = named("a"), named("b")
    last = named("last", a=first, b=second)
    other = threading.Thread(target=lambda: execute([last], Store(tmp_path), QuietDisplay()))
    with store.lock(first, lambda _: None):
        other.start()
        wait_for(store.folder(second))
        assert store.is_taken(first) and not store.is_taken(second) and built == ["b"]
    other.join(timeout=30)
    assert built == ["b", "a", "last"] and not store.is_taken(first)


def test_a_lock_whose_owner_was_killed_is_free(tmp_path: Path) -> None:
    """Its file is still there; the lock went with the process."""
    step, store = quick({"x": 1}), Store(tmp_path)
    with store.lock(step, lambda _: None):
        (owner,) = tmp_path.glob("rank/*.owner")
        words = owner.read_text()
    owner.write_text(words)
    assert not store.is_taken(step)


def test_a_killed_step_is_continued_and_finished_ones_are_kept(tmp_path: Path) -> None:
    """The second of three steps is killed after its third part: 4 starts in all."""
    root, log = tmp_path / "root", tmp_path / "log"
    final = slow_chain(log, 0.0)
    middle = Store(root).folder(final.inputs["before"])
    child = run_chain(root, log, 1.0)
    wait_for(middle.with_name(middle.name + ".partial") / "scratch" / "part-2")
    child.kill()
    child.wait()
    artifacts = execute([final], Store(root), QuietDisplay())
    assert (artifacts[final.digest].folder / "out").read_text() == "0 1 2 3 4 " * 3
    assert len(log.read_text().split()) == 4
    manifest = artifacts[final.inputs["before"].digest].manifest
    assert manifest["attempts"] == 2 and manifest["wall_seconds"] >= 0.4


def test_kills_at_any_instant_end_in_the_same_artifact(tmp_path: Path) -> None:
    """20 forked children, each killed within 0.12 s, on a chain that takes 0.3 s if left alone."""
    root, log, luck = tmp_path / "root", tmp_path / "log", random.Random(0)
    final = slow_chain(log, 0.1)
    for _ in range(20):
        child = os.fork()
        if child == 0:
            execute([final], Store(root), QuietDisplay())
            os._exit(0)
        time.sleep(luck.uniform(0.0, 0.12))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    artifact = execute([final], Store(root), QuietDisplay())[final.digest]
    assert (artifact.folder / "out").read_text() == "0 1 2 3 4 " * 3
    assert artifact.facts == {"parts": PARTS} and Store(root).verify(artifact) == []
    assert [entry.state for entry in Store(root).entries()] == ["finished"] * 3


if __name__ == "__main__":
    execute(
        [slow_chain(Path(sys.argv[2]), float(sys.argv[3]))],
        Store(Path(sys.argv[1])),
        QuietDisplay(),
    )
