"""What watches over every training, whichever callbacks the settings name."""

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.distributed.tensor import DTensor

from tuna_exp.errors import DataError
from tuna_exp.parallel.team import everyone


class RefuseDiverged(Callback):
    """A model whose weights are no numbers is no result: it would fail, or babble, much later."""

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Raise DataError where a trained weight is not finite."""
        own = [name for name, p in pl_module.named_parameters() if p.requires_grad and _is_bad(p)]
        bad = [name for names in everyone(own[:1]) for name in names]
        if bad:
            raise DataError(
                f"the training diverged: after {trainer.global_step} steps {bad[0]} holds NaN or "
                "infinity. Cure: a lower objective.sft.learning_rate (or tuna_p, tuna_c: the "
                "one that was running), trainer.gradient_clip_val=1, or model.dtype=float32."
            )


def _is_bad(weight: Tensor) -> bool:
    """Whether this process's part of a weight is not finite."""
    part = weight.to_local() if isinstance(weight, DTensor) else weight
    return not bool(torch.isfinite(part).all())


class FinishTrackers(Callback):
    """Trackers are closed with their training: what writes on would change a finished artifact.

    Lightning leaves a W&B run open until the process ends. By then the artifact has been committed
    and renamed, the tracker's files no longer fit the sizes in the manifest, and the next run would
    take the training for damaged and do it again.
    """

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Finish every run; after a failure, when this is not called, nothing is committed."""
        for logger in trainer.loggers:
            finish = getattr(getattr(logger, "experiment", None), "finish", None)
            if finish is not None:
                finish()
