"""A round: a folder where some stages are done, a run that does the rest, a fault, a run again.

What was done comes from a calm run: one stage is drawn, it and all that stands on it are left out,
so every stage of every method meets every fault, and a round takes seconds.
"""

import random
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from tests.slow.chaos.ending import differences, finished, name, stamp
from tests.slow.chaos.faults import Fault, Network, unmount
from tests.slow.chaos.runs import StuckError, start
from tuna_exp.artifacts_command import main as artifacts
from tuna_exp.store import Artifact, Entry, Store

LIMIT = 300.0  # seconds that a run may take, which alone takes 20
LEDGER = "ledger.sqlite"


@dataclass(frozen=True)
class Scene:
    """Runs of one kind: what is asked of the command, and a run of it that nobody disturbed."""

    name: str
    overrides: Sequence[str]
    calm: Path

    def run_calmly(self) -> None:
        """Make the run to compare with. Raises RuntimeError where it fails."""
        self.calm.mkdir(parents=True)
        run = start(self.calm, self.calm / "said", self.overrides)
        if run.end(LIMIT) != 0:
            raise RuntimeError(
                f"{self.name}, left alone, ended with {run.status}: {run.last_words}"
            )


@dataclass
class Outcome:
    """What became of a round: its run's end, what differs, what was lost, what is told badly."""

    kind: str
    told: str
    status: int | None = None
    divergences: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    badly: list[str] = field(default_factory=list)


def without(entries: Mapping[str, Entry], target: str) -> set[str]:
    """Return an artifact and all that was made from it, by STAGE/KEY."""
    keys = {entries[target].key}
    gone = {target}
    while True:
        more = {n for n, e in entries.items() if n not in gone and keys & set(e.made_from.values())}
        if not more:
            return gone
        gone |= more
        keys |= {entries[n].key for n in more}


def fill(calm: Path, folder: Path, gone: set[str]) -> None:
    """Copy the calm run's artifacts, but for some; a ledger that lacks something is left out."""
    for title, entry in finished(calm).items():
        if title not in gone:
            shutil.copytree(entry.folder, folder / "artifacts" / title)
    (folder / "artifacts").mkdir(exist_ok=True)
    ledger = calm / "artifacts" / LEDGER
    if ledger.exists() and not any(title.startswith(("sample/", "rank/")) for title in gone):
        shutil.copy2(ledger, folder / "artifacts" / LEDGER)


@dataclass
class Rounds:
    """Rounds with their luck. `minute` is how long a run is stopped at most (seconds)."""

    place: Path
    scenes: Sequence[Scene]
    network: Network
    luck: random.Random
    minute: float
    keep: bool

    def play(self, number: int, kind: type[Fault]) -> Outcome:
        """Play a round; its folder stays where something is wrong."""
        scene = self._scene(kind)
        entries = finished(scene.calm)
        target = self.luck.choice(sorted(entries))
        here = self.place / f"round-{number}"
        folder = here / "disk"
        folder.mkdir(parents=True)
        fault = kind(folder, self.luck, self.network, self.minute)
        label = entries[target].manifest["label"]
        outcome = Outcome(kind.kind, f"{scene.name}, {label}")
        try:
            fault.prepare()
            gone = without(entries, target)
            fill(scene.calm, folder, gone)
            self._disturbed(scene, here, fault, self._instant(entries, target, gone), outcome)
            self._ended(scene, here, fault, outcome)
        except StuckError as stuck:
            outcome.divergences.append(str(stuck))
        finally:
            wrong = outcome.divergences or outcome.lost or outcome.badly
            if wrong and self.keep:
                shutil.copytree(folder, here / "copy", dirs_exist_ok=True)
            unmount(folder / "artifacts")
            unmount(folder)
            if not (wrong and self.keep):
                shutil.rmtree(here, ignore_errors=True)
        return outcome

    def _scene(self, kind: type[Fault]) -> Scene:
        fit = [s for s in self.scenes if kind.scene in (None, s.name)]
        return self.luck.choice([*fit, *fit[:1]])  # the first, which has all methods, more often

    def _instant(self, entries: Mapping[str, Entry], target: str, gone: set[str]) -> float:
        """Seconds from the first step on: mostly within the stage that was drawn."""
        own = 1.5 * entries[target].manifest["wall_seconds"] + 0.2
        rest = sum(entries[title].manifest["wall_seconds"] for title in gone)
        return self.luck.uniform(0.0, own if self.luck.random() < 0.7 else own + rest)

    def _disturbed(
        self, scene: Scene, here: Path, fault: Fault, instant: float, outcome: Outcome
    ) -> None:
        folder, said = here / "disk", here / "said"
        before = {title: stamp(entry) for title, entry in finished(folder).items()}
        if fault.early:
            fault.strike(None)
        run = start(folder, said, scene.overrides, fault.environment())
        try:
            run.works()
            if not fault.early:
                time.sleep(instant)
                if not run.ended():
                    fault.strike(run)
                else:
                    fault.hit = "the run had ended"
            fault_status = run.end(LIMIT)
        finally:
            fault.heal()
        outcome.told += f": {fault.hit}" if fault.hit else ""
        outcome.status = fault_status
        if fault_status not in fault.allowed:
            outcome.badly.append(f"ended with {fault_status}: {run.last_words[-600:]}")
        now = {title: stamp(entry) for title, entry in finished(folder).items()}
        gone = {title for title in before if now.get(title) != before[title]} - {fault.exempt}
        outcome.lost += [f"{title} was there before the run" for title in sorted(gone)]

    def _ended(self, scene: Scene, here: Path, fault: Fault, outcome: Outcome) -> None:
        folder, said = here / "disk", here / "said"
        before = {title: stamp(entry) for title, entry in finished(folder).items()}
        run = start(folder, said, scene.overrides)
        if run.end(LIMIT) != 0:
            outcome.divergences.append(
                f"the same command ended with {run.status}: {run.last_words}"
            )
            return
        now = {title: stamp(entry) for title, entry in finished(folder).items()}
        gone = {title for title in before if now.get(title) != before[title]} - {fault.exempt}
        outcome.lost += [f"{title} was done again" for title in sorted(gone)]
        outcome.divergences += self._judged(scene, folder, fault, outcome)

    def _judged(self, scene: Scene, folder: Path, fault: Fault, outcome: Outcome) -> Iterator[str]:
        """Yield what differs; damage that nothing read again must be told by `verify`."""
        store = Store(folder / "artifacts")
        damaged = [title for title, entry in finished(folder).items() if not whole(store, entry)]
        if damaged:
            outcome.told += "; not read again, told by verify"
            told = StringIO()
            with redirect_stdout(told):
                status = artifacts(["verify", "--root", str(store.root)])
            if (
                status != 1
                or damaged != [fault.exempt]
                or damaged[0][-16:][:8] not in told.getvalue()
            ):
                yield f"not whole: {damaged}, told {told.getvalue()!r}"
        for difference in differences(scene.calm, folder):
            if fault.exempt is None or fault.exempt not in difference:
                yield difference
        left = [entry for entry in store.entries() if entry.state == "unfinished"]
        yield from (f"{name(entry)} was left unfinished" for entry in left)


def whole(store: Store, entry: Entry) -> bool:
    """Whether every byte of an artifact is as its manifest says."""
    return not store.verify(Artifact(entry.folder, entry.manifest))
