"""The commands of `tuna-exp` besides running: what each is for, examples, and where its code is.

The table is what help and completion show. Code of a command is imported when it is called, so that
the others do not wait for it.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuna_exp.composing import SETTINGS
from tuna_exp.errors import UserError

Run = Callable[[Sequence[str]], int]
# In the order of the help.
TASKS = ("run", "look before you run", "data and rankings", "results", "money")
COMPARE = (
    "usage: tuna-exp compare runs=FOLDER[,FOLDER...] [baseline=METHOD] [out=FOLDER]\n"
    "       [artifacts=FOLDER[,FOLDER...]]\n"
    "       tuna-exp compare wandb=ENTITY/PROJECT [baseline=METHOD] [out=FOLDER]\n\n"
    "Compare the methods of finished runs; those that differ by their seed alone are one method.\n"
    "out=FOLDER gets the table as Markdown, LaTeX and CSV, the figures, and the HTML report.\n"
    "artifacts=FOLDER is where artifacts are now, if not where the runs had them.\n"
    "wandb=ENTITY/PROJECT reads scores back from W&B; where it holds a part of them, it lists\n"
    "what each run's own comparison found and says what that cannot tell.\n"
)
_OF_WANDB = ("wandb", "baseline", "out")


@dataclass(frozen=True)
class Command:
    """`run` takes the arguments behind the name and returns the exit status.

    `task` is one of TASKS, `takes` its arguments in short, `does` one line, `examples` are what is
    typed behind `tuna-exp` and what that shows. `composes` says whether it takes overrides. For
    completion: `words` may come first, `flags` anywhere.
    """

    run: Run
    task: str
    takes: str
    does: str
    examples: tuple[tuple[str, str], ...]
    composes: bool = False
    words: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def artifacts(arguments: Sequence[str]) -> int:
    """List, explain or prune artifacts."""
    from tuna_exp.artifacts_command import main

    return main(arguments)


def compare(arguments: Sequence[str]) -> int:
    """Compare finished runs: `tuna-exp compare runs=FOLDER[,FOLDER...]`."""
    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(COMPARE)
        return 0
    given = dict(argument.partition("=")[::2] for argument in arguments)
    sources = [key for key in ("runs", "wandb") if key in given]
    known = ("runs", "baseline", "out", "artifacts") if sources != ["wandb"] else _OF_WANDB
    wrong = [a for a in arguments if a.partition("=")[0] not in known]
    if wrong or not all(given.values()) or len(sources) != 1 or len(given) < len(arguments):
        raise UserError(
            f"compare was given '{' '.join(arguments)}'; it takes runs=FOLDER or "
            "runs=FOLDER,FOLDER, baseline=METHOD, out=FOLDER and artifacts=FOLDER, each once; or "
            "wandb=ENTITY/PROJECT, baseline= and out=. Cure: give the folder that a run or a sweep "
            "wrote, runs/DATE/TIME."
        )
    out = Path(given["out"]) if "out" in given else None
    if "wandb" in given:
        from tuna_exp.dashboard.online import parsed

        parsed(given["wandb"])  # a wrong one is told before anything heavy is imported
        from tuna_exp.comparison.from_wandb import compare_project

        compare_project(given["wandb"], given.get("baseline"), out)
        return 0
    from tuna_exp.comparing import compare_runs

    folders = [Path(folder) for folder in given["runs"].split(",")]
    roots = [Path(root) for root in given["artifacts"].split(",")] if "artifacts" in given else []
    compare_runs(folders, given.get("baseline"), out, roots)
    return 0


def config(arguments: Sequence[str]) -> int:
    """Show every setting with where it comes from."""
    from tuna_exp.config_command import main

    return main(arguments)


def dashboard(arguments: Sequence[str]) -> int:
    """Look at runs in a browser."""
    from tuna_exp.dashboard.command import main

    return main(arguments)


def doctor(arguments: Sequence[str]) -> int:
    """Say what is wrong with a ranked dataset."""
    from tuna_exp.doctor_command import main

    return main(arguments, SETTINGS)


def estimate(arguments: Sequence[str]) -> int:
    """Tell what a run would cost."""
    from tuna_exp.services.commands import estimate_main

    return estimate_main(arguments, SETTINGS)


def evaluate(arguments: Sequence[str]) -> int:
    """Score one model on benchmarks."""
    from tuna_exp.cli import run_command  # which itself looks the commands up here
    from tuna_exp.evaluate_command import USAGE, parsed_apart

    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE)
        return 0
    task, words, rest = parsed_apart(arguments)
    return run_command(rest, task, words)


def export(arguments: Sequence[str]) -> int:
    """Write a ranking or samples as JSON lines."""
    from tuna_exp.export_command import main

    return main(arguments)


def ledger(arguments: Sequence[str]) -> int:
    """Tell what was asked of services and what it cost."""
    from tuna_exp.services.commands import ledger_main

    return ledger_main(arguments, SETTINGS)


def new(arguments: Sequence[str]) -> int:
    """Write a part to start from."""
    from tuna_exp.new_command import main

    return main(arguments, SETTINGS)


def plan(arguments: Sequence[str]) -> int:
    """Show what a run or a sweep would do."""
    from tuna_exp.plan_command import main

    return main(arguments)


def track(arguments: Sequence[str]) -> int:
    """Send W&B runs that were kept offline."""
    from tuna_exp.tracking.sync import main

    return main(arguments)


def study(arguments: Sequence[str]) -> int:
    """Ask people what a ranker was asked: export a study, or import its answers."""
    from tuna_exp.study.command import main

    return main(arguments, SETTINGS)


def wandb_sweep(arguments: Sequence[str]) -> int:
    """Write the YAML of a sweep for W&B's agents."""
    from tuna_exp.sweeps.wandb_sweep import main

    return main(arguments, SETTINGS)


COMMANDS = {
    "artifacts": Command(
        artifacts, "results", "list|explain|verify|prune",
        "what has been computed, why, and how to free space",
        (
            ("artifacts list", "every stage that is done, with size and time"),
            ("artifacts explain DIGEST", "what made it, and which key made it differ"),
            ("artifacts verify", "is every byte as it was written?"),
            ("artifacts prune --older-than 30d", "what may go; --yes deletes it"),
        ),
        words=("list", "explain", "verify", "prune"),
        flags=("--root", "--older-than", "--stage", "--unfinished", "--yes"),
    ),
    "compare": Command(
        compare, "results", "runs=FOLDER[,FOLDER] [out=FOLDER]", "compare finished runs",
        (
            ("compare runs=runs", "all runs below a folder"),
            ("compare runs=runs/DATE/TIME,runs/DATE/OTHER", "those of two sweeps"),
            ("compare runs=runs out=paper", "as Markdown, LaTeX, CSV and HTML too"),
            ("compare wandb=us/tuna", "those of a W&B project"),
        ),
        words=("runs=", "wandb=", "baseline=", "out="),
    ),
    "config": Command(
        config, "look before you run", "[KEY ...] [KEY=VALUE ...]",
        "what will run, and where each value comes from",
        (
            ("config experiment=tiny", "every setting of a run"),
            ("config objective batching ranking_loss=dpo", "those of two groups"),
            ("config experiment=tiny seed=3 --changed", "only what differs from the defaults"),
        ),
        composes=True,
        flags=("--changed", "--json", "--config-dir"),
    ),
    "dashboard": Command(
        dashboard, "results", "runs=FOLDER[,FOLDER]", "look at runs in a browser",
        (
            ("dashboard runs=runs out=runs.html", "one page that needs no network"),
            ("dashboard runs=runs --serve", "live while a sweep runs, on this machine alone"),
            ("dashboard wandb=us/tuna", "a workspace and a report in W&B"),
        ),
        words=("runs=", "wandb=", "out=", "group="), flags=("--serve", "--port"),
    ),
    "doctor": Command(
        doctor, "data and rankings", "PATH", "what is wrong with a ranked dataset",
        (
            ("doctor my_ranking.jsonl", "before it is trained on"),
            ("doctor artifacts/rank/DIGEST", "a ranking that was made here"),
            ("doctor my_ranking.jsonl --against my_exam.jsonl", "does training hold the exam?"),
        ),
        flags=("--against", "--max-length", "--model", "--field", "--split", "--strict", "--json"),
    ),
    "estimate": Command(
        estimate, "money", "[KEY=VALUE ...]", "what services would be paid for a run",
        (
            ("estimate teacher=openai ranker=anthropic", "step by step, before it costs anything"),
            ("estimate teacher=openai transport=batch --json", "half the price, as JSON"),
        ),
        composes=True,
        flags=("--json", "--config-dir"),
    ),
    "evaluate": Command(
        evaluate, "run", "[KEY=VALUE ...]", "score any model, without training",
        (
            ("evaluate model=smollm2_135m evaluation.limit=50", "a subset, marked as such"),
            ("evaluate model=hub model.name=FOLDER_OR_ID", "a checkpoint or any Hub model"),
            ("evaluate subject=teacher teacher=openai budget.usd=1", "a service"),
            ("evaluate subject=answers answers.path=FILE evaluation=ifeval", "made elsewhere"),
            ("evaluate -m model=tiny,smollm2_135m", "several, then compared"),
        ),
        composes=True,
        words=("subject=",), flags=("-m", "--json", "--config-dir"),
    ),
    "export": Command(
        export, "data and rankings", "ARTIFACT --out PATH",
        "a ranking as JSON lines, or a trained model with its card",
        (
            ("export artifacts/rank/DIGEST --out ranked.jsonl", "each response with its request"),
            ("export artifacts/train/DIGEST --out my_model", "a Hugging Face folder to publish"),
            (
                "export artifacts/rank/DIGEST --out ranked.jsonl --without openai-terms",
                "without what may not be passed on",
            ),
        ),
        flags=("--out", "--without", "--ledger", "--license", "--runs", "--root"),
    ),
    "ledger": Command(
        ledger, "money", "[show KEY]", "what was asked of services, and what it cost",
        (("ledger", "totals by service"), ("ledger show KEY", "one request and its reply")),
        words=("show",), flags=("--ledger", "--json"),
    ),
    "new": Command(
        new, "run", "KIND NAME [--into FOLDER]",
        "write a ranker, teacher, dataset or ranking loss to start from",
        (
            ("new ranker shortest", "class, option and test, here"),
            ("new ranking_loss squared --into my_parts", "in a folder of its own"),
        ),
        words=("ranker", "teacher", "dataset", "ranking_loss"), flags=("--into",),
    ),
    "plan": Command(
        plan, "look before you run", "[-m] [KEY=VALUE ...]",
        "which stages a run or a sweep needs, what is there, how long it takes",
        (
            ("plan experiment=tiny", "one run"),
            ("plan -m method=sft,tuna_p,tuna_c,tuna seed=0,1,2", "a sweep, and what is shared"),
            ("plan -m experiment=tiny seed=0,1 --json", "as JSON"),
        ),
        composes=True,
        flags=("-m", "--json", "--config-dir"),
    ),
    "study": Command(
        study, "data and rankings", "export|import", "ask people what a ranker was asked",
        (
            ("study export artifacts/rank/DIGEST --out study", "a page for the raters"),
            ("study import study answers-first_rater.json", "how far they agree"),
        ),
        words=("export", "import"), flags=("--out", "--kind", "--raters", "--json"),
    ),
    "track": Command(
        track, "results", "sync FOLDER", "send W&B runs that were kept offline, with their lineage",
        (
            ("track sync runs", "those of all runs"),
            ("track sync runs/DATE/TIME", "those of one run or sweep"),
        ),
        words=("sync",),
    ),
    "wandb-sweep": Command(
        wandb_sweep, "run", "-m KEY=A,B ... [--out FILE]",
        "a sweep for W&B's agents, from the same words",
        (
            ("wandb-sweep -m method=sft,tuna_c seed=0,1 --out sweep.yaml", "then wandb sweep FILE"),
            (
                "wandb-sweep 'objective.tuna_c.learning_rate=tag(log,interval(1e-6,1e-4))'",
                "searched by W&B's bayes",
            ),
            (
                "wandb-sweep -m seed=0,1,2 --watch min:tuna_c/ranking_loss --min-iter 4",
                "bad runs end early",
            ),
        ),
        composes=True,
        flags=(
            "-m", "--method", "--name", "--run-cap", "--out", "--watch", "--min-iter", "--max-iter",
            "--s", "--eta", "--config-dir",
        ),
    ),
}  # fmt: skip
