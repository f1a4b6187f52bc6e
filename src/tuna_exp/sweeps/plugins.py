"""Plugins of Hydra that are missing or broken, in words.

Hydra says "no such option" for a launcher that is not installed, and a plugin that fails while it
is imported ends every command in its environment, with a traceback.
"""

import importlib
import traceback
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path

from tuna_exp.errors import ConfigError, in_short

# What each option imports, and the extra of this package that installs it.
NEEDED: Mapping[str, tuple[str, str]] = {
    "hydra/launcher=joblib": ("hydra_plugins.hydra_joblib_launcher.joblib_launcher", "joblib"),
    "hydra/launcher=submitit_local": ("hydra_plugins.hydra_submitit_launcher.config", "submitit"),
    "hydra/launcher=submitit_slurm": ("hydra_plugins.hydra_submitit_launcher.config", "submitit"),
    "hydra/launcher=slurm": ("hydra_plugins.hydra_submitit_launcher.config", "submitit"),
    "hydra/launcher=ray": ("ray", "ray"),
    "hydra/sweeper=optuna": ("optuna", "optuna"),
}
_BEHIND = {"joblib": "joblib", "submitit": "submitit"}  # imported by a plugin only when it runs
_OURS = "tuna_exp"


def check_plugins(overrides: Sequence[str]) -> None:
    """Raise ConfigError where a launcher or sweeper is chosen that cannot be imported."""
    for override in overrides:
        require(override.lstrip("+~"))


def require(option: str) -> None:
    """Raise ConfigError where what an option such as "hydra/launcher=ray" imports is not there."""
    module, extra = NEEDED.get(option, ("", ""))
    for name in filter(None, (module, _BEHIND.get(extra, ""))):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if not name.startswith(str(error.name)):
                raise _broken(option, name, extra, error) from error
            raise ConfigError(
                f"{option} needs what is not installed here ({name}). Cure: pip install "
                f"'tuna_exp[{extra}]'."
            ) from error
        except Exception as error:  # a broken package raises anything
            raise _broken(option, name, extra, error) from error


def _broken(option: str, name: str, extra: str, error: Exception) -> ConfigError:
    reason = in_short(error)
    return ConfigError(
        f"{option}: {name} is installed but cannot be imported: {type(error).__name__}: {reason}. "
        f"Cure: pip install --upgrade 'tuna_exp[{extra}]'."
    )


def broken_plugin(error: BaseException) -> str | None:
    """Return the words for a plugin that failed while Hydra looked for plugins; None for others."""
    frames = list(_frames(error))
    if not any(name == "_scan_all_plugins" for _, name in frames):
        return None
    parts = [Path(path).parts for path, _ in frames if "hydra_plugins" in Path(path).parts]
    if not parts:
        return None
    last = parts[-1]
    plugin = last[last.index("hydra_plugins") + 1].removesuffix(".py")
    reason = in_short(error)
    return (
        f"the Hydra plugin {plugin} cannot be imported, and Hydra imports every plugin that is "
        f"installed: {type(error).__name__}: {reason}. Cure: pip uninstall {_package(plugin)}, or "
        "install a version of it for this Hydra."
    )


def _frames(error: BaseException) -> Iterator[tuple[str, str]]:
    for frame in traceback.extract_tb(error.__traceback__):
        yield frame.filename, frame.name


def _package(plugin: str) -> str:
    """Return the name of the distribution that brought a plugin."""
    for found in distributions():
        if any(file.parts[:2] == ("hydra_plugins", plugin) for file in found.files or ()):
            return str(found.metadata["Name"])
    return plugin.replace("_", "-")
