"""Ranking: what is counted, what is kept, and when a ranking cannot be learned from."""

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest

from tuna_exp.errors import DataError, RefusalError
from tuna_exp.llms.decoding import Decoding
from tuna_exp.models.student import Student
from tuna_exp.plan import Step, Workspace, execute
from tuna_exp.progress import QuietDisplay
from tuna_exp.rankers.base import Outcome, Ranker, Refusal, ScoreRanker
from tuna_exp.rankers.contextual import ContextualRanker
from tuna_exp.rankers.random import RandomRanker
from tuna_exp.records import (
    Candidate,
    CandidateSet,
    Instruction,
    Judgement,
    Origin,
    RankedExample,
    Usage,
    read_records,
    write_records,
)
from tuna_exp.stages.rank import RANKING, REFUSALS, RELIABILITY, rank, require_order, take_over
from tuna_exp.stages.sample import CANDIDATES
from tuna_exp.store import Artifact, Store
from tuna_exp.unfinished import Notebook

MakeWork = Callable[..., Workspace]


class LengthRanker(ScoreRanker):
    """Longer is better; sets of fewer than `least` different texts are refused."""

    def __init__(self, least: int = 0) -> None:
        self.least = least

    def scores(self, candidates: CandidateSet) -> list[float]:
        return [float(len(c.text)) for c in candidates.candidates]

    def rank(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
        return [
            Refusal(instruction_id=s.instruction.id, kind="few", raw="no")
            if len({c.text for c in s.candidates}) < self.least
            else outcome
            for s, outcome in zip(sets, super().rank(sets), strict=True)
        ]


@pytest.fixture
def candidates(tmp_path: Path) -> Path:
    """Sets of 3, 2 and 1 different texts, the last two with duplicates; "bb" and "cc" tie."""
    texts = [["a", "bb", "cc"], ["a", "bb", "a"], ["a", "a", "a"]]
    sets = [
        CandidateSet(
            instruction=Instruction(id=str(i), instruction="Do it."),
            candidates=tuple(Candidate(text=text) for text in some),
        )
        for i, some in enumerate(texts)
    ]
    folder = tmp_path / "candidates"
    folder.mkdir()
    write_records(folder / CANDIDATES, sets)
    return folder


def ranked(work: Workspace) -> list[RankedExample]:
    return list(read_records(work.folder / RANKING, RankedExample))


def finished(work: Workspace) -> Artifact:
    return Artifact(work.folder, {"facts": Notebook(work.folder).facts()})


def test_what_is_ordered_and_tied_is_counted(candidates: Path, make_work: MakeWork) -> None:
    """Pairs: a-bb, a-cc ordered and bb-cc tied; a-bb ordered; none. Duplicates are gone."""
    work = make_work(candidates=candidates)
    rank(LengthRanker(), None, work)
    assert [len(example.responses) for example in ranked(work)] == [3, 2, 1]
    facts = Notebook(work.folder).facts()
    assert (facts["sets"], facts["ranked_sets"], facts["ordered_sets"]) == (3, 3, 2)
    assert (facts["ordered_pairs"], facts["tied_pairs"], facts["refusals"]) == (3, 1, {})


def test_refusals_up_to_the_share_are_counted(candidates: Path, make_work: MakeWork) -> None:
    """One of three is refused; a third is allowed."""
    work = make_work(candidates=candidates)
    rank(LengthRanker(least=2), None, work)
    assert Notebook(work.folder).facts()["refusals"] == {"few": 1}
    assert [example.instruction.id for example in ranked(work)] == ["0", "1"]
    kept = list(read_records(work.folder / REFUSALS, Refusal))
    assert kept == [Refusal(instruction_id="2", kind="few", raw="no")]
    require_order(1 / 3, finished(work))
    with pytest.raises(RefusalError, match=r"1 of 3 sets \(few: 1\); allowed is a share of 0.3"):
        require_order(0.3, finished(work))


def test_above_the_share_the_raw_replies_are_kept_and_named(
    candidates: Path, make_work: MakeWork, student: Student
) -> None:
    """The tiny model answers both sets that are to be judged with noise: 2 of 3."""
    decoding = Decoding(1, 1.0, 1.0, 0, max_new_tokens=6)
    judge = ContextualRanker(student.llm(), "text", decoding, 2, seed=0, orders=1, repeats=0)
    work = make_work(candidates=candidates)
    rank(judge, None, work)
    with pytest.raises(RefusalError, match=r"2 of 3 sets \(cut_short: 2\).*0\.5.*Cure") as caught:
        require_order(0.5, finished(work))
    assert str(work.folder / REFUSALS) in str(caught.value)
    refused = list(read_records(work.folder / REFUSALS, Refusal))
    assert [r.instruction_id for r in refused] == ["0", "1"] and all(r.raw for r in refused)


def test_a_ranking_without_any_order_is_refused(candidates: Path, make_work: MakeWork) -> None:
    class Indifferent(ScoreRanker):
        def scores(self, candidates: CandidateSet) -> list[float]:
            return [0.0] * len(candidates.candidates)

    work = make_work(candidates=candidates)
    rank(Indifferent(), None, work)
    with pytest.raises(DataError, match="all 3 ranked sets are equal.*Cure"):
        require_order(1.0, finished(work))


def test_another_share_of_refusals_asks_nobody_again(candidates: Path, tmp_path: Path) -> None:
    """Refused, let through, refused again although a model was trained on it: one reading."""

    class Counted(LengthRanker):
        def rank(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
            read.extend(s.instruction.id for s in sets)
            return super().rank(sets)

    def train(work: Workspace) -> None:
        (work.folder / "model").write_text("trained")

    def final(max_refused: float) -> Step:
        run = partial(rank, Counted(least=2), None)
        accept = partial(require_order, max_refused)
        ranking = Step("rank", "rank", 1, {}, {"candidates": sampled}, run, accept=accept)
        return Step("train", "train", 1, {}, {"ranking": ranking}, train)

    read: list[str] = []
    sampled = Step("sample", "sample", 1, {}, {}, partial(copy_candidates, candidates))
    store = Store(tmp_path / "store")
    for share, allowed in ((0.2, False), (0.4, True), (0.2, False)):
        with nullcontext() if allowed else pytest.raises(RefusalError, match="1 of 3"):
            execute([final(share)], store, QuietDisplay())
        assert read == ["0", "1", "2"]


def copy_candidates(folder: Path, work: Workspace) -> None:
    (work.folder / CANDIDATES).write_bytes((folder / CANDIDATES).read_bytes())


def test_what_is_only_measured_is_never_refused(candidates: Path, make_work: MakeWork) -> None:
    work = make_work(candidates=candidates)
    rank(LengthRanker(least=9), 2, work)
    assert Notebook(work.folder).facts()["refusals"] == {"few": 2}


@pytest.mark.parametrize("limit, count", [(None, 3), (2, 2), (0, 0), (99, 3)])
def test_only_the_first_sets_are_ranked(
    limit: int | None, count: int, candidates: Path, make_work: MakeWork
) -> None:
    work = make_work(candidates=candidates)
    rank(RandomRanker(0), limit, work)
    assert [example.instruction.id for example in ranked(work)] == list("012")[:count]


def test_a_killed_ranking_continues_to_the_uninterrupted_one(
    candidates: Path, make_work: MakeWork
) -> None:
    ranker: Ranker = LengthRanker(least=2)
    ranker.batch_size = 1
    whole = make_work("whole", candidates=candidates)
    rank(ranker, None, whole)
    journal = (whole.scratch / RANKING).read_bytes()
    for cut in range(0, len(journal) + 1, 20):
        killed = make_work(f"cut-{cut}", candidates=candidates)
        (killed.scratch / RANKING).write_bytes(journal[:cut])
        rank(ranker, None, killed)
        for name in (RANKING, REFUSALS):
            assert (killed.folder / name).read_bytes() == (whole.folder / name).read_bytes()


def test_a_published_ranking_is_taken_over(make_work: MakeWork) -> None:
    instruction = Instruction(id="p", instruction="Do it.")
    published = [RankedExample.from_scores(instruction, ["x", "y"], [0.0, 1.0])]
    work = make_work()
    take_over(published, work)
    assert ranked(work) == published
    require_order(0.0, finished(work))
    other = make_work("other")
    take_over([RankedExample.from_scores(instruction, ["x"], [0.0])], other)
    with pytest.raises(DataError, match="no order to learn"):
        require_order(0.0, finished(other))


class Biased(ScoreRanker):
    """A judge that takes whatever it is shown first, at two cents a set."""

    def rank(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
        return [self._outcome(s.instruction, [c.text for c in s.candidates]) for s in sets]

    def _outcome(self, instruction: Instruction, texts: list[str]) -> RankedExample:
        scores = [1.0] + [0.0] * (len(texts) - 1)
        replies = [Judgement(shown=tuple(texts), scores=tuple(scores))]
        usage = Usage(read=5, usd=0.02)
        return RankedExample.from_scores(instruction, texts, scores, None, usage, replies)


@pytest.fixture
def paid(tmp_path: Path) -> Path:
    """Eight sets of two responses from a service; only the first has log-probabilities."""
    known = Candidate(
        text="a", token_logprobs=(-1.0, -3.0), origin=Origin(request="r", model="m-1")
    )
    sets = [
        CandidateSet(
            instruction=Instruction(id=str(n), instruction="Do it."),
            candidates=(known, Candidate(text="b")),
        )
        for n in range(8)
    ]
    folder = tmp_path / "paid"
    folder.mkdir()
    write_records(folder / CANDIDATES, sets)
    return folder


def test_responses_know_their_writer(paid: Path, make_work: MakeWork) -> None:
    """The mean of -1 and -3 nats is -2."""
    work = make_work(candidates=paid)
    rank(Biased(), None, work)
    first, second = ranked(work)[0].responses
    assert (first.text, first.likelihood) == ("a", -2.0)
    assert first.origin is not None and first.origin.model == "m-1"
    assert (second.likelihood, second.origin) == (None, None)


def test_reliability_and_cost_are_noted(paid: Path, make_work: MakeWork) -> None:
    """The first slot wins 8 of 8 where 1/2 is expected; 8 · 0.02 dollars."""
    work = make_work(candidates=paid)
    rank(Biased(), None, work)
    report = json.loads((work.folder / RELIABILITY).read_text())
    assert report["slots"][0]["won"]["value"] == 1
    assert report["verdicts"][0]["message"].startswith("The first slot wins 100 %")
    facts = Notebook(work.folder).facts()
    assert facts["usd"] == pytest.approx(0.16)
    assert facts["reliability"] == {"slot_furthest_from_chance": 1.0}
    assert "Cure: ranker.orders=2" in facts["warnings"][0]
