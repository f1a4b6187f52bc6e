"""Judging an evaluation: what is compared with what, what is kept, and going on after a kill."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.rankers.conftest import Scripted
from tuna_exp.errors import ConfigError, RefusalError
from tuna_exp.evaluation.open_ended.benchmark import OpenEndedBenchmark
from tuna_exp.evaluation.open_ended.judging import AnswerJudge, Comparison
from tuna_exp.llms.decoding import Decoding
from tuna_exp.models.student import Student
from tuna_exp.plan import Workspace
from tuna_exp.records import Candidate, Instruction, Prediction, read_records, write_records
from tuna_exp.stages.evaluate import PREDICTIONS, evaluate
from tuna_exp.stages.judge import COMPARISONS, OTHERS, OURS, judge, require_verdicts
from tuna_exp.store import Artifact
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
    with pytest.raises(ConfigError, match="none of the 4 prompts.*Cure: evaluation.NAME.reference"):
        judge(judging(Scripted(longer)), make_work("work", **{OURS: ours}))


def test_too_many_replies_without_a_verdict_are_told(make_work: MakeWork, tmp_path: Path) -> None:
    """1 of 4 pairs: a share of 0.25 is let through, one of 0.2 is not."""
    ours = evaluation(tmp_path / "ours", ["ccc", "a", "bb", "?"], reference="bb")
    work = make_work("work", **{OURS: ours})
    judge(judging(Scripted(longer)), work)
    made = Artifact(work.folder, {"facts": Notebook(work.folder).facts()})
    require_verdicts(0.25, made)
    with pytest.raises(RefusalError, match="1 of 4 pairs.*no_verdict: 1.*'q3': 'Who knows'.*Cure"):
        require_verdicts(0.2, made)


def test_a_judging_without_any_verdict_is_never_let_through(
    make_work: MakeWork, tmp_path: Path
) -> None:
    ours = evaluation(tmp_path / "ours", ["?", "?", "?", "?"], reference="bb")
    work = make_work("work", **{OURS: ours})
    judge(judging(Scripted(longer)), work)
    made = Artifact(work.folder, {"facts": Notebook(work.folder).facts()})
    with pytest.raises(RefusalError, match="4 of 4 pairs.*a share of 1.0, and never all"):
        require_verdicts(1.0, made)


def test_a_real_model_answers_prompts_and_judges_them(
    student: Student, make_work: MakeWork, tmp_path: Path
) -> None:
    """The tiny model is student and judge; it judges by its first token, in both orders."""
    rows = [{"prompt": f"Say {word}.", "kind": "short"} for word in ("tuna", "net", "boat")]
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    used = AnswerJudge(student.llm(), "verdict", "auto", DECODING, 2, "both", 0)
    fields = {"id": None, "instruction": "prompt", "category": "kind"}
    prompts: Any = OpenEndedBenchmark("qa", str(path), fields, None, used, DECODING, 2)
    answered = make_work("answered")
    evaluate(student.llm(), prompts, answered)
    texts = [p.text for p in read_records(answered.folder / PREDICTIONS, Prediction)]
    others = evaluation_of(prompts, tmp_path / "others", [text + " More." for text in texts])
    work = make_work("work", **{OURS: answered.folder, OTHERS: others})
    judge(used, work)
    compared = list(read_records(work.folder / COMPARISONS, Comparison))
    assert [len(one.judgements) for one in compared] == [2, 2, 2]
    assert all(one.preference is not None and one.instruction.kind == "short" for one in compared)


def evaluation_of(prompts: OpenEndedBenchmark, folder: Path, texts: Sequence[str]) -> Path:
    folder.mkdir()
    made = [
        prompts.score(item, Candidate(text=text))
        for item, text in zip(prompts.items(), texts, strict=True)
    ]
    write_records(folder / PREDICTIONS, made)
    return folder
