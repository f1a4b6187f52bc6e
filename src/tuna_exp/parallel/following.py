"""A process that trains along: `python -m tuna_exp.parallel.following FOLDER`, by the leader alone.

FOLDER is the run's, with its settings. One that a launcher has started calls `follow` itself.
Imported without torch: a process watches its leader before it does anything that takes time.
"""

import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from tuna_exp.errors import Terminated, UserError
from tuna_exp.parallel.launched import LEADER
from tuna_exp.plan import Workspace
from tuna_exp.quiet import quiet_libraries, quiet_screen

if TYPE_CHECKING:
    from tuna_exp.parallel.team import Team


@dataclass
class Beside(Workspace):
    """The work folder of a process that is not the leader: it notes nothing."""

    def note(self, **facts: Any) -> None:
        """Leave it to the leader."""


def follow(config: DictConfig, team: "Team") -> None:
    """Train whatever the leader says, until there is nothing more.

    Raises LostError where the leader, or another process, is gone.
    """
    from tuna_exp.experiment import build_student, build_training
    from tuna_exp.parallel.contact import in_contact
    from tuna_exp.progress import NoBar
    from tuna_exp.stages.train import train_here

    student = build_student(config)
    with in_contact():
        while (call := team.hear()) is not None:
            training = build_training(config, call.name, team).training
            train_here(training, student, call.start, Beside(call.folder, call.inputs, NoBar()))


def main() -> None:
    """Follow the leader that has started this process."""
    threading.Thread(target=_end_with, args=(int(os.environ[LEADER]),), daemon=True).start()
    quiet_libraries()
    quiet_screen()
    from tuna_exp.experiment import SAVED
    from tuna_exp.parallel.contact import LostError
    from tuna_exp.parallel.watching import LOST, TERMINATED, USER_ERROR, WORDS

    try:
        config = OmegaConf.load(Path(sys.argv[1]) / SAVED / "config.yaml")
        assert isinstance(config, DictConfig)
        _take_part(config)
    except Terminated:
        sys.exit(TERMINATED)
    except UserError as error:
        sys.stderr.write(f"{WORDS}{error}\n")
        sys.exit(LOST if isinstance(error, LostError) else USER_ERROR)


def _take_part(config: DictConfig) -> None:
    from tuna_exp.experiment import trial_trainer
    from tuna_exp.parallel.contact import in_contact
    from tuna_exp.parallel.local import leaders_store
    from tuna_exp.parallel.team import join

    trainer = trial_trainer(config)
    with in_contact():
        team = join(trainer, leaders_store())
    try:
        follow(config, team)
    finally:
        team.dismiss()


def _end_with(leader: int) -> None:
    """End at once when the leader has ended: nothing that this process has is needed then."""
    while os.getppid() == leader:
        time.sleep(1.0)
    os._exit(1)


if __name__ == "__main__":
    main()
