"""A process that trains along: `python -m tuna_exp.parallel.following FOLDER`, by the leader alone.

FOLDER is the run's, with its settings. One that a launcher has started calls `follow` itself.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tuna_exp.errors import Terminated, UserError
from tuna_exp.parallel.team import Team
from tuna_exp.plan import Workspace
from tuna_exp.quiet import quiet_libraries, quiet_screen


@dataclass
class Beside(Workspace):
    """The work folder of a process that is not the leader: it notes nothing."""

    def note(self, **facts: Any) -> None:
        """Leave it to the leader."""


def follow(config: DictConfig, team: Team) -> None:
    """Train whatever the leader says, until there is nothing more."""
    from tuna_exp.experiment import build_student, build_training
    from tuna_exp.progress import NoBar
    from tuna_exp.stages.train import train_here

    student = build_student(config)
    while (call := team.hear()) is not None:
        training = build_training(config, call.name, team).training
        train_here(training, student, call.start, Beside(call.folder, call.inputs, NoBar()))


def main() -> None:
    """Follow the leader that has started this process."""
    quiet_libraries()
    quiet_screen()
    from tuna_exp.experiment import SAVED, trial_trainer
    from tuna_exp.parallel.local import leaders_store
    from tuna_exp.parallel.team import join

    store = leaders_store()
    try:
        config = OmegaConf.load(Path(sys.argv[1]) / SAVED / "config.yaml")
        assert isinstance(config, DictConfig)
        team = join(trial_trainer(config), store)
        follow(config, team)
        team.dismiss()
    except Terminated:
        sys.exit(143)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
