"""`tuna-exp dashboard`: a page over run folders, written or served; or a W&B workspace and report.

Arguments are KEY=VALUE as everywhere in this project, with flags for what a server needs.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tuna_exp.dashboard.snapshot import Board
from tuna_exp.errors import UserError, nearest

PAGE = "dashboard.html"
_KEYS = ("runs", "out", "wandb", "group")
_PORT = 8765
USAGE = """usage: tuna-exp dashboard runs=FOLDER[,FOLDER...] [out=FILE.html]
       tuna-exp dashboard runs=FOLDER[,FOLDER...] --serve [--port N]
       tuna-exp dashboard wandb=ENTITY/PROJECT [group=SETTING[,SETTING...]]

Look at runs: their states, curves, differences with intervals, settings, answers, rankings, cost.

  runs=   write one page that needs neither network nor server (out=, default dashboard.html in the
          first folder); with --serve show it on this machine only, live while runs write
  wandb=  make a workspace and a report of that W&B project, or update those made before;
          group= is what runs are grouped by there, default method,seed
"""


def main(argv: Sequence[str]) -> int:
    """Run the command and return the exit status; raises UserError for what cannot be done."""
    if {"-h", "--help"} & set(argv):
        sys.stdout.write(USAGE)
        return 0
    parser = argparse.ArgumentParser(prog="tuna-exp dashboard", usage=USAGE.partition("\n\n")[0])
    parser.add_argument("pairs", nargs="*")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--port", type=int)
    arguments = parser.parse_intermixed_args(list(argv))
    given = _given(arguments.pairs)
    if "wandb" in given:
        _refuse_beside(given, arguments, "wandb", ("runs", "out"))
        return _online(given["wandb"], given.get("group"))
    _refuse_beside(given, arguments, "runs", ("group",))
    board = Board([Path(folder) for folder in given["runs"].split(",")])
    if arguments.serve:
        return _serve(board, _PORT if arguments.port is None else arguments.port)
    return _write(board, Path(given.get("out", board.folders[0] / PAGE)))


def _online(project: str, group: str | None) -> int:
    from tuna_exp.dashboard.online import GROUP_BY, save

    workspace, report = save(project, group.split(",") if group else GROUP_BY)
    sys.stdout.write(f"workspace: {workspace}\nreport: {report}\n")
    return 0


def _given(pairs: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        if key not in _KEYS or not value:
            raise UserError(
                f"dashboard was given '{pair}'; it takes {', '.join(f'{k}=' for k in _KEYS)} with "
                f"a value.{nearest(key, _KEYS)} Cure: tuna-exp dashboard --help."
            )
        given[key] = value
    if ("runs" in given) == ("wandb" in given):
        raise UserError(
            f"dashboard was given '{' '.join(pairs)}'; it takes either runs= or wandb=. Cure: "
            "runs=FOLDER for a page, wandb=ENTITY/PROJECT for W&B."
        )
    return given


def _refuse_beside(
    given: dict[str, str], arguments: argparse.Namespace, what: str, others: Sequence[str]
) -> None:
    wrong = [f"{name}=" for name in others if name in given]
    wrong += ["--serve"] if arguments.serve and (what == "wandb" or "out" in given) else []
    wrong += ["--port"] if arguments.port is not None and not arguments.serve else []
    if wrong:
        beside = f"{what}= with out=" if "--serve" in wrong and what == "runs" else f"{what}="
        raise UserError(
            f"dashboard: {', '.join(wrong)} has no effect beside {beside}. Cure: leave it out; "
            "tuna-exp dashboard --help shows what goes together."
        )


def _write(board: Board, path: Path) -> int:
    told = board.snapshot()
    from tuna_exp.dashboard.page import page

    if path.is_dir():
        raise UserError(f"out={path} is a folder. Cure: out={path / PAGE}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(told), encoding="utf-8")
    sys.stdout.write(f"{len(told['runs'])} run(s): {path}\n")
    return 0


def _serve(board: Board, port: int) -> int:
    from tuna_exp.dashboard.server import make_server

    server = make_server(board.snapshot, port)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}/  (this machine only; Ctrl-C ends)\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    finally:
        server.server_close()
    return 0
