"""Rules that hold for all of the code: what it may never call, and what is in the checkout."""

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tuna_exp.comparison.report import environment, script_json
from tuna_exp.dashboard.server import HOST
from tuna_exp.errors import UserError
from tuna_exp.models.sources import HubModel

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
# Calls that run what they read, write where an archive says, or hand words to a shell.
FORBIDDEN = {
    "pickle.load", "pickle.loads", "joblib.load", "dill.load", "marshal.loads",
    "yaml.unsafe_load", "yaml.full_load", "os.system", "os.popen", "eval", "exec",
    "tempfile.mktemp",
}  # fmt: skip
KEYS = re.compile(
    r"sk-[A-Za-z0-9]{32,}|sk-(?:proj|ant)-[\w-]{32,}|hf_[A-Za-z0-9]{30,}|gh[pousr]_[A-Za-z0-9]{36}"
    r"|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{20,}|AIza[\w-]{35}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Yield each call in the sources: file, dotted name, node."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield path.name, ast.unparse(node.func), node


def test_nothing_runs_what_it_reads() -> None:
    wrong = [(file, name) for file, name, _ in calls() if name in FORBIDDEN]
    wrong += [(file, name) for file, name, _ in calls() if name.endswith(".extractall")]
    for file, name, node in calls():
        told = {k.arg: ast.unparse(k.value) for k in node.keywords}
        if told.get("shell") == "True" or told.get("trust_remote_code") == "True":
            wrong.append((file, name))
        if name == "torch.load" and told.get("weights_only") != "True":
            wrong.append((file, name))
        if (
            name == "yaml.load"
            and "Safe" not in ast.unparse(node)
            and "loader" not in told.values()
        ):
            wrong.append((file, name))
    assert not wrong


def test_nothing_listens_beyond_this_machine() -> None:
    bound = [
        (file, ast.unparse(node.args[0].elts[0]))
        for file, name, node in calls()
        if name.endswith(("Server", "bind")) and node.args and isinstance(node.args[0], ast.Tuple)
    ]
    assert bound and not [place for place in bound if place[1] not in ("HOST", "'127.0.0.1'")]
    assert HOST == "127.0.0.1"


def test_pages_escape_what_models_say() -> None:
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    shown = environment().from_string("<p>{{ said }}</p>").render(said=hostile)
    assert "<script" not in shown and "<img" not in shown
    embedded = str(script_json({"said": hostile + "<!--"}))
    assert "<" not in embedded and json.loads(embedded)["said"] == hostile + "<!--"
    templates = list((ROOT / "src").rglob("*.html.jinja"))
    assert templates and not [p.name for p in templates if re.search(r"\|\s*safe", p.read_text())]


def test_a_folder_of_pickles_is_no_model(tmp_path: Path, tiny_folder: Path) -> None:
    (tmp_path / "config.json").write_bytes((tiny_folder / "config.json").read_bytes())
    torch.save({"weight": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="safetensors"):
        HubModel(str(tmp_path)).resolve()


def test_an_archive_that_points_outside_writes_nothing(tmp_path: Path) -> None:
    import io
    import tarfile

    from tuna_exp.errors import DataError
    from tuna_exp.evaluation.superni.sources import read_local

    path = tmp_path / "in" / "evil.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as tar:
        for name in ("../outside.json", "/tmp/absolute-outside.json", "test_tasks.txt"):
            content = b"../../outside"
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    with pytest.raises(DataError):
        read_local(path, None, 1)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["evil.tar"]


def test_the_lock_is_exact_and_leaves_out_what_was_tampered_with() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    needed = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    assert needed and not [line for line in needed if not re.match(r"[\w.\[\]-]+==[\w.+!]+", line)]
    assert not {"lightning==2.6.2", "lightning==2.6.3"} & set(needed)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (lightning,) = [d for d in project["dependencies"] if d.startswith("lightning")]
    assert "!=2.6.2" in lightning and "!=2.6.3" in lightning


def test_no_key_is_in_the_checkout() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    found = []
    for name in listed.stdout.decode().split("\0")[:-1]:
        path = ROOT / name
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 2**21:
            found += [
                name for _ in KEYS.finditer(path.read_text(encoding="utf-8", errors="replace"))
            ]
    assert not found


def test_the_scan_knows_a_key() -> None:
    assert KEYS.search("hf_" + "a" * 34) and KEYS.search("AKIA" + "A1" * 8)
