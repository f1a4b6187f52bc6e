"""The wheel in an environment of its own: complete without the checkout it was built from."""

import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with the backend that is installed, or with one that pip fetches."""
    folder = tmp_path_factory.mktemp("dist")
    here = importlib.util.find_spec("hatchling") is not None
    options = ["--no-deps", "--quiet", *(["--no-build-isolation"] if here else [])]
    pip = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder)]
    subprocess.run([*pip, str(CHECKOUT)], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of a fresh environment with the wheel in it, and our libraries within reach.

    A .pth file that names a folder does not run the .pth files in it, so the checkout, which is
    installed there in place, is not within reach.
    """
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False)
    libraries = sysconfig.get_path("purelib")
    site = next(home.glob("lib/python*/site-packages"))
    (site / "libraries.pth").write_text(f"{libraries}\n")
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install"]
    subprocess.run([*pip, "--no-deps", "--no-index", "--quiet", str(wheel)], check=True)
    return home / "bin"


def run(scripts: Path, folder: Path, *command: str) -> str:
    """The output of a script of the environment, run in a folder outside the checkout."""
    environment = {key: os.environ[key] for key in os.environ if not key.startswith("PYTHON")}
    environment |= {"TUNA_EXP_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(scripts / command[0]), *command[1:]], cwd=folder, env=environment,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(CHECKOUT) not in done.stdout + done.stderr
    return done.stdout


def test_configuration_and_experiments_are_inside(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    files = CHECKOUT.glob("conf/**/*.yaml")
    expected = {f"tuna_exp/conf/{path.relative_to(CHECKOUT / 'conf')}" for path in files}
    expected |= {f"tuna_exp/conf/experiment/{p.name}" for p in CHECKOUT.glob("experiments/*.yaml")}
    found = {name for name in names if name.startswith("tuna_exp/conf/")}
    assert found == expected
    assert not [name for name in names if name.startswith("tests/") or "__pycache__" in name]


def test_nothing_comes_from_the_checkout(scripts: Path, tmp_path: Path) -> None:
    code = "import tuna_exp.cli as cli; print(cli.__file__, cli.SETTINGS)"
    places = run(scripts, tmp_path, "python", "-c", code).split()
    assert all(Path(place).is_relative_to(scripts.parent) for place in places)


def test_the_installed_command(scripts: Path, tmp_path: Path) -> None:
    assert "\nexperiment: demo" in run(scripts, tmp_path, "tuna-exp", "--help")
    settings = run(scripts, tmp_path, "tuna-exp", "--cfg", "job", "experiment=demo")
    assert "tuna_exp.datasets.verifiable.VerifiableDataset" in settings
    said = run(scripts, tmp_path, "tuna-exp", "experiment=tiny", "method=sft")
    assert "Report with plots: " in said
    assert next(tmp_path.glob("artifacts/compare/*/table.csv")).stat().st_size > 0
