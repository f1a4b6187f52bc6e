"""Reading LMentry: a folder or a tar, whole or told what is wrong, nothing unpacked."""

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuna_exp.errors import DataError
from tuna_exp.evaluation.lmentry.data import content_digest, instructions, read_files
from tuna_exp.evaluation.lmentry.tasks import CORE, FILES, SUBSETS

SHARED = Path(os.environ.get("TUNA_EXP_SHARED", Path(__file__).parents[4] / "shared"))
PUBLISHED = SHARED / "data" / "lmentry"
published = pytest.mark.skipif(
    not PUBLISHED.is_dir(), reason=f"no folder {PUBLISHED}; TUNA_EXP_SHARED names it"
)

Files = dict[str, dict[str, Any]]
Write = Callable[[Files], Path]


def test_a_folder_its_data_folder_and_a_tar_hold_the_same(folder: Path, packed: Path) -> None:
    whole = read_files(folder)
    assert list(whole) == list(FILES)
    assert whole == read_files(folder / "data") == read_files(packed)


def test_a_tar_is_read_with_a_folder_above_and_other_files(folder: Path, tmp_path: Path) -> None:
    (folder / "resources").mkdir()
    (folder / "resources" / "plurals.json").write_text("{}")
    path = tmp_path / "other.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(folder, "lmentry-main")
    assert read_files(path) == read_files(folder)


def test_the_digest_is_of_the_content(files: Files, write: Write, packed: Path) -> None:
    whole = read_files(packed)
    before = content_digest(whole)
    assert before == content_digest(dict(reversed(whole.items())))
    files["homophones"]["examples"]["1"]["input"] += "?"
    assert content_digest(read_files(write(files))) != before


def test_instructions_carry_what_scoring_and_figures_need(folder: Path) -> None:
    """41 files of 6 examples: 246; ids 3 and 5 are the first tuple's under templates 1 and 2."""
    made = instructions(read_files(folder), None)
    assert len(made) == 246
    assert sum(item.split == "core" for item in made) == 6 * len(CORE) == 150
    assert len({item.id for item in made}) == 246
    by_id = {item.id: item for item in made}
    item = by_id["rhyming_word_orthographically_similar/4"]
    assert (item.kind, item.split) == ("rhyming_word_orthographically_similar", "argument_content")
    assert item.instruction == "rhyming_word_orthographically_similar 4:\n"
    assert item.check is not None and item.check.name == "lmentry/rhyming_word"
    assert item.check.arguments["template_id"] == 1
    assert item.check.arguments["answer"] == "lamp"
    tuples = [by_id[f"homophones/{n}"].check for n in range(1, 7)]
    assert [check.arguments["argument_tuple"] for check in tuples if check] == [0, 1, 0, 1, 0, 1]


def test_per_template_keeps_the_first_argument_tuples(folder: Path) -> None:
    made = instructions(read_files(folder), 1)
    kept = [item.id for item in made if item.kind == "first_word"]
    assert kept == ["first_word/1", "first_word/3", "first_word/5"]
    assert len(made) == 3 * 41


def test_ids_are_ordered_as_numbers(files: Files, write: Write) -> None:
    """Ten comes after "2"."""
    examples = files["first_word"]["examples"]
    examples["10"] = examples.pop("1")
    made = instructions(read_files(write(files)), None)
    ids = [item.id for item in made if item.kind == "first_word"]
    assert ids == [f"first_word/{n}" for n in (2, 3, 4, 5, 6, 10)]


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        instructions(read_files(path), None)
    assert "Cure: " in str(caught.value)
    return str(caught.value)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "data" / "last_word.json").unlink()
    told = refused(folder)
    assert "40 of LMentry's 41 task files" in told and "last_word" in told


def test_nothing_there_is_told(tmp_path: Path) -> None:
    told = refused(tmp_path / "nowhere.tar.gz")
    assert "nowhere.tar.gz does not exist" in told and "evaluation.lmentry.path" in told
    (tmp_path / "text").write_text("no tar")
    assert "is no tar and no folder" in refused(tmp_path / "text")
    assert "0 of LMentry's 41" in refused(tmp_path)


def test_a_tar_cut_short_is_told(packed: Path) -> None:
    packed.write_bytes(packed.read_bytes()[:-800])
    assert "cut short or damaged" in refused(packed)


def test_a_tar_whose_check_sum_does_not_fit_is_told(packed: Path) -> None:
    """One letter is another one: what was read is still JSON of the right form."""
    content = gzip.compress(gzip.decompress(packed.read_bytes()), compresslevel=0)
    place = content.index(b'"answer": "') + len(b'"answer": "')
    packed.write_bytes(content[:place] + b"Q" + content[place + 1 :])
    assert "cut short or damaged (CRC check failed" in refused(packed)


def test_a_damaged_stream_is_told(packed: Path) -> None:
    content = packed.read_bytes()
    packed.write_bytes(content[:300] + bytes(300) + content[600:])
    assert "cut short or damaged" in refused(packed)


def test_a_task_without_examples_is_told(files: Files, write: Write) -> None:
    files["homophones"]["settings"]["num_examples_per_template"] = 0
    files["homophones"]["examples"] = {}
    told = refused(write(files))
    assert "homophones.json is not a task file: settings.num_examples_per_template" in told


def test_half_a_file_is_told(folder: Path) -> None:
    path = folder / "data" / "homophones.json"
    path.write_text(path.read_text()[:300])
    assert "homophones.json is not a task file" in refused(folder)


def test_missing_examples_are_told(files: Files, write: Write) -> None:
    del files["homophones"]["examples"]["6"]
    told = refused(write(files))
    assert "homophones has 2, 2, 1 examples" in told and "2 each" in told


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("answer", None, "metadata.answer"),
        ("answer", "", "metadata.answer"),
        ("answer", "a\0b", "metadata.answer"),
        ("answer_index", 2, "metadata.answer_index"),
        ("answer_index", "1", "metadata.answer_index"),
        ("template_id", 3, "metadata.template_id"),
    ],
)
def test_metadata_that_a_scorer_cannot_read_is_told(
    files: Files, write: Write, field: str, value: object, told: str
) -> None:
    files["homophones"]["examples"]["3"]["metadata"][field] = value
    message = refused(write(files))
    assert "homophones example 3" in message and told in message


def test_another_task_under_the_name_is_told(files: Files, write: Write) -> None:
    files["homophones"]["settings"]["name"] = "rhyming_word"
    assert "is of the task 'rhyming_word'; allowed: homophones" in refused(write(files))


@pytest.mark.parametrize("name", ["../homophones.json", "/homophones.json", "a/../../x.json"])
def test_a_path_out_of_the_tar_is_refused(packed: Path, name: str) -> None:
    add(packed, tarfile.TarInfo(name))
    assert repr(name) in refused(packed)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_link_or_device_is_refused(packed: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("data/homophones.json")
    member.type, member.linkname = kind, "/etc/hostname"
    add(packed, member)
    assert "no links" in refused(packed)


def test_a_member_that_would_fill_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.tar.gz"
    member = tarfile.TarInfo("data/homophones.json")
    member.size = 33 * 2**20
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        archive.addfile(member, io.BytesIO(bytes(member.size)))
    assert f"{33 * 2**20} bytes" in refused(path)


def add(path: Path, member: tarfile.TarInfo) -> None:
    """Put a member in front of those that a packed tar has."""
    with tarfile.open(path) as archive:
        there = [(m, archive.extractfile(m)) for m in archive if m.isreg()]
        kept = [(m, stream.read()) for m, stream in there if stream]
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(member)
        for other, content in kept:
            archive.addfile(other, io.BytesIO(content))


@published
@pytest.mark.parametrize(
    ("name", "core", "subsets"),
    [
        pytest.param("full.tar.gz", 62_703, 48_000, marks=pytest.mark.slow),
        ("sample.tar.gz", 6_603, 4_800),
    ],
)
def test_the_published_files(name: str, core: int, subsets: int) -> None:
    """Full: 20 core tasks of 3 x 1,000, homophones of 3 x 800, letter tasks of 3 x 78 and 69.

    60,000 + 2,400 + 303 = 62,703, and 16 subsets of 3,000. Sample: 21 of 3 x 100 and the letter
    tasks, 6,300 + 303 = 6,603, and 16 subsets of 300.
    """
    made = instructions(read_files(PUBLISHED / name), None)
    counted = [sum(item.kind in names for item in made) for names in (CORE, SUBSETS)]
    assert counted == [core, subsets]
