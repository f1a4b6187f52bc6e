"""Sample: N responses to every instruction, kept apart where they would say the same."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from tuna_exp.llms.base import LLM, OpenLLM, Sampling
from tuna_exp.llms.diversity import similarity
from tuna_exp.plan import Workspace
from tuna_exp.records import Candidate, CandidateSet, Instruction, write_records
from tuna_exp.stages.journal import Journal

CANDIDATES = "candidates.jsonl"


def sample(llm: LLM, instructions: Sequence[Instruction], sampling: Sampling, seed: int, work: Workspace) -> None:
    """Write one CandidateSet per instruction, in the order given, to `candidates.jsonl`.

    A batch is drawn with a seed of its own, so a continued run draws what an uninterrupted one draws.
    """
    journal = Journal(work.scratch / CANDIDATES, [CandidateSet])
    done = journal.read()
    opened = llm.open()
    opened.remember(instructions)
    ordered = sorted(instructions, key=opened.prompt_length)
    batches = [ordered[i : i + sampling.batch_size] for i in range(0, len(ordered), sampling.batch_size)]
    work.bar.start(len(ordered), "prompts", sum(map(len, done)))
    for number, batch in enumerate(batches[len(done) :], len(done)):
        sets = draw_sets(opened, batch, sampling, seed * 100_003 + number)
        journal.append(sets)
        done.append(list(sets))
        work.bar.advance(len(batch))
    write(work, instructions, {s.instruction.id: s for part in done for s in cast(list[CandidateSet], part)})


def draw_sets(llm: OpenLLM, batch: Sequence[Instruction], sampling: Sampling, seed: int) -> list[CandidateSet]:
    """Draw a set for each instruction, again and hotter where two responses are too alike."""
    drawn = llm.answer(batch, sampling.decoding, seed)
    best = {i.id: (likeness(c), c, 1) for i, c in zip(batch, drawn, strict=True)}
    rule = sampling.diversity
    for again in range(rule.redraws if rule else 0):
        alike = [i for i in batch if rule and best[i.id][0] >= rule.max_rouge]
        if not alike or not rule:
            break
        hotter = replace(sampling.decoding, temperature=sampling.decoding.temperature + (again + 1) * rule.temperature_step)
        for instruction, candidates in zip(alike, llm.answer(alike, hotter, seed + (again + 1) * 7_919), strict=True):
            likeness_before, kept, draws = best[instruction.id]
            new = likeness(candidates)
            if new < likeness_before:
                likeness_before, kept = new, candidates
            best[instruction.id] = (likeness_before, kept, draws + 1)
    return [CandidateSet(instruction=i, candidates=tuple(best[i.id][1]), draws=best[i.id][2]) for i in batch]


def likeness(candidates: Sequence[Candidate]) -> float:
    """Return the largest ROUGE-L between two of the candidates."""
    return similarity([candidate.text for candidate in candidates])


def write(work: Workspace, instructions: Sequence[Instruction], by_id: dict[str, CandidateSet]) -> None:
    """Write the sets in the dataset's order and note what they hold."""
    sets = [by_id[instruction.id] for instruction in instructions]
    write_records(work.folder / CANDIDATES, sets)
    candidates = [c for s in sets for c in s.candidates]
    work.note(
        sets=len(sets),
        candidates=len(candidates),
        different=sum(len({c.text for c in s.candidates}) for s in sets),
        redrawn_sets=sum(s.draws > 1 for s in sets),
        cut_at_max_tokens=sum(c.finish_reason == "length" for c in candidates),
        generated_tokens=sum(len(c.token_ids) for c in candidates),
    )
