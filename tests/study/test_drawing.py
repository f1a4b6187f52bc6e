"""Drawing items: in the shares of their kinds, in balanced orders, from what all rankings hold."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.study.conftest import Folders, examples
from tuna_exp.errors import DataError, UserError
from tuna_exp.records import write_records
from tuna_exp.study.drawing import Plan, Ranking, make_key, read_rankings
from tuna_exp.study.key import Key, dense


def key_of(kind: str = "pairs", count: int = 12, raters: int = 2, seed: int = 0) -> Key:
    """A study of 40 instructions by two rankers who never agree."""
    rankings = [
        Ranking(name, {e.instruction.id: e for e in examples(40, better)})
        for name, better in (("longest", 1.0), ("shortest", -1.0))
    ]
    return make_key(rankings, Plan(kind, count, seed, raters))  # type: ignore[arg-type]


def test_kinds_keep_their_share() -> None:
    """10 of 40 instructions are rare; of 12 drawn, 3 are."""
    assert Counter(item.stratum for item in key_of().items) == {"rare": 3, "often": 9}


@given(
    seed=st.integers(0, 1000), raters=st.integers(1, 3), kind=st.sampled_from(["pairs", "lists"])
)
def test_the_best_is_in_each_slot_equally_often(seed: int, raters: int, kind: str) -> None:
    """12 items, 2 or 4 slots: the first ranker's best is 6 or 3 times in each, for each rater."""
    key = key_of(kind, raters=raters, seed=seed)
    best = {item.id: item.verdicts["longest"].index(0) for item in key.items}  # type: ignore[union-attr]
    for seat in key.seats:
        slots = Counter(shown.order.index(best[shown.item]) for shown in seat)
        assert set(slots.values()) == {6 if kind == "pairs" else 3}


def test_two_raters_see_each_pair_in_both_orders() -> None:
    first, second = ({s.item: s.order for s in seat} for seat in key_of().seats)
    assert all(first[item] == second[item][::-1] for item in first)
    assert list(first) != list(second)


def test_the_same_seed_draws_the_same_study() -> None:
    assert key_of(seed=3) == key_of(seed=3) != key_of(seed=4)


def test_texts_are_not_best_first() -> None:
    assert {item.verdicts["longest"] for item in key_of().items} == {(0, 1), (1, 0)}


def test_rankers_keep_their_names_and_verdicts(rankings: Folders) -> None:
    key = make_key(read_rankings(rankings()), Plan("lists", 5, 0, 1))
    assert key.rankers == ["longest ranker", "shortest ranker"]
    for item in key.items:
        lengths = [len(text) for text in item.texts]
        assert item.verdicts["shortest ranker"] == dense(lengths)
        assert item.verdicts["longest ranker"] == dense([-length for length in lengths])


def test_all_items_where_no_count_is_asked_for(rankings: Folders) -> None:
    folders = rankings(12)
    assert len(make_key(read_rankings(folders), Plan("pairs", None, 0, 1)).items) == 12
    with pytest.raises(UserError, match="--count is 13; .* have 12 .*Cure: --count 12"):
        make_key(read_rankings(folders), Plan("pairs", 13, 0, 1))


def test_rankings_of_other_samples_are_told(rankings: Folders, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    write_records(other, examples(3, 1.0, texts=1))
    with pytest.raises(UserError, match="'longest ranker', 'other' rank. Cure"):
        make_key(read_rankings([rankings()[0], other]), Plan("pairs", None, 0, 1))


def test_a_text_may_hold_any_separator_of_unicode(tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    example = examples(1, 1.0)[0]
    odd = example.instruction.model_copy(update={"instruction": "a\u2028b\x85c"})
    write_records(path, [example.model_copy(update={"instruction": odd})])
    (ranking,) = read_rankings([path])
    assert ranking.examples["i0"].instruction == odd


@pytest.mark.parametrize(("content", "told"), [("{}", "line 1: instruction"), (None, "cannot be")])
def test_what_is_no_ranking_is_told(tmp_path: Path, content: str | None, told: str) -> None:
    path = tmp_path / "some.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=f"some.jsonl.*{told}.*Cure"):
        read_rankings([path])
