"""What a search takes from Optuna: samplers, pruners, storages; refusals are in our words."""

import importlib
import inspect
import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tuna_exp.errors import ConfigError, in_short

if TYPE_CHECKING:
    from tuna_exp.sweeps.search import Settings

SAMPLERS = {
    "tpe": "TPESampler",
    "random": "RandomSampler",
    "grid": "RandomSampler",  # every combination is queued; nothing is drawn
    "nsgaii": "NSGAIISampler",
    "nsgaiii": "NSGAIIISampler",
    "cmaes": "CmaEsSampler",
    "gp": "GPSampler",
    "qmc": "QMCSampler",
}
PRUNERS = {
    "none": "NopPruner",
    "median": "MedianPruner",
    "percentile": "PercentilePruner",
    "hyperband": "HyperbandPruner",
    "successive_halving": "SuccessiveHalvingPruner",
    "threshold": "ThresholdPruner",
}
# What Optuna imports only when it first draws, which is after the first jobs.
_IMPORTED = {"cmaes": "cmaes", "gp": "torch"}
# How many trials are drawn at random before anything is learnt from them.
_AT_RANDOM = {
    "tpe": "n_startup_trials",
    "gp": "n_startup_trials",
    "cmaes": "n_startup_trials",
    "nsgaii": "population_size",
    "nsgaiii": "population_size",
}
_GENERATIONS, _POPULATION = 4, (4, 50)  # wanted; and the smallest and largest population for it
_log = logging.getLogger(__name__)


def made(key: str, name: str, settings: Mapping[str, Any]) -> Any:
    """Make Optuna's sampler or pruner; raises ConfigError where it refuses its settings."""
    import optuna

    names, module = (SAMPLERS, optuna.samplers) if key == "sampler" else (PRUNERS, optuna.pruners)
    kind = getattr(module, names[name])
    known = [one for one in inspect.signature(kind).parameters if one != "seed"]
    try:
        importlib.import_module(_IMPORTED.get(name, "optuna"))
        return kind(**settings)
    except ImportError as error:
        reason = in_short(error, 200)
        raise ConfigError(
            f"hydra.sweeper.{key}={name} needs what is not installed here: {reason} Cure: install "
            f"it, or another {key}."
        ) from error
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"hydra.sweeper.{key}_settings={dict(settings)} cannot be used for {name}: {error}; "
            f"its arguments are {', '.join(known) or 'none'}. Cure: "
            f"hydra.sweeper.{key}_settings={{}}."
        ) from error


def sampler(name: str, settings: "Settings", told: int) -> Any:
    """Make a sampler; one that goes on after `told` trials does not draw again what was drawn.

    Raises ConfigError where Optuna refuses the settings.
    """
    own: dict[str, Any] = {"seed": settings.seed + told}
    if name == "tpe" and settings.n_jobs > 1:
        own["constant_liar"] = True  # trials at the same time are kept apart
    if _AT_RANDOM.get(name) == "population_size":
        least, most = _POPULATION
        own["population_size"] = min(max(settings.n_trials // _GENERATIONS, least), most)
    if name == "cmaes":
        own["warn_independent_sampling"] = False  # told once, and not with every trial
    if name == "qmc":
        own |= _of_one_sequence(settings.seed, told)
    return made("sampler", name, own | dict(settings.sampler_settings))


def check_dimensions(name: str, choices: Sequence[str], count: int) -> None:
    """Say which of `count` dimensions, the `choices`, a sampler of numbers would draw at random.

    Raises ConfigError where it would do no more than that.
    """
    if name == "cmaes" and len(choices) == count:
        raise ConfigError(
            "hydra.sweeper.sampler=cmaes searches numbers, and all that varies are choices "
            f"({', '.join(choices)}). Cure: hydra.sweeper.sampler=tpe, or KEY=interval(LOW,HIGH)."
        )
    if name == "cmaes" and choices:
        _log.warning(
            "hydra.sweeper.sampler=cmaes searches numbers; drawn at random: %s. "
            "hydra.sweeper.sampler=tpe learns from those as well.",
            ", ".join(choices),
        )


def check_trials(name: str, n_trials: int, settings: Mapping[str, Any]) -> None:
    """Say where all trials would be a sampler's first, which it draws at random."""
    key = _AT_RANDOM.get(name, "")
    first = settings.get(key, _default(name, key)) if key else None
    if isinstance(first, int) and first >= n_trials > 1:
        _log.warning(
            "hydra.sweeper.sampler=%s draws its first %d trials at random, and hydra.sweeper."
            "n_trials=%d: nothing is learnt from them. Cure: hydra.sweeper.sampler_settings="
            "{%s: %d}, or more trials.",
            name, first, n_trials, key, max(n_trials // _GENERATIONS, 2),
        )  # fmt: skip


def _of_one_sequence(seed: int, told: int) -> dict[str, Any]:
    """Return what has a quasi-random search go on in its sequence, which the seed decides.

    What the first trial draws, before there is a sequence, is drawn anew each time.
    """
    import optuna

    first = optuna.samplers.RandomSampler(seed=seed + told)
    return {"seed": seed, "independent_sampler": first, "warn_independent_sampling": False}


def _default(sampler: str, key: str) -> Any:
    """Return what Optuna takes for an argument of a sampler; None where ours is taken."""
    import optuna

    if key == "population_size":
        return None
    kind = getattr(optuna.samplers, SAMPLERS[sampler])
    found = inspect.signature(kind).parameters.get(key)
    return found and found.default


def storage_of(place: str) -> Any:
    """Open a study's storage: a database by its URL, else a journal in a file.

    Raises ConfigError where a database cannot be opened.
    """
    from optuna.storages import JournalStorage, get_storage
    from optuna.storages.journal import JournalFileBackend

    if "://" not in place:
        # Optuna's own lock, a link beside the file: it holds on network file systems as well.
        return JournalStorage(JournalFileBackend(place))
    try:
        return get_storage(place)
    except Exception as error:  # whatever the database's driver raises
        reason = in_short(error)
        raise ConfigError(
            f"hydra.sweeper.storage={without_password(place)} cannot be opened: {reason}. Cure: "
            "a URL such as sqlite:///search.db, or null."
        ) from error


def without_password(url: str) -> str:
    """Return a database's URL as it may be shown."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def quiet() -> None:
    """Leave out what Optuna says of its own accord, such as that a class of it is experimental."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module="optuna")
