"""Plugins that are missing or broken are told in words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tuna_exp.errors import ConfigError
from tuna_exp.sweeps.plugins import NEEDED, check_plugins

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("option", NEEDED)
def test_a_missing_plugin_is_told_with_its_line(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, extra = NEEDED[option]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf"{option} .*pip install.*'tuna_exp\[{extra}\]'"):
        check_plugins(["seed=1", option])


def test_a_plugin_that_fails_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "optuna.py").write_text("import nothing_like_this\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "optuna"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ConfigError, match="installed but cannot be imported: .*nothing_like_this"):
        check_plugins(["hydra/sweeper=optuna"])


def test_other_options_need_nothing() -> None:
    check_plugins(["hydra/launcher=basic", "model=tiny", "hydra/launcher=process"])


@pytest.mark.parametrize("arguments", [["seed=0"], ["-m", "seed=0,1"]])
def test_a_broken_plugin_of_the_users_is_named(arguments: list[str], tmp_path: Path) -> None:
    plugin = tmp_path / "path" / "hydra_plugins" / "weary"
    plugin.mkdir(parents=True)
    (plugin / "__init__.py").write_text("raise ValueError('mutable default for field x')\n")
    paths = os.pathsep.join(map(str, (ROOT / "src", tmp_path / "path")))
    done = subprocess.run(
        [sys.executable, "-m", "tuna_exp", *arguments], cwd=tmp_path, capture_output=True,
        text=True, timeout=60, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    assert done.returncode == 2
    assert "the Hydra plugin weary cannot be imported" in done.stderr
    assert "mutable default for field x. Cure: pip uninstall weary" in done.stderr
    assert "Traceback" not in done.stderr
