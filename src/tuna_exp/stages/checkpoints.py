"""Checkpoints of a training: whole optimizer steps, committed, two kept, the last good one found.

Lightning's own ModelCheckpoint is not used: it takes either a number of steps or a time, saves in
the middle of an accumulated step, overwrites the only file it has, and cannot tell a torn one. What
a checkpoint holds is Lightning's, by `Trainer.save_checkpoint`: a file, or a folder of shards. Left
out: copies on other machines; an artifact folder on shared storage is that.
"""

import json
import logging
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from tuna_exp.durable import TEMPORARY, fingerprint, sync_folder, write_durably
from tuna_exp.errors import Terminated
from tuna_exp.parallel.resharding import readable
from tuna_exp.parallel.team import from_leader

KEPT = 2
MARKER = ".committed"
_log = logging.getLogger(__name__)


class Checkpoints(Callback):
    """Saves every `steps` optimizer steps, every `minutes` and on SIGTERM, into `folder`.

    A training that is told to end (SIGTERM, as clusters send before they take a machine away)
    finishes its optimizer step, saves and ends.
    """

    def __init__(self, folder: Path, minutes: float, steps: int | None) -> None:
        self.folder = folder
        self.minutes = minutes
        self.steps = steps
        self.terminated = False
        self.ending = False
        self._saved_at = 0.0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Keep Lightning from answering a SIGTERM that comes before the first step.

        It would broadcast that from one process while the others do something else together.
        """
        connector: Any = trainer._signal_connector
        connector._sigterm_notifier_fn = self._asked_to_end

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to count time, and to listen."""
        self._saved_at = time.monotonic()
        # Lightning's own handler ends a training after a micro-batch, within a step, and saves
        # nothing. It puts back at its end what was there before it.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._asked_to_end)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save where a step is complete and it is time to, or where one was told to end."""
        if (batch_idx + 1) % trainer.accumulate_grad_batches != 0:
            return
        # All processes save together or none does.
        ending = trainer.strategy.reduce_boolean_decision(self.terminated, all=False)
        if trainer.strategy.broadcast(ending or self._is_due(trainer.global_step)):
            self._save(trainer)
        self.ending = ending

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Raise Terminated where all end: the last step has been logged only now."""
        if self.ending:
            raise Terminated

    def _is_due(self, step: int) -> bool:
        by_steps = self.steps is not None and step % self.steps == 0
        return by_steps or time.monotonic() - self._saved_at >= 60 * self.minutes

    def _asked_to_end(self, number: int, frame: FrameType | None) -> None:
        self.terminated = True

    def _save(self, trainer: Trainer) -> None:
        self._saved_at = time.monotonic()
        path = self.folder / f"step-{trainer.global_step:09d}"
        writing = path.with_name(path.name + TEMPORARY)
        trainer.save_checkpoint(writing)  # ends with all processes there
        if trainer.is_global_zero:
            commit(writing, path)
            for old in _committed(self.folder)[KEPT:]:
                _remove(old)
        # Nobody ends before it is committed: a launcher that sees one end ends the others.
        trainer.strategy.barrier("committed")


def fit_on(
    trainer: Trainer, module: LightningModule, loader: Any, checkpoints: Checkpoints
) -> None:
    """Train, from the last good checkpoint of a killed attempt if there is one.

    Raises Terminated after a SIGTERM and KeyboardInterrupt after Ctrl-C.
    """
    module.train()
    with ending_told(checkpoints):
        # Found by one for all: it also clears away what is torn.
        found = last_good(checkpoints.folder) if trainer.is_global_zero else None
        if found is not None and found.is_dir():
            found = readable(found, trainer.strategy)
        # Ours, but whoever may write there should not run code here.
        trainer.fit(module, loader, ckpt_path=from_leader(found), weights_only=True)
    if checkpoints.terminated or checkpoints.ending:  # in or after the last step
        raise Terminated
    module.eval()


def commit(writing: Path, path: Path) -> None:
    """Give a checkpoint its name once all of it is on the disk, and mark it as whole."""
    _remove(path)  # the same step of an attempt that went on from an older one
    files = {name: fingerprint(file) for name, file in _files(writing)}
    writing.replace(path)
    sync_folder(path.parent)
    write_durably(_marker(path), json.dumps(files))


def last_good(folder: Path) -> Path | None:
    """Return the newest checkpoint that is whole, or None; damaged ones are told and left out.

    What a kill has left half written is removed.
    """
    for torn in folder.glob(f"*{TEMPORARY}"):
        _remove(torn)
    for path in _committed(folder):
        if _is_whole(path):
            return path
        _log.warning("%s is damaged; the training continues from an older checkpoint", path)
    return None


def _committed(folder: Path) -> list[Path]:
    """Return the marked checkpoints, the newest first."""
    marked = (path.with_name(path.name.removesuffix(MARKER)) for path in folder.glob(f"*{MARKER}"))
    return sorted((path for path in marked if path.exists()), reverse=True)


def _is_whole(path: Path) -> bool:
    try:
        told = json.loads(_marker(path).read_text(encoding="utf-8"))
        return bool(told == {name: fingerprint(file) for name, file in _files(path)})
    except (OSError, ValueError):
        return False


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a checkpoint with their names in it, "" for one that is a file itself."""
    if path.is_file():
        yield "", path
        return
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield file.relative_to(path).as_posix(), file


def _marker(path: Path) -> Path:
    return path.with_name(path.name + MARKER)


def _remove(path: Path) -> None:
    _marker(path).unlink(missing_ok=True)  # first: what has no marker is no checkpoint
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def ending_told(checkpoints: Checkpoints) -> Iterator[None]:
    """Say why a training was left: Lightning answers both signals with an exit and not a word.

    Raises Terminated after a SIGTERM and KeyboardInterrupt after Ctrl-C.
    """
    try:
        yield
    except SystemExit as stopped:
        asked = checkpoints.terminated or isinstance(stopped.__context__, Terminated)
        raise (Terminated if asked else KeyboardInterrupt) from stopped
