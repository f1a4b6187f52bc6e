"""How runs, artifacts and projects look to who asks, as plain dicts for `graphql`."""

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from tests.wandb_server.filters import matches, ordered
from tests.wandb_server.records import Json, Records, now

ENTITY = "tester"
_FEATURES = (
    "TOTAL_COUNT_IN_FILE_CONNECTION", "LARGE_FILENAMES", "PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP",
    "SWEEPS_QUERY_FILTERING",
)  # fmt: skip


def page(nodes: Iterable[Any], first: int | None = None, after: str | None = None) -> Json:
    """A connection: `first` nodes from the cursor `after` on."""
    listed = list(nodes)
    start = int(after) if after else 0
    shown = listed[start : start + (first or len(listed) or 1)]
    edges = [{"node": node, "cursor": str(start + i + 1)} for i, node in enumerate(shown)]
    return {
        "totalCount": len(listed),
        "edges": edges,
        "pageInfo": {
            "__typename": "PageInfo",
            "hasNextPage": start + len(shown) < len(listed),
            "endCursor": str(start + len(shown)) if shown else None,
            "hasPreviousPage": False,
            "startCursor": None,
        },
    }


def pages(nodes: Callable[[], Iterable[Any]]) -> Callable[..., Json]:
    """A connection that is made when it is asked for."""
    return lambda first=None, after=None, **_: page(nodes(), first, after)


class Reading:
    """The read side over the records."""

    def __init__(self, records: Records) -> None:
        self.records = records

    def root(self) -> Json:
        """The fields of a query."""
        records = self.records
        return {
            "viewer": lambda **_: self.user(),
            "entity": lambda **_: self.entity(),
            "project": self.project,
            "model": lambda name, **_: self.project(name) if name in records.projects() else None,
            "models": pages(lambda: map(self.project, records.projects())),
            "serverInfo": lambda **_: self.server(),
            "artifact": lambda id, **_: self.artifact(records.artifacts.get(id)),
            "view": lambda id=None, **_: self.view(records.views.get(id or "")),
            "clientIDMapping": self.mapped,
        }

    def mapped(self, clientID: str, **_: Any) -> Json | None:  # noqa: N803
        made = self.records.artifacts.values()
        return next(({"serverID": a["id"]} for a in made if a.get("clientID") == clientID), None)

    def server(self) -> Json:
        """Versions and features that the client asks for first."""
        return {
            "cliVersionInfo": {"min_cli_version": "0.0.1", "max_cli_version": "9.9.9"},
            "latestLocalVersionInfo": {
                "outOfDate": False,
                "latestVersionString": "0.99.0",
                "versionOnThisInstanceString": "0.99.0",
            },
            "features": [{"name": name, "isEnabled": True} for name in _FEATURES],
        }

    def user(self) -> Json:
        """Who is logged in."""
        return {
            "id": "VXNlcjox", "name": ENTITY, "username": ENTITY, "email": "t@example.invalid",
            "admin": False, "flags": "{}", "entity": ENTITY, "defaultEntity": self.entity(),
            "teams": page([{"name": ENTITY}]), "apiKeys": page([]), "photoUrl": None,
            "deletedAt": None,
        }  # fmt: skip

    def entity(self) -> Json:
        """The one user."""
        return {
            "__typename": "Entity", "id": "RW50aXR5OjE=", "name": ENTITY, "organization": None,
            "isTeam": False,
            "project": lambda name, **_: self.project(name),
            "projects": pages(lambda: map(self.project, self.records.projects())),
        }  # fmt: skip

    def brief(self, name: str) -> Json:
        """A project where only its name is asked for."""
        return {
            "__typename": "Project", "id": f"UHJvamVjdDo{name}", "internalId": "SW50OjE=",
            "name": name, "entityName": ENTITY, "entity": {"__typename": "Entity", "name": ENTITY},
        }  # fmt: skip

    def project(self, name: str, **_: Any) -> Json:
        """A project; it is there as soon as somebody asks."""
        runs, views, sweeps = self._runs_of(name), self._views_of(name), self._sweeps_of(name)
        find = {run["name"]: run for run in runs()}
        one_run = lambda name, **_: self.run(find.get(name))  # noqa: E731
        return {
            **self.brief(name),
            "entity": self.entity(), "user": self.user(), "createdAt": now(),
            "isBenchmark": False, "readOnly": False, "run": one_run, "bucket": one_run,
            "runs": lambda first=None, after=None, **asked: page(
                map(self.run, runs(**asked)), first, after
            ),
            "runCount": lambda **asked: len(runs(**asked)),
            "allViews": views, "sweeps": pages(sweeps), "totalSweeps": len(sweeps()),
            "sweep": lambda **asked: self.sweep(self.records.sweeps.get(asked["sweepName"])),
            **self._artifacts_of(name),
        }  # fmt: skip

    def _runs_of(self, project: str) -> Callable[..., list[Json]]:
        def runs(filters: str | None = None, order: str | None = None, **_: Any) -> list[Json]:
            asked = json.loads(filters) if filters else {}
            own = [run for run in self.records.runs.values() if run["project"] == project]
            return ordered([run for run in own if matches(run, asked)], order)

        return runs

    def _views_of(self, project: str) -> Callable[..., Json]:
        def views(viewType: str = "runs", viewName: str = "", **more: Any) -> Json:  # noqa: N803
            own = [view for view in self.records.views.values() if view["project"] == project]
            own = [v for v in own if viewType in ("", None, v["type"])]
            named = [v for v in own if viewName in ("", None, v["name"], v["displayName"])]
            return page(map(self.view, named), more.get("first"), more.get("after"))

        return views

    def _sweeps_of(self, project: str) -> Callable[[], list[Json | None]]:
        kept = self.records.sweeps
        return lambda: [self.sweep(s) for s in kept.values() if s["project"] == project]

    def _artifacts_of(self, project: str) -> Json:
        """The fields of a project about artifacts: by name, by type, by collection."""
        made = [a for a in self.records.artifacts.values() if a["project"] == project]

        def member(name: str, **_: Any) -> Json | None:
            return self.membership(project, name)

        def found(name: str, **_: Any) -> Json | None:
            there = self.membership(project, name)
            return there and there["artifact"]

        def collection(name: str, **_: Any) -> Json | None:
            return self.collection(project, name)

        def kind(name: str, **_: Any) -> Json:
            names = sorted({a["collection"] for a in made if a["type"] == name})
            listed = [self.collection(project, one) for one in names]
            return {**_type(name), "artifactCollections": page(listed),
                    "artifactCollection": collection}  # fmt: skip

        return {
            "artifact": found, "artifactCollectionMembership": member, "artifactType": kind,
            "artifactTypes": pages(lambda: map(_type, sorted({a["type"] for a in made}))),
            "artifactCollection": collection,
        }  # fmt: skip

    def membership(self, project: str, name: str) -> Json | None:
        """The version that NAME:ALIAS means, in its collection."""
        collection, _, alias = name.partition(":")
        for made in self.records.versions(project, collection):
            if (alias or "latest") in (*made["aliases"], f"v{made['index']}"):
                return {
                    "__typename": "ArtifactCollectionMembership", "id": "m" + made["id"],
                    "versionIndex": made["index"], "createdAt": made["createdAt"],
                    "aliases": [_alias(one) for one in made["aliases"]],
                    "artifactCollection": self.collection(project, collection),
                    "artifact": self.artifact(made),
                }  # fmt: skip
        return None

    def collection(self, project: str, name: str) -> Json | None:
        """A collection with its versions, None where there are none."""
        made = self.records.versions(project, name)
        if not made:
            return None
        versions = page(map(self.artifact, made))
        for edge, one in zip(versions["edges"], made, strict=True):
            edge["version"] = f"v{one['index']}"
        kind = {"name": made[0]["type"]}
        return {
            "__typename": "ArtifactSequence", "id": name, "name": name, "description": "",
            "createdAt": now(), "updatedAt": now(), "state": "READY", "type": kind,
            "defaultArtifactType": kind, "project": self.brief(project), "tags": page([]),
            "aliases": page([]), "artifacts": lambda **_: versions,
            "artifactMemberships": lambda **_: page([]),
            "artifactMembership": lambda **asked: self._in(
                project, f"{name}:{asked['aliasName']}"
            ),
            "latestArtifact": self.artifact(made[0]),
        }  # fmt: skip

    def _in(self, project: str, name: str) -> Json | None:
        there = self.membership(project, name)
        return there and there["artifact"]

    def artifact(self, made: Json | None) -> Json | None:
        """One version of an artifact."""
        if made is None:
            return None
        project, base = self.brief(made["project"]), self.records.base
        sequence = {
            "__typename": "ArtifactSequence", "id": made["collection"],
            "name": made["collection"], "state": "READY", "project": project,
            "latestArtifact": None,
        }  # fmt: skip
        maker = self.records.runs.get((made["project"], made["run"]))
        users = [run for artifact, run in self._used() if artifact == made["id"]]
        return {
            "__typename": "Artifact", "id": made["id"], "digest": made["digest"],
            "state": made["state"], "description": made["description"],
            "metadata": made["metadata"], "size": 0, "fileCount": len(made["files"]),
            "versionIndex": made["index"], "createdAt": made["createdAt"],
            "updatedAt": made["createdAt"], "commitHash": made["id"],
            "aliases": [{**_alias(one), "artifactCollectionName": made["collection"],
                         "artifactCollection": sequence} for one in made["aliases"]],
            "artifactType": {"name": made["type"], "id": made["type"]},
            "artifactSequence": sequence, "tags": [], "historyStep": None,
            "ttlIsInherited": True, "ttlDurationSeconds": -1, "type": "regular",
            "currentManifest": {"id": "mf", "file": {
                "directUrl": f"{base}/storage/manifest/{made['id']}", "id": "f"}},
            "files": lambda **_: page(self._files(made)),
            "usedBy": lambda **_: page(map(self.run, users)),
            "createdBy": lambda **_: self.run(maker),
        }  # fmt: skip

    def _used(self) -> list[tuple[str, Json]]:
        """The artifacts' ids with the runs that used them."""
        return [(artifact, self.records.run(run)) for run, artifact in self.records.used]

    def _files(self, made: Json) -> list[Json]:
        place = f"{self.records.base}/storage/blob/{made['id']}"
        return [
            {"__typename": "File", "id": name, "name": name, "displayName": name, "sizeBytes": 1,
             "md5": "", "digest": digest, "url": f"{place}/{quote(name)}",
             "directUrl": f"{place}/{quote(name)}", "storagePath": None}
            for name, digest in made["files"].items()
        ]  # fmt: skip

    def run(self, kept: Json | None) -> Json | None:
        """A run with its history, files and artifacts."""
        if kept is None:
            return None
        records, history = self.records, kept["history"]
        own = [a for a in records.artifacts.values() if a["run"] == kept["name"]]
        used = [records.artifacts[a] for run, a in records.used if run == kept["name"]]
        told = kept["config"].get("_wandb", {}).get("value", {}).get("t")
        project = {**self.brief(kept["project"]), "entity": self.entity()}
        return {
            **kept, "__typename": "Run", "config": json.dumps(kept["config"]),
            "summaryMetrics": json.dumps(kept["summary"]), "systemMetrics": "{}",
            "user": self.user(), "project": project, "projectId": "1", "readOnly": False,
            "description": None, "commit": None, "stopped": False, "shouldStop": False,
            "failed": kept["state"] in ("failed", "crashed"),
            "running": kept["state"] == "running",
            # Without "t" the client takes a run for one that never began, and does not resume it.
            "wandbConfig": json.dumps({"t": told}) if kept["config"] else None,
            "historyLineCount": len(history), "eventsLineCount": len(kept["events"]),
            "logLineCount": len(kept["logs"]),
            "historyTail": json.dumps([json.dumps(row) for row in history[-1:]]),
            "eventsTail": json.dumps([json.dumps(row) for row in kept["events"][-1:]]),
            "events": lambda **_: [json.dumps(row) for row in kept["events"]],
            **_history(history),
            "files": lambda names=None, first=None, after=None, **_: page(
                self._run_files(kept, names), first, after
            ),
            "fileCount": len(self._run_files(kept, None)),
            "outputArtifacts": lambda **_: page(map(self.artifact, own)),
            "inputArtifacts": lambda **_: page(map(self.artifact, used)),
            "jobRepo": None, "jobProgram": None, "host": "", "agent": None,
        }  # fmt: skip

    def _run_files(self, kept: Json, names: list[str] | None) -> list[Json]:
        place = f"{self.records.base}/storage/file/{kept['project']}/{kept['name']}"
        return [
            {"id": name, "name": name, "sizeBytes": len(content), "url": f"{place}/{name}",
             "directUrl": f"{place}/{name}", "mimetype": "x", "updatedAt": now(), "md5": "",
             "storagePath": name, "uploadUrl": ""}
            for (project, run, name), content in self.records.files.items()
            if (project, run) == (kept["project"], kept["name"]) and (not names or name in names)
        ]  # fmt: skip

    def view(self, kept: Json | None) -> Json | None:
        """A workspace or report."""
        if kept is None:
            return None
        owner = {"user": self.user(), "entity": self.entity(), "entityName": ENTITY}
        return {**kept, **owner, "project": self.brief(kept["project"])}

    def sweep(self, kept: Json | None) -> Json | None:
        """A sweep with its runs."""
        if kept is None:
            return None
        runs = [r for r in self.records.runs.values() if r["sweepName"] == kept["name"]]
        project = {**self.brief(kept["project"]), "entity": self.entity()}
        return {
            **kept, "__typename": "Sweep", "runs": lambda **_: page(map(self.run, runs)),
            "runCount": len(runs), "project": project,
            "agents": page([]), "bestLoss": None, "method": kept["told"].get("method"),
            "runCountExpected": len(kept["queue"]), "earlyStopJobRunning": False,
            "priorRuns": page([]),
            "agent": lambda **asked: {
                "id": asked["agentName"], "name": asked["agentName"], "host": "",
                "state": "RUNNING", "totalRuns": len(runs)},
        }  # fmt: skip


def _history(history: list[Json]) -> Json:
    """A run's rows: all, some, and which keys they have."""

    def rows(minStep: int = 0, maxStep: float | None = None, **_: Any) -> list[str]:  # noqa: N803
        last = float("inf") if maxStep is None else maxStep
        return [json.dumps(r) for r in history if (minStep or 0) <= r.get("_step", 0) < last]

    def sampled(specs: list[str], **_: Any) -> list[list[Json]]:
        asked = [json.loads(spec) or {} for spec in specs]
        return [_sample(history, one.get("keys") or [], one.get("samples", 500)) for one in asked]

    counts: dict[str, int] = {}
    kinds: dict[str, str] = {}
    for row in history:
        for key, value in row.items():
            counts[key] = counts.get(key, 0) + 1
            kinds[key] = "number" if isinstance(value, int | float) else "string"
    keys = {
        key: {"typeCounts": [{"type": kinds[key], "count": count}], "monotonic": False,
              "previousValue": 0}
        for key, count in counts.items()
    }  # fmt: skip
    last = history[-1].get("_step", len(history) - 1) if history else -1
    return {
        "history": rows,
        "sampledHistory": sampled,
        "historyKeys": {"keys": keys, "sets": [], "lastStep": last},
        # Empty: the client then asks for pages of rows.
        "parquetHistory": lambda **_: {"liveData": [], "parquetUrls": []},
    }


def _sample(history: list[Json], keys: list[str], samples: int) -> list[Json]:
    whole = [row for row in history if all(key in row for key in keys)]
    rows = [{key: row[key] for key in keys} for row in whole] if keys else history
    return rows[:: max(1, -(-len(rows) // samples))]


def _type(name: str) -> Json:
    made = {"id": name, "name": name, "description": "", "createdAt": now()}
    return {"__typename": "ArtifactType", **made}


def _alias(name: str) -> Json:
    return {"__typename": "ArtifactAlias", "id": "alias", "alias": name}
