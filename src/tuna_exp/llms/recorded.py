"""What all LLMs share that only read what was answered before: nothing is computed or bought.

Left out: which answer is whose. A recording finds it by the words of a prompt (`replay`), a file of
answers by the ids of a benchmark's items (`evaluation.stored`).
"""

from collections.abc import Sequence
from typing import ClassVar

from tuna_exp.errors import ConfigError
from tuna_exp.llms.base import Unpaid
from tuna_exp.llms.decoding import Decoding
from tuna_exp.records import Instruction


class Recorded:
    """An LLM whose answers are there already."""

    def together(self, asked: int) -> int:
        """Return as many as are set."""
        return asked

    def usd(self, read: float, generated: float) -> float:
        """Return 0: it was paid for when it was answered."""
        return 0.0

    def unpaid(
        self, instructions: Sequence[Instruction], decoding: Decoding, seed: int
    ) -> list[Unpaid]:
        """Return none."""
        return []


class OpenRecorded:
    """Such an LLM once its file is read.

    `chosen_as` is the setting that chose it, `cures` what to do where it is asked to choose among
    options or to score texts.
    """

    chosen_as: ClassVar[str]
    cures: ClassVar[tuple[str, str]]

    def remember(self, instructions: Sequence[Instruction]) -> None:
        """Do nothing."""

    def choose(
        self, instructions: Sequence[Instruction], begun: str, options: Sequence[str]
    ) -> list[list[float]]:
        """Raise ConfigError: a recording has no probabilities of options."""
        raise ConfigError(f"{self.chosen_as} cannot choose among options. Cure: {self.cures[0]}.")

    def score_texts(self, instruction: Instruction, texts: Sequence[str]) -> list[list[float]]:
        """Raise ConfigError: a recording scores nothing."""
        raise ConfigError(f"{self.chosen_as} scores nothing. Cure: {self.cures[1]}.")

    def close(self) -> None:
        """Nothing was opened outside."""
