"""The paper's cheaper stand-in for an expensive ranker: a small classifier trained on its rankings.

The expensive ranker labels a share of the candidate sets, a classifier learns its order and ranks
all of them. The three are steps of their own (`lab`), so each is kept, reused and continued. Left
out: choosing which sets to label, and rounds of labelling.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuna_exp.errors import ConfigError
from tuna_exp.models.sources import ModelSource
from tuna_exp.parallel.launched import ALONE
from tuna_exp.rankers.base import Outcome, Ranker
from tuna_exp.records import CandidateSet, Instruction

if TYPE_CHECKING:
    from tuna_exp.rankers.reward_model import RewardModelRanker


@dataclass(frozen=True)
class ProxyTraining:
    """How a proxy is trained: `sets` candidate sets per optimizer step, seeded.

    `trainer`, `optimizer` and `schedule` are what the objectives are trained with; the first two
    are callables that lack what the training knows (`functools.partial`). `checkpoint_minutes` is
    wall time between checkpoints that a killed training continues from.
    """

    epochs: int
    learning_rate: float
    sets: int
    optimizer: Any
    schedule: Any
    trainer: Any
    checkpoint_minutes: float
    checkpoint_steps: int | None

    def digest(self) -> dict[str, object]:
        """Return what decides the result, besides its data and base model."""
        made = self.optimizer.func
        return {
            "epochs": self.epochs,
            "learning_rate": self.learning_rate,
            "sets": self.sets,
            "optimizer": {"class": f"{made.__module__}.{made.__qualname__}"}
            | self.optimizer.keywords,
            "schedule": vars(self.schedule),
            "trainer": self.trainer.keywords | ALONE,  # small enough for one device
        }


class Proxy:
    """A ranker to be trained on the order of another, `labels`.

    `share` of the candidate sets, the first ones, get labels. `base` is the decoder or encoder that
    becomes the classifier, `max_length` the tokens that it reads of instruction and response
    together. What ranks is `trained`; before that nothing can.
    """

    def __init__(
        self,
        labels: Ranker,
        share: float,
        base: ModelSource,
        max_length: int,
        batch_size: int,
        seed: int,
        training: ProxyTraining,
    ) -> None:
        self.labels = labels
        self.share = share
        self.base = base
        self.max_length = max_length
        self.batch_size = batch_size
        self.seed = seed
        self.training = training

    def labelled(self, sets: int) -> int:
        """Return how many of so many sets are labelled."""
        return ceil(self.share * sets)

    def recipe(self) -> dict[str, object]:
        """Return what decides the trained classifier, besides the labels."""
        return {
            "base": self.base.digest(),
            "max_length": self.max_length,
            "seed": self.seed,
            **self.training.digest(),
        }

    def digest(self) -> dict[str, object]:
        """Return what decides the order, besides the trained classifier, which is an input."""
        return {"ranker": "proxy", "max_length": self.max_length}

    def check(self, instructions: Sequence[Instruction]) -> None:
        """Raise ConfigError where too few sets would be labelled to learn and to measure."""
        self.labels.check(instructions)
        labelled = self.labelled(len(instructions))
        if not 0 < self.share <= 1 or self.batch_size < 1 or labelled < 2:
            raise ConfigError(
                f"ranker.share={self.share} of {len(instructions)} sets labels {labelled}, "
                f"ranker.batch_size={self.batch_size}. Cure: a share above 0, at most 1, that "
                "leaves at least 2 sets with labels, and a batch_size of 1 or more."
            )

    def questions(self, responses: int) -> int:
        """Return those of the ranker that labels, which is asked about a share of the sets."""
        return self.labels.questions(responses)

    def rank(self, sets: Sequence[CandidateSet]) -> list[Outcome]:
        """Raise ConfigError: it has to be trained first."""
        raise ConfigError(
            "ranker=proxy ranks once it is trained, which it is as a ranker of its own and not as "
            "a member of another. Cure: ranker=proxy ranker@ranker.labels=RANKER."
        )

    def release(self) -> None:
        """Let go of what the labelling ranker loaded."""
        self.labels.release()

    def trained(self, checkpoint: Path) -> "RewardModelRanker":
        """Return the ranker that reads a trained classifier's folder."""
        from tuna_exp.models.student import Folder
        from tuna_exp.rankers.reward_model import RewardModelRanker

        return RewardModelRanker(
            Folder(checkpoint), None, "float32", self.max_length, self.batch_size
        )
