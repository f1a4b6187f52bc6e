"""Judge: compare every answer of an evaluation with another one to the same prompt; keep replies.

The other answers are those of a second evaluation where there is one, else the references that the
prompts came with. Whether too many replies could not be read is asked of the finished artifact, as
of a ranking. Left out: asking again about a pair whose replies could not be read.
"""

import json
from collections.abc import Sequence
from functools import partial

from tuna_exp.comparison.json_text import json_text
from tuna_exp.comparison.reliability import measure
from tuna_exp.comparison.statistics import Bootstrap
from tuna_exp.errors import ConfigError, RefusalError
from tuna_exp.evaluation.open_ended.judging import AnswerJudge, AnswerPair, Comparison, paired
from tuna_exp.evaluation.open_ended.win_rates import comparison_figures, tally
from tuna_exp.plan import Workspace
from tuna_exp.rankers.asking import spent
from tuna_exp.records import Prediction, read_records, write_records
from tuna_exp.stages.evaluate import FIGURES, PREDICTIONS
from tuna_exp.stages.journal import Journal
from tuna_exp.stages.rank import BOOTSTRAP, main_figures
from tuna_exp.stages.working import ranking_by
from tuna_exp.store import MANIFEST, Artifact

COMPARISONS = "comparisons.jsonl"
# Names of the inputs: the evaluation that is judged, and the one it is compared with.
OURS, OTHERS = "evaluation", "compared_with"


def judge(judging: AnswerJudge, work: Workspace) -> None:
    """Write one Comparison per prediction to `comparisons.jsonl`, and the judged predictions.

    In `predictions.jsonl` a score is the preference (1, 1/2, 0); pairs of which no reply could be
    read are not in it. Raises ConfigError or DataError where there is nothing to compare with.
    """
    predictions = list(read_records(work.inputs[OURS] / PREDICTIONS, Prediction))
    pairs = paired(predictions, _others(predictions, work))
    journal = Journal(work.scratch / COMPARISONS, [Comparison])
    with ranking_by(judging, work) as session:
        judge_all = partial(session.map, judge_batch)
        made = journal.complete(pairs, judging.batch_size, judge_all, work.bar, "pairs")
    write_records(work.folder / COMPARISONS, made)
    judged = zip(made, predictions, strict=True)
    scored = [one for c, p in judged if (one := c.prediction(p.tokens)) is not None]
    write_records(work.folder / PREDICTIONS, scored)
    _note(made, work)


def judge_batch(judging: AnswerJudge, batch: Sequence[AnswerPair]) -> list[Comparison]:
    """Compare some pairs."""
    return judging.compare(batch)


def measure_judged(bootstrap: Bootstrap, work: Workspace) -> None:
    """Write the figures over the comparisons of the input to `figures.json`."""
    work.bar.start(1, "parts")
    made = read_records(work.inputs["predictions"] / COMPARISONS, Comparison)
    figures = comparison_figures(list(made), bootstrap)
    (work.folder / FIGURES).write_text(json_text(figures), encoding="utf-8")
    work.bar.advance()
    work.note(figures=len(figures))


def require_verdicts(max_refused: float, judged: Artifact) -> None:
    """Raise RefusalError where more than the share `max_refused` of the pairs got no verdict.

    Or none did, whatever share is allowed: there are no figures over nothing.
    """
    facts = judged.facts
    refused = sum(facts["refusals"].values())
    some = refused < facts["items"]
    if some and refused <= max_refused * facts["items"]:
        return
    path = judged.folder / COMPARISONS
    first = next(c for c in read_records(path, Comparison) if c.preference is None)
    kinds = ", ".join(f"{kind}: {n}" for kind, n in facts["refusals"].items())
    raise RefusalError(
        f"the judge gave no readable verdict on {refused} of {facts['items']} pairs ({kinds}); "
        f"allowed is a share of {max_refused}{'' if some else ', and never all'}. For example "
        f"'{first.instruction.id}': {first.judgements[0].raw.strip()[:200]!r}. All raw "
        f"replies: {path}. Cure: a stronger judge, or judging.answer=form|first_token with "
        "judging.scheme=verdict"
        f"{', or a higher max_refused (which reuses these replies)' if some else ''}."
    )


def _others(predictions: Sequence[Prediction], work: Workspace) -> dict[str, str]:
    if OTHERS in work.inputs:
        others = read_records(work.inputs[OTHERS] / PREDICTIONS, Prediction)
        return {other.instruction.id: other.text for other in others}
    known = {p.instruction.id: p.instruction.reference for p in predictions}
    answers = {name: reference for name, reference in known.items() if reference is not None}
    if not answers:
        raise ConfigError(
            f"none of the {len(known)} prompts has another model's answer to be judged beside "
            "(its reference is null). Cure: evaluation.NAME.reference, or two methods to compare."
        )
    return answers


def _note(made: Sequence[Comparison], work: Workspace) -> None:
    counts = tally(made)
    usage = spent([judgement for comparison in made for judgement in comparison.judgements])
    ranked = [one for comparison in made if (one := comparison.ranked()) is not None]
    figures = comparison_figures(made, BOOTSTRAP)
    overall = {f.metric: round(f.interval.value, 4) for f in figures if f.group == "all"}
    manifest = work.inputs[OURS] / MANIFEST
    asked = json.loads(manifest.read_bytes())["facts"] if manifest.is_file() else {}
    work.note(
        items=len(made),
        of=asked.get("of", len(made)),
        wins=counts.wins,
        ties=counts.ties,
        losses=counts.losses,
        refusals=dict(counts.refusals),
        figures={name: value for name, value in overall.items() if value == value},
        judge_read_tokens=usage.read,
        generated_tokens=usage.generated,
        usd=usage.usd,
        reliability=main_figures(measure(ranked, counts.refusals, BOOTSTRAP)) if ranked else {},
    )
