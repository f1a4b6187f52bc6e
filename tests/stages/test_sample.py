"""Sampling: a run that was killed continues to what an uninterrupted one writes."""

from collections.abc import Callable

import pytest

from tuna_exp.llms.base import Sampling
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.diversity import Diversity
from tuna_exp.models.student import Student
from tuna_exp.plan import Workspace
from tuna_exp.records import CandidateSet, Instruction, read_records
from tuna_exp.stages.sample import CANDIDATES, Drawing, sample
from tuna_exp.unfinished import Notebook

MakeWork = Callable[..., Workspace]
DECODING = Decoding(responses=2, temperature=1.0, top_p=1.0, top_k=0, max_new_tokens=4)
SAMPLING = Sampling(DECODING, batch_size=2, diversity=Diversity(0.0, 1, 0.1))


def test_a_killed_run_continues_to_the_uninterrupted_result(
    student: Student, instructions: list[Instruction], make_work: MakeWork
) -> None:
    """Three batches. Cut within the first line, at its end, after it, in the last, nowhere."""
    whole = make_work("whole")
    sample(Drawing(student.llm(), SAMPLING, 0, None), instructions, whole)
    journal = (whole.scratch / CANDIDATES).read_bytes()
    first = journal.index(b"\n")
    for cut in (0, 7, first, first + 1, len(journal) - 1, len(journal)):
        killed = make_work(f"cut-{cut}")
        (killed.scratch / CANDIDATES).write_bytes(journal[:cut])
        sample(Drawing(student.llm(), SAMPLING, 0, None), instructions, killed)
        assert (killed.folder / CANDIDATES).read_bytes() == (whole.folder / CANDIDATES).read_bytes()


def test_sets_are_in_the_order_of_the_dataset_and_counted(
    student: Student, instructions: list[Instruction], make_work: MakeWork
) -> None:
    """Batches are sorted by length, the file is not. Similarity 0 is too alike: all are redrawn."""
    work = make_work()
    sample(Drawing(student.llm(), SAMPLING, 0, None), instructions, work)
    sets = list(read_records(work.folder / CANDIDATES, CandidateSet))
    assert [s.instruction for s in sets] == instructions
    facts = Notebook(work.folder).facts()
    candidates = [c for s in sets for c in s.candidates]
    thrown = facts["discarded_tokens"]
    assert thrown == sum(s.discarded_tokens for s in sets)
    assert facts["generated_tokens"] == sum(len(c.token_ids) for c in candidates) + thrown
    assert thrown >= 12  # 6 sets of 2 responses, drawn twice, with a token each or more
    assert (facts["sets"], facts["candidates"], facts["redrawn_sets"]) == (6, 12, 6)


@pytest.mark.parametrize("seed", [0, 1])
def test_batches_do_not_repeat_each_other(
    seed: int, student: Student, instructions: list[Instruction], make_work: MakeWork
) -> None:
    """One prompt per batch and the same prompt in each: every batch has a seed of its own."""
    same = [instructions[0].model_copy(update={"id": str(i)}) for i in range(4)]
    sampling = Sampling(DECODING, batch_size=1, diversity=None)
    work = make_work()
    sample(Drawing(student.llm(), sampling, seed, None), same, work)
    texts = [
        c.text for s in read_records(work.folder / CANDIDATES, CandidateSet) for c in s.candidates
    ]
    assert len(set(texts)) == len(texts)
