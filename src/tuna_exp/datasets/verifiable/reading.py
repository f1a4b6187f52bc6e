"""Reading a model's free text: words, numbers, quoted spans and lists in it.

Everything here is a pure function that accepts any string. No grammar is parsed: what a response
means beyond its tokens is left to the checks.
"""

import re
import unicodedata
from itertools import pairwise


def _listed_words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


UNITS = _listed_words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
TENS = _listed_words("twenty thirty forty fifty sixty seventy eighty ninety")
_NUMBER_WORDS = {word: value for value, word in enumerate(UNITS)} | {
    word: 10 * value for value, word in enumerate(TENS, start=2)
}
_STRAIGHT = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "«": '"', "»": '"'})
_MARKDOWN = re.compile(r"[*`#_]+")
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_DIGITS = re.compile(r"(?<![\w.])-?[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?")
_QUOTED = re.compile(r"(?<!\w)([\"'])([^\"'\n]{1,60})\1(?!\w)")
_NUMBERING = re.compile(r"(?:^|(?<=\s))(?:[0-9]{1,2}[.)]|[-•])\s+")
_ITEM_BREAK = re.compile(r"[,;\n]|\band\b|(?<=\w)\.(?=\s|$)", re.IGNORECASE)
_CHOICE_BREAK = re.compile(r"[,;/\n]|\bor\b|\band\b", re.IGNORECASE)
_ARTICLES = frozenset({"a", "an", "the", "some"})
_PROSE = frozenset(
    _listed_words(
        "a an the this that these it its it's is are was be been becomes would you your i here "
        "here's sure there has have can of in to from with without for by as like answer result "
        "correct word words letter letters list sentence noun phrase plural singular form opposite "
        "antonym means called order alphabet alphabetical alphabetically sorted reversed reverse "
        "backwards swapped new updated rest remaining left capital capitals capitalized uppercase "
        "lowercase upper lower case all each number digits spelled spelling spell written write "
        "hyphen hyphens hyphenated joined dashes first last following so"
    )
)


def clean(response: str) -> str:
    """Return the text with straight quotes and without Markdown marks; lines are kept."""
    folded = unicodedata.normalize("NFKC", response).translate(_STRAIGHT)
    return _MARKDOWN.sub("", folded).strip()


def words(text: str) -> list[str]:
    """Return the words in lower case; `well-known` and `don't` are one word each."""
    return _WORD.findall(text.casefold())


def bare(text: str) -> str:
    """Return the text without the quotes and punctuation around it, its spaces made single."""
    return " ".join(text.split()).strip(" \"'.,:;!?()[]")


def quoted(text: str) -> list[str]:
    """Return what stands between double or single quotation marks."""
    return [inside for _, inside in _QUOTED.findall(text)]


def without_numbering(text: str) -> str:
    """Drop the `1.`, `2)` and `-` in front of list items."""
    return _NUMBERING.sub(" ", text)


def listed(text: str) -> list[str]:
    """Return the items of a list in lower case: split at commas, line ends and "and"."""
    pieces = (words(piece) for piece in _ITEM_BREAK.split(without_numbering(text)))
    stripped = (piece[1:] if piece and piece[0] in _ARTICLES else piece for piece in pieces)
    return [" ".join(piece) for piece in stripped if piece]


def after_lead(text: str, marks: tuple[str, ...]) -> str:
    """Return what follows the first of `marks` found in the text, or all of it."""
    for mark in marks:
        _, found, tail = text.partition(mark)
        if found and words(tail):
            return tail
    return text


def single_word(text: str) -> str | None:
    """Return the one word that a response offers, or None where it offers several or none.

    In this order: the only word; the only quoted word of three letters or more; the word that
    ends "... is WORD".
    """
    tokens = [token for token in words(text) if token not in _ARTICLES]
    if len(tokens) == 1:
        return tokens[0]
    marked = {span.casefold() for span in map(bare, quoted(text)) if len(span) > 2}
    if marked:
        return marked.pop() if len(marked) == 1 else None
    _, found, tail = re.sub(r"\bis\b|=", ":", text).rpartition(":")
    ending = [token for token in words(tail) if token not in _ARTICLES]
    return ending[0] if found and len(ending) == 1 else None


def is_prose(tokens: list[str], echo: tuple[str, ...] = ()) -> bool:
    """Say whether all words only carry an answer ("the plural is ...") or echo the question.

    This is what keeps a list of guesses from passing where the wrong answers cannot be listed.
    """
    return _PROSE.union(echo).issuperset(tokens)


def is_enumeration(text: str) -> bool:
    """Say whether the text offers three or more things in a row, each in one or two words."""
    pieces = (words(piece) for piece in _CHOICE_BREAK.split(text))
    return sum(1 <= len(piece) <= 2 for piece in pieces) > 2


def is_loop(tokens: list[str]) -> bool:
    """Say whether the same few words come again and again."""
    twins = sum(a == b for a, b in pairwise(tokens))
    return len(tokens) > 1 and (len(set(tokens)) < 0.6 * len(tokens) or twins > 1)


def numbers(text: str) -> list[float]:
    """Return the numbers in digits; where there are none, the numbers in words.

    Only one of the two is read because "one" is more often a pronoun beside real digits.
    """
    digits = [found.replace(",", "") for found in _DIGITS.findall(text)]
    if digits:
        return [float(found) if "." in found else int(found) for found in digits]
    return [float(value) for value in _spelled(words(text.replace("-", " ")))]


def _spelled(tokens: list[str]) -> list[int]:
    found: list[int] = []
    room = 0  # a following number below this is a part of the last one: "forty" leaves room for 2
    for token in tokens:
        value = _NUMBER_WORDS.get(token)
        if token == "hundred" and found and found[-1] < 10:
            found[-1] *= 100
            room = 100
        elif value is None:
            room = room if token == "and" and room == 100 else 0
        elif 0 < value < room:
            found[-1] += value
            room = 10 if value >= 20 else 0
        else:
            found.append(value)
            room = 10 if value >= 20 else 0
    return found


def in_words(number: int) -> str:
    """Return a number from 0 to 99 in English words."""
    if number < len(UNITS):
        return UNITS[number]
    tens, unit = divmod(number, 10)
    return TENS[tens - 2] + (f"-{UNITS[unit]}" if unit else "")
