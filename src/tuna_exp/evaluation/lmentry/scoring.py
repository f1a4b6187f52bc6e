"""Which scorer a task has, and how a prediction is put to it.

Every rule is as published (see the modules of the families of tasks), its slips included, so that
scores can be compared with those of the paper.
"""

from collections.abc import Callable, Mapping

from tuna_exp.evaluation.lmentry import (
    categories,
    free,
    lengths,
    letters,
    numbers,
    positions,
    words,
)
from tuna_exp.evaluation.lmentry.arguments import Arguments
from tuna_exp.evaluation.lmentry.statements import Verdict, normalise

# An example's metadata, its prompt and the normalised prediction.
Scorer = Callable[[Arguments, str, str], Verdict]

SCORERS: Mapping[str, Scorer] = {
    "sentence_containing": free.sentence_containing,
    "sentence_not_containing": free.sentence_not_containing,
    "word_containing": letters.word_containing,
    "word_not_containing": letters.word_not_containing,
    "starts_with_word": free.starts_with_word,
    "ends_with_word": free.ends_with_word,
    "starts_with_letter": letters.starts_with_letter,
    "ends_with_letter": letters.ends_with_letter,
    "bigger_number": numbers.bigger_number,
    "smaller_number": numbers.smaller_number,
    "more_letters": lengths.more_letters,
    "less_letters": lengths.less_letters,
    "first_alphabetically": words.first_alphabetically,
    "rhyming_word": words.rhyming_word,
    "homophones": words.homophones,
    "any_words_from_category": categories.any_words_from_category,
    "all_words_from_category": categories.all_words_from_category,
    "most_associated_word": categories.most_associated_word,
    "least_associated_word": categories.least_associated_word,
    "first_word": positions.first_word,
    "last_word": positions.last_word,
    "first_letter": positions.first_letter,
    "last_letter": positions.last_letter,
    "word_after": positions.word_after,
    "word_before": positions.word_before,
}


def score_prediction(
    task: str, metadata: Mapping[str, object], prompt: str, prediction: str, cut: bool
) -> Verdict:
    """Score a prediction for an example of a core task.

    `cut` keeps the first line's first sentence of it: for base models, which do not stop.

    Raises:
        DataError: metadata that is not the task's.
    """
    return SCORERS[task](Arguments(metadata), prompt, normalise(prediction, cut))
