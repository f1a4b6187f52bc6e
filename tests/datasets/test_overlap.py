"""Runs of words that texts share, and what a word is."""

from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.datasets.overlap import Index, Shared, words_of

WORDS = st.lists(st.sampled_from(["tuna", "shoal", "net", "sea", "boat"]), min_size=1, max_size=9)


@given(WORDS, WORDS, st.integers(1, 6))
def test_runs_are_found_as_by_looking_at_every_place(a: list[str], b: list[str], n: int) -> None:
    """A run of n words is shared where some n words in a row of one stand in the other."""
    index = Index(n)
    index.add("exam", [" ".join(a)])
    runs = {tuple(a[i : i + n]) for i in range(len(a) - n + 1)}
    shared = any(tuple(b[i : i + n]) in runs for i in range(len(b) - n + 1))
    whole = a == b and len(a) >= 4
    assert (index.find(" ".join(b)) is not None) == (shared or whole)


def test_all_that_is_shared_comes_the_whole_text_first() -> None:
    """Of "a b c d" against itself in runs of 3: the whole, "a b c", "b c d"."""
    index = Index(3)
    index.add("exam", ["A b c d", "c d e"])
    assert list(index.find_all("a, b, c, d.")) == [
        Shared("exam", True, "a b c d"),
        Shared("exam", False, "a b c"),
        Shared("exam", False, "b c d"),
    ]


def test_words_are_letters_and_digits() -> None:
    assert words_of("The 3 Größen: don't_stop") == ("the", "3", "grössen", "don", "t_stop")
