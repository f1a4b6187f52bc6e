"""A command whose jobs do next to nothing, run as a process of its own with our config and sweeps.

`seed` says what a job does: 13 fails, 66 kills its process the first time, 99 every time, 77 waits
the first time. Its score is the better, the nearer `max_refused` is to 0.7 and `seed` to 3.
"""

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from tuna_exp import cli, comparing
from tuna_exp.errors import UserError
from tuna_exp.run_records import RunRecord
from tuna_exp.sweeps.identity import identity
from tuna_exp.sweeps.outcomes import RUN_FILE

FAILS, DIES_ONCE, DIES, WAITS = 13, 66, 99, 77
LIGHT = ("model=tiny", "trainer.precision=32-true")  # resolved without torch


def task(
    config: DictConfig, settings: Path, output: Path, overrides: Sequence[str], show: bool
) -> None:
    artifacts = Path(config.artifacts)
    name = identity(config)[:8]
    comparison = artifacts / "compare" / name
    comparison.mkdir(parents=True, exist_ok=True)
    score = 1 - abs(config.max_refused - 0.7) - abs(config.seed - 3) / 10
    (comparison / "table.csv").write_text(
        f"split,method,score,verdict,usd\nall,base,0,,1\nall,sft,{score},better,{config.seed}\n"
    )
    with (artifacts / "done.txt").open("a") as log:
        log.write(f"{config.seed}\n")
    if config.seed == FAILS:
        raise UserError("unlucky.\nCure: another number.")
    died = artifacts / "died"
    if config.seed == DIES or (config.seed == DIES_ONCE and not died.exists()):
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    waited = artifacts / "waits"
    if config.seed == WAITS and not waited.exists():
        waited.touch()
        time.sleep(120)  # until somebody ends it
    time.sleep(0.2)
    record = RunRecord(
        artifacts=str(artifacts.resolve()), comparison=name, evaluated={}, identity=identity(config)
    )
    (output / RUN_FILE).write_text(record.model_dump_json())


def compared(folders: Sequence[Path]) -> None:
    sys.stdout.write(f"{len(comparing.read_runs(folders))} runs compared\n")


if __name__ == "__main__":
    comparing.compare_runs = compared
    # By its name, as other processes look for it there and not in "__main__".
    from tests.sweeps import toy

    try:
        sys.exit(cli.run_command([*LIGHT, *sys.argv[1:]], toy.task))
    except UserError as error:
        sys.exit(f"toy: {error}")
