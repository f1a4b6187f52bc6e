"""Environments of their own for servers whose libraries must not meet ours.

They lie in the checkout beside `.venv` and are made once. Left out: hashes of the packages, which
differ by platform; the versions are pinned where the servers are described.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock

CHECKOUT = Path(__file__).parents[2]
_NAMES = ("python3.14", "python3.13", "python3.12")
_SECONDS = 900


def environment(name: str, requirements: Sequence[str], python: str) -> Path:
    """Return the Python of an environment that holds the requirements, made where it is not there.

    What a killed or an older making left behind is made anew.
    """
    folder = CHECKOUT / name
    ready, wanted = folder / "ready", "\n".join(requirements)
    with FileLock(folder.with_name(f"{name}.lock")):
        if not ready.is_file() or ready.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([python, "-m", "venv", str(folder)], check=True, timeout=_SECONDS)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, *requirements], check=True, timeout=_SECONDS)
            ready.write_text(wanted)
    return folder / "bin" / "python"


def python_from(version: tuple[int, int]) -> str | None:
    """Return a Python of at least a version that runs on this machine, or None."""
    test = f"import sys, venv; sys.exit(sys.version_info < {version})"
    for python in _pythons():
        try:
            done = subprocess.run([python, "-c", test], capture_output=True, timeout=60)
        except OSError:
            continue
        if done.returncode == 0:
            return python
    return None


def _pythons() -> Iterator[str]:
    """Yield Pythons to try: ours, those on the path, those that pyenv keeps off it."""
    yield sys.executable
    yield from filter(None, map(shutil.which, _NAMES))
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from map(str, sorted(kept.glob("3.1[2-9]*/bin/python"), reverse=True))
