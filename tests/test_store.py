"""Artifacts on disk: what is committed, what counts as damaged, and failures of the disk."""

import json
import threading
from pathlib import Path

import pytest

from tuna_exp.errors import UserError
from tuna_exp.plan import Step, Workspace, execute
from tuna_exp.progress import QuietDisplay
from tuna_exp.store import Artifact, Store


def _write(space: Workspace) -> None:
    (space.folder / "deep").mkdir(exist_ok=True)
    (space.folder / "deep" / "out").write_text("abc")
    (space.scratch / "checkpoint").write_text("x" * 1000)
    space.note(tokens=7)


STEP = Step("sample", "three letters", 2, {"a": {"b": 1}}, {}, _write)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "root")


def build(store: Store) -> Artifact:
    """STEP's artifact."""
    return execute([STEP], store, QuietDisplay())[STEP.digest]


def never(text: str) -> None:
    """For locks that must be free."""
    raise AssertionError(text)


def test_manifest_says_what_made_it(store: Store) -> None:
    """sha256 of "abc" is ba7816bf..., an example of FIPS 180-2."""
    manifest = json.loads((build(store).folder / "manifest.json").read_text())
    assert manifest["settings"] == {"a": {"b": 1}} and manifest["version"] == 2
    assert manifest["facts"] == {"tokens": 7} and manifest["attempts"] == 1
    file = manifest["files"]["deep/out"]
    assert file["bytes"] == 3 and file["sha256"].startswith("ba7816bf8f01cfea")
    assert {"python", "torch", "checkout", "platform"} <= manifest["environment"].keys()


def test_scratch_and_memory_are_gone_after_commit(store: Store) -> None:
    names = sorted(path.name for path in build(store).folder.iterdir())
    assert names == ["COMMITTED", "deep", "manifest.json"]


def test_what_a_link_leads_to_is_no_part_of_an_artifact(store: Store, tmp_path: Path) -> None:
    """A tracker's log elsewhere grows after the commit; the artifact stays whole."""
    growing = tmp_path / "growing.log"
    growing.write_text("a")

    def work(space: Workspace) -> None:
        (space.folder / "out").write_text("abc")
        (space.folder / "log").symlink_to(growing)

    step = Step("train", "linked", 1, {}, {}, work)
    artifact = execute([step], store, QuietDisplay())[step.digest]
    growing.write_text("and more")
    assert list(artifact.manifest["files"]) == ["out"] and store.find(step) is not None


def test_root_may_be_relative_and_the_folder_does_not_depend_on_where_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store(Path("root"))
    monkeypatch.chdir("/")
    assert build(store).folder.is_relative_to(tmp_path)


@pytest.mark.parametrize("damage", ["marker", "manifest", "file"])
def test_a_damaged_artifact_is_set_aside_and_built_anew(
    store: Store, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = build(store).folder
    names = {"marker": "COMMITTED", "manifest": "manifest.json", "file": "deep/out"}
    (folder / names[damage]).write_text("{}")
    assert store.find(STEP) is None
    assert (build(store).folder / "deep" / "out").read_text() == "abc"
    assert [e.state for e in store.entries()].count("damaged") == 1
    assert (folder.parent / f"{folder.name}.damaged-1").is_dir() and "moved to" in caplog.text


def test_a_missing_marker_is_damage(store: Store) -> None:
    (build(store).folder / "COMMITTED").unlink()
    assert store.find(STEP) is None


def test_verify_names_files_that_changed_or_are_gone(store: Store) -> None:
    artifact = build(store)
    assert store.verify(artifact) == []
    (artifact.folder / "deep" / "out").write_text("abd")
    assert store.find(STEP) is not None and store.verify(artifact) == ["deep/out"]


def test_a_commit_killed_before_its_rename_is_finished_without_running(store: Store) -> None:
    final = build(store).folder
    work = final.rename(final.with_name(final.name + ".partial"))
    (work / "scratch").mkdir()
    with store.lock(STEP, never):
        artifact = store.settle(STEP)
    assert artifact is not None and not (final / "scratch").exists() and not work.exists()


def test_a_leftover_of_a_torn_write_is_not_a_result(store: Store) -> None:
    work = store.begin(STEP)
    (work / "manifest.json.writing").write_text('{"st')
    artifact = build(store)
    assert list(artifact.manifest["files"]) == ["deep/out"] and store.find(STEP) is not None


def test_waiting_names_who_builds(store: Store) -> None:
    told: list[str] = []
    with store.lock(STEP, never):
        second = threading.Thread(target=lambda: store.lock(STEP, told.append).__enter__())
        second.start()
        while not told:
            second.join(0.01)
    second.join(10)
    assert "another run" in told[0] and "pid " in told[0]


def test_a_file_in_the_place_of_the_root_is_told_with_a_cure(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("mine")
    with pytest.raises(UserError, match=r"root.*Cure: move the file away.*TUNA_EXP_ARTIFACTS"):
        build(Store(tmp_path / "root"))
    with pytest.raises(UserError, match="Cure"):
        Store(tmp_path / "root").entries()


def test_remove_spares_what_is_being_built(store: Store) -> None:
    build(store)
    (entry,) = store.entries()
    with store.lock(STEP, never):
        assert store.is_being_built(entry) and not store.remove(entry)
    assert not store.is_being_built(entry) and store.remove(entry) and store.entries() == []


def test_an_unfinished_entry_knows_its_step(store: Store) -> None:
    store.begin(STEP)
    (entry,) = store.entries()
    assert entry.state == "unfinished" and entry.manifest["label"] == "three letters"
    assert entry.key == STEP.digest[:16]


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)


def test_one_wrong_bit_is_found_before_it_is_read(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """What had begun to read it is begun anew; what is finished stays."""
    read: list[str] = []

    def use(space: Workspace) -> None:
        read.append((space.inputs["letters"] / "deep" / "out").read_text())
        (space.folder / "used").write_text(read[-1])

    reader = Step("rank", "reader", 1, {}, {"letters": STEP}, use)
    _flip(build(store).folder / "deep" / "out")
    (store.begin(reader) / "from-a-killed-attempt").write_text("poisoned")
    made = execute([reader], store, QuietDisplay())[reader.digest]
    assert read == ["abc"] and "moved to" in caplog.text
    assert list(made.manifest["files"]) == ["used"]


@pytest.mark.parametrize("damaged", ["deep/out", "manifest.json", "COMMITTED"])
def test_what_was_made_while_its_input_was_damaged_is_not_kept(store: Store, damaged: str) -> None:
    tries: list[str] = []

    def use(space: Workspace) -> None:
        source = space.inputs["letters"] / "deep" / "out"
        if not tries:
            _flip(space.inputs["letters"] / damaged)
        tries.append(source.read_text())
        (space.folder / "used").write_text(tries[-1])
        if len(tries) == 1:
            raise ValueError("what was read made no sense")

    reader = Step("rank", "reader", 1, {}, {"letters": STEP}, use)
    made = execute([reader], store, QuietDisplay())[reader.digest]
    assert len(tries) == 2 and (made.folder / "used").read_text() == "abc"


def test_a_disk_that_keeps_turning_bits_ends_the_run(store: Store) -> None:
    def use(space: Workspace) -> None:
        _flip(space.inputs["letters"] / "deep" / "out")

    with pytest.raises(UserError, match="check the disk"):
        execute([Step("rank", "r", 1, {}, {"letters": STEP}, use)], store, QuietDisplay())
