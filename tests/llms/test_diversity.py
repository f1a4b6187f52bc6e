"""The rule against samples that say the same, and the redraws it asks for."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from tuna_exp.llms.base import Sampling
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.diversity import Diversity, similarity
from tuna_exp.records import Candidate, Instruction
from tuna_exp.stages.sample import draw_sets

RELEASE = Diversity(max_rouge=0.8, redraws=3, temperature_step=0.1)
DECODING = Decoding(responses=2, temperature=1.0, top_p=1.0, top_k=0, max_new_tokens=4)
A, B = (Instruction(id=name, instruction=name) for name in "ab")
SAME = ["one two three", "one two three"]
HALF = ["one two", "one three"]  # longest common subsequence 1 of 2 words: F1 = 0.5
NEAR = ["a b c d e f g h i j", "a b c d e f g h i k"]  # 9 of 10 words: F1 = 0.9
APART = ["one", "two"]


@dataclass
class Scripted:
    """Answers each instruction with its next pair of texts; remembers temperatures and seeds."""

    script: dict[str, list[list[str]]]
    asked: list[tuple[list[str], float, int]] = field(default_factory=list)

    def remember(self, instructions: Sequence[Instruction]) -> None: ...

    def prompt_length(self, instruction: Instruction) -> int:
        return 1

    def answer(
        self, instructions: Sequence[Instruction], decoding: Decoding, seed: int
    ) -> list[list[Candidate]]:
        names = [instruction.id for instruction in instructions]
        self.asked.append((names, round(decoding.temperature, 6), seed))
        return [[Candidate(text=text) for text in self.script[name].pop(0)] for name in names]

    def choose(
        self, instructions: Sequence[Instruction], begun: str, options: Sequence[str]
    ) -> list[list[float]]:
        return []


def drawn(llm: Scripted, rule: Diversity | None = RELEASE) -> dict[str, tuple[list[str], int]]:
    sets = draw_sets(llm, [i for i in (A, B) if i.id in llm.script], Sampling(DECODING, 8, rule), 0)
    return {s.instruction.id: ([c.text for c in s.candidates], s.draws) for s in sets}


def test_similarity_is_the_largest_rouge_l_of_all_pairs() -> None:
    """ "the cat sat" and "the cat ran": 2 of 3 words in common order, F1 = 2/3; with "dog" 0."""
    assert similarity(["the cat sat", "dog", "the cat ran"]) == pytest.approx(2 / 3)
    assert similarity(HALF) == pytest.approx(0.5)
    assert similarity(NEAR) == pytest.approx(0.9)
    assert similarity(["", ""]) == similarity(SAME) == 1.0
    assert similarity(["alone"]) == similarity([]) == 0.0


def test_order_counts_and_not_only_words() -> None:
    """ "a b c" and "c b a" have 1 of 3 words in common order."""
    assert similarity(["a b c", "c b a"]) == pytest.approx(1 / 3)


def test_redraws_are_at_most_three_and_each_a_step_hotter() -> None:
    llm = Scripted({"a": [SAME] * 9})
    assert drawn(llm) == {"a": (SAME, 4)}
    assert [warmth for _, warmth, _ in llm.asked] == [1.0, 1.1, 1.2, 1.3]
    assert len({seed for _, _, seed in llm.asked}) == 4


def test_only_sets_too_alike_are_drawn_again() -> None:
    llm = Scripted({"a": [NEAR, APART], "b": [HALF]})
    assert drawn(llm) == {"a": (APART, 2), "b": (HALF, 1)}
    assert [names for names, _, _ in llm.asked] == [["a", "b"], ["a"]]


def test_the_least_similar_set_is_kept() -> None:
    """Similarities 1, 0.9, 1, 1, all at least 0.8: the second draw is kept, all four counted."""
    assert drawn(Scripted({"a": [SAME, NEAR, SAME, SAME]})) == {"a": (NEAR, 4)}


def test_exactly_at_the_limit_is_too_alike() -> None:
    four_of_five = ["a b c d e", "a b c d f"]
    assert drawn(Scripted({"a": [four_of_five, APART]})) == {"a": (APART, 2)}


def test_without_a_rule_everything_is_kept() -> None:
    llm = Scripted({"a": [SAME]})
    assert drawn(llm, None) == {"a": (SAME, 1)}
