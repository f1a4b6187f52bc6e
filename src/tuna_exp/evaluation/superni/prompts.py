"""The prompt of Tk-Instruct: definition, positive examples, and the input to answer.

Wang et al. (2022), appendix; every blank is theirs. Left out: task names, negative examples and
explanations, which the 0-shot and 2-shot prompts do not have.
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from tuna_exp.evaluation.superni.tasks import Example, Task

END = "\nOutput: "


@dataclass(frozen=True)
class Limit:
    """At most `tokens` of a tokenizer, special ones included."""

    tokenizer: PreTrainedTokenizerBase
    tokens: int

    def fits(self, text: str) -> bool:
        """Whether the text is within the limit."""
        return len(self._ids(text)) <= self.tokens

    def cut(self, text: str) -> str:
        """Return the text, without what is beyond the limit."""
        ids = self._ids(text)
        if len(ids) <= self.tokens:
            return text
        return str(self.tokenizer.decode(ids[: self.tokens], skip_special_tokens=True))

    def _ids(self, text: str) -> list[int]:
        # Quiet: that a text is longer than a model's context is what is being asked.
        ids: list[int] = self.tokenizer(text, verbose=False)["input_ids"]
        return ids


def prompt(task: Task, text: str, shots: int, limit: Limit | None) -> str:
    """Return the prompt for one input with up to `shots` positive examples.

    An example is added only while all fits the limit, and a prompt without examples that does not
    fit is cut at its end, as in the original (None: nothing is left out or cut).
    """
    definition = _ended(f"Definition: {task.definition.strip()}") + "\n\n"
    question = "Now complete the following example -\n" + _ended(f"Input: {text.strip()}")
    question += END
    shown = _shown(task.examples[:shots], definition, question, limit)
    whole = definition + "".join(shown) + question
    return limit.cut(whole) if limit else whole


def _shown(
    examples: Sequence[Example], definition: str, question: str, limit: Limit | None
) -> list[str]:
    shown: list[str] = []
    for number, example in enumerate(examples, start=1):
        block = f" Positive Example {number} -\n" + _ended(f"Input: {example.input.strip()}")
        block += "\n" + _ended(f" Output: {example.output.strip()}") + "\n\n"
        # The original counts the examples with a blank between them and joins them without one.
        if limit and not limit.fits(definition + " ".join(shown) + block + question):
            break
        shown.append(block)
    return shown


def _ended(line: str) -> str:
    """The line with a period, unless it ends in ASCII punctuation."""
    return line if line[-1] in string.punctuation else line + "."
