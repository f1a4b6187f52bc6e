"""Trackers are closed with their training: what writes on would change a finished artifact.

Lightning leaves a W&B run open until the process ends. By then the artifact has been committed and
renamed, the tracker's files no longer fit the sizes in the manifest, and the next run would take
the training for damaged and do it again.
"""

from lightning.pytorch import Callback, LightningModule, Trainer


class FinishTrackers(Callback):
    """Finish the run of every logger that has one to finish, as W&B's does."""

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Called once when fit has ended well; after a failure there is nothing to commit."""
        for logger in trainer.loggers:
            finish = getattr(getattr(logger, "experiment", None), "finish", None)
            if finish is not None:
                finish()
