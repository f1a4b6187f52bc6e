"""Sample: N responses to every instruction, kept apart where they would say the same."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import isnan

from tuna_exp.comparison.statistics import (
    Bootstrap,
    count_pairs,
    kendall_tau_b,
    pair_agreement,
)
from tuna_exp.efficiency.flops import Work, answering, responses
from tuna_exp.llms.base import LLM, OpenLLM, Sampling
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.diversity import Diversity, similarity
from tuna_exp.plan import Workspace
from tuna_exp.records import CandidateSet, Instruction, write_records
from tuna_exp.sequences import Picked, Places, ordered_by, turned_back
from tuna_exp.stages.journal import Journal
from tuna_exp.stages.working import answering_by, prompt_lengths

CANDIDATES = "candidates.jsonl"
BOOTSTRAP = Bootstrap(confidence=0.95, resamples=999, seed=0)


SCORED = "scored.jsonl"


@dataclass(frozen=True)
class Drawing:
    """Who answers, how, and with which seed; `scorer` is the local model that scores what a service
    wrote, or None.
    """

    llm: LLM
    sampling: Sampling
    seed: int
    scorer: LLM | None


def sample(drawing: Drawing, instructions: Sequence[Instruction], work: Workspace) -> None:
    """Write one CandidateSet per instruction, in the order given, to `candidates.jsonl`.

    Every response has random numbers of its own, by seed, instruction and place in the set, so a
    continued run draws what an uninterrupted one draws. Raises ContextError, before
    anything is drawn, where a prompt and its answer would not fit.
    """
    llm, sampling = drawing.llm, drawing.sampling
    journal = Journal(work.scratch / CANDIDATES, [CandidateSet])
    with answering_by(llm, instructions, work) as session:
        lengths = prompt_lengths(session, instructions, sampling.decoding.max_new_tokens)
        order = ordered_by(lengths)
        draw = partial(session.map, partial(draw_sets, sampling=sampling, seed=drawing.seed))
        size = llm.together(sampling.batch_size)
        shortest_first = Picked(instructions, order)
        drawn = journal.complete(shortest_first, size, draw, work.bar, "prompts")
    if drawing.scorer is not None:
        drawn = scored(drawing.scorer, drawn, sampling.batch_size, work)
    held = Held()
    sets = Picked(drawn, turned_back(order))
    write_records(work.folder / CANDIDATES, held.counted(lengths, sets))
    work.note(**held.facts())
    work.note(flops=answering(llm, [held.work]) if drawing.scorer is None else None)


def work_of(prompt: int, candidates: CandidateSet) -> Work:
    """Return what drawing a set took; of draws that were thrown away only the tokens are known."""
    lost = candidates.discarded_tokens
    kept = [candidate.tokens for candidate in candidates.candidates]
    return responses(prompt, kept, shared=True) + Work(lost, lost * prompt, lost)


def scored(
    scorer: LLM, sets: Sequence[CandidateSet], size: int, work: Workspace
) -> Sequence[CandidateSet]:
    """Have a local model score every response; it stands in where there is no log-probability."""
    journal = Journal(work.scratch / SCORED, [CandidateSet])
    with answering_by(scorer, (), work) as session:
        score = partial(session.map, score_sets)
        return journal.complete(sets, size, score, work.bar, "sets scored")


def score_sets(scorer: OpenLLM, batch: Sequence[CandidateSet]) -> list[CandidateSet]:
    """Score the responses of several sets."""
    return [score_set(scorer, candidates) for candidates in batch]


def score_set(scorer: OpenLLM, candidates: CandidateSet) -> CandidateSet:
    """Score the responses of one set."""
    texts = [candidate.text for candidate in candidates.candidates]
    scores = map(tuple, scorer.score_texts(candidates.instruction, texts))
    with_scores = tuple(
        one.model_copy(update={"stand_in": logps, "token_logprobs": one.token_logprobs or logps})
        for one, logps in zip(candidates.candidates, scores, strict=True)
    )
    return candidates.model_copy(update={"candidates": with_scores})


@dataclass
class Held:
    """What candidate sets hold, counted as they are written: they may be more than memory holds.

    `orders` are the mean log-probabilities by stand-in and by writer, of sets that have both.
    """

    counts: Counter[str] = field(default_factory=Counter)
    usd: float = 0.0
    work: Work = field(default_factory=Work)
    orders: list[tuple[list[float], list[float]]] = field(default_factory=list)

    def counted(self, lengths: Places, sets: Sequence[CandidateSet]) -> Iterator[CandidateSet]:
        """Yield the sets; `lengths` are the tokens of their prompts, shape (sets,)."""
        for length, one in zip(lengths, sets, strict=True):
            self._count(one)
            self.work += work_of(int(length), one)
            yield one

    def _count(self, one: CandidateSet) -> None:
        some = one.candidates
        self.counts.update(
            sets=1,
            candidates=len(some),
            different=len({c.text for c in some}),
            redrawn_sets=int(one.draws > 1),
            cut_at_max_tokens=sum(c.finish_reason == "length" for c in some),
            generated_tokens=one.tokens + one.discarded_tokens,
            discarded_tokens=one.discarded_tokens,
            refused=sum(c.finish_reason == "refusal" for c in some),
        )
        self.usd += one.usd
        if all(c.stand_in and c.token_logprobs != c.stand_in for c in some):
            orders = [_mean(c.stand_in) for c in some], [_mean(c.token_logprobs) for c in some]
            self.orders.append(orders)

    def facts(self) -> dict[str, object]:
        """Return what was counted."""
        return {**self.counts, **stand_in_facts(self.orders), "usd": self.usd}


def stand_in_facts(orders: Sequence[tuple[list[float], list[float]]]) -> dict[str, object]:
    """Return how far a stand-in's order of responses is that of the writer's own likelihood.

    Over the sets where both are known: Kendall's tau-b, and the share of pairs ordered alike with
    its interval. Nothing where there is no such set.
    """
    agreement = pair_agreement([count_pairs(*pair) for pair in orders], BOOTSTRAP)
    if agreement is None:
        return {}
    taus = [tau for pair in orders if not isnan(tau := kendall_tau_b(*pair))]
    return {
        "stand_in": {
            "sets": len(orders),
            "agreement": agreement.value,
            "low": None if isnan(agreement.low) else agreement.low,
            "high": None if isnan(agreement.high) else agreement.high,
            "tau": sum(taus) / len(taus) if taus else None,
        }
    }


def _mean(logps: Sequence[float]) -> float:
    return sum(logps) / len(logps)


def draw_sets(
    llm: OpenLLM, batch: Sequence[Instruction], sampling: Sampling, seed: int
) -> list[CandidateSet]:
    """Draw a set for each instruction, again and hotter where two responses are too alike."""
    drawn = llm.answer(batch, sampling.decoding, seed)
    sets = [
        CandidateSet(instruction=instruction, candidates=tuple(candidates))
        for instruction, candidates in zip(batch, drawn, strict=True)
    ]
    rule = sampling.diversity
    return redraw(llm, sets, sampling, rule, seed) if rule else sets


def redraws(sampling: Sampling, seed: int) -> list[tuple[Decoding, int]]:
    """Return how, and with which seed, sets too alike are drawn each further time."""
    rule, first = sampling.diversity, sampling.decoding
    times = range(1, rule.redraws + 1) if rule else ()
    step = rule.temperature_step if rule else 0.0
    return [
        (replace(first, temperature=first.temperature + n * step), seed + n * 7_919) for n in times
    ]


def redraw(
    llm: OpenLLM, sets: list[CandidateSet], sampling: Sampling, rule: Diversity, seed: int
) -> list[CandidateSet]:
    """Return the sets with those too alike drawn again, each as the least similar of its draws."""
    kept = list(sets)
    alike = [likeness(candidates) for candidates in kept]
    for again, (hotter, other_seed) in enumerate(redraws(sampling, seed), start=1):
        places = [i for i, value in enumerate(alike) if value >= rule.max_rouge]
        if not places:
            break
        answers = llm.answer([kept[i].instruction for i in places], hotter, other_seed)
        for i, answer in zip(places, answers, strict=True):
            new = kept[i].model_copy(update={"candidates": tuple(answer)})
            value = likeness(new)
            best, other = (new, kept[i]) if value < alike[i] else (kept[i], new)
            discarded = {
                "discarded_tokens": kept[i].discarded_tokens + other.tokens,
                "discarded_usd": kept[i].discarded_usd + other.usd - other.discarded_usd,
            }
            kept[i] = best.model_copy(update={"draws": again + 1, **discarded})
            alike[i] = min(value, alike[i])
    return kept


def likeness(candidates: CandidateSet) -> float:
    """Return the largest ROUGE-L between two of the candidates."""
    return similarity([candidate.text for candidate in candidates.candidates])
