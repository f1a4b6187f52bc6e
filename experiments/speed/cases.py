"""What is measured: the cases of every suite, by name."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Precision = Literal["fp32", "bf16"]
BOTH: tuple[Precision, ...] = ("fp32", "bf16")


class Case(BaseModel):
    """One optimizer step: `prompts` with `responses` each, lengths as `profile` has them.

    `scale` multiplies the lengths. With `vocabulary` the model gets one of that size and random
    weights. `axis` names what a growth case varies.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    profile: str
    prompts: int
    responses: int
    scale: float = 1.0
    vocabulary: int | None = None
    axis: str = ""

    @property
    def words(self) -> str:
        """The case in words, without its name."""
        return f"N={self.responses}, {counted(self.prompts)}, {PROFILE_WORDS[self.profile]}"


class SamplingCase(BaseModel):
    """Drawing `responses` answers to each of the first `prompts` questions."""

    model_config = ConfigDict(frozen=True)

    name: str
    prompts: int
    responses: int
    max_new_tokens: int
    batch_size: int

    @property
    def words(self) -> str:
        """The case in words, without its name."""
        return f"N={self.responses}, {self.prompts} prompts, at most {self.max_new_tokens} tokens"


def counted(prompts: int) -> str:
    """Return "1 prompt" or "4 prompts"."""
    return f"{prompts} prompt{'s' * (prompts != 1)}"


PROFILE_WORDS = {
    "alpaca": "Alpaca lengths",
    "superni_2shot": "Super-NI 2-shot lengths",
    "rag": "prompts 9 to 12 x the response",
    "rag_8k": "prompts 9 to 12 x the response, up to 8k tokens",
    "even": "64 + 64 tokens",
}

QUICK = (
    Case(name="alpaca-4x4", profile="alpaca", prompts=4, responses=4),
    Case(name="rag-1x4", profile="rag", prompts=1, responses=4),
)

TRAINING = (
    Case(name="alpaca-4x4", profile="alpaca", prompts=4, responses=4),
    Case(name="alpaca-8x2", profile="alpaca", prompts=8, responses=2),
    Case(name="alpaca-8x4", profile="alpaca", prompts=8, responses=4),
    Case(name="alpaca-8x8", profile="alpaca", prompts=8, responses=8),
    Case(name="alpaca-16x4", profile="alpaca", prompts=16, responses=4),
    Case(name="superni-4x4", profile="superni_2shot", prompts=4, responses=4),
    Case(name="rag-8x4", profile="rag", prompts=8, responses=4),
)

# On a GPU with a 7B-shaped model.
TRAINING_7B = (
    Case(name="alpaca-4x4", profile="alpaca", prompts=4, responses=4),
    Case(name="alpaca-16x4", profile="alpaca", prompts=16, responses=4),
    Case(name="superni-8x4", profile="superni_2shot", prompts=8, responses=4),
    Case(name="rag-8x4", profile="rag", prompts=8, responses=4),
    Case(name="rag_8k-2x4", profile="rag_8k", prompts=2, responses=4),
)

GROWTH = (
    *(
        Case(name=f"responses-{n}", profile="even", prompts=2, responses=n, axis="responses")
        for n in (2, 4, 8)
    ),
    *(
        Case(
            name=f"length-{64 * s}", profile="even", prompts=2, responses=4, scale=s, axis="length"
        )
        for s in (1, 2, 4)
    ),
    *(
        Case(
            name=f"vocabulary-{v}",
            profile="even",
            prompts=2,
            responses=4,
            vocabulary=v,
            axis="vocabulary",
        )
        for v in (8192, 32768, 131072)
    ),
)

SAMPLING = (
    SamplingCase(name="questions-64x4", prompts=64, responses=4, max_new_tokens=128, batch_size=64),
)
