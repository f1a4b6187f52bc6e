"""What an artifact was made with: versions, the checkout's commit, the platform.

Left out on purpose: environment variables, host and user names, paths: a manifest travels with
published results, and none of these decides them.
"""

import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("tuna_exp", "torch", "transformers", "lightning")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """Output of git beside this file; None where it fails, is not installed or takes too long."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _checkout() -> dict[str, Any] | None:
    # An installed package may lie inside somebody else's repository: only count a checkout that
    # tracks this very file.
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {"commit": _git("rev-parse", "HEAD"), "dirty": bool(changes)}


@cache
def environment() -> dict[str, Any]:
    """Versions of Python and the packages that compute, `checkout` (commit, dirty) and platform."""
    versions = {package: _version(package) for package in _PACKAGES}
    return {
        "python": platform.python_version(),
        **versions,
        "checkout": _checkout(),
        "platform": platform.platform(),
    }
