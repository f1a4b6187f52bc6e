"""Translation: the file is read strictly, each pair is a corpus, and methods can be compared."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tuna_exp.comparison.benchmarks import values_behind
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.errors import ConfigError, DataError
from tuna_exp.evaluation.translation.benchmark import TranslationBenchmark
from tuna_exp.records import Candidate

ROWS = [
    {"pair": "de-en", "index": 0, "source": "Die Katze.", "reference": "The cat sat here."},
    {"pair": "de-en", "index": 1, "source": "Der Hund.", "reference": "The dog sat here."},
    {"pair": "en-zh", "index": 0, "source": "The cat.", "reference": "猫坐在这里。"},
]
BOOTSTRAP = Bootstrap(0.95, 999, 0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "segments.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def benchmark(path: Path, pairs: list[str] | None = None) -> TranslationBenchmark:
    return TranslationBenchmark("translation", str(path), pairs, "From {source} to {target}:", 9, 2)


def answer(text: str) -> Candidate:
    return Candidate(text=text, token_ids=(1,), token_logprobs=(-1.0,))


def test_segments_become_instructions(file: Path) -> None:
    items = benchmark(file).items()
    assert [item.id for item in items] == ["de-en-0", "de-en-1", "en-zh-0"]
    assert items[0].text == "From German to English:\n\nDie Katze."
    assert [item.kind for item in benchmark(file, ["en-zh"]).items()] == ["en-zh"]


def test_a_folder_has_a_file_per_pair(tmp_path: Path) -> None:
    """As sacrebleu's --echo prints them; a digest is of names and contents, not of places."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "de-en.tsv").write_text("Die Katze.\tThe cat.\nEin Hund.\tA dog.\n")
    made = benchmark(tmp_path / "a")
    assert [(i.id, i.input, i.reference) for i in made.items()] == [
        ("de-en-1", "Die Katze.", "The cat."),
        ("de-en-2", "Ein Hund.", "A dog."),
    ]
    assert made.digest() == benchmark(tmp_path / "b").digest()
    (tmp_path / "a" / "de-en.tsv").write_text("Die Katze.\n")
    with pytest.raises(DataError, match="de-en.tsv line 1: expected source, tab, reference"):
        benchmark(tmp_path / "a").items()
    (tmp_path / "a" / "de-en.tsv").unlink()
    with pytest.raises(DataError, match="no file like de-en.tsv; it holds nothing. Cure: sacre"):
        benchmark(tmp_path / "a").items()


def test_a_pair_that_is_not_there_is_an_error(file: Path) -> None:
    with pytest.raises(ConfigError, match="'de-fr' has no segment .* holds de-en, en-zh"):
        benchmark(file, ["de-en", "de-fr"]).items()


@pytest.mark.parametrize("wrong", ["To {text}", "To {", "To {}", "To {target.x}", "To {target[0]}"])
def test_an_instruction_with_other_places_is_an_error(wrong: str, file: Path) -> None:
    with pytest.raises(ConfigError, match=r"translation\.instruction=.*allowed in braces.*Cure"):
        replace(benchmark(file), instruction=wrong).items()


def test_a_file_of_another_kind_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text('{"text": "a"}\n')
    with pytest.raises(DataError, match="pair"):
        benchmark(path).items()


def test_the_references_themselves_are_perfect(file: Path) -> None:
    made = benchmark(file)
    said = [made.score(item, answer(item.reference or "")) for item in made.items()]
    figures = {(f.metric, f.group): f.interval for f in made.figures(said, BOOTSTRAP)}
    assert all(interval.value == pytest.approx(1.0) for interval in figures.values())
    assert {group for _, group in figures} == {"all", "de-en", "en-zh"}
    assert next(iter(figures)) == ("chrF", "all")
    assert all(p.passed for p in said)


def test_all_is_the_mean_over_pairs_and_segments_can_be_paired(file: Path) -> None:
    """One pair perfect, the other without a common character: the mean is a half."""
    made = benchmark(file)
    said = [
        made.score(item, answer(item.reference or "" if item.kind == "de-en" else "xyz"))
        for item in made.items()
    ]
    figures = made.figures(said, BOOTSTRAP)
    by_name = {(f.metric, f.group): f for f in figures}
    assert by_name["chrF", "all"].interval.value == pytest.approx(0.5)
    segment = by_name["segment chrF", "all"]
    assert segment.interval.value == pytest.approx(2 / 3)
    assert values_behind(segment, said) == said
    assert len(values_behind(by_name["segment chrF", "de-en"], said) or []) == 2


def test_line_breaks_do_not_end_a_segment(file: Path) -> None:
    made = benchmark(file)
    assert made.score(made.items()[0], answer(" The cat\n sat here. ")).passed


def test_the_digest_names_tokenizers_and_the_files_bytes(file: Path) -> None:
    first = benchmark(file).digest()
    chrf, english, chinese = first["signatures"]
    assert chrf.startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:")
    assert english.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert "|tok:zh|" in chinese
    file.write_text(file.read_text() + json.dumps(ROWS[0] | {"index": 9}) + "\n")
    assert benchmark(file).digest()["sha256"] != first["sha256"]
