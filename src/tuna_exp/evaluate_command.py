"""`tuna-exp evaluate`: the figures of one model on benchmarks, without training anything.

It makes the steps that a training run makes and writes a run's record, so that either finds what
the other has computed and `tuna-exp compare` takes both. Left out: several models in one run. A
sweep (`-m model=A,B`) does that and ends in their comparison.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from tuna_exp.config_types import check_config
from tuna_exp.errors import ConfigError, UserError, nearest
from tuna_exp.experiment import (
    build_benchmarks,
    build_student,
    check_folder,
    check_login,
    described_run,
    make,
    published_in,
    save_settings,
    tracking_of,
)
from tuna_exp.quiet import quiet_libraries
from tuna_exp.sweeps.identity import identity

if TYPE_CHECKING:
    from tuna_exp.evaluation.base import Benchmark
    from tuna_exp.evaluation.contamination import Contamination
    from tuna_exp.scoring import Subject

SUBJECTS = ("model", "teacher", "answers")
USAGE = """usage: tuna-exp evaluate [subject=model|teacher|answers] [GROUP=OPTION ...]
       [KEY=VALUE ...] [--json]

Score one model on benchmarks; what is there already is not computed again.

  tuna-exp evaluate model=smollm2_135m evaluation=verifiable evaluation.limit=50
  tuna-exp evaluate model=hub model.name=FOLDER_OR_ID     a checkpoint folder or a Hub model
  tuna-exp evaluate subject=teacher teacher=openai        a service, or whoever else teaches
  tuna-exp evaluate subject=answers answers.path=FILE     what a model answered elsewhere
  tuna-exp evaluate -m model=tiny,smollm2_135m            several, then compared
"""
_CHECKPOINT = re.compile(r"train/([0-9a-f]{16})/checkpoint")


def words_for(subject: str) -> tuple[str, str]:
    """Return the words before the overrides that say who is evaluated."""
    return "evaluate", f"subject={subject}"


def parsed_apart(
    arguments: Sequence[str],
) -> tuple[Callable[..., None], tuple[str, str], list[str]]:
    """Return what to do with the composed config, the words that say so, and the arguments that
    are for composing it.

    Raises ConfigError for a subject that is none.
    """
    own = [argument for argument in arguments if argument.startswith("subject=")]
    subject = own[-1].partition("=")[2] if own else "model"
    if subject not in SUBJECTS:
        raise ConfigError(
            f"subject={subject}: who is evaluated; allowed: {', '.join(SUBJECTS)}."
            f"{nearest(subject, SUBJECTS)} Cure: subject=model model=OPTION, or subject=teacher "
            "teacher=OPTION, or subject=answers answers.path=FILE."
        )
    rest = [argument for argument in arguments if argument not in (*own, "--json")]
    return partial(run_evaluation, subject, "--json" in arguments), words_for(subject), rest


def run_evaluation(
    subject: str,
    as_json: bool,
    config: DictConfig,
    settings: Path,
    output: Path,
    overrides: Sequence[str],
    show: bool,
) -> None:
    """Score a model on the benchmarks of a config; the run's record goes to `output`.

    `settings` is the folder of our YAML files; `show` prints the figures, `as_json` as JSON.
    Raises UserError for what the user can mend.
    """
    quiet_libraries()
    check_config(config, settings)
    check_folder(Path(config.artifacts), "artifacts")
    from tuna_exp.runs import Run, run_comparison, show_comparison
    from tuna_exp.scoring import check_benchmarks, compare_step, of_one_run, scores

    benchmarks = build_benchmarks(config)
    check_benchmarks(benchmarks)
    name, chosen = subject_of(config, subject)
    overlaps = overlaps_with(config, benchmarks)
    save_settings(config, overrides, output)
    comparison = replace(make(config.comparison), baseline=name)
    scored = scores(chosen, benchmarks, comparison.bootstrap, config.max_refused)
    final = compare_step(
        {name: of_one_run(scored, "")},
        comparison,
        overlaps=overlaps,
        run_of_words=config.contamination.run_of_words,
    )
    own = identity(config, words_for(subject))
    run = Run(
        Path(config.artifacts),
        output,
        tuple(overrides),
        make(config.account),
        config.seed,
        own,
        tracking_of(config),
        described_run(config, own, {}),
        make(config.executor),
    )
    artifact = run_comparison(final, run, partial(check_login, config))
    if show and as_json:
        sys.stdout.write((artifact.folder / "comparison.json").read_text(encoding="utf-8"))
    elif show:
        show_comparison(artifact)


def overlaps_with(
    config: DictConfig, benchmarks: Mapping[str, "Benchmark"]
) -> "list[Contamination]":
    """Return what of each benchmark stands in the dataset, where the command names one.

    That is what the model was trained on. Raises ConfigError where a benchmark stands in it that
    must not be trained on.
    """
    from tuna_exp.evaluation.contamination import in_dataset, refuse_contaminated

    if not any(one.startswith("dataset=") for one in HydraConfig.get().overrides.task):
        return []
    dataset = make(config.dataset)
    instructions = dataset.load()
    ranked = published_in(dataset) or ()
    run = config.contamination.run_of_words
    found = [
        in_dataset(name, benchmark.items(), instructions, ranked, run)
        for name, benchmark in benchmarks.items()
    ]
    refuse_contaminated(found, make(config.allow_contaminated))
    return found


def subject_of(config: DictConfig, subject: str) -> tuple[str, "Subject"]:
    """Return what the model to be scored is called, and the model."""
    from tuna_exp.scoring import trained, untrained

    choices: Any = HydraConfig.get().runtime.choices
    if subject == "teacher":
        name = OmegaConf.select(config, "teacher.endpoint.model") or f"teacher {choices.teacher}"
        return str(name), untrained(str(name), make(config.teacher))
    if subject == "answers":
        stored = make(config.answers)
        return stored.called, untrained(stored.called, stored)
    student = build_student(config)
    model = trained_here(config)
    if model is not None:
        chosen = trained(student, model)
        return chosen.label, chosen
    name = config.model.name if choices.model == "hub" else choices.model
    return str(name), untrained(str(name), student.llm())


def trained_here(config: DictConfig) -> Any:
    """Return the step that made the model, where it is the checkpoint of a training in the store.

    Its evaluation by the run that trained it is then found, which knows it by that step.
    """
    from tuna_exp.comparing import Finished
    from tuna_exp.stores import Stores

    folder = Path(str(config.model.get("name") or "")).expanduser()
    root = Path(config.artifacts).resolve()
    if not folder.is_dir() or not folder.resolve().is_relative_to(root):
        return None
    found = _CHECKPOINT.fullmatch(folder.resolve().relative_to(root).as_posix())
    try:
        return Finished(Stores([root])).step(found[1]) if found else None
    except UserError:
        return None  # something it was made from was pruned: its weights still tell what it is
