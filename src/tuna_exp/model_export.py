"""`tuna-exp export artifacts/train/DIGEST`: a trained model as a folder to publish, with its card.

The folder is what `from_pretrained` and vLLM load: weights as safetensors (in the shards that the
training wrote), configuration, tokenizer, generation settings, chat template, and nothing else but
`README.md`, the model card. The card's front matter is huggingface_hub's; its figures are those of
evaluations in the store, with their intervals. Left out: sending it anywhere (`hf upload` does).
"""

import fnmatch
import json
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from pydantic import ValidationError

from tuna_exp.errors import UserError
from tuna_exp.export_command import CHECKPOINT
from tuna_exp.models.sources import PATTERNS, build_folder, missing_part
from tuna_exp.records import CandidateSet, Origin, RankedExample, Record, read_records
from tuna_exp.stages.evaluate import FIGURES
from tuna_exp.stages.rank import RANKING
from tuna_exp.stages.sample import CANDIDATES
from tuna_exp.store import Artifact, Entry, Store
from tuna_exp.sweeps.outcomes import RUN_FILE

CARD = "README.md"
_UNKNOWN = "unknown"  # a licence of the Hub's list: nobody has said which
_METHODS = {
    "sft": "supervised fine-tuning",
    "best_of_n": "supervised fine-tuning on the best of N sampled responses",
    "tuna_p": "Tuna-p, probabilistic ranking",
    "tuna_c": "Tuna-c, contextual ranking",
    "mixed": "Tuna, both rankings mixed",
}


def export_model(folder: Path, out: Path, licence: str | None, runs: Path) -> str:
    """Write the model of a training's artifact to `out`; returns what to tell.

    `runs` is where the records of runs are, of which one tells the command. Raises UserError where
    `out` is there already, or the artifact is not what was written.
    """
    if out.exists():
        raise UserError(f"{out} is there already and is not overwritten. Cure: another --out.")
    made = Made.of(folder)
    checkpoint = made.artifact.folder / CHECKPOINT
    lacking = missing_part(checkpoint)
    if lacking is not None:
        raise UserError(f"{checkpoint}: {lacking}; a model is exported from safetensors only.")
    card = Card(made, licence or _UNKNOWN, runs)

    def build(part: Path) -> None:
        for path in sorted(checkpoint.iterdir()):
            if any(fnmatch.fnmatch(path.name, pattern) for pattern in PATTERNS):
                shutil.copyfile(path, part / path.name)
        (part / CARD).write_text(str(card.card()), encoding="utf-8")

    build_folder(out.absolute(), build, cure="name another folder with --out")
    terms = ", ".join(sorted(card.terms)) or "none"
    return f"model written to {out}; terms of services whose texts it was trained on: {terms}.\n"


@dataclass(frozen=True)
class Made:
    """A training's artifact and all that it was made from, itself first; `finished` are the store's
    artifacts by key.
    """

    artifact: Artifact
    lineage: tuple[Entry, ...]
    finished: Mapping[str, Entry]

    @classmethod
    def of(cls, folder: Path) -> "Made":
        """Read it from its folder. Raises UserError where it is not a whole, finished training."""
        folder = folder.absolute()
        store = Store(folder.parents[1])
        entries = {e.key: e for e in store.entries() if e.state == "finished"}
        own = entries.get(folder.name)
        if own is None or not (folder / CHECKPOINT).is_dir():
            raise UserError(
                f"{folder} is no finished training. Cure: give the folder of one; `tuna-exp "
                "artifacts list` shows them."
            )
        artifact = Artifact(folder, own.manifest)
        if damaged := store.verify(artifact):
            raise UserError(
                f"{folder}: {damaged[0]} is not as it was written. Cure: `tuna-exp artifacts "
                "verify`, then the command that made it."
            )
        lineage = [own]
        for entry in lineage:  # which grows
            below = [entries[key] for key in entry.made_from.values() if key in entries]
            lineage += [e for e in below if e not in lineage]
        return cls(artifact, tuple(lineage), entries)

    @cached_property
    def answers(self) -> dict[str, Entry]:
        """The finished evaluations of this very model, by key."""
        key = self.artifact.folder.name
        return {e.key: e for e in self._of("evaluate") if key in e.made_from.values()}

    @cached_property
    def figures(self) -> list[tuple[Mapping[str, Any], dict[str, Any]]]:
        """Each figure of these evaluations over all items, with its benchmark's settings."""
        found = []
        for entry in self._of("figures"):
            if self.answers.keys() & set(entry.made_from.values()):
                content = json.loads((entry.folder / FIGURES).read_bytes())
                benchmark = entry.manifest["settings"]["benchmark"]
                found += [(benchmark, figure) for figure in content if figure["group"] == "all"]
        return found

    def _of(self, stage: str) -> Iterator[Entry]:
        return (e for e in self.finished.values() if e.folder.parent.name == stage)


@dataclass(frozen=True)
class Card:
    """What the model card says. `licence` is the one that the model is published under."""

    made: Made
    licence: str
    runs: Path

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the training."""
        settings: Mapping[str, Any] = self.made.artifact.manifest["settings"]
        return settings

    @cached_property
    def terms(self) -> set[str]:
        """Licence tags of services whose texts the model, or one it started from, learnt from."""
        return {origin.licence for origin in self._origins() if origin.licence}

    def _origins(self) -> Iterator[Origin]:
        kinds: dict[str, tuple[str, type[Record]]] = {
            "sample": (CANDIDATES, CandidateSet),
            "rank": (RANKING, RankedExample),
        }
        for entry in self.made.lineage:
            name, kind = kinds.get(entry.folder.parent.name, ("", Record))
            if name:
                for record in read_records(entry.folder / name, kind):
                    yield from _origins_of(record)

    def card(self) -> ModelCard:
        """Return the card."""
        data = ModelCardData(
            base_model=self._base(),
            datasets=self._datasets("name") or None,
            library_name="transformers",
            pipeline_tag="text-generation",
            license=self.licence,
            tags=["tuna_exp", self.settings["objective"]["name"], *self._term_tags()],
            model_name=self.made.artifact.manifest["label"].removeprefix("train "),
            eval_results=self._results() or None,
        )
        return ModelCard(f"---\n{data.to_yaml()}\n---\n\n{self._text()}")

    def _term_tags(self) -> list[str]:
        return [f"trained-on-{tag}" for tag in sorted(self.terms)]

    def _base(self) -> str | None:
        name = self.settings["model"]["source"].get("name")
        return name if isinstance(name, str) else None

    def _datasets(self, key: str) -> list[str]:
        """Datasets of the lineage: their Hub ids with `key` "name", else what describes them."""
        found = [e.manifest["settings"].get("data") for e in self.made.lineage]
        known = [data for data in found if isinstance(data, Mapping)]
        if key == "name":
            names = [data.get("name") for data in known if data.get("dataset") == "hub"]
            return list(dict.fromkeys(name for name in names if isinstance(name, str)))
        return list(dict.fromkeys(json.dumps(data) for data in known))

    def _results(self) -> list[EvalResult]:
        return [
            EvalResult(
                task_type="text-generation",
                dataset_type=str(benchmark["benchmark"]),
                dataset_name=str(benchmark["benchmark"]),
                metric_type=figure["metric"],
                metric_value=figure["interval"]["value"],
                metric_name=_interval(figure),
            )
            for benchmark, figure in self.made.figures
        ]

    def _text(self) -> str:
        manifest, settings = self.made.artifact.manifest, self.settings
        objective = dict(settings["objective"])
        method = _METHODS.get(objective["name"], objective["name"])
        versions = {k: v for k, v in manifest["environment"].items() if k != "platform"}
        parts = [
            f"# {manifest['label'].removeprefix('train ')}",
            f"Trained with tuna_exp by {method} (Li et al., EMNLP 2023).",
            "## Data",
            _listed(self._datasets("all")) or "See the lineage.",
            "## Rankers",
            _listed(self._rankers()) or "None: no ranking was trained on.",
            "## Results",
            _listed(self._told_results()) or "No evaluation of this model is in the store.",
            "## Licence",
            self._licence_told(),
            "## How it was made",
            self._command(),
            f"Versions: {json.dumps(versions)}",
            "Settings of this training:",
            f"```json\n{json.dumps(settings, indent=1, sort_keys=True)}\n```",
            "Lineage (stage, digest, label), this training first:",
            _listed(
                f"{e.folder.parent.name} `{e.manifest['digest']}` {e.manifest['label']}"
                for e in self.made.lineage
            ),
        ]
        return "\n\n".join(parts) + "\n"

    def _rankers(self) -> list[str]:
        ranks = [e for e in self.made.lineage if e.folder.parent.name == "rank"]
        return [
            f"{e.manifest['label']}: {json.dumps(e.manifest['settings'].get('ranker', {}))}"
            for e in ranks
        ]

    def _told_results(self) -> list[str]:
        return [
            f"{benchmark['benchmark']}, {figure['metric']}: {figure['interval']['value']:.4g} "
            f"{_interval(figure)}"
            for benchmark, figure in self.made.figures
        ]

    def _licence_told(self) -> str:
        if not self.terms:
            return f"{self.licence}. No text of a paid service was trained on."
        tags = ", ".join(f"`{tag}`" for tag in sorted(self.terms))
        return (
            f"{self.licence}. Trained on texts, or in the order, of services under these terms: "
            f"{tags}. Read them before you use or pass on this model."
        )

    def _command(self) -> str:
        answers = {entry.manifest["digest"] for entry in self.made.answers.values()}
        for path in sorted(self.runs.rglob(RUN_FILE)):
            overrides = _overrides(path, answers)
            if overrides is not None:
                return f"```bash\n{shlex.join(['tuna-exp', *overrides])}\n```"
        return f"No record of the run was found in `{self.runs.name}`; the settings are below."


def _origins_of(record: Record) -> Iterator[Origin]:
    found: list[Origin | None] = []
    if isinstance(record, CandidateSet):
        found = [candidate.origin for candidate in record.candidates]
    elif isinstance(record, RankedExample):
        found = [response.origin for response in record.responses]
        found += [judgement.origin for judgement in record.judgements]
    yield from (origin for origin in found if origin is not None)


def _overrides(path: Path, answers: set[str]) -> Sequence[str] | None:
    """Return the overrides of a run that evaluated one of these answers; None of any other."""
    from tuna_exp.run_records import RunRecord

    try:
        record = RunRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    scored = (score for model in record.evaluated.values() for score in model.scores.values())
    return record.overrides if any(score.answers in answers for score in scored) else None


def _interval(figure: Mapping[str, Any]) -> str:
    told = figure["interval"]
    return f"[{told['low']:.4g}, {told['high']:.4g}] ({told['items']} items)"


def _listed(lines: Any) -> str:
    return "\n".join(f"- {line}" for line in lines)
