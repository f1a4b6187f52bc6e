"""`tuna-exp track sync`: send what runs have kept offline, and say what each was made from.

W&B's own command sends the runs; of lineage it only knows what runs made, as offline the client
refuses to say what they used. That is said afterwards, from `lineage.json`.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tuna_exp.errors import UserError
from tuna_exp.quiet import quiet_libraries
from tuna_exp.tracking.lineage import LINEAGE_FILE, Lineage, Node, metadata_of, read_lineage
from tuna_exp.tracking.settings import Tracking

if TYPE_CHECKING:
    import wandb

USAGE = """usage: tuna-exp track sync FOLDER [FOLDER ...]

Send the W&B runs that were kept offline below run folders, with what each was made from; nothing
that the server has already is sent again.

  tuna-exp track sync runs                      all runs
  tuna-exp track sync runs/2026-01-31/10-00-00  one run, or the jobs of one sweep
"""
_REASON = 300


def main(argv: Sequence[str]) -> int:
    """Run the command and return the exit status; raises UserError for what cannot be done."""
    if {"-h", "--help"} & set(argv):
        sys.stdout.write(USAGE)
        return 0
    quiet_libraries()
    parser = argparse.ArgumentParser(prog="tuna-exp track", usage=USAGE.partition("\n\n")[0])
    parser.add_argument("action", choices=("sync",))
    parser.add_argument("folders", nargs="+", type=Path)
    given = parser.parse_args(list(argv))
    sent, edges = sync(given.folders)
    sys.stdout.write(f"{sent} W&B run(s) below the folder(s) are sent, {edges} inputs are set.\n")
    return 0


def sync(folders: Sequence[Path]) -> tuple[int, int]:
    """Send all runs below the folders; return how many there were and how many inputs were set.

    Raises UserError where there are none, or W&B refuses or does not answer.
    """
    kept = [path for folder in folders for path in sorted(folder.rglob("wandb/*run-*/run-*.wandb"))]
    if not kept:
        names = ", ".join(map(str, folders))
        raise UserError(
            f"no W&B run below {names}: no wandb/*run-*/run-*.wandb there. Cure: the folder that a "
            "run with logger=wandb wrote, runs/DATE/TIME."
        )
    check_server()
    command = [sys.executable, "-m", "wandb", "sync", "--yes", "--include-online"]
    done = subprocess.run(
        [*command, *(str(path.parent) for path in kept)], capture_output=True, text=True
    )
    if done.returncode:
        raise UserError(f"`wandb sync` failed: {_end(done.stderr or done.stdout)}")
    files = [path for folder in folders for path in sorted(folder.rglob(LINEAGE_FILE))]
    known = [(path.parent, found) for path in files if (found := read_lineage(path))]
    return len(kept), sum(Linking(folder, lineage).all() for folder, lineage in known)


def check_server() -> None:
    """Raise UserError where there is no login, or the server does not answer."""
    import wandb
    from tuna_exp.tracking.client import answers

    if not wandb.login(prompt=False, verify=False):
        raise UserError("there is no login to W&B. Cure: `wandb login`, or WANDB_API_KEY.")
    url = str(wandb.setup().settings.base_url)
    if not answers(url, Tracking("online", "").patience_seconds):
        raise UserError(f"{url} does not answer; nothing was sent. Cure: the same command, later.")


class Linking:
    """Sets the inputs of one run's nodes, and logs artifacts that the server does not know."""

    def __init__(self, folder: Path, lineage: Lineage) -> None:
        import wandb

        self.folder = folder
        self.lineage = lineage
        self.api = wandb.Api()
        self.place = f"{lineage.entity or self.api.default_entity}/{lineage.project}"
        self.known: dict[str, wandb.Artifact] = {}

    def all(self) -> int:
        """Link every node; return how many inputs were set."""
        return sum(self._link(node) for node in self.lineage.nodes)

    def _link(self, node: Node) -> int:
        from wandb.errors import CommError

        if node.artifact and self._artifact(node.artifact) is None and not self._log(node):
            return 0  # it was never built: the run was ended before
        try:
            run = self.api.run(f"{self.place}/{node.run}")
        except (CommError, ValueError):
            return 0
        used = {artifact.name.partition(":")[0] for artifact in run.used_artifacts()}
        found = [self._artifact(name) for name in node.inputs if name not in used]
        for artifact in found:
            if artifact is not None:
                run.use_artifact(artifact)
        return sum(artifact is not None for artifact in found)

    def _artifact(self, name: str) -> "wandb.Artifact | None":
        from wandb.errors import CommError

        if name not in self.known:
            try:
                self.known[name] = self.api.artifact(f"{self.place}/{name}:latest")
            except (CommError, ValueError):
                return None
        return self.known[name]

    def _log(self, node: Node) -> bool:
        """Log a node that an earlier run built without a tracker; whether there is anything to."""
        from tuna_exp.store import finished
        from tuna_exp.tracking.client import Client
        from tuna_exp.tracking.described import Described
        from tuna_exp.tracking.tracker import log_artifact

        artifact = finished(Path(self.lineage.root) / node.folder) if node.folder else None
        if node.folder and artifact is None:
            return False
        tracking = Tracking("online", self.lineage.project, self.lineage.entity)
        client = Client(replace(tracking, group=self.lineage.group), self.folder, Described(""))
        with client.running(node.model_copy(update={"inputs": ()}), {}) as run:
            if run is None:
                return False
            if artifact is None:
                log_artifact(run, node, node.metadata)
            else:
                log_artifact(run, node, metadata_of(node, artifact.manifest), artifact.folder)
        return True


def _end(text: str) -> str:
    return " ".join(text.split())[-_REASON:]
