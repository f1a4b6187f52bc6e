"""Run the sweep in a folder of its own, and write what it took beside this file.

    python -m experiments.sweep_bench [LAUNCHER [small]]

Four methods and three seeds on the tiny model. The time is that of the whole command: start,
imports and the comparison at the end included. It is held against the seconds of all distinct
stages, divided by the two jobs that run at a time.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.sweep_bench.faults import GOES_ON_AT, KILLED, KILLED_AT
from tuna_exp.sweeps.outcomes import Outcome, outcomes

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results"
JOBS, LIMIT = 2, 1.3
LAUNCHERS = {
    "joblib": ["hydra.launcher.n_jobs=2"],
    "process": ["hydra.launcher.n_jobs=2"],
    "ray": ["hydra.launcher.init={num_cpus: 2}"],
    "slurm": ["hydra.launcher.cpus_per_task=1", "hydra.launcher.array_parallelism=2"],
}
SWEEP = [
    "experiment=tiny",
    # The longest not last, or one core ends the sweep alone; tuna_p trains where tuna has failed.
    "method=sft,tuna,tuna_p,tuna_c",
    "seed=0,1,2",
]
SIZES = {
    # Minutes of training: what starting processes costs is not what is measured.
    "whole": [
        "dataset.count=384",
        "evaluation.verifiable.count=192",
        "objective.sft.epochs=16",
        "objective.tuna_p.epochs=8",
        "objective.tuna_c.epochs=8",
        "objective.checkpoint_steps=50",
        "+callbacks.faults={_target_: experiments.sweep_bench.faults.Faults, at: 120}",
    ],
    # To see that all jobs end as they should.
    "small": [
        "dataset.count=64",
        "objective.sft.epochs=2",
        "objective.tuna_p.epochs=2",
        "objective.tuna_c.epochs=4",
        "objective.checkpoint_steps=4",
        "+callbacks.faults={_target_: experiments.sweep_bench.faults.Faults, at: 10}",
    ],
}


def main(launcher: str, size: str) -> None:
    """Run the sweep twice under one launcher and write what was measured."""
    with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
        found = measured(Path(folder), launcher, size)
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(found, indent=1) + "\n"
    (RESULTS / f"{launcher}.json").write_text(text, encoding="utf-8")
    (RESULTS / f"{launcher}.md").write_text(told(found), encoding="utf-8")
    sys.stdout.write(told(found))


def measured(folder: Path, launcher: str, size: str) -> dict[str, Any]:
    """Return what the sweep took and came to, and what the same line does then."""
    load = os.getloadavg()[0]
    wall, said = swept(folder, launcher, size)
    sweep = folder / "runs/sweep"
    stages = manifests(folder / "artifacts")
    if not stages:
        sys.exit(f"the sweep built nothing: {said}")
    first = outcomes(sweep)
    again, _ = swept(folder, launcher, size)
    return {
        "launcher": launcher,
        "size": size,
        "settings": SIZES[size],
        "cores": os.cpu_count(),
        "load_before": round(load, 2),
        "wall_seconds": round(wall, 1),
        "stages": len(stages),
        "stage_seconds": round(sum(stage["wall_seconds"] for stage in stages), 1),
        "ratio": round(wall * JOBS / sum(stage["wall_seconds"] for stage in stages), 3),
        "limit": LIMIT,
        "sft_trainings": sum(is_sft(stage) for stage in stages),
        "samples_of_teacher": sum(stage["label"] == "sample teacher" for stage in stages),
        **counted(first, sweep),
        "again_seconds": round(again, 1),
        "built_again": len(manifests(folder / "artifacts")) - len(stages),
        "last_words": said.splitlines()[-6:],
    }


def swept(folder: Path, launcher: str, size: str) -> tuple[float, str]:
    """Run the sweep; return its seconds and what it told on standard error."""
    line = [
        *SWEEP, f"artifacts={folder}/artifacts", f"hydra.sweep.dir={folder}/runs/sweep",
        f"runs={folder}/runs", f"hydra/launcher={launcher}", *LAUNCHERS.get(launcher, []),
        *SIZES[size],
    ]  # fmt: skip
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(
            filter(None, (str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH")))
        ),
        "OMP_NUM_THREADS": "1",
    }
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tuna_exp", "-m", *line],
        cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    return time.monotonic() - began, done.stderr.replace(str(folder), "FOLDER")


def manifests(artifacts: Path) -> list[dict[str, Any]]:
    """Return the manifests of all finished stages."""
    return [json.loads(path.read_bytes()) for path in artifacts.glob("*/*/manifest.json")]


def is_sft(stage: dict[str, Any]) -> bool:
    """Whether a stage is a training of SFT."""
    return bool(stage["stage"] == "train" and stage["settings"]["objective"]["name"] == "sft")


def counted(found: Sequence[Outcome], sweep: Path) -> dict[str, Any]:
    """Return how many jobs ended how, and what became of the one that was killed."""
    killed = next(one for one in found if set(KILLED) <= set(one.overrides))
    fine = [one for one in found if one.state in ("finished", "already done") and one != killed]
    failed = [one for one in found if one.state == "failed"]
    return {
        "fine": len(fine),
        "killed": " ".join(KILLED),
        "killed_at_step": _step(sweep / KILLED_AT),
        "goes_on_at_step": _step(sweep / GOES_ON_AT),
        "resumed": int(
            killed.state in ("finished", "already done") and (sweep / GOES_ON_AT).exists()
        ),
        "reported": len(failed),
        "line": failed[0].line.replace(str(sweep.parents[1]), "FOLDER") if failed else "",
    }


def _step(path: Path) -> int | None:
    return int(path.read_text()) if path.exists() else None


def told(found: dict[str, Any]) -> str:
    """Return what was measured as Markdown."""
    verdict = "kept" if found["ratio"] <= LIMIT else "missed"
    if found["size"] != "whole":
        verdict = "of the whole sweep alone"
    rows = {
        "jobs fine, resumed, reported": f"{found['fine']}, {found['resumed']}, {found['reported']}",
        "distinct stages": f"{found['stages']}, {found['stage_seconds']} s in sum",
        "SFT trainings, samples of the teacher": (
            f"{found['sft_trainings']}, {found['samples_of_teacher']}"
        ),
        "wall time of the command": f"{found['wall_seconds']} s on {found['cores']} cores",
        "wall time over half of the sum": f"{found['ratio']} (limit {LIMIT}: {verdict})",
        "killed at step, went on at step": (
            f"{found['killed_at_step']}, {found['goes_on_at_step']}"
        ),
        "the same line again, the failing job too": (
            f"{found['again_seconds']} s, {found['built_again']} stages built"
        ),
        "load before": f"{found['load_before']}",
        "settings": ", ".join(f"`{one}`" for one in found["settings"]),
    }
    lines = [
        f"# The {found['size']} sweep under {found['launcher']}",
        "",
        "| what | measured |",
        "|---|---|",
    ]
    return "\n".join([*lines, *(f"| {key} | {value} |" for key, value in rows.items())]) + "\n"


if __name__ == "__main__":
    main(*[*sys.argv[1:], *("joblib", "whole")[len(sys.argv) - 1 :]])
