"""The package lm_eval, which is no dependency of ours: whether it is there, and which.

Nothing of it is imported before it is asked for: it takes seconds.
"""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from tuna_exp.errors import ConfigError

# Of random numbers: the harness's own, which its published figures were made with.
SEEDS = {"random": 0, "numpy": 1234, "torch": 1234, "fewshot": 1234}
INSTALL = "pip install 'tuna_exp[lm_eval]'"


def lm_eval_version() -> str:
    """Return the harness's version. Raises ConfigError where it is not installed."""
    try:
        if find_spec("lm_eval") is not None:
            return version("lm_eval")
    except PackageNotFoundError:
        pass
    raise ConfigError(
        f"evaluation=lm_eval: the package lm-eval is not installed. Cure: {INSTALL}, or leave it "
        "out of evaluation=."
    )
