"""Where the data of published benchmarks is to be had, for those who do not have it yet.

None of it is part of this project. A checkout in the folder `benchmarks` is found by its name.
Left out: fetching it. Some of these repositories are large, and some ask to be read first.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tuna_exp.errors import ConfigError

# By the name of a checkout.
_GITHUB = {
    "lmentry": "aviaefrat/lmentry",
    "natural-instructions": "allenai/natural-instructions",
    "vicuna-blog-eval": "lm-sys/vicuna-blog-eval",
    "CLAMBER": "zt991211/CLAMBER",
    "ClariQ": "aliannejadi/ClariQ",
    "ambient": "alisawuffles/ambient",
    "dialogsum": "cylnlp/dialogsum",
}


def check_there(benchmarks: Mapping[str, object]) -> None:
    """Raise ConfigError where the data of benchmarks, by name, is not there: of all at once.

    Of a subset it is the data of the whole.
    """
    missing = [
        _told(key, path)
        for name, benchmark in benchmarks.items()
        for key, path in _places(f"evaluation.{name}", getattr(benchmark, "benchmark", benchmark))
        if not Path(path).expanduser().exists()
    ]
    if missing:
        raise ConfigError(
            "\n".join(missing)
            + "\nThe data of published benchmarks is not part of tuna_exp. One folder may "
            "hold it all: benchmarks=FOLDER, or the environment variable TUNA_EXP_BENCHMARKS."
        )


def _places(key: str, benchmark: object) -> Iterator[tuple[str, str]]:
    """Yield the settings of a benchmark that name a file or folder, with their values."""
    path = getattr(benchmark, "path", None)
    if isinstance(path, str) and getattr(benchmark, "hub_id", None) is None:
        yield f"{key}.path", path
    reference = getattr(benchmark, "reference", None)
    if reference is not None:
        yield f"{key}.reference.path", reference.path


def _told(key: str, path: str) -> str:
    parts = Path(path).parts
    known = next((place for place, name in enumerate(parts) if name in _GITHUB), None)
    cure = f"{key}=PATH"
    if known is not None:
        folder = Path(*parts[: known + 1])
        fetch = f"git clone --depth 1 https://github.com/{_GITHUB[parts[known]]} {folder}"
        first = "get that checkout again, it is not whole" if folder.exists() else fetch
        cure = f"{first}, or {cure}"
    return f"{key}={path} is not there. Cure: {cure}."
