"""Where tasks come from, and every way in which they can be broken or missing."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from datasets import Dataset, DatasetDict
from tests.evaluation.superni.data import checkout, packed, task
from tuna_exp.errors import DataError
from tuna_exp.evaluation.superni.sources import read_hub, read_local
from tuna_exp.evaluation.superni.tasks import Example, Instance


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return checkout(
        tmp_path / "ni", {"task1_a": task(instances=5), "task2_b": task("Data to Text")}
    )


def add_member(path: Path, name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    with tarfile.open(path, "a") as tar:
        tar.addfile(member, io.BytesIO())


def test_a_checkout_gives_the_listed_tasks_in_order(folder: Path) -> None:
    found = read_local(folder, None, limit=4)
    assert [(t.name, t.category, len(t.instances)) for t in found.tasks] == [
        ("task1_a", "Word Analogy", 4),
        ("task2_b", "Data to Text", 3),
    ]
    assert found.tasks[0].instances[1] == Instance("i1", "Is 1 big?", ("yes",))
    assert found.tasks[0].examples[0] == Example("Is 9 big?", "no")
    assert found.tasks[0].definition == " Answer the question"


def test_an_archive_gives_what_its_folder_gives(folder: Path, tmp_path: Path) -> None:
    archive = packed(folder, tmp_path / "ni.tar.gz")
    assert read_local(archive, None, 100) == read_local(folder, None, 100)


def test_a_bare_folder_of_tasks_is_read_with_the_list_beside_it(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "ni" / "test_tasks.txt").write_text("task2_b\n")
    assert [t.name for t in read_local(folder / "tasks", None, 100).tasks] == ["task2_b"]


def test_a_given_list_goes_before_the_sources_own(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("task9_gone\ntask1_a\n")
    found = read_local(folder, tmp_path / "mine.txt", 100)
    assert found.names == ("task9_gone", "task1_a")
    assert [t.name for t in found.tasks] == ["task1_a"]


def test_without_a_list_nothing_is_read(folder: Path, tmp_path: Path) -> None:
    (folder / "splits" / "default" / "test_tasks.txt").unlink()
    with pytest.raises(DataError, match="no list of test tasks.*Cure: task_list="):
        read_local(folder, None, 100)


def test_nothing_at_the_path(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone does not exist\. Cure: path="):
        read_local(tmp_path / "gone", None, 100)


def test_none_of_the_tasks(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of the 1 listed tasks, such as task8_x.json"):
        read_local(checkout(tmp_path / "ni", {}, ["task8_x"]), None, 100)


@pytest.mark.parametrize("kept", [40, 400])
def test_an_archive_that_is_cut_short(folder: Path, tmp_path: Path, kept: int) -> None:
    archive = packed(folder, tmp_path / "ni.tar.gz")
    archive.write_bytes(archive.read_bytes()[:kept])
    with pytest.raises(DataError, match="no tar archive, or is cut short or damaged"):
        read_local(archive, None, 100)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Definition": 3}, "field 'Definition.*': expected a string or a list of strings"),
        (
            {"Instances": [{"id": "a", "input": "x", "output": []}]},
            r"Instances\[0\]: field 'output'",
        ),
        ({"Instances": [{"id": "a", "input": "x"}]}, r"Instances\[0\]: .*'output' is missing"),
        ({"Categories": []}, "field 'Categories'"),
        ({"Instances": [{"id": "a", "input": "x", "output": ["y"]}] * 2}, "two instances.*'a'"),
    ],
)
def test_a_task_file_that_does_not_fit_is_named(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = checkout(tmp_path / "ni", {"task1_a": task(**changes)})
    with pytest.raises(DataError, match=f"tasks/task1_a.json: .*{message}"):
        read_local(path, None, 100)


@pytest.mark.parametrize("content", [b'{"Categories": ["x', b"\xff\xfe", b"", b"[" * 100_000])
def test_a_task_file_that_is_not_whole_is_named(folder: Path, content: bytes) -> None:
    (folder / "tasks" / "task1_a.json").write_bytes(content)
    with pytest.raises(DataError, match="task1_a.json: not whole JSON.*Cure"):
        read_local(folder, None, 100)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("tasks/task1_a.json", tarfile.SYMTYPE),
        ("tasks/task1_a.json", tarfile.LNKTYPE),
        ("tasks/task1_a.json", tarfile.FIFOTYPE),
        ("../tasks/task1_a.json", tarfile.REGTYPE),
        ("/tasks/task1_a.json", tarfile.REGTYPE),
    ],
)
def test_links_and_paths_out_of_the_archive_are_refused(
    tmp_path: Path, name: str, kind: bytes
) -> None:
    archive = tmp_path / "ni.tar"
    add_member(archive, name, kind, "/etc/passwd")
    (tmp_path / "test_tasks.txt").write_text("task1_a")
    with pytest.raises(DataError, match="is a link, a device or lies outside the archive"):
        read_local(archive, None, 100)


def test_an_archive_whose_check_sum_does_not_fit(folder: Path, tmp_path: Path) -> None:
    """One word is another one: what was read is still a task."""
    archive = packed(folder, tmp_path / "ni.tar.gz")
    content = gzip.compress(gzip.decompress(archive.read_bytes()), compresslevel=0)
    assert content.count(b"Is 3 big?") == 1
    archive.write_bytes(content.replace(b"Is 3 big?", b"Is 8 big?"))
    with pytest.raises(DataError, match="damaged .CRC check failed.*Cure"):
        read_local(archive, None, 100)


def test_nothing_is_unpacked(folder: Path, tmp_path: Path) -> None:
    archive = packed(folder, tmp_path / "ni.tar.gz")
    before = sorted(tmp_path.rglob("*"))
    read_local(archive, None, 100)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_task_that_is_there_twice_is_refused(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "ni.tar"
    for place in ("a", "b"):
        add_member(archive, f"{place}/tasks/task1_a.json")
    (tmp_path / "test_tasks.txt").write_text("task1_a")
    with pytest.raises(DataError, match="2 files of task1_a"):
        read_local(archive, None, 100)


def hub_folder(path: Path, rows: list[dict[str, object]]) -> str:
    DatasetDict({"test": Dataset.from_list(rows)}).save_to_disk(str(path))
    return str(path)


def test_rows_of_the_hub_are_joined_by_id(tmp_path: Path) -> None:
    """Two rows of instance a are its two references; of three instances the first two are kept."""
    columns = {"task_name": "task1_a", "definition": "Answer."}
    rows = [
        columns | {"id": i, "inputs": f"{i}?", "targets": target}
        for i, target in [("a", "yes"), ("b", "no"), ("c", "no"), ("a", "sure")]
    ]
    found = read_hub(hub_folder(tmp_path / "hub", rows), None, None, limit=2)
    assert found.names == ("task1_a",)
    assert found.tasks[0].instances == (
        Instance("a", "a?", ("yes", "sure")),
        Instance("b", "b?", ("no",)),
    )


def test_a_list_chooses_and_orders_the_tasks_of_the_hub(tmp_path: Path) -> None:
    columns = {"id": "a", "definition": "Answer.", "inputs": "?", "targets": ["yes", "sure"]}
    rows = [columns | {"task_name": name} for name in ("task1_a", "task2_b", "task3_c")]
    hub, names = hub_folder(tmp_path / "hub", rows), tmp_path / "names.txt"
    names.write_text("task3_c\ntask9_gone\ntask1_a\n")
    found = read_hub(hub, None, names, 100)
    assert [t.name for t in found.tasks] == ["task3_c", "task1_a"]
    assert found.names[1] == "task9_gone"
    names.write_text("task9_gone\n")
    with pytest.raises(DataError, match="no row of the 1 tasks of .*, such as task9_gone"):
        read_hub(hub, None, names, 100)


def test_a_hub_dataset_with_other_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 1: field 'task_name' is missing.*Cure"):
        read_hub(hub_folder(tmp_path / "hub", [{"text": "x"}]), None, None, 100)
