"""`tuna-exp export`: a ranking or samples as JSON lines that say where each response came from.

Of a training it writes the model (`model_export`).

A line holds an instruction and its responses with rank, score and log-probabilities; for each the
model and, of a service, the request: a digest of the prompt, parameters, seed, snapshot, cost and
the licence tag of its writer; and what every judgement was shown, in which order, and replied.
Beside the file, `FILE.provenance.json` holds the manifests of all that it was made from. Responses
under a licence that may not be passed on can be left out. Left out: formats of other tools; their
loaders read JSON lines.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from tuna_exp.artifacts_command import named, store_root
from tuna_exp.durable import disk_failures, write_durably
from tuna_exp.errors import UserError
from tuna_exp.records import (
    Candidate,
    CandidateSet,
    Judgement,
    Origin,
    RankedExample,
    RankedResponse,
    read_records,
)
from tuna_exp.run_records import read_whole
from tuna_exp.services.ledger import Ledger
from tuna_exp.stages.rank import RANKING
from tuna_exp.stages.sample import CANDIDATES
from tuna_exp.store import MANIFEST, Store

LEDGER = "ledger.sqlite"
CHECKPOINT = "checkpoint"
# Of a request's body: what it asks, told by its digest, and what has a name of its own.
_PROMPT = ("messages", "prompt", "system")


def main(arguments: Sequence[str]) -> int:
    """Export an artifact and return 0. Raises UserError where it cannot be read or written."""
    given = _parser().parse_args(arguments)
    folder = given.artifact
    if not folder.is_dir():
        folder = named(str(folder), Store(given.root).entries()).folder
    if (folder / CHECKPOINT).is_dir():
        return _model(folder, given)
    kind = next((name for name in (RANKING, CANDIDATES) if (folder / name).is_file()), None)
    if kind is None:
        raise UserError(
            f"{folder} has neither {RANKING} nor {CANDIDATES}. Cure: give the folder of a rank or "
            "sample artifact, or of a training; `tuna-exp artifacts list` shows them."
        )
    ledger = given.ledger or folder.absolute().parents[1] / LEDGER
    made = Exported(Sources(Ledger(ledger) if ledger.is_file() else None), given.without)
    lines = list(made.lines(folder, kind))
    with disk_failures(given.out.absolute().parent):
        write_durably(given.out, "".join(json.dumps(line) + "\n" for line in lines))
        write_durably(
            given.out.with_name(given.out.name + ".provenance.json"),
            json.dumps(manifests(folder), indent=1),
        )
    sys.stdout.write(
        f"{len(lines)} sets written to {given.out}; left out for their licence: "
        f"{made.responses_left_out} responses, {made.sets_left_out} sets with fewer than two.\n"
    )
    return 0


def _model(folder: Path, given: argparse.Namespace) -> int:
    if given.without:
        raise UserError(
            f"--without {given.without[0]}: what a model has learnt cannot be left out of it. "
            "Cure: train it on a ranking without that, or export it with its terms in the card."
        )
    from tuna_exp.model_export import export_model

    sys.stdout.write(export_model(folder, given.out, given.license, given.runs))
    return 0


@dataclass
class Sources:
    """What the ledger knows of requests; `ledger` None knows nothing."""

    ledger: Ledger | None
    _seen: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of(self, origin: Origin | None) -> dict[str, Any]:
        """Return where an answer came from; {} for a model that ran here (see the manifests)."""
        if origin is None:
            return {}
        told = {"model": origin.model, "licence": origin.licence, "request": origin.request}
        return told | {"usage": origin.usage.model_dump()} | self._request(origin.request)

    def _request(self, key: str) -> dict[str, Any]:
        if key not in self._seen:
            request = self.ledger.request(key) if self.ledger else None
            body = dict(request.body) if request else {}
            prompt = {name: body.pop(name) for name in _PROMPT if name in body}
            text = json.dumps(prompt, sort_keys=True)
            self._seen[key] = {
                "service": request.service if request else None,
                "prompt_sha256": sha256(text.encode()).hexdigest() if request else None,
                "seed": body.pop("seed", None),
                "parameters": body,
            }
        return self._seen[key]


@dataclass
class Exported:
    """An export under way: whose requests, which licences are left out, and how much that was."""

    sources: Sources
    without: Sequence[str]
    responses_left_out: int = 0
    sets_left_out: int = 0

    def lines(self, folder: Path, kind: str) -> Iterator[dict[str, Any]]:
        """Yield a line for each set that has two responses left."""
        written = candidates_of(folder)
        if kind == CANDIDATES:
            for candidates in read_records(folder / CANDIDATES, CandidateSet):
                responses = [self._sampled(candidate) for candidate in candidates.candidates]
                yield from self._line(candidates.instruction.id, candidates, responses, [])
            return
        for example in read_records(folder / RANKING, RankedExample):
            by_text = written.get(example.instruction.id, {})
            responses = [self._ranked(r, by_text.get(r.text)) for r in example.responses]
            judgements = [self._judged(j, example) for j in example.judgements]
            yield from self._line(example.instruction.id, example, responses, judgements)

    def _line(
        self,
        name: str,
        record: CandidateSet | RankedExample,
        responses: list[dict[str, Any]],
        judgements: list[dict[str, Any]],
    ) -> Iterator[dict[str, Any]]:
        kept = [r for r in responses if r["source"].get("licence") not in self.without]
        self.responses_left_out += len(responses) - len(kept)
        if self.without and len(kept) < 2:
            self.sets_left_out += 1
            return
        levels = sorted({r["rank"] for r in kept if "rank" in r})
        for response in kept:
            if "rank" in response:
                response["rank"] = levels.index(response["rank"])
        # A judgement shows all texts that it was about, so it goes where one of them may not.
        shown = judgements if len(kept) == len(responses) else []
        instruction = record.instruction.model_dump(exclude_defaults=True)
        yield {**instruction, "id": name, "responses": kept, "judgements": shown}

    def _sampled(self, candidate: Candidate) -> dict[str, Any]:
        return {
            "text": candidate.text,
            "finish_reason": candidate.finish_reason,
            "token_logprobs": list(candidate.token_logprobs),
            "source": self.sources.of(candidate.origin),
        }

    def _ranked(self, response: RankedResponse, candidate: Candidate | None) -> dict[str, Any]:
        return {
            "text": response.text,
            "rank": response.rank,
            "score": response.score,
            "likelihood": response.likelihood,
            "token_logprobs": list(candidate.token_logprobs) if candidate else [],
            "source": self.sources.of(response.origin),
        }

    def _judged(self, judgement: Judgement, example: RankedExample) -> dict[str, Any]:
        places = {response.text: place for place, response in enumerate(example.responses)}
        return {
            "shown": [places.get(text) for text in judgement.shown],
            "scores": list(judgement.scores),
            "refusal": judgement.refusal,
            "raw": judgement.raw,
            "source": self.sources.of(judgement.origin),
        }


def candidates_of(folder: Path) -> dict[str, dict[str, Candidate]]:
    """Return the candidates that a ranking was made from, by instruction and text."""
    made = manifest(folder).get("inputs", {}).get("candidates")
    path = (
        folder.absolute().parents[1] / "sample" / made["digest"][:16] / CANDIDATES if made else None
    )
    if path is None or not path.is_file():
        return {}
    return {
        s.instruction.id: {c.text: c for c in reversed(s.candidates)}
        for s in read_records(path, CandidateSet)
    }


def manifests(folder: Path) -> dict[str, Any]:
    """Return the manifests of an artifact and of all it was made from, by stage and digest."""
    own = manifest(folder)
    found = {f"{own.get('stage', folder.parent.name)}-{own.get('digest', '')[:16]}": own}
    for made in own.get("inputs", {}).values():
        below = folder.absolute().parents[1] / made["stage"] / made["digest"][:16]
        found |= manifests(below)
    return found


def manifest(folder: Path) -> Mapping[str, Any]:
    """Return an artifact's manifest; {} where it is gone. Raises UserError where it is damaged."""
    path = folder / MANIFEST
    found: Mapping[str, Any] = read_whole(path, json.loads) if path.is_file() else {}
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tuna-exp export", description=__doc__.split("\n")[0])
    parser.add_argument("artifact", type=Path, help="folder or first digits")
    parser.add_argument("--root", type=Path, default=store_root(), help="artifacts (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="file to write; a model: folder")
    parser.add_argument("--license", help="of a model: its licence on the Hub (default: unknown)")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="of a model: runs that tell the command"
    )
    parser.add_argument(
        "--without", action="append", default=[], metavar="LICENCE",
        help="leave out what was written under this licence tag; may be given again",
    )  # fmt: skip
    parser.add_argument("--ledger", type=Path, help=f"the ledger (default: {LEDGER} beside it)")
    return parser
