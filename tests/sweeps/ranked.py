"""A command whose jobs train on two ranks and write down what each of them was given."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import lightning
import torch
from omegaconf import DictConfig
from torch.utils.data import DataLoader

from tuna_exp import cli, comparing
from tuna_exp.errors import UserError
from tuna_exp.run_records import RunRecord
from tuna_exp.sweeps.identity import identity
from tuna_exp.sweeps.outcomes import RUN_FILE
from tuna_exp.sweeps.ranks import is_first_rank

LIGHT = ("model=tiny", "trainer.precision=32-true", "trainer.accelerator=cpu")


class Small(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return self.layer(batch).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def task(
    config: DictConfig, settings: Path, output: Path, overrides: Sequence[str], show: bool
) -> None:
    trainer = lightning.Trainer(
        accelerator="cpu", devices=config.trainer.devices, strategy="ddp", max_steps=1,
        logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Small(), DataLoader(torch.zeros(4, 1)))
    artifacts = Path(config.artifacts)
    (artifacts / "compare" / "c").mkdir(parents=True, exist_ok=True)
    (artifacts / "compare" / "c" / "table.csv").write_text("split,method,score\nall,sft,0.5\n")
    given = [o for o in overrides if not o.startswith("hydra.")]
    told = {"output": str(output.resolve()), "overrides": given, "identity": identity(config)}
    told |= {"rank": trainer.global_rank, "first": is_first_rank(), "pid": os.getpid()}
    (artifacts / f"{output.name}-{trainer.global_rank}-{os.getpid()}").write_text(json.dumps(told))
    if is_first_rank():
        record = RunRecord(
            artifacts=str(artifacts.resolve()), comparison="c", evaluated={},
            identity=identity(config),
        )  # fmt: skip
        (output / RUN_FILE).write_text(record.model_dump_json())


if __name__ == "__main__":
    comparing.compare_runs = lambda folders: None  # type: ignore[assignment]
    from tests.sweeps import ranked

    try:
        # Lightning's ranks get what the first one had in sys.argv.
        typed = [*(word for word in LIGHT if word not in sys.argv), *sys.argv[1:]]
        sys.exit(cli.run_command(typed, ranked.task, program=ranked.__name__))
    except UserError as error:
        sys.exit(f"ranked: {error}")
