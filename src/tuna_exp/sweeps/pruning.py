"""A training that belongs to a search reports how it goes, and ends where others went better.

The search's study lies where `search.json` in the sweep's folder says, so that a job may report
from any process or machine. Of several ranks the first one reports; all of them end together.
"""

import math
from collections.abc import Sequence
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from tuna_exp.errors import PrunedError
from tuna_exp.stages.callbacks import FinishTrackers
from tuna_exp.sweeps.job import Place, place_here
from tuna_exp.sweeps.optuna_parts import made, quiet, storage_of
from tuna_exp.sweeps.outcomes import read
from tuna_exp.sweeps.search import SEARCH_FILE, Shared, watched


def callbacks_here(training: str) -> Sequence[Callback]:
    """Return what a training of that name must carry in this job: nothing where none prunes."""
    place = place_here()
    shared = None if place is None else read(place.sweep / SEARCH_FILE, Shared)
    if place is None or shared is None or shared.pruner == "none":
        return []
    _, only, _ = watched(shared.watch)
    return [Report(shared, place)] if only in ("", training) else []


class Report(Callback):
    """Reports a metric every so many optimizer steps. Raises PrunedError where the job is hopeless.

    A step that was reported by an earlier attempt of the job, or by an earlier training of it, is
    not reported again.
    """

    def __init__(self, shared: Shared, place: Place) -> None:
        self.shared, self.number, self.folder = shared, place.number, place.output
        direction, _, self.metric = watched(shared.watch)
        # Pruners compare in the direction of the search.
        self.sign = 1.0 if (direction == "max") == shared.maximises else -1.0
        self.step = 0
        self._trial: Any = None

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Report after a whole optimizer step where it is time to."""
        step = trainer.global_step
        if step == self.step or step % self.shared.every:
            return
        self.step = step
        metric = trainer.callback_metrics.get(self.metric)
        hopeless = False
        if metric is not None and trainer.is_global_zero:
            hopeless = self._is_hopeless(float(metric), step)
        if trainer.strategy.reduce_boolean_decision(hopeless, all=False):
            FinishTrackers().teardown(trainer, pl_module, "fit")
            raise PrunedError(
                f"pruned after {step} optimizer steps: by {self.shared.watch} other trials went "
                "better. What it had trained is kept."
            )

    def _is_hopeless(self, value: float, step: int) -> bool:
        if not math.isfinite(value):
            return False  # guard rails end that training
        if self._trial is None:
            self._trial = trial_of(self.shared, self.number)
        if step not in self._trial.storage.get_trial(self._trial._trial_id).intermediate_values:
            self._trial.report(self.sign * value, step)
        return bool(self._trial.should_prune())


def trial_of(shared: Shared, number: int) -> Any:
    """Open the study from a job's process and return its trial."""
    import optuna

    quiet()
    study = optuna.load_study(
        study_name=shared.study,
        storage=storage_of(shared.storage),
        sampler=optuna.samplers.RandomSampler(),  # nothing is drawn here
        pruner=made("pruner", shared.pruner, shared.pruner_settings),
    )
    (found,) = [one for one in study.get_trials(deepcopy=False) if one.number == number]
    return optuna.trial.Trial(study, found._trial_id)
