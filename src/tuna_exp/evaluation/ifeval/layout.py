"""IFEval's constraints on form: lengths, paragraphs, sections, lists, titles, placeholders, JSON.

Functions as in `wording`, rules of the same source, odd ones included: a paragraph ends at "***" in
one constraint and at an empty line in another, and a highlight in two asterisks counts twice where
it is inside one of one.
"""

import json
import re
from typing import Annotated

from pydantic import Field

from tuna_exp.evaluation.ifeval.language import count_words, sentences
from tuna_exp.evaluation.ifeval.wording import Count, NotEmpty, Relation, holds

Place = Annotated[int, Field(ge=1)]
_FENCES = ("```json", "```Json", "```JSON", "```")
_ENDS_FIRST_WORD = re.compile(r"[.,?!'\"]")
_POSTSCRIPTS = {"P.P.S": r"\s*p\.\s?p\.\s?s.*$", "P.S.": r"\s*p\.\s?s\..*$"}


def number_words(response: str, num_words: Count, relation: Relation) -> bool:
    """There are so many words."""
    return holds(count_words(response), relation, num_words)


def number_sentences(response: str, num_sentences: Count, relation: Relation) -> bool:
    """There are so many sentences."""
    return holds(len(sentences(response)), relation, num_sentences)


def number_paragraphs(response: str, num_paragraphs: Count) -> bool:
    """There are just so many paragraphs between "***"; only the first and last may be empty."""
    parts = [part.strip() for part in re.split(r"\s?\*\*\*\s?", response)]
    return all(parts[1:-1]) and sum(map(bool, parts)) == num_paragraphs


def nth_paragraph_first_word(
    response: str, num_paragraphs: Count, nth_paragraph: Place, first_word: NotEmpty
) -> bool:
    """There are just so many paragraphs between empty lines, and one starts with a word.

    An empty paragraph is not counted but takes a place, as published.
    """
    paragraphs = [paragraph.strip() for paragraph in response.split("\n\n")]
    count = sum(map(bool, paragraphs))
    if nth_paragraph > count or not paragraphs[nth_paragraph - 1]:
        return False
    word = paragraphs[nth_paragraph - 1].split()[0].lstrip("'").lstrip('"')
    begun = _ENDS_FIRST_WORD.split(word)[0].lower()
    return count == num_paragraphs and begun == first_word.lower()


def number_placeholders(response: str, num_placeholders: Count) -> bool:
    """There are at least so many placeholders in square brackets."""
    return len(re.findall(r"\[.*?\]", response)) >= num_placeholders


def postscript(response: str, postscript_marker: NotEmpty) -> bool:
    """There is a postscript behind its marker."""
    marker = postscript_marker.strip()
    pattern = _POSTSCRIPTS.get(marker, rf"\s*{marker.lower()}.*$")
    return re.search(pattern, response.lower(), re.MULTILINE) is not None


def number_bullet_lists(response: str, num_bullets: Count) -> bool:
    """There are just so many lines that begin with one asterisk or with a hyphen."""
    stars = re.findall(r"^\s*\*[^\*].*$", response, re.MULTILINE)
    hyphens = re.findall(r"^\s*-.*$", response, re.MULTILINE)
    return len(stars) + len(hyphens) == num_bullets


def number_highlighted_sections(response: str, num_highlights: Count) -> bool:
    """There are at least so many *highlights* and **highlights** that are not empty."""
    single = re.findall(r"\*[^\n\*]*\*", response)
    double = re.findall(r"\*\*[^\n\*]*\*\*", response)
    said = [one.strip("*") for one in single] + [one[2:-2] for one in double]
    return sum(bool(text.strip()) for text in said) >= num_highlights


def multiple_sections(response: str, section_spliter: NotEmpty, num_sections: Count) -> bool:
    """There are at least so many numbered sections, such as "SECTION 1"."""
    return len(re.findall(rf"\s?{section_spliter.strip()}\s?\d+\s?", response)) >= num_sections


def json_format(response: str) -> bool:
    """The response is JSON, in a fence or not."""
    text = response.strip()
    for fence in _FENCES:
        text = text.removeprefix(fence)
    try:
        json.loads(text.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


def title(response: str) -> bool:
    """There is a title in double angular brackets that is not empty."""
    found = re.findall(r"<<[^\n]+>>", response)
    return any(one.lstrip("<").rstrip(">").strip() for one in found)
