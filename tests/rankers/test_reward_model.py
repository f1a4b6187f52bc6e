"""The reward model as a ranker: order, refusals, what is counted."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tuna_exp.errors import ConfigError
from tuna_exp.models.loading import load_classifier, load_tokenizer
from tuna_exp.models.student import Folder
from tuna_exp.rankers.base import Refusal
from tuna_exp.rankers.reward_model import RewardModelRanker
from tuna_exp.records import CandidateSet, RankedExample

MakeSet = Callable[..., CandidateSet]


@pytest.fixture(scope="module")
def classifier(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a random head of one number."""
    folder = tmp_path_factory.mktemp("classifier")
    torch.manual_seed(0)
    load_classifier(tiny_folder, "float32", new_head=True).save_pretrained(folder)
    load_tokenizer(tiny_folder).save_pretrained(folder)
    return folder


def ranker(folder: Path, max_length: int = 512, batch_size: int = 4) -> RewardModelRanker:
    return RewardModelRanker(Folder(folder), None, "float32", max_length, batch_size)


def test_responses_are_ordered_by_their_logit(classifier: Path, make_set: MakeSet) -> None:
    sets = [make_set(["red", "blue", "a long one " * 9, "red"], name=n) for n in "ab"]
    made = ranker(classifier).rank(sets)
    for one in made:
        assert isinstance(one, RankedExample) and len(one.responses) == 3
        scores = [response.score for response in one.responses]
        assert scores == sorted(scores, reverse=True) and len(set(scores)) == 3  # type: ignore[type-var]
    assert made[0].usage.read > 3 * 20 and made[0].usage == made[1].usage


def test_a_set_with_a_response_too_long_is_refused_alone(
    classifier: Path, make_set: MakeSet
) -> None:
    sets = [make_set(["x", "y"]), make_set(["x", "word " * 300], name="long")]
    good, bad = ranker(classifier, max_length=100).rank(sets)
    assert [good] == ranker(classifier).rank(sets[:1])
    assert isinstance(bad, Refusal) and bad.kind == "too_long"
    assert "'long' has" in bad.raw and "RewardModelRanker reads 100. Cure" in bad.raw
    assert ranker(classifier, max_length=100).rank(sets[1:]) == [bad]


def test_settings_are_checked_without_weights(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((classifier / "config.json").read_bytes())
    ranker(tmp_path).check([])
    with pytest.raises(ConfigError, match="ranker.batch_size=0"):
        ranker(tmp_path, batch_size=0).check([])
    named = RewardModelRanker(Folder(tmp_path), "good", "float32", 64, 4)
    with pytest.raises(ConfigError, match="ranker.label=good"):
        named.check([])
    assert named.questions(4) == 0
    assert named.digest() == {
        "ranker": "reward_model",
        "source": {},
        "label": "good",
        "dtype": "float32",
        "max_length": 64,
    }


def test_a_released_model_is_loaded_again(classifier: Path, make_set: MakeSet) -> None:
    used = ranker(classifier)
    first = used.rank([make_set(["x", "y"])])
    used.release()
    used.release()
    assert used.rank([make_set(["x", "y"])]) == first
