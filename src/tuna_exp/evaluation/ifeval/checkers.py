"""The 25 constraints of IFEval by their published names, checked strictly and loosely.

Left out: the two constraints that the published code defines and no prompt uses (rephrasing), and
drawing an argument by chance where a prompt gives none: here it is an error of the data.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from tuna_exp.datasets.reading import MalformedError
from tuna_exp.errors import nearest
from tuna_exp.evaluation.ifeval import layout, wording
from tuna_exp.records import Record

CHECKERS: Mapping[str, Callable[..., bool]] = {
    "keywords:existence": wording.existence,
    "keywords:frequency": wording.frequency,
    "keywords:forbidden_words": wording.forbidden_words,
    "keywords:letter_frequency": wording.letter_frequency,
    "language:response_language": wording.response_language,
    "length_constraints:number_sentences": layout.number_sentences,
    "length_constraints:number_paragraphs": layout.number_paragraphs,
    "length_constraints:number_words": layout.number_words,
    "length_constraints:nth_paragraph_first_word": layout.nth_paragraph_first_word,
    "detectable_content:number_placeholders": layout.number_placeholders,
    "detectable_content:postscript": layout.postscript,
    "detectable_format:number_bullet_lists": layout.number_bullet_lists,
    "detectable_format:constrained_response": wording.constrained_response,
    "detectable_format:number_highlighted_sections": layout.number_highlighted_sections,
    "detectable_format:multiple_sections": layout.multiple_sections,
    "detectable_format:json_format": layout.json_format,
    "detectable_format:title": layout.title,
    "combination:two_responses": wording.two_responses,
    "combination:repeat_prompt": wording.repeat_prompt,
    "startend:end_checker": wording.end_checker,
    "startend:quotation": wording.quotation,
    "change_case:capital_word_frequency": wording.capital_word_frequency,
    "change_case:english_capital": wording.english_capital,
    "change_case:english_lowercase": wording.english_lowercase,
    "punctuation:no_comma": wording.no_comma,
}


class Constraint(Record):
    """One constraint of a prompt: its published name and arguments."""

    name: str
    arguments: dict[str, object] = {}

    @property
    def family(self) -> str:
        """The part of the name before the colon."""
        return self.name.partition(":")[0]

    def strict(self, response: str) -> bool:
        """Whether a response keeps to it; an empty one keeps to nothing."""
        return bool(response.strip()) and CHECKERS[self.name](response, **self.arguments)

    def loose(self, response: str) -> bool:
        """Whether a response or one of its `variants` keeps to it."""
        return any(map(self.strict, variants(response)))


def variants(response: str) -> Iterator[str]:
    """Yield a response, also without its first and last lines and without asterisks: 8 in all.

    So an introduction, a closing line and Markdown are forgiven (Zhou et al. 2023, section 3).
    """
    lines = response.split("\n")
    cut = [lines[1:], lines[:-1], lines[1:-1]]
    for text in (response, *("\n".join(some).strip() for some in cut)):
        yield text
        yield text.replace("*", "")


def read_constraint(name: str, arguments: Mapping[str, object]) -> Constraint:
    """Return a constraint with checked arguments; those that are null count as not given.

    Raises MalformedError for an unknown name and for arguments that its checker does not take.
    """
    if name not in CHECKERS:
        raise MalformedError(
            f"field 'instruction_id_list': '{name}' is no constraint of IFEval's 25."
            f"{nearest(name, CHECKERS)}"
        )
    given = {key: value for key, value in arguments.items() if value is not None}
    try:
        _shape(name).model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise MalformedError(f"field 'kwargs' of {name}: {place}: {first['msg']}") from error
    return Constraint(name=name, arguments=given)


def followed(constraints: Sequence[Constraint], response: str) -> list[bool]:
    """Return of each constraint whether a response strictly keeps to it."""
    return [constraint.strict(response) for constraint in constraints]


@cache
def _shape(name: str) -> type[BaseModel]:
    _, *parameters = inspect.signature(CHECKERS[name]).parameters.values()
    fields = {p.name: (p.annotation, ...) for p in parameters}
    closed = ConfigDict(extra="forbid", strict=True)
    made: type[BaseModel] = create_model("Arguments", __config__=closed, **fields)  # type: ignore[call-overload]
    return made
