"""The command line: the only code that sees a config. `tuna-exp` runs, `tuna-exp compare` and
`tuna-exp artifacts` look at what was run.
"""

import json
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tuna_exp.config_errors import explained
from tuna_exp.config_types import check_config
from tuna_exp.errors import UserError

SETTINGS = Path(__file__).with_name("conf")
if not SETTINGS.is_dir():  # a checkout; an installed wheel carries the folder inside the package
    SETTINGS = Path(__file__).parents[2] / "conf"
EXIT_USER_ERROR = 2
log = logging.getLogger(__name__)


def main() -> None:
    """Run the command in sys.argv; exit with 2 and one screen of words where the user can mend it."""
    command, *rest = sys.argv[1:] or [""]
    commands: dict[str, Callable[[list[str]], int]] = {"artifacts": artifacts_command, "compare": compare_command}
    try:
        sys.exit(commands[command](rest) if command in commands else run_command())
    except UserError as error:
        sys.exit(fail(str(error)))
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        sys.exit(fail(explained(error, SETTINGS)))
    except KeyboardInterrupt:
        sys.exit(fail("interrupted; the same command continues where this one stopped."))
    except Exception as error:  # noqa: BLE001 - the last line of defence: words for the user, the rest in a file
        sys.exit(fail(unexpected(error)))


def fail(message: str) -> int:
    """Print a message for the user and return the exit code."""
    sys.stderr.write(f"tuna-exp: {message}\n")
    return EXIT_USER_ERROR


def unexpected(error: Exception) -> str:
    """Write the traceback of a fault of ours to a file and return what to tell the user."""
    if os.environ.get("TUNA_EXP_DEBUG"):
        raise error
    report = Path("tuna-exp-error.log")
    report.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return (
        f"a fault of tuna_exp: {type(error).__name__}: {str(error)[:300]}\nThe details are in {report}; please report "
        "them. Finished stages are kept: the same command continues."
    )


def run_command() -> int:
    """Compose the config from the command line and run it, once or as a sweep."""
    # Hydra would print and swallow the type of an error; we want it as it was raised.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    hydra.main(version_base="1.3", config_path=str(SETTINGS), config_name="config")(experiment)()
    return 0


def artifacts_command(arguments: list[str]) -> int:
    """List, explain or prune artifacts."""
    from tuna_exp.artifacts_command import main as artifacts

    return artifacts(arguments)


def compare_command(arguments: list[str]) -> int:
    """Compare finished runs: `tuna-exp compare runs=FOLDER[,FOLDER...]`."""
    from tuna_exp.runs import compare_runs

    given = dict(argument.partition("=")[::2] for argument in arguments)
    if set(given) != {"runs"} or not given["runs"]:
        raise UserError(f"compare was given {' '.join(arguments)!r}; it takes runs=FOLDER or runs=FOLDER,FOLDER.")
    compare_runs([Path(folder) for folder in given["runs"].split(",")])
    return 0


def experiment(config: DictConfig) -> None:
    """Build the lab from a config, check it, run its methods and compare them."""
    check_config(config)
    quiet_libraries()
    # Imported late: `--help` and a misspelt option must not wait for torch.
    from tuna_exp.runs import run_methods

    lab = build_lab(config)
    lab.check()
    recipes = hydra.utils.instantiate(config.method)
    output = Path(HydraConfig.get().runtime.output_dir)
    run_methods(lab, recipes, Path(config.artifacts), output)


def quiet_libraries() -> None:
    """Keep libraries' own bars and chatter out of the one progress display."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("WANDB_SILENT", "true")
    import lightning.pytorch  # noqa: F401 - sets the level of its loggers when it is imported
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    for name in ("lightning.pytorch", "lightning.fabric", "wandb"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\.", category=UserWarning)
    warnings.filterwarnings("ignore", module=r"lightning\.", category=DeprecationWarning)
    warnings.filterwarnings("ignore", module=r"lightning\.", category=FutureWarning)


def native_precision() -> str:
    """Return bf16-mixed where the machine multiplies bfloat16 natively, else 32-true."""
    import torch

    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return "bf16-mixed" if "avx512_bf16" in flags or "amx_bf16" in flags else "32-true"


def ranker_for(dataset: str) -> str:
    """Return the ranker that a dataset gets where none is named: the truth where there is one."""
    return "verifier" if dataset == "verifiable" else "contextual"


OmegaConf.register_new_resolver("native_precision", native_precision, replace=True)
OmegaConf.register_new_resolver("ranker_for", ranker_for, replace=True)


def plain(config: Any) -> Any:
    """Return a config node as plain dicts, lists and numbers, interpolations resolved."""
    return OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config


def build_lab(config: DictConfig) -> Any:
    """Instantiate every part of the lab from its group."""
    from tuna_exp.lab import Lab
    from tuna_exp.models.student import Student

    make = partial(hydra.utils.instantiate, _convert_="all")
    dataset = make(config.dataset)
    instructions = dataset.load()
    published = dataset.load_ranked() if getattr(dataset, "ranked", False) else None
    # `name` and `revision` are there to be overridden; the source holds them.
    model = {key: value for key, value in make(config.model).items() if key not in ("name", "revision")}
    return Lab(
        data=dataset.digest(),
        instructions=instructions,
        published=published,
        student=Student(**model, lora=make(config.lora) or None),
        teacher=make(config.teacher),
        teacher_sampling=make(config.sampling_of_teacher),
        student_sampling=make(config.sampling),
        teacher_ranker=make(config.teacher_ranker),
        ranker=make(config.ranker),
        extra_rankers=make(config.extra_rankers),
        max_refused=config.max_refused,
        trainings={name: build_training(config, name) for name in ("sft", "tuna_p", "tuna_c")},
        benchmark=make(config.evaluation),
        comparison=make(config.comparison),
        seed=config.seed,
    )


def build_training(config: DictConfig, name: str) -> Any:
    """Instantiate one training and collect the settings that decide its result."""
    from tuna_exp.lab import Part
    from tuna_exp.stages.train import Training

    make = partial(hydra.utils.instantiate, _convert_="all")
    objective, own = config.objective, config.objective[name]
    ranks = name != "sft"
    loss = make(config.ranking_loss) if ranks else None
    parts = {"optimizer": partial(make(config.optimizer), lr=own.learning_rate), "schedule": make(config.schedule)}
    weights = ("ranking_weight", "mle_weight", "gradient_share_every")
    if ranks:
        parts |= {"ranking_loss": loss} | {key: objective[key] for key in weights}
    training = Training(
        objective=partial(make(own.module), **parts),
        trainer=make(config.trainer),
        loggers=list(make(config.logger).values()),
        callbacks=list(make(config.callbacks).values()),
        batching=make(config.batching),
        epochs=own.epochs,
        seed=config.seed,
        mle_on=objective.mle_on,
        use_unordered=objective.use_unordered,
        checkpoint_minutes=objective.checkpoint_minutes,
        ranking_loss=loss,
    )
    decisive = ("optimizer", "schedule", "batching", "trainer", "callbacks", "seed")
    shared = {key: plain(config[key]) for key in decisive}
    ranking = {"ranking_loss": plain(config.ranking_loss), "mle_on": objective.mle_on} if ranks else {}
    ranking |= {"use_unordered": objective.use_unordered, **{k: objective[k] for k in weights[:2]}} if ranks else {}
    return Part({"name": name, **plain(own), **shared, **ranking}, training)
