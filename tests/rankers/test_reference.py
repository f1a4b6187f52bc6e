"""Likeness to the dataset's own response."""

from pathlib import Path
from typing import Any

import pytest

from tuna_exp.errors import ConfigError
from tuna_exp.models.student import Folder
from tuna_exp.rankers.base import Refusal
from tuna_exp.rankers.reference import ReferenceRanker
from tuna_exp.records import Candidate, CandidateSet, Instruction, RankedExample


def asked(*texts: str, reference: str = "red and blue", name: str = "q") -> CandidateSet:
    instruction = Instruction(id=name, instruction="Name colours.", reference=reference)
    return CandidateSet(
        instruction=instruction, candidates=tuple(Candidate(text=text) for text in texts)
    )


def scores(made: RankedExample | Refusal) -> dict[str, float | None]:
    assert isinstance(made, RankedExample), made
    return {response.text: response.score for response in made.responses}


def test_rouge_by_hand() -> None:
    """Reference "red and blue": of "red blue" 2 of 2 words and 2 of 3 are in common, F1 = 0.8;
    of "blue and red" one word in order, 1/3 and 1/3; of "green" none.
    """
    made = ReferenceRanker("rouge_l", None, 4).rank(
        [asked("green", "red blue", "blue and red", "red and blue")]
    )[0]
    assert scores(made) == pytest.approx(
        {"red and blue": 1.0, "red blue": 0.8, "blue and red": 1 / 3, "green": 0.0}
    )
    assert list(scores(made)) == ["red and blue", "red blue", "blue and red", "green"]


def test_embeddings_put_the_reference_itself_first(tiny_folder: Path) -> None:
    ranker = ReferenceRanker("embedding", Folder(tiny_folder), 2)
    sets = [asked("green", "red and blue"), asked("red", "x" * 5000, name="long"), asked("a", "b")]
    first, long, last = ranker.rank(sets)
    assert scores(first)["red and blue"] == pytest.approx(1.0)
    assert list(scores(first)) == ["red and blue", "green"]
    assert isinstance(long, Refusal) and long.kind == "too_long"
    alone = ranker.rank(sets[2:])[0]
    assert scores(last) == pytest.approx(scores(alone))
    ranker.release()


@pytest.mark.parametrize("metric, given", [("embedding", False), ("rouge_l", True)])
def test_embeddings_and_an_encoder_go_together(metric: Any, given: bool, tiny_folder: Path) -> None:
    ranker = ReferenceRanker(metric, Folder(tiny_folder) if given else None, 4)
    with pytest.raises(ConfigError, match="ranker.encoder=.*Cure"):
        ranker.check([asked("x").instruction])


def test_instructions_need_references() -> None:
    ranker = ReferenceRanker("rouge_l", None, 4)
    ranker.check([asked("x").instruction])
    without = Instruction(id="none", instruction="Do it.")
    with pytest.raises(ConfigError, match=r"1 of 2 instructions have none \(first: 'none'\).*Cure"):
        ranker.check([asked("x").instruction, without])
