"""What every result says of its benchmark's items in the training data.

The dataset is looked through before a run (`Lab.compare`); what was sampled for training is there
only afterwards, in the rankings that the models stand on. Left out: models whose training is not
known here.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tuna_exp.evaluation.contamination import (
    Contamination,
    contamination,
    remark,
    remark_on_sampled,
)
from tuna_exp.records import Instruction, RankedExample, read_records
from tuna_exp.stages.rank import RANKING, responses_of


def contaminations(
    benchmark: str,
    items: Sequence[Instruction],
    known: Sequence[Contamination],
    rankings: Sequence[Path],
    run_of_words: int,
) -> list[str]:
    """Return the sentences on one benchmark.

    `known` is what was found of it in the dataset, empty where none was looked through: the
    `rankings` (folders of artifacts, at least one) then tell the instructions and references too.
    """
    responses = [text for folder in rankings for text in responses_of(folder)]
    if not known:
        asked = list(_instructions(rankings))
        references = [one.reference for one in asked if one.reference]
        said = (text for texts in (references, responses) for text in texts)
        texts = (one.text for one in asked)
        return [remark(contamination(benchmark, items, texts, said, run_of_words))]
    told = [remark(one) for one in known]
    if rankings:
        sampled = contamination(benchmark, items, (), responses, run_of_words)
        told.append(remark_on_sampled(sampled, len(responses)))
    return told


def _instructions(rankings: Sequence[Path]) -> Iterator[Instruction]:
    for folder in rankings:
        for example in read_records(folder / RANKING, RankedExample):
            yield example.instruction
