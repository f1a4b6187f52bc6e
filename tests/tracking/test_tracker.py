"""A tracker that follows a plan: what was built without it is logged when it is used."""

from pathlib import Path

from tests.wandb_server.server import Server
from tuna_exp.plan import Step, Workspace, execute
from tuna_exp.progress import QuietDisplay
from tuna_exp.records import Instruction, RankedExample, write_records
from tuna_exp.stages.rank import RANKING
from tuna_exp.store import Store
from tuna_exp.tracking.described import Described
from tuna_exp.tracking.lineage import nodes_of, read_lineage
from tuna_exp.tracking.settings import LogArtifacts, Tracking
from tuna_exp.tracking.sync import sync
from tuna_exp.tracking.tracker import Tracker

EXAMPLE = RankedExample.from_scores(
    Instruction(id="i0", instruction="Name a word.", kind="words"), ["cat", "dog"], [0.0, 1.0]
)


def sampled() -> Step:
    def run(work: Workspace) -> None:
        work.note(sets=1)
        (work.folder / "candidates.jsonl").write_text("{}\n")

    return Step("sample", "sample teacher", 1, {"data": {"dataset": "toy"}}, {}, run)


def ranked(candidates: Step) -> Step:
    def run(work: Workspace) -> None:
        write_records(work.folder / RANKING, [EXAMPLE])

    return Step("rank", "rank them", 1, {}, {"candidates": candidates}, run)


def tracker_in(folder: Path, mode: str = "online", log: LogArtifacts = "metadata") -> Tracker:
    tracking = Tracking(mode, "tuna", log_artifacts=log)  # type: ignore[arg-type]
    return Tracker(tracking, folder / "run", Described("g"), folder / "artifacts")


def test_an_input_that_was_built_without_a_tracker_is_logged(
    wandb_server: Server, tmp_path: Path
) -> None:
    store, candidates = Store(tmp_path / "artifacts"), sampled()
    execute([candidates], store, QuietDisplay())
    final = ranked(candidates)
    execute([final], store, QuietDisplay(), tracker_in(tmp_path))
    data, sample, rank = nodes_of([candidates, final])
    assert wandb_server.records.edges() == {
        (data.run, data.artifact), (data.artifact, sample.run), (sample.run, sample.artifact),
        (sample.artifact, rank.run), (rank.run, rank.artifact),
    }  # fmt: skip
    table = wandb_server.records.table(rank.run, "ranked_samples")
    assert [dict(zip(table["columns"], row, strict=True)) for row in table["data"]] == [
        {"id": "i0", "kind": "words", "instruction": "Name a word.", "rank": place,
         "score": score, "likelihood": None, "response": text}
        for place, score, text in ((0, 1.0, "dog"), (1, 0.0, "cat"))
    ]  # fmt: skip


def test_what_was_never_tracked_is_logged_by_sync(wandb_server: Server, tmp_path: Path) -> None:
    store, candidates = Store(tmp_path / "artifacts"), sampled()
    execute([candidates], store, QuietDisplay())
    final = ranked(candidates)
    execute([final], store, QuietDisplay(), tracker_in(tmp_path, "offline"))
    assert not wandb_server.records.runs
    kept = read_lineage(tmp_path / "run" / "lineage.json")
    assert kept is not None and len(kept.nodes) == 3
    assert sync([tmp_path / "run"])[1] == 2
    assert sync([tmp_path / "run"])[1] == 0
    assert len(wandb_server.records.edges()) == 5


def test_files_are_sent_where_they_are_asked_for(wandb_server: Server, tmp_path: Path) -> None:
    store = Store(tmp_path / "artifacts")
    execute([sampled()], store, QuietDisplay(), tracker_in(tmp_path, log="files"))
    made = wandb_server.records.artifacts.values()
    (candidates,) = (one for one in made if one["type"] == "candidates")
    assert {"candidates.jsonl", "manifest.json"} <= candidates["files"].keys()
    assert wandb_server.records.blobs[f"{candidates['id']}/candidates.jsonl"] == b"{}\n"
