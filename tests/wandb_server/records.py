"""What the server keeps: runs, files, artifacts, edges of the lineage, views; all in memory."""

import base64
import itertools
import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def now() -> str:
    """The time as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Records:
    """Everything that came in. `received` is every body, path and header but that of the login."""

    base: str = ""
    runs: dict[tuple[str, str], Json] = field(default_factory=dict)
    files: dict[tuple[str, str, str], bytes] = field(default_factory=dict)
    artifacts: dict[str, Json] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    used: list[tuple[str, str]] = field(default_factory=list)
    views: dict[str, Json] = field(default_factory=dict)
    sweeps: dict[str, Json] = field(default_factory=dict)
    agents: dict[str, Json] = field(default_factory=dict)
    alerts: list[Json] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    received: list[bytes] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def new_id(self, kind: str) -> str:
        """An id as the API makes them: base64 of KIND:NUMBER."""
        return base64.b64encode(f"{kind}:{next(self._ids)}".encode()).decode()

    def number(self) -> int:
        """A number that was not given before."""
        return next(self._ids)

    def projects(self) -> list[str]:
        """The names of all projects."""
        kept = (*self.runs.values(), *self.views.values(), *self.sweeps.values())
        return sorted({one["project"] for one in kept})

    def run(self, name: str) -> Json:
        """The one run of an id, in whichever project."""
        (found,) = (run for (_, run_name), run in self.runs.items() if run_name == name)
        return found

    def config(self, name: str) -> Json:
        """The settings of a run."""
        return {key: one["value"] for key, one in self.run(name)["config"].items()}

    def versions(self, project: str, collection: str) -> list[Json]:
        """The versions of an artifact, the newest first."""
        made = self.artifacts.values()
        own = [a for a in made if a["project"] == project and a["collection"] == collection]
        return sorted(own, key=lambda a: -int(a["index"]))

    def edges(self) -> set[tuple[str, str]]:
        """The lineage: (run, artifact) where a run used one, (artifact, run) where it made one.

        Tables, which the client logs as artifacts too, are left out.
        """
        named = {key: one["collection"] for key, one in self.artifacts.items()}
        made = {
            (one["run"], one["collection"])
            for one in self.artifacts.values()
            if one["type"] != "run_table" and one["state"] == "COMMITTED"
        }
        return {(named[artifact], run) for run, artifact in self.used} | made

    def table(self, run: str, name: str) -> Json:
        """A table that a run logged under a name: its `columns` and `data`."""
        (version, *_) = self.versions(self.run(run)["project"], f"run-{run}-{name}")
        content: Json = json.loads(self.blobs[f"{version['id']}/{name}.table.json"])
        return content
