"""What of a ranking is trained on: its first sets, those with an order, their best responses."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tuna_exp.batching.tokenise import Batching
from tuna_exp.batching.tokens import Tokens
from tuna_exp.errors import DataError
from tuna_exp.models.student import Student
from tuna_exp.plan import Workspace
from tuna_exp.records import Instruction, RankedExample, read_records, write_records
from tuna_exp.stages.rank import RANKING, mix
from tuna_exp.stages.tokenise import TOKENS, Reading, tokenise_best, tokenise_ranking
from tuna_exp.unfinished import Notebook

MakeWork = Callable[..., Workspace]
BATCHING = Batching("padded", 2, 512, 256, "error", 0)


def ranking_of(folder: Path, instructions: list[Instruction], scores: list[list[float]]) -> Path:
    folder.mkdir()
    texts = ["one", "two words", "three words here"]
    sets = [
        RankedExample.from_scores(instruction, texts, score)
        for instruction, score in zip(instructions, scores, strict=True)
    ]
    write_records(folder / RANKING, sets)
    return folder


@pytest.fixture
def ranking(tmp_path: Path, instructions: list[Instruction]) -> Path:
    """Six sets of three; the second has no order, the best is the third, any, the first, ..."""
    order = [[0.0, 1, 2], [1.0, 1, 1], [2.0, 1, 0], [0.0, 2, 2], [1.0, 2, 0], [2.0, 0, 1]]
    return ranking_of(tmp_path / "ranking", instructions, order)


@pytest.mark.parametrize(
    "share, use_unordered, used",
    [(1.0, True, 6), (1.0, False, 5), (0.5, True, 3), (0.5, False, 2), (0.3, False, 1)],
)
def test_a_share_takes_the_first_sets(
    student: Student,
    ranking: Path,
    make_work: MakeWork,
    share: float,
    use_unordered: bool,
    used: int,
) -> None:
    """Of 6 sets 0.3 is 1.8, rounded 2: of these the second has no order."""
    work = make_work(ranking=ranking)
    tokenise_ranking(Reading(BATCHING, "reference", use_unordered, share), student, work)
    made, facts = Tokens(work.folder / TOKENS), Notebook(work.folder).facts()
    ids = [e.instruction.id for e in read_records(ranking / RANKING, RankedExample)]
    kept = [i for n, i in enumerate(ids) if use_unordered or n != 1][:used]
    assert [example.name for example in made] == kept
    assert (facts["sets"], facts["ordered_sets"], facts["sets_used"]) == (6, 5, used)


def test_the_best_response_stands_for_the_reference(
    student: Student, ranking: Path, make_work: MakeWork
) -> None:
    """Where two tie for best it is the first of them: "two words" in the fourth set."""
    work = make_work(ranking=ranking)
    tokenise_best(Reading(BATCHING, "reference", False, 1.0), student, work)
    encoder = student.encoder(student.source.resolve())
    best = ["three words here", "one", "two words", "two words", "one"]
    made = list(Tokens(work.folder / TOKENS))
    said = [list(map(list, example.responses)) for example in made]
    assert said == [[list(encoder.response_ids(text))] for text in best]
    assert all(list(e.ranks) == [-1] and list(e.trained) == [True] for e in made)


def test_no_set_left_is_an_error(student: Student, ranking: Path, make_work: MakeWork) -> None:
    work = make_work(ranking=ranking)
    with pytest.raises(DataError, match="no example is left"):
        tokenise_best(Reading(BATCHING, "reference", False, 0.01), student, work)


def test_a_mix_holds_the_sets_of_both(
    tmp_path: Path, instructions: list[Instruction], ranking: Path, make_work: MakeWork
) -> None:
    other = ranking_of(tmp_path / "other", instructions[:2], [[2.0, 1, 0]] * 2)
    work = make_work(by_teacher=other, by_reading=ranking)
    mix(work)
    mixed = list(read_records(work.folder / RANKING, RankedExample))
    parts = [list(read_records(f / RANKING, RankedExample)) for f in (ranking, other)]
    assert mixed == [*parts[0], *parts[1]]
    assert Notebook(work.folder).facts()["sets"] == 8
