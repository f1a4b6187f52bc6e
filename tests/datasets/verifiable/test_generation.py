"""What is generated: kinds, splits, order, references."""

import re
import subprocess
import sys
from collections import Counter
from itertools import chain
from typing import Literal

import pytest

from tuna_exp.datasets.verifiable import VerifiableDataset, generate, verify
from tuna_exp.datasets.verifiable.dataset import KINDS
from tuna_exp.datasets.verifiable.reading import in_words, words
from tuna_exp.datasets.verifiable.vocabulary import HELD_OUT, ORDINALS, TRAIN, is_held_out
from tuna_exp.errors import ConfigError, DataError

Split = Literal["train", "held_out"]
SPLITS: tuple[Split, Split] = ("train", "held_out")


def _kinds(split: Split, count: int) -> Counter[tuple[str, str]]:
    return Counter((item.split, item.kind) for item in generate(split, count, 3))


def _numbers(text: str) -> set[int]:
    spelled = {in_words(number): number for number in range(100)}
    ordinal = {word: number for number, word in ORDINALS.items()}
    named = spelled | ordinal
    return {named[word] for word in words(text) if word in named} | {
        int(digits) for digits in re.findall("[0-9]+", text)
    }


def test_there_are_enough_kinds_and_phrasings() -> None:
    assert sum(not kind.held_out for kind in KINDS) >= 44
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        assert len(kind.held_out_phrasings if kind.held_out else kind.phrasings) >= 4, kind.name
        assert len(kind.held_out_phrasings) >= 2, kind.name


def test_no_phrasing_is_used_twice() -> None:
    phrasings = list(chain(*(kind.phrasings + kind.held_out_phrasings for kind in KINDS)))
    assert [text for text, times in Counter(phrasings).items() if times > 1] == []


def test_held_out_kinds_come_from_every_family() -> None:
    families = {kind.name.partition("/")[0] for kind in KINDS if kind.held_out}
    assert families == {"word", "letter", "number", "list", "sentence"}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("split", SPLITS)
def test_every_reference_passes_its_own_check(split: Split, seed: int) -> None:
    for item in generate(split, 1200, seed):
        assert item.reference is not None
        verdict = verify(item, item.reference)
        assert verdict.passed, (item, verdict)


@pytest.mark.parametrize("split", SPLITS)
def test_instructions_and_references_are_short(split: Split) -> None:
    for item in generate(split, 1200, 0):
        assert len(item.text.split()) <= 30, item.text
        assert len((item.reference or "").split()) <= 12, item.reference


def test_splits_share_no_content_word() -> None:
    assert not TRAIN.content & HELD_OUT.content
    assert not set(TRAIN.letters) & set(HELD_OUT.letters)
    for split, other in (("train", HELD_OUT), ("held_out", TRAIN)):
        for item in generate(split, 2000, 0):  # type: ignore[arg-type]
            said = set(words(item.text)) | set(words(item.reference or ""))
            assert not said & other.content, (item.text, said & other.content)


def test_splits_share_no_number() -> None:
    """A number n is held out where n mod 5 is 0 or 3: 3, 5, 8, 10, ... against 1, 2, 4, 6, ..."""
    for split in SPLITS:
        for item in generate(split, 2000, 0):
            strangers = {n for n in _numbers(item.text) if is_held_out(n) != (split == "held_out")}
            assert not strangers, (item.text, strangers)


def test_no_text_comes_twice_and_ids_are_unique() -> None:
    for split in SPLITS:
        items = generate(split, 3000, 0)
        assert len({item.text for item in items}) == len({item.id for item in items}) == 3000


def test_kinds_take_turns() -> None:
    """1000 items over 54 kinds: 18 or 19 of each."""
    times = _kinds("train", 1000).values()
    assert max(times) - min(times) <= 1


def test_a_quarter_of_the_held_out_split_is_of_unseen_kinds() -> None:
    counts = _kinds("held_out", 400)
    for split, total in (("held_out", 300), ("held_out_kind", 100)):
        times = [n for (name, _), n in counts.items() if name == split]
        assert sum(times) == total
        assert max(times) - min(times) <= 1
    assert not {k for s, k in counts if s == "held_out"} & {
        k for s, k in counts if s == "held_out_kind"
    }


@pytest.mark.parametrize("split", SPLITS)
def test_a_larger_count_begins_with_the_smaller(split: Split) -> None:
    assert generate(split, 500, 9)[:123] == generate(split, 123, 9)
    assert generate(split, 123, 9) != generate(split, 123, 10)


def test_another_process_draws_the_same() -> None:
    program = (
        "from tuna_exp.datasets.verifiable import generate;"
        "print(*(repr(i) for i in generate('held_out', 80, 4)), sep='\\n')"
    )
    run = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == [repr(item) for item in generate("held_out", 80, 4)]


def test_asking_for_too_many_names_the_kind() -> None:
    with pytest.raises(DataError, match=r"kind '.*' has no more than about .* Cure"):
        generate("train", 100_000, 0)


def test_unknown_split_and_negative_count() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'train'"):
        generate("trian", 1, 0)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="count is -1"):
        generate("train", -1, 0)


def test_the_dataset_loads_what_its_digest_says() -> None:
    dataset = VerifiableDataset(count=20, seed=5, split="held_out")
    assert dataset.load() == generate("held_out", 20, 5)
    digest = dataset.digest()
    assert digest["dataset"] == "verifiable"
    assert digest != VerifiableDataset(count=20, seed=6, split="held_out").digest()


def test_kinds_are_names_or_patterns() -> None:
    chosen = {item.kind for item in generate("train", 60, 0, ["list/n*", "word/upper"])}
    assert chosen == {"list/nth", "list/name", "word/upper"}


def test_no_kinds_given_is_all_kinds() -> None:
    assert generate("held_out", 80, 0, None) == generate("held_out", 80, 0, ["*"])


def test_a_chosen_kind_draws_what_it_draws_among_all() -> None:
    """Each kind has its own random numbers, so a choice of kinds moves no instruction."""
    among_all = [item for item in generate("train", 300, 0) if item.kind == "list/nth"]
    assert generate("train", len(among_all), 0, ["list/nth"]) == among_all


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'word/uper' fits no kind.*Did you mean 'word/upper'"):
        generate("train", 1, 0, ["list/*", "word/uper"])


def test_seen_kinds_alone_leave_no_held_out_kind() -> None:
    items = generate("held_out", 12, 0, ["word/upper", "list/nth"])
    assert {item.split for item in items} == {"held_out"}
    assert len(items) == 12


def test_unseen_kinds_alone_are_all_of_the_split() -> None:
    items = generate("held_out", 12, 0, ["word/lower", "list/swap"])
    assert {(item.split, item.kind) for item in items} == {
        ("held_out_kind", "word/lower"),
        ("held_out_kind", "list/swap"),
    }
    assert len(items) == 12


def test_held_out_kinds_cannot_be_trained_on() -> None:
    with pytest.raises(ConfigError, match=r"only word/lower, list/swap chosen.*Cure: split: held"):
        generate("train", 4, 0, ["word/lower", "list/swap"])
    assert {item.kind for item in generate("train", 4, 0, ["word/lower", "word/upper"])} == {
        "word/upper"
    }


@pytest.mark.parametrize("split", SPLITS)
def test_an_empty_choice_of_kinds_is_told(split: Split) -> None:
    with pytest.raises(ConfigError, match="kinds is empty.*null for all"):
        generate(split, 4, 0, [])


def test_the_dataset_hands_its_kinds_on() -> None:
    dataset = VerifiableDataset(count=9, seed=5, kinds=["list/*"])
    assert dataset.load() == generate("train", 9, 5, ["list/*"])
    assert dataset.digest()["kinds"] == ["list/*"]
    assert dataset.digest() != VerifiableDataset(count=9, seed=5).digest()
    with pytest.raises(ConfigError, match="fits no kind"):
        VerifiableDataset(count=9, seed=5, kinds=["lists/*"]).load()
