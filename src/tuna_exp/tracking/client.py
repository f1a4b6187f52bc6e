"""Starting and ending W&B runs, where a failure of the tracker is never one of the run.

The client waits for its server for as long as it takes; here a server is asked first, and waited
for only so long. What it did not get lies in the run's folder, for `tuna-exp track sync`. Left out:
what the client gathers by itself (command line, environment, packages, code, the console): it may
hold secrets.
"""

import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuna_exp.errors import UserError, in_short
from tuna_exp.tracking.described import Described, as_tags
from tuna_exp.tracking.lineage import Lineage, Node, keep_lineage
from tuna_exp.tracking.settings import Mode, Tracking

if TYPE_CHECKING:
    import wandb

UPLOAD_SECONDS = 3600.0  # what a run's end may take where files are sent
SYNC = "tuna-exp track sync"
_FOLDERS = {"WANDB_DATA_DIR": "data", "WANDB_CACHE_DIR": "cache", "WANDB_ARTIFACT_DIR": "artifacts"}
_log = logging.getLogger(__name__)


@dataclass
class Client:
    """Makes W&B runs below `folder`/wandb. `mode` falls to offline where no server answers.

    `missing` is asked to log an artifact that a run uses and that the server does not know.
    """

    tracking: Tracking
    folder: Path
    described: Described
    root: Path = Path()
    missing: Callable[[str], None] | None = None
    mode: Mode = field(init=False)
    _asked: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.mode = self.tracking.allowed

    @contextmanager
    def running(self, node: Node, config: Mapping[str, Any]) -> Iterator["wandb.Run | None"]:
        """Give the run of a node while the block runs, None where there is none; then end it.

        It is continued where it was begun before, and ends as failed where the block fails. Raises
        UserError where W&B refuses who asks.
        """
        with data_below(self.folder):
            run = self._start(node, config)
            if run is not None:
                self.keep([node])
                self._use(run, node)
            failed = True
            try:
                yield run
                failed = False
            finally:
                if run is not None:
                    self._finish(run, failed)

    def keep(self, nodes: list[Node]) -> None:
        """Put nodes into the run's `lineage.json`."""
        own = self.tracking
        group = self.described.group
        lineage = Lineage(
            project=own.project,
            entity=own.entity,
            root=str(self.root.resolve()),
            group=group,
            nodes=tuple(nodes),
        )
        keep_lineage(self.folder, lineage)

    def _start(self, node: Node, config: Mapping[str, Any]) -> "wandb.Run | None":
        if self.mode == "online" and not self._asked:
            self._asked = True
            self._ask()
        if self.mode == "disabled":
            return None
        try:
            return self._init(node, config)
        except Exception as error:  # the client raises what its parts do: network, disk, service
            if _is_refusal(error):
                raise UserError(
                    f"W&B in mode {self.mode} refused a run of project '{self.tracking.project}': "
                    f"{_words(error)}. Cure: `wandb login`, or logger.wandb.mode=offline."
                ) from error
            if self.mode == "offline":
                _log.warning("W&B cannot write %s: %s", self.folder, _words(error))
                self.mode = "disabled"
                return None
            self.fall_offline(_words(error))
            return self._start(node, config)

    def _init(self, node: Node, config: Mapping[str, Any]) -> "wandb.Run":
        import wandb

        told, own = self.described, self.tracking
        self.folder.mkdir(parents=True, exist_ok=True)
        about = {**told.config, **config, "inputs": list(node.inputs)}
        words = [str(about.get("method", "")), *told.tags, *own.tags]
        return wandb.init(
            project=own.project,
            entity=own.entity,
            group=own.group or told.group,
            id=node.run,
            name=node.name,
            job_type=node.job_type,
            tags=as_tags(words),
            config=about,
            dir=str(self.folder),
            mode=self.mode,
            resume="allow",
            reinit="create_new",  # never the run of another that is still going in this process
            settings=self._settings(),
        )

    def _settings(self) -> "wandb.Settings":
        import wandb

        patience = self.tracking.patience_seconds
        sends_files = self.tracking.log_artifacts == "files"
        return wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
            init_timeout=patience,
            x_graphql_timeout_seconds=patience,
            finish_timeout=UPLOAD_SECONDS if sends_files else 2 * patience,
            finish_timeout_raises=True,
        )

    def _ask(self) -> None:
        """Fall to offline where the server does not answer."""
        import wandb

        url = str(wandb.setup().settings.base_url)
        if not answers(url, self.tracking.patience_seconds):
            self.fall_offline(f"{url} does not answer")

    def fall_offline(self, reason: str) -> None:
        """Keep what follows in the run's folder, and say so."""
        self.mode = "offline"
        _log.warning(
            "W&B: %s; the run goes on and is tracked offline. Cure: %s %s sends it later.",
            reason,
            SYNC,
            self.folder,
        )

    def _use(self, run: "wandb.Run", node: Node) -> None:
        """Say what a run uses; offline its config says it, and `lineage.json`."""
        if self.mode != "online":
            return
        for name in node.inputs:
            with not_fatal(f"the input {name} of {node.run}"):
                if not used(run, name) and self.missing is not None:
                    self.missing(name)
                    used(run, name)

    def _finish(self, run: "wandb.Run", failed: bool) -> None:
        try:
            run.finish(exit_code=1 if failed else 0)
        except Exception as error:  # what was logged is in the run's folder
            self.fall_offline(_words(error))


def used(run: "wandb.Run", name: str) -> bool:
    """Say that a run uses the latest version of an artifact; whether the server knows it."""
    from wandb.errors import CommError

    try:
        run.use_artifact(f"{name}:latest")
    except (CommError, ValueError):
        return False
    return True


@contextmanager
def data_below(folder: Path) -> Iterator[None]:
    """Let the client stage its data in a run's folder, not in the home directory."""
    before = {name: os.environ.get(name) for name in _FOLDERS}
    os.environ |= {name: str(folder / "wandb" / part) for name, part in _FOLDERS.items()}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def not_fatal(what: str) -> Iterator[None]:
    """Let a failure of the tracker be a warning: no training is lost to its logs."""
    try:
        yield
    except Exception as error:  # any: the client's own, the network's, the disk's
        _log.warning("W&B: %s could not be logged: %s", what, _words(error))


def answers(url: str, seconds: float) -> bool:
    """Whether a server answers at all, be it with a refusal, within so many seconds."""
    try:
        with urllib.request.urlopen(url, timeout=seconds):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def _is_refusal(error: Exception) -> bool:
    from wandb.errors import AuthenticationError, UsageError

    return isinstance(error, AuthenticationError | UsageError)


def _words(error: Exception) -> str:
    return in_short(error) or type(error).__name__
