"""The end of a sweep: one comparison of all that finished, and one screen about the rest."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console

from tuna_exp.errors import UserError
from tuna_exp.sweeps.job import launching_here
from tuna_exp.sweeps.outcomes import FAILURE_FILE, RUN_FILE, Outcome, outcomes
from tuna_exp.sweeps.search import SEARCH_FILE, told_of_search

_LINES_SHOWN, _LINES_OF_A_JOB = 40, 6
_DIED = 1
_SAME_AGAIN = "The same sweep again does only what has no result yet."
_MORE_TRIALS = "The same line with a higher hydra.sweeper.n_trials continues this search."


class CompareSweep(Callback):
    """Hydra callback around a sweep."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Jobs in this process keep the terminal."""
        launching_here()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Compare what finished; tell what did not and exit with its status.

        An exit, because Hydra turns every exception of a callback into a warning.
        """
        folder = Path(config.hydra.sweep.dir)
        found = outcomes(folder)
        bad = [o for o in found if o.state in ("failed", "unfinished", "not started")]
        status = max((outcome.status or _DIED for outcome in bad), default=0)
        if any(folder.rglob(RUN_FILE)):
            # Imported late: Hydra makes its callbacks before the config is checked.
            from tuna_exp.comparing import compare_runs

            try:
                compare_runs([folder])
            except UserError as error:
                sys.stderr.write(f"tuna-exp: {error}\n")
                status = max(status, 2)
        if searched := told_of_search(folder):
            Console(highlight=False).print(searched, markup=False, end="", soft_wrap=True)
        if bad:
            sys.stderr.write(told(found, folder))
        if status:
            raise SystemExit(status)


def told(found: Sequence[Outcome], folder: Path) -> str:
    """Return one screen about the jobs without a result, each with the line that runs it again."""
    counts = Counter(outcome.state for outcome in found)
    summary = ", ".join(f"{count} {state}" for state, count in counts.items())
    bad = [o for o in found if o.state in ("failed", "unfinished", "not started")]
    lines = [f"tuna-exp: {len(bad)} job(s) of the sweep have no result ({summary})."]
    for outcome in bad:
        lines += _about(outcome)
    if len(lines) > _LINES_SHOWN:
        lines = [*lines[:_LINES_SHOWN], f"... all of it is in {folder}/*/{FAILURE_FILE}"]
    searched = (folder / SEARCH_FILE).exists()
    lines.append(_MORE_TRIALS if searched else _SAME_AGAIN)
    return "\n".join(lines) + "\n"


def _about(outcome: Outcome) -> list[str]:
    reasons = {
        "unfinished": "its process died; what it had finished is kept",
        "not started": "it was not started",
    }
    head, *rest = reasons.get(outcome.state, outcome.message).splitlines() or [""]
    first = f"job {outcome.number} ({' '.join(outcome.overrides)}): {head}"
    again = [f"  again: {outcome.line}"] if outcome.line else []
    return [first, *rest[:_LINES_OF_A_JOB], *again]
