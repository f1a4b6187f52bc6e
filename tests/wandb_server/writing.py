"""What clients change: runs and their rows, files, artifacts, views, sweeps."""

import itertools
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import yaml

from tests.wandb_server.reading import ENTITY, Reading, page
from tests.wandb_server.records import Json, Records, now

# A run's fields by what a client calls them.
_RUN = {
    "displayName": "displayName", "groupName": "group", "jobType": "jobType", "notes": "notes",
    "state": "state", "sweep": "sweepName", "tags": "tags",
}  # fmt: skip


class Writing:
    """The write side over the records."""

    def __init__(self, records: Records, reading: Reading) -> None:
        self.records = records
        self.reading = reading

    def root(self) -> dict[str, Callable[..., Json]]:
        """The fields of a mutation."""
        own = (
            self.upsertBucket, self.createRunFiles, self.createArtifact, self.useArtifact,
            self.createArtifactManifest, self.createArtifactFiles, self.commitArtifact,
            self.updateArtifact, self.upsertView, self.upsertSweep, self.createAgent,
            self.agentHeartbeat, self.upsertModel, self.notifyScriptableRunAlert, self.deleteRun,
            self.deleteView,
        )  # fmt: skip
        return {
            **{method.__name__: method for method in own},
            "completeMultipartUploadArtifact": lambda **_: {"digest": ""},
            "markRunFilesUploaded": lambda **_: {"success": True},
        }

    def upsertBucket(self, input: Json) -> Json:  # noqa: N802
        records, name = self.records, input.get("name")
        project = input.get("modelName") or "uncategorized"
        by_id = (r for r in records.runs.values() if input.get("id") and r["id"] == input["id"])
        run = next(by_id, None) or records.runs.get((project, name or ""))
        inserted = run is None
        if run is None:
            name = name or f"run{records.number()}"
            run = records.runs[project, name] = {
                "id": records.new_id("Run"), "name": name, "project": project,
                "displayName": name, "state": "running", "config": {}, "summary": {},
                "group": None, "jobType": None, "tags": [], "notes": None, "createdAt": now(),
                "heartbeatAt": now(), "sweepName": None, "history": [], "events": [], "logs": {},
                "exitcode": None,
            }  # fmt: skip
        run |= {own: input[key] for key, own in _RUN.items() if input.get(key) is not None}
        if input.get("config"):
            run["config"] = json.loads(input["config"])
        if input.get("summaryMetrics"):
            run["summary"] = json.loads(input["summaryMetrics"])
        return {"bucket": self.reading.run(run), "inserted": inserted}

    def stream(self, project: str, name: str, content: Json) -> Json:
        """Take rows, summary and console of a run, each from an offset on."""
        run = self.records.runs[project, name]
        run["heartbeatAt"] = now()
        for file, part in (content.get("files") or {}).items():
            lines, offset = part["content"], part.get("offset", 0)
            rows = {"wandb-history.jsonl": "history", "wandb-events.jsonl": "events"}.get(file)
            if rows:
                run[rows][offset : offset + len(lines)] = [json.loads(line) for line in lines]
            elif file == "wandb-summary.json":
                run["summary"] = json.loads(lines[-1])
            else:
                run["logs"] |= {offset + i: line for i, line in enumerate(lines)}
        if content.get("complete"):
            run["exitcode"] = content.get("exitcode") or 0
            run["state"] = "failed" if run["exitcode"] else "finished"
        return {"limits": {}}

    def createRunFiles(self, input: Json) -> Json:  # noqa: N802
        project, name = input["projectName"], input["runName"]
        place = f"{self.records.base}/storage/file/{project}/{name}"
        files = [{"name": f, "uploadUrl": f"{place}/{quote(f)}"} for f in input["files"]]
        run = self.records.runs[project, name]
        return {"runID": run["id"], "uploadHeaders": [], "files": files}

    def createArtifact(self, input: Json) -> Json:  # noqa: N802
        records, project = self.records, input["projectName"]
        names = input.get("artifactCollectionNames") or [""]
        collection = input.get("artifactCollectionName") or names[0]
        aliases = [one["alias"] for one in input.get("aliases") or []]
        earlier = records.versions(project, collection)
        for made in earlier:
            made["aliases"] = [one for one in made["aliases"] if one not in aliases]
        same = [m for m in earlier if (m["digest"], m["state"]) == (input["digest"], "COMMITTED")]
        for made in same:
            made["aliases"] += aliases
            return {"artifact": self.reading.artifact(made)}
        made = {
            "id": records.new_id("Artifact"), "collection": collection, "project": project,
            "type": input["artifactTypeName"], "digest": input["digest"], "state": "PENDING",
            "description": input.get("description"), "metadata": input.get("metadata"),
            "index": len(earlier), "aliases": aliases, "files": {}, "run": input.get("runName"),
            "createdAt": now(), "clientID": input.get("clientID"),
        }  # fmt: skip
        records.artifacts[made["id"]] = made
        return {"artifact": self.reading.artifact(made)}

    def createArtifactManifest(self, input: Json) -> Json:  # noqa: N802
        place = f"{self.records.base}/storage/manifest/{input['artifactID']}"
        upload = place if input.get("includeUpload", True) else None
        named = {"name": input["name"], "displayName": input["name"]}
        file = {"id": "f", **named, "uploadUrl": upload, "uploadHeaders": []}
        return {"artifactManifest": {"id": "mf", "file": file}}

    def createArtifactFiles(self, input: Json) -> Json:  # noqa: N802
        found = []
        for file in input["artifactFiles"]:
            artifact, name = file["artifactID"], file["name"]
            self.records.artifacts[artifact]["files"][name] = file.get("md5")
            found.append({
                "id": name, "name": name, "displayName": name, "uploadHeaders": [],
                "uploadUrl": f"{self.records.base}/storage/blob/{artifact}/{quote(name)}",
                "uploadMultipartUrls": None, "storagePath": None, "artifact": {"id": artifact},
            })  # fmt: skip
        return {"files": page(found)}

    def commitArtifact(self, input: Json) -> Json:  # noqa: N802
        made = self.records.artifacts[input["artifactID"]]
        made["state"] = "COMMITTED"
        return {"artifact": self.reading.artifact(made)}

    def updateArtifact(self, input: Json) -> Json:  # noqa: N802
        return {"artifact": self.reading.artifact(self.records.artifacts[input["artifactID"]])}

    def useArtifact(self, input: Json) -> Json:  # noqa: N802
        edge = (input["runName"], input["artifactID"])
        if edge not in self.records.used:
            self.records.used.append(edge)
        return {"artifact": self.reading.artifact(self.records.artifacts[input["artifactID"]])}

    def upsertView(self, input: Json) -> Json:  # noqa: N802
        records = self.records
        view = records.views.get(input.get("id") or "")
        inserted = view is None
        if view is None:
            made = {"__typename": "View", "id": records.new_id("View"), "createdAt": now()}
            view = records.views[made["id"]] = {**made, "description": ""}
        for key in ("name", "displayName", "type", "spec", "description"):
            view[key] = input.get(key) or view.get(key)
        view["project"] = input.get("projectName") or view.get("project")
        view["updatedAt"] = now()
        return {"view": self.reading.view(view), "inserted": inserted}

    def deleteView(self, input: Json) -> Json:  # noqa: N802
        self.records.views.pop(input["id"], None)
        return {"success": True}

    def upsertSweep(self, input: Json) -> Json:  # noqa: N802
        kept = self.records.sweeps
        asked = (s for s in kept.values() if input.get("id") in (s["id"], s["name"]))
        sweep = next(asked, None) if input.get("id") else None
        if sweep is None:
            name = f"sw{self.records.number():06d}"
            told = yaml.safe_load(input["config"])
            sweep = kept[name] = {
                "id": self.records.new_id("Sweep"), "name": name, "told": told,
                "project": input.get("projectName") or "uncategorized", "state": "PENDING",
                "displayName": input.get("displayName"), "queue": _grid(told), "next": 0,
                "createdAt": now(), "updatedAt": now(), "heartbeatAt": now(),
                "description": input.get("description"),
            }  # fmt: skip
        for key in ("state", "controller", "scheduler", "config"):
            sweep[key] = input.get(key) or sweep.get(key)
        return {"sweep": self.reading.sweep(sweep), "configValidationWarnings": []}

    def createAgent(self, input: Json) -> Json:  # noqa: N802
        agent = {"id": self.records.new_id("Agent"), "sweep": input["sweep"]}
        self.records.agents[agent["id"]] = agent
        return {"agent": agent}

    def agentHeartbeat(self, input: Json) -> Json:  # noqa: N802
        agent = self.records.agents[input["id"]]
        sweep = self.records.sweeps[agent["sweep"]]
        state = json.loads(input.get("runState") or "{}")
        on = [name for name, is_on in state.items() if is_on]
        worse = [{"type": "stop", "run_id": name} for name in on if self._is_worse(sweep, name)]
        commands = worse if on else [self._next(sweep)]
        return {"agent": {"id": agent["id"]}, "commands": json.dumps(commands)}

    def _is_worse(self, sweep: Json, name: str) -> bool:
        """W&B's hyperband at its first step: worse there than the best third of all runs."""
        metric, early = sweep["told"]["metric"], sweep["told"].get("early_terminate")
        if early is None:
            return False
        sign = -1 if metric["goal"] == "maximize" else 1
        found = {}
        for run in self.records.runs.values():
            own = [row[metric["name"]] for row in run["history"] if metric["name"] in row]
            if run["sweepName"] == sweep["name"] and len(own) > early["min_iter"]:
                found[run["name"]] = sign * own[early["min_iter"]]
        return name in found and found[name] > sorted(found.values())[len(found) // 3]

    def _next(self, sweep: Json) -> Json:
        if sweep["next"] >= len(sweep["queue"]) or sweep["state"] not in ("PENDING", "RUNNING"):
            sweep["state"] = "FINISHED"
            return {"type": "exit"}
        sweep["state"] = "RUNNING"
        number = sweep["next"]
        sweep["next"] += 1
        values = {k: {"value": v, "desc": None} for k, v in sweep["queue"][number].items()}
        name = f"{sweep['name']}r{number}"
        return {"type": "run", "run_id": name, "run_name": name, "args": values,
                "program": sweep["told"].get("program"), "logs": []}  # fmt: skip

    def upsertModel(self, input: Json) -> Json:  # noqa: N802
        project = self.reading.project(input["name"])
        return {"model": project, "project": project, "inserted": True}

    def notifyScriptableRunAlert(self, input: Json) -> Json:  # noqa: N802
        self.records.alerts.append(input)
        return {"success": True}

    def deleteRun(self, input: Json) -> Json:  # noqa: N802
        kept = self.records.runs
        self.records.runs = {k: run for k, run in kept.items() if run["id"] != input["id"]}
        return {"clientMutationId": None}


def _grid(told: Json) -> list[Json]:
    """Every combination of a sweep's values, in order."""
    parameters: dict[str, Any] = told.get("parameters", {})
    values = [
        one.get("values") or [one.get("value", (one.get("min", 0) + one.get("max", 0)) / 2)]
        for one in parameters.values()
    ]
    return [dict(zip(parameters, some, strict=True)) for some in itertools.product(*values)]


__all__ = ["ENTITY", "Writing"]
