"""What the IFEval checkers need to know of language: sentences, words, which language it is.

The published checkers use NLTK's English Punkt model, NLTK's word tokenizer and langdetect, and
outcomes depend on their very rules, so these are used here too, without a download: the Punkt
package has what the model learned, and NLTK applies it. The package's own splitter joins
punctuation that stands alone to the sentence before it, which NLTK counts as one of its own.
"""

import re
from functools import cache
from typing import Any

import langdetect
import punkt
from nltk.tokenize import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

_WORD = re.compile(r"\w+")


def count_words(text: str) -> int:
    """Return the runs of letters, digits and underscores.

    A combining mark ends a run, as in the publication's day; NLTK 3.10 counts otherwise.
    """
    return len(_WORD.findall(text))


def sentences(text: str) -> list[str]:
    """Return the sentences of an English text."""
    return [str(sentence) for sentence in _splitter().tokenize(text)]


def count_capital_words(text: str) -> int:
    """Return the words whose letters are all capital, "I" and "A" among them."""
    words = NLTKWordTokenizer()
    return sum(word.isupper() for one in sentences(text) for word in words.tokenize(one))


def is_language(text: str, code: str) -> bool:
    """Whether a text is detected to be in a language (ISO 639-1); also where none can be told.

    So do the published checkers. They leave the detector's draws to chance, here they are fixed.
    """
    langdetect.DetectorFactory.seed = 0
    try:
        return bool(langdetect.detect(text) == code)
    except langdetect.LangDetectException:
        return True


@cache
def _splitter() -> Any:
    learned, parameters = punkt.load_model("english"), PunktParameters()
    parameters.abbrev_types = learned.abbrev_types
    parameters.collocations = learned.collocations
    parameters.sent_starters = learned.sent_starters
    parameters.ortho_context.update(learned.ortho_context)
    return PunktSentenceTokenizer(parameters)
