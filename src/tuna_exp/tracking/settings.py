"""What is asked of the tracker: the class behind `logger=wandb`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Mode = Literal["online", "offline", "disabled"]
LogArtifacts = Literal["metadata", "files", "none"]
Axis = Literal["examples", "tokens"]
_CLOSED: dict[str, Mode] = {"offline": "offline", "dryrun": "offline", "disabled": "disabled"}


@dataclass(frozen=True)
class Tracking:
    """How runs are told to W&B.

    `log_artifacts`: metadata logs each artifact's manifest, files all of its files too. `axis` is
    what curves are drawn over; the other one is logged as well. `rows` are those of a table with
    texts, `score_rows` those of a method's table of scores, which is there to be read back.
    `patience_seconds` is how long a server may take before its runs are kept offline.
    """

    mode: Mode
    project: str
    entity: str | None = None
    group: str | None = None
    tags: Sequence[str] = ()
    log_artifacts: LogArtifacts = "metadata"
    axis: Axis = "examples"
    rows: int = 200
    score_rows: int = 20_000
    patience_seconds: float = 30.0

    @property
    def allowed(self) -> Mode:
        """The mode, or a more closed one that the variable WANDB_MODE asks for."""
        asked = _CLOSED.get(os.environ.get("WANDB_MODE", ""), "online")
        return asked if self.mode == "online" or asked == "disabled" else self.mode
