"""The watch over a training: measures at every optimizer step, tells, stops or fails.

What it has seen is kept in the checkpoint, so that a training that was killed is watched from its
beginning. All processes of a training stop together, where one of them has a reason.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from tuna_exp.errors import DataError
from tuna_exp.rails.probe import Probe, answers
from tuna_exp.rails.rules import Means, Rule, displacement, divergence, growth, repetition

log = logging.getLogger(__name__)
Told = Callable[[str], None]


@dataclass(frozen=True)
class GuardRails:
    """The rules of a training. `window` is how many optimizer steps a mean is taken over.

    Limits: `displacement` in nats per token, `divergence` a multiple of the lowest loss,
    `length_growth` a multiple of the first answers' length, `repetition` a share of 4-grams.
    """

    window: int
    displacement: Rule
    divergence: Rule
    length_growth: Rule
    repetition: Rule
    probe: Probe

    def deciding(self) -> dict[str, Any]:
        """Return the rules that may end a training early and keep the model: they decide it."""
        rules = {
            "displacement": self.displacement,
            "divergence": self.divergence,
            "length_growth": self.length_growth,
            "repetition": self.repetition,
        }
        found: dict[str, Any] = {
            n: vars(rule) for n, rule in rules.items() if rule.action == "stop"
        }
        return found and {"window": self.window, "probe": vars(self.probe), **found}


class Watch(Callback):
    """Applies guard rails. `prompts` are tokenised, `end` ends an answer; `tell` keeps alerts."""

    def __init__(
        self, rails: GuardRails, prompts: Sequence[Sequence[int]], end: int, tell: Told
    ) -> None:
        self.rails = rails
        self.prompts = prompts
        self.end = end
        self.tell = tell
        self.step = 0
        self.losses = Means(rails.window)
        self.logps = Means(rails.window)
        self.lengths: list[float] = []
        self.told: list[str] = []

    def state_dict(self) -> dict[str, Any]:
        """Return what was seen and told."""
        seen = {"losses": asdict(self.losses), "logps": asdict(self.logps)}
        return {**seen, "lengths": self.lengths, "told": self.told, "step": self.step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what was seen and told."""
        self.losses, self.logps = Means(**state_dict["losses"]), Means(**state_dict["logps"])
        self.lengths, self.told = state_dict["lengths"], state_dict["told"]
        self.step = state_dict["step"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ask the model before it has learned anything, to know what it wrote then."""
        if not self.lengths:
            self._ask(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Measure after a whole optimizer step, and act."""
        if trainer.global_step == self.step:
            return
        self.step = trainer.global_step
        metrics = trainer.callback_metrics
        for name, means in (("loss", self.losses), ("logp_best", self.logps)):
            if name in metrics:
                means.add(float(metrics[name]))
        stop = self._look(trainer) | self._ask(trainer, pl_module)
        if trainer.strategy.reduce_boolean_decision(stop, all=False):
            trainer.should_stop = True

    def _look(self, trainer: Trainer) -> bool:
        """Hold what was logged against the rules; return whether to stop."""
        if not math.isfinite(self.losses.last):
            raise DataError(
                f"the training was ended after {self.step} optimizer steps: the loss is "
                f"{self.losses.last}. Cure: a lower learning rate, trainer.gradient_clip_val=1, or "
                "model.dtype=float32."
            )
        fallen, risen = displacement(self.logps.means), divergence(self.losses.means)
        return self._hold(
            trainer,
            "displacement",
            fallen,
            f"the best responses lost {fallen:.2f} nats per token of their likelihood: the order "
            "is learned by making all responses less likely. Cure: a lower learning rate, "
            "objective.mle_on=best, or a larger objective.mle_weight",
        ) | self._hold(
            trainer,
            "divergence",
            risen,
            f"the loss rose to {risen:.1f} times its lowest mean. Cure: a lower learning rate, or "
            "trainer.gradient_clip_val=1",
        )

    def _ask(self, trainer: Trainer, pl_module: LightningModule) -> bool:
        """Have the model answer where it is time to; return whether to stop."""
        probe = self.rails.probe
        if not self.prompts or not probe.due(self.step):
            return False
        made = answers(pl_module.model, self.prompts, probe.max_new_tokens, self.end)  # type: ignore[arg-type]
        self.lengths.append(fmean(map(len, made)))
        repeated, longer = fmean(map(repetition, made)), growth(self.lengths)
        for logger in trainer.loggers:
            measured = {"probe/length": self.lengths[-1], "probe/repetition": repeated}
            logger.log_metrics(measured, step=self.step)
        return self._hold(
            trainer,
            "length_growth",
            longer,
            f"its answers are {longer:.1f} times as long as before the training. Cure: look at "
            "what the ranking prefers (tuna-exp doctor), or ranking_loss.length_exponent=1",
        ) | self._hold(
            trainer,
            "repetition",
            repeated,
            f"{100 * repeated:.0f} % of the 4-grams of its answers are repetitions. Cure: a lower "
            "learning rate, or a larger objective.mle_weight",
        )

    def _hold(self, trainer: Trainer, name: str, value: float, words: str) -> bool:
        """Tell once where a value is beyond its limit; return whether to stop.

        Raises DataError where the rule says to fail.
        """
        rule: Rule = getattr(self.rails, name)
        if value <= rule.limit:
            return False
        limit = f"guard_rails.{name}.limit={rule.limit:g}"
        told = f"after {self.step} optimizer steps {words} ({limit})."
        if rule.action == "fail":
            raise DataError(f"the training was ended: {told}")
        if name not in self.told:
            self.told.append(name)
            log.warning("%s", told)
            self.tell(told)
            alert(trainer, told)
        return rule.action == "stop"


def alert(trainer: Trainer, words: str) -> None:
    """Have trackers that can send the user a message do so."""
    for logger in trainer.loggers:
        send = getattr(getattr(logger, "experiment", None), "alert", None)
        if callable(send):
            send(title="guard rail", text=words)
