"""A local model as an LLM: what decides its answers, what it is shown, what it refuses."""

from pathlib import Path
from typing import Any

import pytest

from tuna_exp.errors import ConfigError
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.hugging_face import HuggingFaceLLM, HuggingFaceSampler, OpenHuggingFaceLLM
from tuna_exp.models.student import Folder
from tuna_exp.models.tiny import TinyModel
from tuna_exp.records import Instruction

QUESTION = Instruction(id="q", instruction="Sort these words: pear, apple.")
GREEDY = Decoding(responses=1, temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=4)
EXAMPLE = {"instruction": "Add 12 and 30.", "reference": "forty-two"}


def llm(**changed: Any) -> HuggingFaceLLM:
    usual: dict[str, Any] = {
        "source": TinyModel(),
        "prompt_format": "chat",
        "system_prompt": None,
        "examples": [],
        "trust_remote_code": False,
        "sampler": HuggingFaceSampler("float32", "sdpa"),
    }
    return HuggingFaceLLM(**usual | changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"source": TinyModel(seed=1)},
        {"prompt_format": "alpaca"},
        {"system_prompt": "Be brief."},
        {"examples": []},
        {"examples": [EXAMPLE | {"reference": "42"}]},
        {"examples": [EXAMPLE, EXAMPLE]},
        {"sampler": HuggingFaceSampler("bfloat16", "sdpa")},
    ],
)
def test_digest_changes_with_what_decides_the_answers(changed: dict[str, Any]) -> None:
    changed = {"examples": [EXAMPLE]} | changed
    assert llm(**changed).digest() != llm(examples=[EXAMPLE]).digest()


def test_digest_does_not_change_with_how_attention_is_computed() -> None:
    eager = HuggingFaceSampler("float32", "eager")
    assert llm(sampler=eager).digest() == llm().digest() == llm().digest()


def test_examples_reach_the_prompt(tiny_folder: Path) -> None:
    opened = llm(source=Folder(tiny_folder), examples=[EXAMPLE], system_prompt="Be brief.").open()
    prompt = opened.encoder.tokenizer.decode(opened.encoder.prompt_ids(QUESTION))
    places = [prompt.index(part) for part in ("Be brief.", "Add 12", "forty-two", "Sort these")]
    assert places == sorted(places)


def test_prompt_length_counts_the_examples(opened: OpenHuggingFaceLLM, tiny_folder: Path) -> None:
    shown = llm(source=Folder(tiny_folder), examples=[EXAMPLE]).open()
    assert shown.prompt_length(QUESTION, 1) > opened.prompt_length(QUESTION, 1)
    assert opened.prompt_length(QUESTION, 1) == len(opened.encoder.prompt_ids(QUESTION))


def test_too_long_for_the_context_names_record_counts_and_cure(opened: OpenHuggingFaceLLM) -> None:
    """The tiny model's context is 4,096 tokens."""
    endless = Instruction(id="long", instruction="word " * 5000)
    with pytest.raises(ConfigError, match=r"'long'.*with 4 to generate.*4096.*Cure") as caught:
        opened.answer([QUESTION, endless], GREEDY, 0)
    assert str(len(opened.encoder.prompt_ids(endless))) in str(caught.value)


def test_what_just_fits_the_context_is_answered(opened: OpenHuggingFaceLLM) -> None:
    one = opened.prompt_length(Instruction(id="w", instruction="word"), 1)
    step = opened.prompt_length(Instruction(id="w", instruction="word" + " word" * 10), 1) - one
    words = (4096 - one - GREEDY.max_new_tokens) * 10 // step
    longest = Instruction(id="w", instruction="word" + " word" * words)
    assert len(opened.answer([longest], GREEDY, 0)[0]) == 1


def test_a_remembered_beginning_does_not_change_answers(tiny_folder: Path) -> None:
    questions = [QUESTION, Instruction(id="r", instruction="Sort these: red, blue, and green.")]
    how = Decoding(responses=2, temperature=1.0, top_p=1.0, top_k=0, max_new_tokens=6)
    plain = llm(source=Folder(tiny_folder), examples=[EXAMPLE]).open()
    before = plain.answer(questions, how, 3)
    plain.remember(questions)
    after = plain.answer(questions, how, 3)
    assert [[c.token_ids for c in some] for some in before] == [
        [c.token_ids for c in some] for some in after
    ]


@pytest.mark.parametrize("window", [None, 64])
def test_scores_do_not_depend_on_the_layout(
    opened: OpenHuggingFaceLLM, window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompt once for all, or in every row where a window (wider than the text) forbids it."""
    monkeypatch.setattr(opened.model.config, "sliding_window", window, raising=False)
    responses = [[5, 6, 7], [8], [5, 9, 9, 9]]
    together = opened.score(QUESTION, responses)
    for response, logps in zip(responses, together, strict=True):
        assert opened.score(QUESTION, [response])[0] == pytest.approx(logps, abs=1e-5)
