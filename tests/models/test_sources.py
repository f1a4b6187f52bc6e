import json
import os
import threading
from pathlib import Path

import pytest

from tuna_exp.errors import UserError
from tuna_exp.models.sources import (
    CACHE_VARIABLE,
    HubModel,
    build_folder,
    cache_root,
    file_digest,
    missing_part,
)


def test_local_folder_is_itself_and_its_files_are_its_digest(tiny_folder: Path) -> None:
    source = HubModel(str(tiny_folder))
    assert source.resolve() == tiny_folder
    files = source.digest()["files"]
    assert isinstance(files, dict)
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= set(
        files
    )


def test_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(UserError, match=r"no \*.safetensors.*save_pretrained"):
        HubModel(str(tmp_path)).resolve()


def test_unreachable_hub_names_model_and_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"nobody/nothing.*model\.name=FOLDER"):
        HubModel("nobody/nothing").resolve()


def test_hub_snapshot_in_the_cache_needs_no_network(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Hub's cache layout: refs/main holds the commit, snapshots/COMMIT the files."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    home = tmp_path / "models--someone--tiny"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(commit)
    (home / "snapshots").mkdir()
    (home / "snapshots" / commit).symlink_to(tiny_folder)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    source = HubModel("someone/tiny")
    assert source.resolve() == home / "snapshots" / commit
    assert source.digest() == {"name": "someone/tiny", "commit": commit}


def test_shard_that_was_never_downloaded_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "model-1.safetensors").touch()
    assert missing_part(tmp_path) == "no model-2.safetensors"
    (tmp_path / "model-2.safetensors").touch()
    assert missing_part(tmp_path) is None


def test_digest_is_read_again_after_a_change(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    first = file_digest(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert file_digest(path) != first


def test_killed_build_leaves_nothing_and_the_next_one_starts_afresh(tmp_path: Path) -> None:
    target = tmp_path / "model"
    stale = tmp_path / ".model.part"
    stale.mkdir()
    (stale / "half").touch()
    build_folder(target, lambda folder: (folder / "whole").touch())
    assert [path.name for path in target.iterdir()] == ["whole"]
    assert not stale.exists()


def test_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_folder(tmp_path / "model", fail)
    assert [path.name for path in tmp_path.iterdir()] == [".model.lock"]


def test_two_builders_build_once(tmp_path: Path) -> None:
    built: list[str] = []
    waiting = threading.Barrier(2)

    def race() -> None:
        waiting.wait()
        build_folder(tmp_path / "model", lambda folder: built.append(folder.name))

    threads = [threading.Thread(target=race) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == [".model.part"]


def test_cache_that_cannot_be_written_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=CACHE_VARIABLE):
        build_folder(tmp_path / "file" / "model", lambda folder: None)


def test_cache_root_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, "~/here")
    assert cache_root() == Path.home() / "here"
    monkeypatch.delenv(CACHE_VARIABLE)
    assert cache_root().name == "tuna_exp"
