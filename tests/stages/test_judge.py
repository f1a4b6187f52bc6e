"""Judging an evaluation: what is compared with what, what is kept, and going on after a kill."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.rankers.conftest import Scripted
from tuna_exp.errors import ConfigError
from tuna_exp.evaluation.open_ended.judging import AnswerJudge, Comparison
from tuna_exp.llms.decoding import Decoding
from tuna_exp.plan import Workspace
from tuna_exp.records import Instruction, Prediction, read_records, write_records
from tuna_exp.stages.evaluate import PREDICTIONS
from tuna_exp.stages.judge import COMPARISONS, OTHERS, OURS, judge
from tuna_exp.unfinished import Notebook

MakeWork = Callable[..., Workspace]
DECODING = Decoding(responses=1, temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=8)


def longer(shown: Sequence[str], seed: int) -> str:
    """The longer one, and nothing readable of a text with a question mark."""
    if "?" in "".join(shown):
        return "Who knows"
    return f"Verdict: {'A' if len(shown[0]) > len(shown[1]) else 'B'}"


def judging(llm: Any) -> AnswerJudge:
    return AnswerJudge(llm, "verdict", "text", DECODING, 1, "both", 0)


def evaluation(folder: Path, texts: Sequence[str], reference: str | None = None) -> Path:
    folder.mkdir()
    asked = [Instruction(id=f"q{i}", instruction="Do it.", reference=reference) for i in range(4)]
    write_records(
        folder / PREDICTIONS,
        [
            Prediction(instruction=a, text=t, tokens=7, passed=True, score=1.0)
            for a, t in zip(asked, texts, strict=True)
        ],
    )
    return folder


def test_answers_are_judged_beside_the_references(make_work: MakeWork, tmp_path: Path) -> None:
    """Against "bb": longer wins, shorter loses, equal ties, and one pair cannot be read."""
    ours = evaluation(tmp_path / "ours", ["ccc", "a", "bb", "?"], reference="bb")
    work = make_work("work", **{OURS: ours})
    judge(judging(Scripted(longer)), work)
    compared = list(read_records(work.folder / COMPARISONS, Comparison))
    assert [one.preference for one in compared] == [1.0, 0.0, 0.5, None]
    assert compared[3].judgements[0].raw == "Who knows"
    scored = list(read_records(work.folder / PREDICTIONS, Prediction))
    assert [(p.instruction.id, p.score, p.passed) for p in scored] == [
        ("q0", 1.0, True),
        ("q1", 0.0, False),
        ("q2", 0.5, False),
    ]
    facts = Notebook(work.folder).facts()
    assert (facts["wins"], facts["ties"], facts["losses"]) == (1, 1, 1)
    assert facts["refusals"] == {"no_verdict": 1} and facts["figures"]["win rate"] == 0.5
    assert facts["judge_read_tokens"] == 3 * 2 * 10


def test_two_methods_are_judged_beside_each_other(make_work: MakeWork, tmp_path: Path) -> None:
    """The second evaluation goes before the references."""
    ours = evaluation(tmp_path / "ours", ["a", "aa", "aaa", "a"], reference="long reference")
    others = evaluation(tmp_path / "others", ["bb", "b", "bb", "bb"])
    work = make_work("work", **{OURS: ours, OTHERS: others})
    judge(judging(Scripted(longer)), work)
    compared = read_records(work.folder / COMPARISONS, Comparison)
    assert [one.preference for one in compared] == [0.0, 1.0, 1.0, 0.0]


def test_a_killed_judging_asks_only_what_was_not_judged(
    make_work: MakeWork, tmp_path: Path
) -> None:
    """Batches of one pair, two replies each; after two whole lines two pairs are left."""
    ours = evaluation(tmp_path / "ours", ["ccc", "a", "cccc", "b"], reference="bb")
    whole = make_work("whole", **{OURS: ours})
    judge(judging(Scripted(longer)), whole)
    journal = (whole.scratch / COMPARISONS).read_bytes().splitlines(keepends=True)
    killed, llm = make_work("killed", **{OURS: ours}), Scripted(longer)
    (killed.scratch / COMPARISONS).write_bytes(b"".join(journal[:2]) + journal[2][:9])
    judge(judging(llm), killed)
    assert sum(map(len, llm.calls)) == 4
    for name in (COMPARISONS, PREDICTIONS):
        assert (killed.folder / name).read_bytes() == (whole.folder / name).read_bytes()


def test_nothing_to_compare_with_is_told(make_work: MakeWork, tmp_path: Path) -> None:
    ours = evaluation(tmp_path / "ours", ["a"] * 4)
    with pytest.raises(ConfigError, match="none of the 4 prompts.*Cure: evaluation.reference"):
        judge(judging(Scripted(longer)), make_work("work", **{OURS: ours}))
