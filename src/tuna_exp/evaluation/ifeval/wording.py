"""IFEval's constraints on what is said: words, letters, case, language, how it starts and ends.

Each function tells whether a response keeps to one constraint and takes the arguments that the
published prompts give it under their published names. The rules are those of google-research
`instruction_following_eval/instructions.py` (Apache-2.0), odd ones included: a keyword is a regular
expression that may stand inside a word, a forbidden word stands alone.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from tuna_exp.evaluation.ifeval.language import count_capital_words, is_language

Relation = Literal["less than", "at least"]
Count = Annotated[int, Field(ge=0)]
Texts = Annotated[list[str], Field(min_length=1)]
NotEmpty = Annotated[str, Field(min_length=1)]
ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def holds(count: int, relation: Relation, bound: int) -> bool:
    """Whether a count is less than, or at least, a bound."""
    return count < bound if relation == "less than" else count >= bound


def existence(response: str, keywords: Texts) -> bool:
    """Every keyword is found, whatever its case."""
    return all(re.search(keyword, response, re.IGNORECASE) for keyword in keywords)


def frequency(response: str, keyword: NotEmpty, frequency: Count, relation: Relation) -> bool:
    """A keyword is found so often, whatever its case."""
    found = re.findall(keyword.strip(), response, re.IGNORECASE)
    return holds(len(found), relation, frequency)


def forbidden_words(response: str, forbidden_words: Texts) -> bool:
    """No word is found that is forbidden, whatever its case."""
    return not any(re.search(rf"\b{word}\b", response, re.IGNORECASE) for word in forbidden_words)


def letter_frequency(
    response: str, letter: NotEmpty, let_frequency: Count, let_relation: Relation
) -> bool:
    """A letter is found so often, whatever its case.

    Two prompts ask for "!" and "#", which are counted here, as by the published checker of 2025;
    the one before, and copies of it, put a letter drawn by chance in their place.
    """
    return holds(response.lower().count(letter.strip().lower()), let_relation, let_frequency)


def response_language(response: str, language: NotEmpty) -> bool:
    """The response is in a language."""
    return is_language(response, language)


def english_capital(response: str) -> bool:
    """The response is in English and in capital letters."""
    return response.isupper() and is_language(response, "en")


def english_lowercase(response: str) -> bool:
    """The response is in English and in small letters."""
    return response.islower() and is_language(response, "en")


def capital_word_frequency(
    response: str, capital_frequency: Count, capital_relation: Relation
) -> bool:
    """So many words are in capital letters."""
    return holds(count_capital_words(response), capital_relation, capital_frequency)


def no_comma(response: str) -> bool:
    """There is no comma."""
    return "," not in response


def end_checker(response: str, end_phrase: NotEmpty) -> bool:
    """The response ends with a phrase, whatever its case, in quotation marks or not."""
    return response.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def quotation(response: str) -> bool:
    """The response is in double quotation marks."""
    stripped = response.strip()
    return len(stripped) > 1 and stripped[0] == stripped[-1] == '"'


def repeat_prompt(response: str, prompt_to_repeat: NotEmpty) -> bool:
    """The response begins with the request, whatever its case."""
    return response.strip().lower().startswith(prompt_to_repeat.strip().lower())


def two_responses(response: str) -> bool:
    """Two different responses stand around six asterisks; more only at the outer ends."""
    parts = [part.strip() for part in response.split("******")]
    if not all(parts[1:-1]):
        return False
    said = [part for part in parts if part]
    return len(said) == 2 and said[0] != said[1]


def constrained_response(response: str) -> bool:
    """One of the three allowed answers is in the response."""
    return contains_any(response, ANSWERS)


def contains_any(text: str, parts: Sequence[str]) -> bool:
    """Whether one of the parts is in a text."""
    return any(part in text for part in parts)
