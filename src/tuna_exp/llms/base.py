"""What stages and rankers ask of an LLM, whoever serves it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from tuna_exp.errors import ConfigError
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.diversity import Diversity
from tuna_exp.models.prompts import PromptEncoder
from tuna_exp.records import Candidate, Instruction


@dataclass(frozen=True)
class Sampling:
    """How a candidate set is drawn; `diversity` None takes every draw.

    `batch_size` is prompts decoded together. Raises ConfigError where it is below 1.
    """

    decoding: Decoding
    batch_size: int
    diversity: Diversity | None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError(f"sampling.batch_size={self.batch_size}. Cure: give 1 or more.")


Gift = Literal["logprobs", "choices", "forms"]


@dataclass(frozen=True)
class Form:
    """A shape that an answer must have: a JSON schema with a name (letters, digits, _ and -)."""

    name: str
    schema: Mapping[str, object]


@dataclass(frozen=True)
class Unpaid:
    """A request still to be paid for: bytes of text in it, and how many answers it asks for."""

    text: int
    answers: int


class LLM(Protocol):
    """A model that answers. Made cheaply; `open` loads it."""

    @property
    def gives(self) -> frozenset[Gift]:
        """Return what it gives besides texts.

        `logprobs` of the tokens it draws, `choices` (it can be asked `choose`), `forms` (answers
        can be bound to a JSON schema).
        """

    def open(self) -> "OpenLLM":
        """Load what is needed to answer."""

    def together(self, asked: int) -> int:
        """Return how many instructions to ask at once where `asked` are set."""

    def check(self) -> None:
        """Raise UserError where it can be told that it cannot answer here."""

    def usd(self, read: float, generated: float) -> float:
        """Return what tokens read and generated cost, in dollars; 0 for a model that runs here."""

    def unpaid(
        self, instructions: Sequence[Instruction], decoding: Decoding, seed: int
    ) -> list[Unpaid]:
        """Return the requests whose answers would have to be bought."""

    def digest(self) -> dict[str, object]:
        """Return what decides the answers, as JSON values."""


class OpenLLM(Protocol):
    """A loaded model."""

    def remember(self, instructions: Sequence[Instruction]) -> None:
        """Announce the instructions to come, so that what they share is computed once."""

    def prompt_length(self, instruction: Instruction, room: int) -> int:
        """Return the tokens of its prompt, by which batches are sorted.

        Raises ContextError where `room` more would not fit the model's context.
        """

    def answer(
        self,
        instructions: Sequence[Instruction],
        decoding: Decoding,
        seed: int,
        form: Form | None = None,
    ) -> list[list[Candidate]]:
        """Return `decoding.responses` answers to each instruction, bound to a form where it can.

        They depend on the seed, the instruction and its id, not on the others asked with it.
        """

    def choose(
        self, instructions: Sequence[Instruction], begun: str, options: Sequence[str]
    ) -> list[list[float]]:
        """Return the log-probability (nats) of each option as what follows `begun`.

        `begun` is how the answer begins; one list per instruction.
        """

    def score_texts(self, instruction: Instruction, texts: Sequence[str]) -> list[list[float]]:
        """Return the log-probability of every token of each text as an answer, in nats.

        The end of the answer is one of the tokens. Raises ConfigError where it gives none.
        """

    def close(self) -> None:
        """Let go of what was opened outside of this process."""


class Sampler(Protocol):
    """An engine that a model folder is opened with. Made cheaply."""

    def check(self) -> None:
        """Raise UserError where the engine cannot run on this machine."""

    def open(self, folder: Path, encoder: PromptEncoder, trust_remote_code: bool) -> OpenLLM:
        """Load the model of a folder, prompted as the encoder says."""

    def digest(self) -> dict[str, object]:
        """Return what decides the answers besides the weights and the prompt, as JSON values."""
