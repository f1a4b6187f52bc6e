"""Whether an answer asks its reader something, or says what it takes the request to mean.

Rules over words, open to be read: no model judges here. Measured on published texts, which a test
repeats: of CLAMBER's 1,601 clarifying questions 98 % are seen, of 3,202 questions that an LLM wrote
when told to ask 99 %, of the 637 that people wrote for ClariQ, without question marks, 97 %; of
eight models' 640 answers to clear questions (Vicuna) 1.4 % are taken for asking. Left out: other
languages than English, and whether the question is a good one.
"""

import re

# Raised when the rules change what they find: a part of a benchmark's digest.
VERSION = 2
# Said at the end of an answer that is complete: offers, not questions about the request.
_OFFER = re.compile(
    r"^\W*(would you like (me|to (know|hear|see|learn))|do you (want|need) me to|can i help"
    r"|may i help|how (can|may) i (help|assist)|(is|was) there anything (else|more)"
    r"|does (this|that) help|did (this|that) help|shall i (continue|go on))\b|\banything else\b"
)
# About the reader, or about what the request means.
_ABOUT = re.compile(
    r"\b(you|your|you're|yours|which|what kind|what type|what sort|what do|what does|what is meant"
    r"|are we|is it|is this|is that|do we|does it|does he|does she|does they|refer|referring"
    r"|mean|meant|specif\w+|clarif\w+|in particular|looking for|or)\b"
)
_REQUEST = re.compile(
    r"\b(please|could you|can you|kindly)\b[^.?!]{0,60}"
    r"\b(provide|clarify|specify|share|tell|give|explain|describe|elaborate|let me know|confirm)\b"
    r"|\b(i|we)('d| would)? (need|require|want)( to know)? (more|some|additional|further|a bit)\b"
    r"|\bmore (information|details|context|specifics) (is|are|about|on|would|to|from)\b"
)
_ASSUMES = re.compile(
    r"\b(i|we)('ll| will|'m|'ve| am| have)? (assum\w+|take it|took it|interpret\w*)\b"
    r"|\bassuming\b|\bif (you|by [^,.]{1,40}you) mean\b"
    r"|\bif you('re| are) (referring|asking|looking)\b"
    r"|\b(it|that|this|the answer) (really )?depends\b"
    r"|\b(is|are|seems|remains) (ambiguous|unclear|unspecified|not clear|not specified)\b"
    r"|\b(several|many|multiple|different|two|more than one) "
    r"(possible )?(meanings|interpretations|readings|senses|ways to (read|understand|interpret))\b"
    r"|\b(could|can|may|might) (also )?(mean|refer to|be (read|understood|interpreted))\b"
)
# A question by its order of words; questions are often written without their mark.
_AUXILIARY = r"(?:are|do|did|does|is|was|were|would|can|could|should|will|have|has)"
_INVERTED = re.compile(
    rf"^{_AUXILIARY} (?:you|there|it|this|that|these|those|they|we|he|she|the)\b"
    r"|^(?:(?:in|for|of|to|on|at|from|by|with) )?"
    r"(?:which|what|who|whom|whose|where|when|why|how)\b"
    rf"(?: [\w'-]+){{0,8}} {_AUXILIARY} (?:you|it|this|that|these|those|they|we|he|she|the)\b"
    r"|^(?:what|who|which|where|why) (?:is|are|was|were)\b"
)
# What somebody else is quoted as saying, over one line; an apostrophe is no quotation.
_QUOTED = re.compile(r'"[^"\n]{1,400}"|\u201c[^\u201d\n]{1,400}\u201d')
# A plea stands where an answer begins or ends; within a letter or a story it is somebody else's.
_ENDS = 2
_ABBREVIATION = re.compile(r"\b(e\.g|i\.e|etc|vs|st|dr|mr|mrs)\.")
_SENTENCE = re.compile(r"[^.!?\n]*[.!?]+|[^.!?\n]+")


def asks(text: str) -> bool:
    """Whether an answer asks about the request: a question about it or its writer, or a plea.

    A question that offers more after an answer ("Would you like to know more?") is none, nor is one
    in quotation marks.
    """
    sentences = _sentences(text)
    if len(sentences) == 1 and (sentences[0].endswith("?") or _INVERTED.search(sentences[0])):
        return True  # nothing but a question
    pleading = {*sentences[:_ENDS], *sentences[-_ENDS:]}
    return any(
        (one.endswith("?") and _ABOUT.search(one)) or (one in pleading and _REQUEST.search(one))
        for one in sentences
        if not _OFFER.search(one)
    )


def assumes(text: str) -> bool:
    """Whether an answer says that the request can be read in several ways, or how it reads it."""
    return _ASSUMES.search(_plain(text)) is not None


def without(request: str, answer: str) -> str:
    """Return an answer without the sentences that repeat the request: they ask nothing."""
    known = {_bare(sentence) for sentence in _SENTENCE.findall(request)}
    kept = [one for one in _SENTENCE.findall(answer) if _bare(one) not in known or not _bare(one)]
    return "".join(kept)


def _bare(sentence: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", sentence.lower()))


def _sentences(text: str) -> list[str]:
    unquoted = _QUOTED.sub('""', _plain(text))
    plain = _ABBREVIATION.sub(lambda found: found[1].replace(".", ""), unquoted)
    return [one.strip() for one in _SENTENCE.findall(plain) if one.strip()]


def _plain(text: str) -> str:
    return text.lower().replace("\u2019", "'")
